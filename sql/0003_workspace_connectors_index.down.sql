-- 0003 down: drops the index, unless it was there before.
-- locks: ACCESS EXCLUSIVE on workspace_connectors

do $$
begin
    if tenancy.created('index', 'core_api.workspace_connectors_workspace_pk_pk_unique') then
        drop index core_api.workspace_connectors_workspace_pk_pk_unique;
    end if;
end
$$;
