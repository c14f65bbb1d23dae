"""The database stamps created_at and updated_at."""

from cwc_schema.migrations import sqlfile

revision = "0004_timestamps"
down_revision = "0003_provenance_rows"


def upgrade() -> None:
    sqlfile.run("sql/0004_timestamps.up.sql")


def downgrade() -> None:
    sqlfile.run("sql/0004_timestamps.down.sql")
