-- 0008: the group roles where they do not exist, and what each may do with which column.
-- locks: none that anything waits for.

-- Roles belong to the whole cluster: two databases may get here at the same moment, and one of them finds the role made.
do $$
declare
    wanted record;
begin
    for wanted in
        values
        ('workspace_member', 'reads the active rows of one workspace'),
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

-- Default privileges of the host may have handed out more than the matrix allows: a table created here starts from nothing.
-- Its owner migrates; it neither deletes nor truncates rows, not even by `truncate companies cascade`.
do $$
declare
    surplus record;
begin
    execute format(
        'revoke delete, truncate on core_api.company_workspace_connectors from %I',
        (
            select pg_get_userbyid(c.relowner) from pg_catalog.pg_class as c
            where c.oid = 'core_api.company_workspace_connectors'::regclass
        )
    );

    for surplus in
        select distinct
            case when c.relkind = 'S' then 'sequence' else 'table' end as kind,
            c.oid::regclass as relation,
            case when a.grantee = 0 then 'public' else a.grantee::regrole::text end as grantee
        from pg_catalog.pg_class as c
        cross join lateral aclexplode(c.relacl) as a
        where
            c.oid in (
                'core_api.company_workspace_connectors'::regclass,
                'core_api.company_workspace_connectors_pk_seq'::regclass
            )
            and a.grantee <> c.relowner
    loop
        execute format('revoke all on %s %s from %s', surplus.kind, surplus.relation, surplus.grantee);
    end loop;
end
$$;

grant usage on schema core_api to workspace_member, connector_sync, hasura_service, tenancy_definer;
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

create procedure tenancy.hand_to_definer(variadic objects text[])
language plpgsql
set search_path = ''
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
revoke all on procedure tenancy.hand_to_definer(text[]) from public;
comment on procedure tenancy.hand_to_definer (text []) is
'For migrations: makes tenancy_definer the owner of functions and views, so that they see all rows; the caller keeps SELECT on the views and is no member of the role afterwards.';
