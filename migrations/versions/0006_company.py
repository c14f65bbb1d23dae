"""Provenance rows of companies: which connector each came from or went to."""

from connector_provenance.migrations import sqlfile

revision = "0006_company"
down_revision = "0005_shared"


def upgrade() -> None:
    sqlfile.run("sql/0006_company.up.sql")


def downgrade() -> None:
    sqlfile.run("sql/0006_company.down.sql")
