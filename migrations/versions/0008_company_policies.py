"""Who sees and writes which provenance rows of companies."""

from connector_provenance.migrations import sqlfile

revision = "0008_company_policies"
down_revision = "0007_company_indexes"


def upgrade() -> None:
    sqlfile.run("sql/0008_company_policies.up.sql")
    sqlfile.run("policies/companies_v01.sql")
    sqlfile.run("policies/company_workspace_connectors_v01.sql")


def downgrade() -> None:
    sqlfile.run("sql/0008_company_policies.down.sql")
