"""The native enum: input or output."""

from cwc_schema.migrations import sqlfile

revision = "0004_direction_enum"
down_revision = "0003_parent_indexes"


def upgrade() -> None:
    sqlfile.run("sql/0004_direction_enum.up.sql")


def downgrade() -> None:
    sqlfile.run("sql/0004_direction_enum.down.sql")
