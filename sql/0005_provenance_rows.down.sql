-- 0005 down: drops the table and every provenance row in it, unless it was adopted: then only what was added to it.
-- locks: ACCESS EXCLUSIVE on companies, company_workspace_connectors, company_workspace_connectors_pk_seq, workspace_connectors

do $$
declare
    added text;
begin
    if exists (select from tenancy.created_objects where object_name = 'core_api.company_workspace_connectors') then
        drop table core_api.company_workspace_connectors;
        return;
    end if;

    for added in
        select f.conname
        from pg_catalog.pg_constraint as f
        inner join tenancy.created_objects as o on o.object_name = f.conname
        where f.conrelid = 'core_api.company_workspace_connectors'::regclass
    loop
        execute format('alter table core_api.company_workspace_connectors drop constraint %I', added);
    end loop;
end
$$;
