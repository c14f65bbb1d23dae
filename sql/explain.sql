-- Which of privilege, context, record, connector and deleted_at hides a row, by its public id, from a login that names a workspace.
-- Run it by psql, as a superuser, or as the owner or a member of pg_read_all_data who is also in hasura_service, because who does not
-- see every row cannot say why another does not; it then says so. It writes nothing.
--     psql -v id=… [-v login=…] [-v workspace=…] -f sql/explain.sql "$DATABASE_URL"
-- Without a login: a member. Without a workspace: what the login is bound to; without either, the connector's own.
-- locks: none
\set ON_ERROR_STOP on
\set QUIET on
\pset format aligned
\pset linestyle ascii
\pset null ''
\pset footer off
\if :{?id}
\else
    \warn 'say which row: psql -v id=… -f sql/explain.sql'
    \set id ''
\endif
\if :{?login}
    \set given true
\else
    \set given false
    \set login workspace_member
\endif
\if :{?workspace}
\else
    \set workspace ''
\endif
begin transaction isolation level repeatable read read only;
set local search_path = pg_catalog, pg_temp;

do $$
declare
    unseen text;
begin
    if
        not (
            has_schema_privilege('tenancy', 'usage') and has_table_privilege('tenancy.managed_objects', 'select')
            and has_table_privilege('tenancy.role_bindings', 'select')
        )
    then
        unseen := 'the tables of schema tenancy';
    else
        select string_agg(c.oid::regclass::text, ', ')
        into unseen
        from pg_class as c
        inner join tenancy.managed_objects as m on m.kind = 'table' and to_regclass(m.name) = c.oid
        where
            not has_table_privilege(c.oid, 'select')
            or (
                row_security_active(c.oid)
                and not exists (
                    select
                    from pg_policy as p
                    cross join unnest(p.polroles) as r (oid)
                    where
                        p.polrelid = c.oid and p.polpermissive and p.polcmd in ('r', '*')
                        and pg_get_expr(p.polqual, p.polrelid) = 'true' and (r.oid = 0 or pg_has_role(r.oid, 'usage'))
                )
            );
    end if;
    if unseen is not null then
        raise exception using
            errcode = 'insufficient_privilege',
            message = format('nothing can be explained: role %I does not see all of %s', current_user, unseen),
            hint = 'Ask as a superuser, or as the owner after: grant hasura_service to that owner.';
    end if;
end
$$;

-- Which junction holds the row, and what its parent is called there.
select
    coalesce(
        string_agg(format('select %L::regclass as junction from %s where id = %L::uuid', c.oid::regclass, c.oid::regclass, :'id'), ' union all '),
        'select null::regclass as junction'
    ) as look
from pg_class as c
inner join tenancy.managed_objects as m on m.kind = 'table' and to_regclass(m.name) = c.oid
where c.relnamespace = 'core_api'::regnamespace and c.relname like '%\_workspace\_connectors'
\gset
select max(f.junction::oid)::regclass as junction, count(f.junction) > 0 as there from (:look) as f \gset
\if :there
select f.confrelid::regclass as parent, a.attname as parent_pk, replace(a.attname, '_pk', '') as record
from pg_constraint as f
inner join pg_attribute as a on f.conrelid = a.attrelid and a.attnum = f.conkey[1]
where f.conrelid = :'junction'::regclass and f.contype = 'f' and f.confrelid <> 'core_api.workspace_connectors'::regclass
limit 1
\gset

with
it as (
    select
        j.deleted_at,
        p.workspace_pk as parent_workspace,
        k.workspace_pk as connector_workspace
    from :junction as j
    inner join :parent as p on j.:"parent_pk" = p.pk
    inner join core_api.workspace_connectors as k on j.workspace_connector_pk = k.pk
    where j.id = :'id'
),

asker as (
    select
        r.rolsuper or r.rolbypassrls or pg_has_role(r.oid, 'hasura_service', 'usage')
        or (pg_has_role(r.oid, c.relowner, 'usage') and not c.relforcerowsecurity) as reads_every_row,
        pg_has_role(r.oid, 'connector_sync', 'usage') as reads_deleted_rows,
        pg_has_role(r.oid, 'workspace_member', 'usage') as reads_active_rows,
        b.workspace_pk as bound,
        -- As tenancy.is_tenant_login() has it.
        not r.rolsuper
        and exists (
            select
            from pg_roles as s
            where
                pg_has_role(r.oid, s.oid, case when :SERVER_VERSION_NUM >= 160000 then 'set' else 'member' end)
                and pg_has_role(s.oid, 'workspace_tenant', case when :SERVER_VERSION_NUM >= 160000 then 'usage' else 'member' end)
        ) as is_tenant
    from pg_roles as r
    inner join pg_class as c on c.oid = :'junction'::regclass
    left join tenancy.role_bindings as b on b.role = r.oid
    where r.rolname = :'login'
),

context as (
    select
        case
            when a.bound is not null then a.bound
            when :'workspace' <> '' then n.pk
            when not :given then it.connector_workspace
        end as pk,
        case
            when a.is_tenant and a.bound is null then 'in workspace_tenant, and not bound in this database: error 42501'
            when a.bound is not null and :'workspace' <> '' and n.pk is distinct from a.bound
                then 'bound to another workspace than the one it names: error 42501'
            when a.bound is not null then null
            when :'workspace' <> '' and n.pk is null then 'the workspace that it names does not exist'
            when :'workspace' = '' and :given then 'it names no workspace'
        end as trouble
    from it
    cross join asker as a
    left join core_api.workspaces as n on n.workspace_id = nullif(:'workspace', '')::uuid
),

answers (place, asked, hides, found) as (
    select
        1,
        'privilege',
        (a.reads_every_row or a.reads_active_rows or a.reads_deleted_rows) is not true,
        case
            when a.reads_every_row is null then 'there is no such role'
            when a.reads_every_row then 'reads every row'
            when a.reads_deleted_rows then 'reads as connector_sync'
            when a.reads_active_rows then 'reads as workspace_member'
            else 'in no group that reads; what it may set role to, ask for as a login'
        end
    from (select) as always
    left join asker as a on true
    union all
    select
        2,
        'context',
        c.trouble is not null and not a.reads_every_row,
        coalesce(c.trouble, 'workspace ' || w.workspace_id)
    from context as c
    cross join asker as a
    left join core_api.workspaces as w on c.pk = w.pk
    union all
    select
        3 + (side.name = 'connector')::integer,
        side.name,
        side.workspace_pk <> c.pk and not a.reads_every_row,
        'of workspace ' || w.workspace_id
    from it
    cross join context as c
    cross join asker as a
    cross join lateral (values (:'record', it.parent_workspace), ('connector', it.connector_workspace)) as side (name, workspace_pk)
    inner join core_api.workspaces as w on side.workspace_pk = w.pk
    union all
    select
        5,
        'deleted_at',
        it.deleted_at is not null and not a.reads_every_row and not a.reads_deleted_rows,
        coalesce('deleted at ' || it.deleted_at, 'active')
    from it
    cross join asker as a
)

select
    a.asked as "asked of",
    case when a.hides then 'hides it' else '' end as answer,
    a.found
from (
    select n.place, n.asked, n.hides, n.found from answers as n
    union all
    select
        6,
        'so',
        false,
        coalesce(
            'hidden from ' || :'login' || ' by ' || string_agg(n.asked, ', ' order by n.place) filter (where n.hides),
            'visible to ' || :'login'
        )
    from answers as n
) as a
order by a.place;
\else
\echo 'No junction holds a row with this id: it was never there, or has been purged.'
\endif
rollback;
