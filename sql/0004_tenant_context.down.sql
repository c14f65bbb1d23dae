-- 0004 down: drops the context and every role binding; a tenant's direct login sees nothing until it is bound again.
-- locks: ACCESS EXCLUSIVE on tenancy.role_bindings, workspaces

drop function tenancy.current_workspace_pk;
drop function tenancy.is_tenant_login;
drop function tenancy.json_claim;
call tenancy.drop_table('tenancy.role_bindings');
