-- 0007 down: removes the policies; row-level security stays enabled and forced, so nobody but a superuser sees a row.
-- locks: ACCESS EXCLUSIVE on company_workspace_connectors and the parents, for milliseconds.

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
end
$$;
