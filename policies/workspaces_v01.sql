-- workspaces: each tenant's readers see their own workspace; a table that was adopted keeps the host's own policies.
-- locks: ACCESS EXCLUSIVE on workspaces

do $$
begin
    if tenancy.created('table', 'core_api.workspaces') then
        create policy members_read_their_workspace on core_api.workspaces
        for select
        to workspace_member, connector_sync
        using (pk = (select tenancy.current_workspace_pk()));
        comment on policy members_read_their_workspace on core_api.workspaces is
        'Members and the sync role see their own workspace, so that relations resolve.';

        create policy hasura_reads_every_row on core_api.workspaces
        for select
        to hasura_service
        using (true);
        comment on policy hasura_reads_every_row on core_api.workspaces is
        'Hasura names no tenant when it reads, so its own permissions scope what it shows.';
    end if;

    if (select c.relrowsecurity from pg_catalog.pg_class as c where c.oid = 'core_api.workspaces'::regclass) then
        create policy definer_reads_every_row on core_api.workspaces
        for select
        to tenancy_definer
        using (true);
        comment on policy definer_reads_every_row on core_api.workspaces is
        'The views and guards that decide what belongs to a workspace see every row; nobody logs in as this role.';
    end if;
end
$$;
