-- 0007 down: drops the indexes, unless they were there before.
-- locks: ACCESS EXCLUSIVE on companies, company_workspace_connectors

do $$
declare
    created_index text;
begin
    for created_index in
        select o.name
        from tenancy.managed_objects as o
        where
            o.kind = 'index' and o.created
            and o.name in (
                'core_api.companies_workspace_pk_pk_unique',
                'core_api.company_workspace_connectors_company_pk_index',
                'core_api.company_workspace_connectors_page_index',
                'core_api.company_workspace_connectors_purge_index'
            )
    loop
        execute format('drop index %s', created_index);
    end loop;
end
$$;
