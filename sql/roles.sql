-- For a DBA, before an upgrade by a deployer that may not create roles: `connector-provenance sql --roles NAME` names the deployer.
-- locks: none

set search_path = pg_catalog, pg_temp; -- not public, where a tenant may have planted functions

do $$
declare
    deployer text := current_setting('connector_provenance.deployer');
    group_role text;
begin
    foreach group_role in array
        array[
            'workspace_member', 'workspace_tenant', 'connector_sync', 'connector_retention', 'hasura_service',
            'tenancy_definer'
        ]
    loop
        if to_regrole(group_role) is null then
            execute format('create role %I nologin', group_role);
        end if;
    end loop;
    grant workspace_member to workspace_tenant;

    -- The deployer hands functions to tenancy_definer, which only a member may do.
    if current_setting('server_version_num')::integer >= 160000 then
        execute format('grant tenancy_definer to %I with admin true, inherit false, set false', deployer);
    else
        execute format('grant tenancy_definer to %I', deployer);
        raise notice 'Version 15 knows no membership without inheritance. After the upgrade: revoke tenancy_definer from %;',
            quote_ident(deployer);
    end if;
end
$$;
