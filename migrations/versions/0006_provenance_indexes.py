"""The indexes and validated foreign keys of the provenance rows."""

from cwc_schema.migrations import sqlfile

revision = "0006_provenance_indexes"
down_revision = "0005_provenance_rows"


def upgrade() -> None:
    sqlfile.run_concurrently("sql/0006_provenance_indexes.up.sql")


def downgrade() -> None:
    sqlfile.run("sql/0006_provenance_indexes.down.sql")
