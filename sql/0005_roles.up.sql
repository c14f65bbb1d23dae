-- 0005: the group roles, and what each may do with which column; a role that exists is checked and adopted.
-- locks: none that anything waits for.

-- Roles belong to the whole cluster: two databases may get here at the same moment, and one of them finds the role made.
do $$
declare
    wanted record;
    dangerous text;
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
                when insufficient_privilege then
                    raise exception using
                        errcode = 'insufficient_privilege',
                        message = format('%I may not create role %I, which is missing', current_user, wanted.column1),
                        hint = format('Grant it CREATEROLE, or have a superuser run: create role %I nologin;', wanted.column1);
            end;
        end if;
    end loop;

    select string_agg(format('%s: %s', r.rolname, r.reason), e'\n' order by r.rolname, r.place)
    into dangerous
    from (
        select r.rolname, a.place, a.reason
        from pg_catalog.pg_roles as r
        cross join lateral (
            values
            (1, r.rolsuper, format('is a superuser: alter role %I nosuperuser;', r.rolname)),
            (2, r.rolbypassrls, format('bypasses row-level security: alter role %I nobypassrls;', r.rolname)),
            (3, r.rolcreaterole, format('may create roles: alter role %I nocreaterole;', r.rolname)),
            (4, r.rolreplication, format('may replicate: alter role %I noreplication;', r.rolname)),
            (5, r.rolcanlogin, format('may log in: alter role %I nologin;', r.rolname)),
            (
                6, exists (select from pg_catalog.pg_auth_members as m where m.member = r.oid),
                format(
                    'is a member of other roles: revoke %s from %I;',
                    (
                        select string_agg(m.roleid::regrole::text, ', ' order by m.roleid::regrole::text)
                        from pg_catalog.pg_auth_members as m
                        where m.member = r.oid
                    ),
                    r.rolname
                )
            )
        ) as a (place, applies, reason)
        where
            r.rolname in ('workspace_member', 'connector_sync', 'hasura_service', 'tenancy_definer')
            and a.applies
    ) as r;

    if dangerous is not null then
        raise exception using
            errcode = 'object_not_in_prerequisite_state',
            message = 'existing group roles have attributes that defeat tenant isolation',
            detail = dangerous,
            hint = 'A superuser mends each with the statement after its colon.';
    end if;
end
$$;

-- Default privileges of the host may have handed out more than the matrix allows: start from nothing.
do $$
declare
    surplus record;
begin
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

-- The owner migrates; it neither deletes nor truncates rows, not even by `truncate companies cascade`.
revoke delete, truncate on core_api.company_workspace_connectors from current_user;

grant usage on schema core_api to workspace_member, connector_sync, hasura_service, tenancy_definer;
grant usage on schema tenancy to tenancy_definer;

grant select on core_api.company_workspace_connectors to workspace_member, connector_sync, hasura_service;
-- created_at and updated_at because ORMs always send them; the trigger of 0004 ignores what they send.
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
