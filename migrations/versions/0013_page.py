"""Pages of provenance rows, newest first."""

from cwc_schema.migrations import sqlfile

revision = "0013_page"
down_revision = "0012_no_mixed_rows"


def upgrade() -> None:
    sqlfile.run("sql/0013_page.up.sql")


def downgrade() -> None:
    sqlfile.run("sql/0013_page.down.sql")
