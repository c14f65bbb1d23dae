"""Pages and counts for Hasura, which names the tenant in an argument."""

from connector_provenance.migrations import sqlfile

revision = "0012_company_hasura"
down_revision = "0011_company_api"


def upgrade() -> None:
    sqlfile.run("sql/functions/company_session_page_keys_v01.sql")
    sqlfile.run("sql/functions/company_workspace_connectors_session_page_v01.sql")
    sqlfile.run("sql/functions/workspace_company_workspace_connectors_v01.sql")
    sqlfile.run("sql/functions/workspace_company_counts_v01.sql")


def downgrade() -> None:
    sqlfile.run("sql/0012_company_hasura.down.sql")
