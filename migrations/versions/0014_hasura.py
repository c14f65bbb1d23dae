"""Pages for Hasura, which names the tenant in an argument."""

from cwc_schema.migrations import sqlfile

revision = "0014_hasura"
down_revision = "0013_api"


def upgrade() -> None:
    sqlfile.run("sql/0014_hasura.up.sql")


def downgrade() -> None:
    sqlfile.run("sql/0014_hasura.down.sql")
