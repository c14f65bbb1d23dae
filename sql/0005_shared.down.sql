-- 0005 down: drops the view, the shared functions and the policies of workspaces and workspace_connectors.
-- locks: ACCESS EXCLUSIVE on tenancy.current_workspace_connectors, workspace_connectors, workspaces

drop policy if exists definer_reads_every_row on core_api.workspace_connectors;
drop policy if exists definer_reads_every_row on core_api.workspaces;
do $$
begin
    if tenancy.created('table', 'core_api.workspace_connectors') then
        drop policy hasura_reads_every_row on core_api.workspace_connectors;
        drop policy members_read_their_workspace on core_api.workspace_connectors;
    end if;
    if tenancy.created('table', 'core_api.workspaces') then
        drop policy hasura_reads_every_row on core_api.workspaces;
        drop policy members_read_their_workspace on core_api.workspaces;
    end if;
end
$$;

drop function tenancy.refuse;
drop function tenancy.json_timestamp;
drop function tenancy.stamp_timestamps;
drop view tenancy.current_workspace_connectors;
