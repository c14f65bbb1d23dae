"""The unique indexes that pin a parent to its workspace."""

from cwc_schema.migrations import sqlfile

revision = "0003_parent_indexes"
down_revision = "0002_parents"


def upgrade() -> None:
    sqlfile.run_concurrently("sql/0003_parent_indexes.up.sql")


def downgrade() -> None:
    sqlfile.run("sql/0003_parent_indexes.down.sql")
