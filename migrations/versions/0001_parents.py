"""The parents: workspaces, companies and connectors, adopted or created."""

from cwc_schema.migrations import sqlfile

revision = "0001_parents"
down_revision = None


def upgrade() -> None:
    sqlfile.run("sql/0001_parents.up.sql")


def downgrade() -> None:
    sqlfile.run("sql/0001_parents.down.sql")
