-- 0003 down: takes the grants back and drops the roles this package created, except those still used by a login or a database.
-- locks: none

revoke all (pk, workspace_id) on core_api.workspaces from tenancy_definer;
revoke all (pk, workspace_connector_id, workspace_pk) on core_api.workspace_connectors from tenancy_definer;
revoke all on schema tenancy from tenancy_definer;
revoke all on schema core_api
from workspace_member, workspace_tenant, connector_sync, connector_retention, hasura_service, tenancy_definer;
drop procedure tenancy.hand_to_definer;
drop procedure tenancy.revoke_all;

do $$
declare
    created_role text;
begin
    if tenancy.created('table', 'core_api.workspaces') then
        revoke all on core_api.workspaces from workspace_member, connector_sync, hasura_service;
    end if;
    if tenancy.created('table', 'core_api.workspace_connectors') then
        revoke all on core_api.workspace_connectors from workspace_member, connector_sync, hasura_service;
    end if;

    -- A login that is a member uses the role; a role administrator, which is how its creator appears, does not.
    foreach created_role in array
        array[
            'workspace_tenant', 'workspace_member', 'connector_sync', 'connector_retention', 'hasura_service',
            'tenancy_definer'
        ]
    loop
        continue when
            (shobj_description(to_regrole(created_role), 'pg_authid') like 'connector-provenance: %') is not true
            or exists (
                select
                from pg_catalog.pg_auth_members as m
                inner join pg_catalog.pg_roles as login on login.oid = m.member
                where m.roleid = to_regrole(created_role) and not login.rolcreaterole and not login.rolsuper
            );
        begin
            execute format('drop role %I', created_role);
        exception
            when dependent_objects_still_exist or insufficient_privilege or undefined_object then
                raise notice 'role % is kept: %', created_role, sqlerrm;
        end;
    end loop;
end
$$;
