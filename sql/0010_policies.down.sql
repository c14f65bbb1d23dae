-- 0010 down: removes the policies; on a table created here row-level security stays, so nobody but a superuser sees a row.
-- locks: ACCESS EXCLUSIVE on companies, company_workspace_connectors, workspace_connectors, workspaces

drop policy definer_reads_every_row on core_api.company_workspace_connectors;
drop policy hasura_reads_every_row on core_api.company_workspace_connectors;
drop policy sync_updates_rows on core_api.company_workspace_connectors;
drop policy sync_inserts_rows on core_api.company_workspace_connectors;
drop policy sync_reads_rows on core_api.company_workspace_connectors;
drop policy member_reads_active_rows on core_api.company_workspace_connectors;

do $$
declare
    parent text;
begin
    foreach parent in array array['core_api.workspaces', 'core_api.companies', 'core_api.workspace_connectors'] loop
        execute format('drop policy if exists definer_reads_every_row on %s', parent);
        if exists (select from tenancy.created_objects where object_name = parent) then
            execute format('drop policy hasura_reads_every_row on %s', parent);
            execute format('drop policy members_read_their_workspace on %s', parent);
        end if;
    end loop;

    if
        exists (
            select from tenancy.created_objects
            where object_name = 'row level security of core_api.company_workspace_connectors'
        )
    then
        alter table core_api.company_workspace_connectors disable row level security;
    end if;
    if
        exists (
            select from tenancy.created_objects
            where object_name = 'forced row level security of core_api.company_workspace_connectors'
        )
    then
        alter table core_api.company_workspace_connectors no force row level security;
    end if;
    delete from tenancy.created_objects where object_name like '%row level security of %';
end
$$;
