"""The API in SQL: page, list, retrieve, counts, create, delete, revoke."""

from connector_provenance.migrations import sqlfile

revision = "0011_company_api"
down_revision = "0010_company_guarded"


def upgrade() -> None:
    sqlfile.run("sql/0011_company_api.up.sql")
    sqlfile.run("sql/functions/company_page_keys_v01.sql")
    sqlfile.run("sql/functions/company_resource_v01.sql")
    sqlfile.run("sql/functions/company_list_v01.sql")
    sqlfile.run("sql/functions/company_workspace_connector_resource_v01.sql")
    sqlfile.run("sql/functions/company_workspace_connectors_page_v01.sql")
    sqlfile.run("sql/functions/company_workspace_connectors_list_v01.sql")
    sqlfile.run("sql/functions/company_workspace_connector_retrieve_v01.sql")
    sqlfile.run("sql/functions/company_workspace_connectors_counts_v01.sql")
    sqlfile.run("sql/functions/create_company_workspace_connectors_v01.sql")
    sqlfile.run("sql/functions/create_company_workspace_connector_v01.sql")
    sqlfile.run("sql/functions/delete_company_workspace_connectors_v01.sql")
    sqlfile.run("sql/functions/delete_company_workspace_connector_v01.sql")
    sqlfile.run("sql/functions/revoke_company_workspace_connectors_v01.sql")


def downgrade() -> None:
    sqlfile.run("sql/0011_company_api.down.sql")
