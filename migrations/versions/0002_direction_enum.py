"""The native enum: input or output."""

from cwc_schema.migrations import sqlfile

revision = "0002_direction_enum"
down_revision = "0001_parents"


def upgrade() -> None:
    sqlfile.run("sql/0002_direction_enum.up.sql")


def downgrade() -> None:
    sqlfile.run("sql/0002_direction_enum.down.sql")
