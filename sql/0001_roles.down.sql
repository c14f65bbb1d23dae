-- 0001 down: drops the roles this package created, except those still used by a login or a database.
-- locks: ACCESS EXCLUSIVE on tenancy.managed_objects

drop procedure tenancy.drop_table;
drop procedure tenancy.take_back;
drop procedure tenancy.hand_to_definer;
drop procedure tenancy.revoke_all;
drop function tenancy.created;
drop procedure tenancy.manage;
drop table tenancy.managed_objects;
comment on schema tenancy is null;

do $$
declare
    created_role text;
begin
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
