"""Pages for Hasura, which names the tenant in an argument."""

from cwc_schema.migrations import sqlfile

revision = "0015_hasura"
down_revision = "0014_api"


def upgrade() -> None:
    sqlfile.run("sql/0015_hasura.up.sql")


def downgrade() -> None:
    sqlfile.run("sql/0015_hasura.down.sql")
