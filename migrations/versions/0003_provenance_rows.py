"""Provenance rows: which connector a company came from or went to."""

from cwc_schema.migrations import sqlfile

revision = "0003_provenance_rows"
down_revision = "0002_direction_enum"


def upgrade() -> None:
    sqlfile.run("sql/0003_provenance_rows.up.sql")


def downgrade() -> None:
    sqlfile.run("sql/0003_provenance_rows.down.sql")
