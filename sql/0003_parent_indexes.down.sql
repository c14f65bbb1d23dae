-- 0003 down: drops the two indexes, unless they were there before.
-- locks: ACCESS EXCLUSIVE on companies, workspace_connectors

do $$
declare
    created_object text;
begin
    for created_object in
        select o.object_name
        from tenancy.created_objects as o
        where
            o.object_name in (
                'core_api.companies_workspace_pk_pk_unique', 'core_api.workspace_connectors_workspace_pk_pk_unique'
            )
    loop
        execute format('drop index %s', created_object);
    end loop;
end
$$;
