"""The indexes of companies and their provenance rows, built while the application writes."""

from connector_provenance.migrations import sqlfile

revision = "0007_company_indexes"
down_revision = "0006_company"


def upgrade() -> None:
    sqlfile.run_in_autocommit("sql/0007_company_indexes.up.sql")


def downgrade() -> None:
    sqlfile.run("sql/0007_company_indexes.down.sql")
