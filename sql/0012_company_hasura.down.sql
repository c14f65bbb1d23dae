-- 0012 down: drops the functions for Hasura.
-- locks: none

drop function core_api.workspace_company_counts;
drop function core_api.workspace_company_workspace_connectors;
drop function core_api.company_workspace_connectors_session_page;
drop function tenancy.company_session_page_keys;
