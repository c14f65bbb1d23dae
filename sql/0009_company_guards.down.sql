-- 0009 down: rows may span two workspaces again; the policies alone keep them from tenants.
-- locks: ACCESS EXCLUSIVE on companies, company_workspace_connectors, tenancy.mixed_company_workspace_connectors, workspace_connectors

drop trigger workspace_connectors_with_companies_refuse_replacement on core_api.workspace_connectors;
drop trigger workspace_connectors_with_companies_refuse_move on core_api.workspace_connectors;
drop trigger companies_refuse_workspace_replacement on core_api.companies;
drop trigger companies_refuse_workspace_move on core_api.companies;
drop trigger company_workspace_connectors_refuse_mixed_update on core_api.company_workspace_connectors;
drop trigger company_workspace_connectors_refuse_mixed_inserts on core_api.company_workspace_connectors;
drop function tenancy.refuse_company_move;
drop function tenancy.refuse_mixed_company_update;
drop function tenancy.refuse_mixed_company_inserts;
drop view tenancy.mixed_company_workspace_connectors;
