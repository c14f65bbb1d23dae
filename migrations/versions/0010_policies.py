"""Who sees and writes which rows: the policies of the table and of the parents created here."""

from cwc_schema.migrations import sqlfile

revision = "0010_policies"
down_revision = "0009_tenant_context"


def upgrade() -> None:
    sqlfile.run("sql/0010_policies.up.sql")
    sqlfile.run("policies/workspaces_v01.sql")
    sqlfile.run("policies/companies_v01.sql")
    sqlfile.run("policies/workspace_connectors_v01.sql")
    sqlfile.run("policies/company_workspace_connectors_v01.sql")


def downgrade() -> None:
    sqlfile.run("sql/0010_policies.down.sql")
