-- 0002 down: drops the parents that this package created; what was adopted stays as it was found.
-- locks: ACCESS EXCLUSIVE on companies, companies_pk_seq, workspace_connectors, workspace_connectors_pk_seq, workspaces, workspaces_pk_seq

do $$
declare
    created_object text;
begin
    for created_object in
        select parent.object_name
        from
            unnest(array['core_api.workspace_connectors', 'core_api.companies', 'core_api.workspaces'])
            with ordinality as parent (object_name, place)
        inner join tenancy.created_objects using (object_name)
        order by parent.place
    loop
        execute format('drop table %s', created_object);
    end loop;

    if exists (select from tenancy.created_objects where object_name = 'core_api') then
        begin
            drop schema core_api;
        exception
            when dependent_objects_still_exist then
                raise notice 'schema core_api is kept: it holds objects that this package did not create';
        end;
    end if;
end
$$;
