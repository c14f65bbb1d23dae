"""A row's company and connector share one workspace."""

from cwc_schema.migrations import sqlfile

revision = "0011_same_workspace"
down_revision = "0010_policies"


def upgrade() -> None:
    sqlfile.run("sql/0011_same_workspace.up.sql")


def downgrade() -> None:
    sqlfile.run("sql/0011_same_workspace.down.sql")
