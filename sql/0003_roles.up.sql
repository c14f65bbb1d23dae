-- 0003: the group roles where they do not exist, how a migration grants, and what the roles may do with the ground.
-- locks: none

-- Roles belong to the whole cluster: two databases may get here at the same moment, and one of them finds the role made.
do $$
declare
    wanted record;
begin
    for wanted in
        values
        ('workspace_member', 'reads the active rows of one workspace'),
        ('workspace_tenant', 'a tenant''s own SQL login: it has the workspace it is bound to, and none while it is bound to none'),
        ('connector_sync', 'reads, inserts and soft-deletes the rows of one workspace'),
        ('connector_retention', 'purges rows that were soft-deleted, through one function, and reads nothing'),
        ('hasura_service', 'reads every row, so that Hasura''s own permissions can scope them'),
        ('tenancy_definer', 'owns the functions and views that decide what belongs to a workspace; nobody logs in as it')
    loop
        if to_regrole(wanted.column1) is null then
            begin
                execute format('create role %I nologin', wanted.column1);
                execute format('comment on role %I is %L', wanted.column1, 'connector-provenance: ' || wanted.column2);
            exception
                when duplicate_object or unique_violation then
                    null;
            end;
        end if;
    end loop;

    -- Only an administrator of workspace_member may say it, so whoever makes the role says it.
    if not pg_has_role('workspace_tenant', 'workspace_member', 'usage') then
        grant workspace_member to workspace_tenant;
    end if;
end
$$;

create procedure tenancy.revoke_all(variadic objects text[])
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    object text;
    grantee text;
begin
    foreach object in array objects loop
        for grantee in
            select distinct case a.grantee when 0 then 'public' else a.grantee::regrole::text end
            from (
                select c.relowner, c.relacl
                from pg_catalog.pg_class as c
                where object ~ '^(table|sequence) ' and c.oid = to_regclass(split_part(object, ' ', 2))
                union all
                select n.nspowner, n.nspacl
                from pg_catalog.pg_namespace as n
                where object like 'schema %' and n.oid = to_regnamespace(split_part(object, ' ', 2))
                union all
                select t.typowner, coalesce(t.typacl, acldefault('T', t.typowner))
                from pg_catalog.pg_type as t
                where object like 'type %' and t.oid = to_regtype(split_part(object, ' ', 2))
                union all
                select p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
                from pg_catalog.pg_proc as p
                where object like 'routine %' and p.oid = to_regproc(split_part(object, ' ', 2))
            ) as o (owner, acl)
            cross join aclexplode(o.acl) as a
            where a.grantee <> o.owner
        loop
            execute format('revoke all on %s from %s', object, grantee);
        end loop;
    end loop;
end
$$;
comment on procedure tenancy.revoke_all is
'For migrations: takes every privilege on new objects from everyone but their owner, PUBLIC and those whom the host''s '
'default privileges favour included, so that grants start from nothing. An object is named "table t", "routine f", …';

create procedure tenancy.hand_to_definer(variadic objects text[])
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    caller name := current_user;
    object text;
begin
    -- Only a member may hand an object to a role, and only to one that may create in the schema: both for this moment.
    begin
        grant tenancy_definer to current_user;
    exception
        when insufficient_privilege then
            null; -- a DBA made it a member beforehand, or the next statement fails
    end;
    grant create on schema tenancy to tenancy_definer;

    foreach object in array objects loop
        execute format('alter %s owner to tenancy_definer', object);
        if starts_with(object, 'view ') then
            set local role tenancy_definer;
            execute format('grant select on %s to %I', substr(object, 6), caller);
            perform set_config('role', caller, true);
        end if;
    end loop;

    revoke create on schema tenancy from tenancy_definer;
    begin
        revoke tenancy_definer from current_user;
    exception
        when insufficient_privilege then
            null;
    end;
end
$$;
comment on procedure tenancy.hand_to_definer is
'For migrations: makes tenancy_definer the owner of functions and views, so that they see all rows; the caller keeps '
'SELECT on the views and is no member of the role afterwards.';

call tenancy.revoke_all(
    'schema tenancy',
    'table tenancy.managed_objects',
    'table tenancy.schema_version',
    'routine tenancy.manage',
    'routine tenancy.created',
    'routine tenancy.revoke_all',
    'routine tenancy.hand_to_definer'
);

-- The same for what was created in core_api; what was adopted has been checked, and is the host's to grant.
do $$
begin
    if tenancy.created('schema', 'core_api') then
        call tenancy.revoke_all('schema core_api');
    end if;
    if tenancy.created('type', 'core_api.direction_enum') then
        call tenancy.revoke_all('type core_api.direction_enum');
    end if;
    if tenancy.created('table', 'core_api.workspaces') then
        call tenancy.revoke_all('table core_api.workspaces', 'sequence core_api.workspaces_pk_seq');
        grant select on core_api.workspaces to workspace_member, connector_sync, hasura_service;
    end if;
    if tenancy.created('table', 'core_api.workspace_connectors') then
        call tenancy.revoke_all('table core_api.workspace_connectors', 'sequence core_api.workspace_connectors_pk_seq');
        grant select on core_api.workspace_connectors to workspace_member, connector_sync, hasura_service;
    end if;
end
$$;

-- workspace_tenant has it from workspace_member too; of its own, it cannot be dropped while this database relies on it.
grant usage on schema core_api
to workspace_member, workspace_tenant, connector_sync, connector_retention, hasura_service, tenancy_definer;
grant usage on schema tenancy to tenancy_definer;
grant select (pk, workspace_id) on core_api.workspaces to tenancy_definer;
grant select (pk, workspace_connector_id, workspace_pk) on core_api.workspace_connectors to tenancy_definer;
