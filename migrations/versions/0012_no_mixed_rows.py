"""Rows older than the same-workspace guards are checked, without their locks."""

from cwc_schema.migrations import sqlfile

revision = "0012_no_mixed_rows"
down_revision = "0011_same_workspace"


def upgrade() -> None:
    sqlfile.run("sql/0012_no_mixed_rows.up.sql")


def downgrade() -> None:
    sqlfile.run("sql/0012_no_mixed_rows.down.sql")
