"""Provenance rows: which connector a company came from or went to."""

from cwc_schema.migrations import sqlfile

revision = "0005_provenance_rows"
down_revision = "0004_direction_enum"


def upgrade() -> None:
    sqlfile.run("sql/0005_provenance_rows.up.sql")


def downgrade() -> None:
    sqlfile.run("sql/0005_provenance_rows.down.sql")
