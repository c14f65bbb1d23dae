-- 0002 down: drops what this package created with every workspace and connector in it; what was adopted stays as it was found.
-- locks: ACCESS EXCLUSIVE on workspace_connectors, workspace_connectors_pk_seq, workspaces, workspaces_pk_seq

revoke all (pk, workspace_id) on core_api.workspaces from tenancy_definer;
revoke all (pk, workspace_connector_id, workspace_pk) on core_api.workspace_connectors from tenancy_definer;
revoke all on schema tenancy from tenancy_definer;
revoke all on schema core_api
from workspace_member, workspace_tenant, connector_sync, connector_retention, hasura_service, tenancy_definer;

do $$
begin
    if tenancy.created('type', 'core_api.direction_enum') then
        drop type core_api.direction_enum;
    end if;
    if tenancy.created('table', 'core_api.workspace_connectors') then
        call tenancy.drop_table('core_api.workspace_connectors');
    end if;
    if tenancy.created('table', 'core_api.workspaces') then
        call tenancy.drop_table('core_api.workspaces');
    end if;
    if tenancy.created('schema', 'core_api') then
        begin
            drop schema core_api;
        exception
            when dependent_objects_still_exist then
                raise notice 'schema core_api is kept: it holds objects that this package did not create';
        end;
    end if;
end
$$;

delete from tenancy.managed_objects;
