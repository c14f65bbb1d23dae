-- extended statistics (dependencies) on connector and company
create statistics core_api.company_workspace_connectors_statistics (dependencies)
on workspace_connector_pk, company_pk from core_api.company_workspace_connectors;
analyze core_api.company_workspace_connectors;
