"""The parents: workspaces, companies and connectors, adopted or created."""

from cwc_schema.migrations import sqlfile

revision = "0002_parents"
down_revision = "0001_contract"


def upgrade() -> None:
    sqlfile.run("sql/0002_parents.up.sql")


def downgrade() -> None:
    sqlfile.run("sql/0002_parents.down.sql")
