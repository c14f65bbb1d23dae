-- 0008: the group roles where they do not exist, and what each may do with which column.
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
        ('hasura_service', 'reads every row, so that Hasura''s own permissions can scope them'),
        ('tenancy_definer', 'owns the functions and views that decide what belongs to a workspace; nobody logs in as it')
    loop
        if to_regrole(wanted.column1) is null then
            begin
                execute format('create role %I nologin', wanted.column1);
                execute format('comment on role %I is %L', wanted.column1, 'cwc-schema: ' || wanted.column2);
            exception
                when duplicate_object or unique_violation then
                    null;
            end;
        end if;
    end loop;
end
$$;

-- Only an administrator of workspace_member may say it, so whoever makes the role says it.
do $$
begin
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
                where object like 'table %' and c.oid = to_regclass(substr(object, 7))
                union all
                select c.relowner, c.relacl
                from pg_catalog.pg_class as c
                where object like 'sequence %' and c.oid = to_regclass(substr(object, 10))
                union all
                select n.nspowner, n.nspacl
                from pg_catalog.pg_namespace as n
                where object like 'schema %' and n.oid = to_regnamespace(substr(object, 8))
                union all
                select t.typowner, coalesce(t.typacl, acldefault('T', t.typowner))
                from pg_catalog.pg_type as t
                where object like 'type %' and t.oid = to_regtype(substr(object, 6))
                union all
                select p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
                from pg_catalog.pg_proc as p
                where object like 'routine %' and p.oid = to_regprocedure(substr(object, 9))
            ) as o (owner, acl)
            cross join aclexplode(o.acl) as a
            where a.grantee <> o.owner
        loop
            execute format('revoke all on %s from %s', object, grantee);
        end loop;
    end loop;
end
$$;
comment on procedure tenancy.revoke_all (text []) is
'For migrations: takes every privilege on new objects from everyone but their owner, PUBLIC and those whom the host''s default privileges favour included, so that grants start from nothing.';

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
comment on procedure tenancy.hand_to_definer (text []) is
'For migrations: makes tenancy_definer the owner of functions and views, so that they see all rows; the caller keeps SELECT on the views and is no member of the role afterwards.';

call tenancy.revoke_all(
    'schema tenancy',
    'table tenancy.created_objects',
    'table tenancy.cwc_schema_version',
    'routine tenancy.stamp_timestamps()',
    'routine tenancy.revoke_all(text[])',
    'routine tenancy.hand_to_definer(text[])'
);

-- The same for what was created in core_api; what was adopted has been checked.
do $$
declare
    created_object text;
begin
    for created_object in
        select kind.name || o.object_name || kind.suffix
        from tenancy.created_objects as o
        inner join (
            values
            ('core_api', 'schema ', ''),
            ('core_api.direction_enum', 'type ', ''),
            ('core_api.workspaces', 'table ', ''),
            ('core_api.companies', 'table ', ''),
            ('core_api.workspace_connectors', 'table ', ''),
            ('core_api.company_workspace_connectors', 'table ', ''),
            ('core_api.workspaces', 'sequence ', '_pk_seq'),
            ('core_api.companies', 'sequence ', '_pk_seq'),
            ('core_api.workspace_connectors', 'sequence ', '_pk_seq'),
            ('core_api.company_workspace_connectors', 'sequence ', '_pk_seq')
        ) as kind (object_name, name, suffix) using (object_name)
    loop
        call tenancy.revoke_all(created_object);
    end loop;

    -- The owner migrates; it neither deletes nor truncates rows, not even by `truncate companies cascade`.
    execute format(
        'revoke delete, truncate on core_api.company_workspace_connectors from %I',
        (
            select pg_get_userbyid(c.relowner) from pg_catalog.pg_class as c
            where c.oid = 'core_api.company_workspace_connectors'::regclass
        )
    );
end
$$;

-- workspace_tenant has it from workspace_member too; of its own, it cannot be dropped while this database relies on it.
grant usage on schema core_api to workspace_member, workspace_tenant, connector_sync, hasura_service, tenancy_definer;
grant usage on schema tenancy to tenancy_definer;

grant select on core_api.company_workspace_connectors to workspace_member, connector_sync, hasura_service;
-- created_at and updated_at because ORMs always send them; the stamp trigger ignores what they send.
grant
insert (company_pk, workspace_connector_pk, direction, created_at, updated_at, deleted_at),
update (updated_at, deleted_at)
on core_api.company_workspace_connectors to connector_sync;
grant usage on sequence core_api.company_workspace_connectors_pk_seq to connector_sync;

grant select (pk, workspace_id) on core_api.workspaces to tenancy_definer;
grant select (pk, company_id, workspace_pk) on core_api.companies to tenancy_definer;
grant select (pk, workspace_connector_id, workspace_pk) on core_api.workspace_connectors to tenancy_definer;
grant
select (pk, id, company_pk, workspace_connector_pk, created_at) on core_api.company_workspace_connectors to tenancy_definer;

-- Readers resolve relations on the parents that this package created; an adopted parent is the host's to grant.
do $$
declare
    parent text;
begin
    for parent in
        select o.object_name
        from tenancy.created_objects as o
        where o.object_name in ('core_api.workspaces', 'core_api.companies', 'core_api.workspace_connectors')
    loop
        execute format('grant select on %s to workspace_member, connector_sync, hasura_service', parent);
    end loop;
end
$$;
