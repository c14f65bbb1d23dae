"""Pages of provenance rows, newest first."""

from cwc_schema.migrations import sqlfile

revision = "0009_page"
down_revision = "0008_same_workspace"


def upgrade() -> None:
    sqlfile.run("sql/0009_page.up.sql")


def downgrade() -> None:
    sqlfile.run("sql/0009_page.down.sql")
