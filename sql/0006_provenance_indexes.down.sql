-- 0006 down: drops the indexes, unless they were there before.
-- locks: ACCESS EXCLUSIVE on company_workspace_connectors

do $$
declare
    created_object text;
begin
    for created_object in
        select o.object_name
        from tenancy.created_objects as o
        where
            o.object_name in (
                'core_api.company_workspace_connectors_company_pk_index',
                'core_api.company_workspace_connectors_page_index'
            )
    loop
        execute format('drop index %s', created_object);
    end loop;
end
$$;
