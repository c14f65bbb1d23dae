-- 0011 down: drops the API's functions; a client resolves public ids, pages and builds its documents for itself again.
-- locks: ACCESS EXCLUSIVE on tenancy.company_identifiers

drop function core_api.revoke_company_workspace_connectors;
drop function core_api.delete_company_workspace_connector;
drop function core_api.delete_company_workspace_connectors;
drop function core_api.create_company_workspace_connector;
drop function core_api.create_company_workspace_connectors;
drop function core_api.company_workspace_connectors_counts;
drop function core_api.company_workspace_connector_retrieve;
drop function core_api.company_workspace_connectors_list;
drop function core_api.company_workspace_connectors_page;
drop function core_api.company_workspace_connector_resource;
drop function tenancy.company_list;
drop function tenancy.company_resource;
drop function tenancy.company_page_keys;
drop view tenancy.company_identifiers;
