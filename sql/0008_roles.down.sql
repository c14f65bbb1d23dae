-- 0008 down: takes the grants back and drops the roles this package created, except those still used by a login or a database.
-- locks: none

revoke all (pk, workspace_id) on core_api.workspaces from tenancy_definer;
revoke all (pk, company_id, workspace_pk) on core_api.companies from tenancy_definer;
revoke all (pk, workspace_connector_id, workspace_pk) on core_api.workspace_connectors from tenancy_definer;
revoke all (pk, id, company_pk, workspace_connector_pk, created_at) on core_api.company_workspace_connectors from tenancy_definer;
revoke all (company_pk, workspace_connector_pk, direction, created_at, updated_at, deleted_at)
on core_api.company_workspace_connectors from connector_sync;
revoke all on sequence core_api.company_workspace_connectors_pk_seq from connector_sync;
revoke all on core_api.company_workspace_connectors from workspace_member, connector_sync, hasura_service;
revoke all on schema tenancy from tenancy_definer;
revoke all on schema core_api from workspace_member, workspace_tenant, connector_sync, hasura_service, tenancy_definer;
drop procedure tenancy.hand_to_definer(text[]);
drop procedure tenancy.revoke_all(text[]);

do $$
declare
    created_object text;
    created_role text;
begin
    execute format(
        'grant delete, truncate on core_api.company_workspace_connectors to %I',
        (
            select pg_get_userbyid(c.relowner) from pg_catalog.pg_class as c
            where c.oid = 'core_api.company_workspace_connectors'::regclass
        )
    );

    for created_object in
        select o.object_name
        from tenancy.created_objects as o
        where o.object_name in ('core_api.workspaces', 'core_api.companies', 'core_api.workspace_connectors')
    loop
        execute format('revoke all on %s from workspace_member, connector_sync, hasura_service', created_object);
    end loop;

    -- A login that is a member uses the role; a role administrator, which is how its creator appears, does not.
    foreach created_role in array
        array['workspace_tenant', 'workspace_member', 'connector_sync', 'hasura_service', 'tenancy_definer']
    loop
        continue when
            (shobj_description(to_regrole(created_role), 'pg_authid') like 'cwc-schema: %') is not true
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
