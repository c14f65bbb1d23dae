"""The database stamps created_at and updated_at."""

from cwc_schema.migrations import sqlfile

revision = "0007_timestamps"
down_revision = "0006_provenance_indexes"


def upgrade() -> None:
    sqlfile.run("sql/0007_timestamps.up.sql")


def downgrade() -> None:
    sqlfile.run("sql/0007_timestamps.down.sql")
