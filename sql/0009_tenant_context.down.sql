-- 0009 down: drops the context and every role binding; a tenant's direct login sees nothing until it is bound again.
-- locks: ACCESS EXCLUSIVE on tenancy.current_workspace_companies, tenancy.current_workspace_connectors, tenancy.role_bindings, workspaces

drop view tenancy.current_workspace_connectors;
drop view tenancy.current_workspace_companies;
drop function tenancy.current_workspace_pk();
drop function tenancy.is_tenant_login();
drop function tenancy.json_claim(text, text, text);
drop table tenancy.role_bindings;
