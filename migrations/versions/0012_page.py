"""Pages of provenance rows, newest first."""

from cwc_schema.migrations import sqlfile

revision = "0012_page"
down_revision = "0011_same_workspace"


def upgrade() -> None:
    sqlfile.run("sql/0012_page.up.sql")


def downgrade() -> None:
    sqlfile.run("sql/0012_page.down.sql")
