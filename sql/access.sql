-- Who sees and may do what in this database, login by login, and every door around the junctions. Run it by psql, as the owner of
-- the tables, a superuser or a member of pg_read_all_data: psql -f sql/access.sql "$DATABASE_URL". It writes nothing.
-- locks: none
\set ON_ERROR_STOP on
\set QUIET on
\pset format aligned
\pset linestyle ascii
\pset null ''
\pset footer off
begin transaction isolation level repeatable read read only;
set local search_path = pg_catalog, pg_temp;

do $$
begin
    if
        not (
            has_schema_privilege('tenancy', 'usage') and has_table_privilege('tenancy.managed_objects', 'select')
            and has_table_privilege('tenancy.role_bindings', 'select')
        )
    then
        raise exception using
            errcode = 'insufficient_privilege',
            message = format('nothing was looked at: role %I may not read the tables of schema tenancy', current_user),
            hint = 'Run it as the owner of the tables, a superuser, or a member of pg_read_all_data.';
    end if;
end
$$;

-- From 16 on a membership says whether it may be set to; before, it always may.
select case when :SERVER_VERSION_NUM >= 160000 then 'set' else 'member' end as may_set \gset

\echo
\echo 'LOGINS of' :DBNAME': what each is, which group it acts as, and which workspace that gives it.'
\echo 'Logins that have neither attribute, group nor privilege are left out.'
with
group_roles as (
    select r.oid, r.rolname
    from pg_roles as r
    where
        r.rolname in (
            'workspace_member', 'workspace_tenant', 'connector_sync', 'connector_retention', 'hasura_service', 'tenancy_definer'
        )
),

junctions as (
    select c.oid, c.relname, c.relowner
    from pg_class as c
    inner join tenancy.managed_objects as m on m.kind = 'table' and to_regclass(m.name) = c.oid
    where c.relnamespace = 'core_api'::regnamespace and c.relname like '%\_workspace\_connectors'
),

held as (
    select
        l.oid,
        g.rolname,
        pg_has_role(l.oid, g.oid, 'usage') as used,
        pg_has_role(l.oid, g.oid, :'may_set') as settable,
        pg_has_role(l.oid, g.oid, 'member with admin option') as administered,
        (
            select string_agg(m.roleid::regrole::text, ' or ' order by m.roleid::regrole::text)
            from pg_auth_members as m
            where m.member = l.oid and m.roleid <> g.oid and pg_has_role(m.roleid, g.oid, 'member')
        ) as through,
        exists (select from pg_auth_members as m where m.member = l.oid and m.roleid = g.oid) as direct
    from pg_roles as l
    cross join group_roles as g
    where l.rolcanlogin and not l.rolsuper and pg_has_role(l.oid, g.oid, 'member')
),

logins as (
    select
        l.oid,
        l.rolname,
        l.rolsuper or l.rolbypassrls as free,
        concat_ws(
            ', ',
            case when l.rolsuper then 'superuser' end,
            case when l.rolbypassrls then 'bypassrls' end,
            case when l.rolreplication then 'replication' end,
            case when l.rolcreaterole then 'createrole' end,
            (
                select 'owner of ' || string_agg(j.relname, ', ' order by j.relname)
                from junctions as j
                where not l.rolsuper and pg_has_role(l.oid, j.relowner, 'usage')
            ),
            (
                select 'owner by set role of ' || string_agg(j.relname, ', ' order by j.relname)
                from junctions as j
                where
                    not l.rolsuper and not pg_has_role(l.oid, j.relowner, 'usage') and pg_has_role(l.oid, j.relowner, :'may_set')
            ),
            (
                select 'by set role ' || string_agg(s.rolname, ', ' order by s.rolname)
                from pg_roles as s
                where not l.rolsuper and s.oid <> l.oid and (s.rolsuper or s.rolbypassrls) and pg_has_role(l.oid, s.oid, :'may_set')
            ),
            case when :SERVER_VERSION_NUM < 160000 and l.rolcreaterole and not l.rolsuper then 'lets others into any group' end,
            (
                select 'lets others into ' || string_agg(h.rolname, ', ' order by h.rolname)
                from held as h
                where h.oid = l.oid and h.administered and not (:SERVER_VERSION_NUM < 160000 and l.rolcreaterole)
            )
        ) as attributes,
        (
            select
                string_agg(
                    concat(
                        h.rolname,
                        case when not h.direct then ' through ' || h.through end,
                        case when not h.used then ' by set role' end
                    ),
                    ', ' order by h.rolname
                )
            from held as h
            where h.oid = l.oid and (h.used or h.settable)
        ) as acts_as,
        b.workspace_pk,
        coalesce(array_agg(h.rolname) filter (where h.used or h.settable), '{}') as groups
    from pg_roles as l
    left join tenancy.role_bindings as b on b.role = l.oid
    left join held as h on h.oid = l.oid
    where l.rolcanlogin and has_database_privilege(l.oid, current_database(), 'connect')
    group by l.oid, l.rolname, l.rolsuper, l.rolbypassrls, l.rolreplication, l.rolcreaterole, b.workspace_pk
)

select
    l.rolname as login,
    l.attributes,
    l.acts_as as "acts as",
    case
        when l.free then 'every'
        else
            concat_ws(
                '; ',
                case when 'hasura_service' = any(l.groups) then 'every, to read' end,
                case
                    when l.workspace_pk is not null then
                        coalesce(w.workspace_id::text, 'pk ' || l.workspace_pk) || ', bound'
                    when 'workspace_tenant' = any(l.groups) then 'none: it is not bound'
                    when l.groups && array['workspace_member', 'connector_sync']::name[] then 'whichever it names'
                end
            )
    end as workspace
from logins as l
left join core_api.workspaces as w on l.workspace_pk = w.pk
where
    l.attributes <> '' or l.acts_as is not null or l.workspace_pk is not null
    or exists (
        select
        from junctions as j
        where has_table_privilege(l.oid, j.oid, 'select, insert, update, delete, truncate') or has_any_column_privilege(l.oid, j.oid, 'select, insert, update')
    )
order by l.rolname;

\echo
\echo 'JUNCTIONS: what each login may do with the rows, by its own rights and by those of a role that it can set.'
\echo 'Named are the policies that let rows through: policies/README.md says which rows those are.'
with
junctions as (
    select c.oid, c.relname, c.relowner, c.relrowsecurity, c.relforcerowsecurity
    from pg_class as c
    inner join tenancy.managed_objects as m on m.kind = 'table' and to_regclass(m.name) = c.oid
    where c.relnamespace = 'core_api'::regnamespace and c.relname like '%\_workspace\_connectors'
),

-- A login as itself, and as each role whose rights it gets only by set role.
actors as (
    select l.rolname as login, r.oid, case when r.oid <> l.oid then r.rolname end as as_role, r.rolsuper or r.rolbypassrls as free
    from pg_roles as l
    inner join pg_roles as r
        on
            r.oid = l.oid
            or (
                not l.rolsuper and pg_has_role(l.oid, r.oid, :'may_set')
                and (not pg_has_role(l.oid, r.oid, 'usage') or r.rolsuper or r.rolbypassrls)
            )
    where l.rolcanlogin and has_database_privilege(l.oid, current_database(), 'connect')
),

rights as (
    select
        a.login,
        a.as_role,
        j.relname,
        c.command,
        case
            when
                not (
                    has_table_privilege(a.oid, j.oid, c.command)
                    or (c.command <> 'delete' and has_any_column_privilege(a.oid, j.oid, nullif(c.command, 'delete')))
                )
                then null
            when a.free or not j.relrowsecurity or (pg_has_role(a.oid, j.relowner, 'usage') and not j.relforcerowsecurity)
                then 'every row'
            else
                coalesce(
                    (
                        select string_agg(p.polname, ', ' order by p.polname)
                        from pg_policy as p
                        where
                            p.polrelid = j.oid and p.polpermissive and p.polcmd in (c.letter, '*')
                            and exists (select from unnest(p.polroles) as r (oid) where r.oid = 0 or pg_has_role(a.oid, r.oid, 'usage'))
                    ),
                    'no row'
                )
        end as rows_reached,
        case
            when c.command = 'delete' then
                concat_ws(
                    ', ',
                    case when has_table_privilege(a.oid, j.oid, 'truncate') then 'all by truncate' end,
                    case
                        when
                            not a.free
                            and has_function_privilege(
                                a.oid, to_regproc(format('tenancy.%s_purge', split_part(j.relname, '_workspace_', 1)))::oid, 'execute'
                            )
                            then 'deleted rows by purge_' || j.relname
                    end
                )
        end as otherwise
    from actors as a
    cross join junctions as j
    cross join (values ('select', 'r'::"char"), ('insert', 'a'), ('update', 'w'), ('delete', 'd')) as c (command, letter)
)

select
    r.login,
    r.as_role as "set role",
    r.relname as junction,
    max(r.rows_reached) filter (where r.command = 'select') as "select",
    max(r.rows_reached) filter (where r.command = 'insert') as "insert",
    max(r.rows_reached) filter (where r.command = 'update') as "update",
    concat_ws(', ', max(r.rows_reached) filter (where r.command = 'delete'), nullif(max(r.otherwise), '')) as "delete"
from rights as r
group by r.login, r.as_role, r.relname
having count(r.rows_reached) > 0 or max(r.otherwise) <> ''
order by r.relname, r.login, r.as_role nulls first;

\echo
\echo 'DOORS around the junctions: what shows their rows, or carries them away, with other rights than those of whoever asks.'
\echo 'A definer function is listed whatever its text names, if no policy holds its owner.'
with recursive
junctions as (
    select c.oid, c.relname
    from pg_class as c
    inner join tenancy.managed_objects as m on m.kind = 'table' and to_regclass(m.name) = c.oid
    where c.relnamespace = 'core_api'::regnamespace and c.relname like '%\_workspace\_connectors'
),

dependents (relation, relname) as (
    select j.oid, j.relname from junctions as j
    union
    select w.ev_class, d.relname
    from dependents as d
    inner join pg_depend as p
        on p.refobjid = d.relation and p.refclassid = 'pg_class'::regclass and p.classid = 'pg_rewrite'::regclass
    inner join pg_rewrite as w on p.objid = w.oid and w.ev_class <> d.relation
),

doors (door, name, owner, acl, effect) as (
    select
        case c.relkind when 'm' then 'materialized view' else 'view' end,
        c.oid::regclass::text,
        c.relowner,
        coalesce(c.relacl, acldefault('r', c.relowner)),
        concat(
            d.relname, ' as ', c.relowner::regrole,
            case when c.relkind = 'm' then ' saw it when it was refreshed' else ' sees it' end
        )
    from dependents as d
    inner join pg_class as c on d.relation = c.oid
    where
        (
            c.relkind = 'm'
            or (c.relkind = 'v' and (
                select o.option_value::boolean from pg_options_to_table(c.reloptions) as o
                where o.option_name = 'security_invoker'
            ) is not true)
        )
        and (c.relnamespace <> 'tenancy'::regnamespace or pg_get_userbyid(c.relowner) <> 'tenancy_definer')
    union all
    select
        'definer function',
        f.oid::regprocedure::text,
        f.proowner,
        coalesce(f.proacl, acldefault('f', f.proowner)),
        coalesce(
            (
                select 'names ' || string_agg(j.relname, ', ' order by j.relname)
                from junctions as j
                where concat(f.prosrc, pg_get_function_sqlbody(f.oid)) ~ ('\m' || j.relname || '\M')
            ),
            'names no junction'
        )
    from pg_proc as f
    inner join pg_roles as o on f.proowner = o.oid
    where
        f.prosecdef and f.pronamespace <> all(array['pg_catalog', 'information_schema']::regnamespace[])
        and not (f.pronamespace = 'tenancy'::regnamespace and o.rolname = 'tenancy_definer')
        and (
            o.rolsuper or o.rolbypassrls
            or pg_has_role(o.oid, 'hasura_service', 'usage') or pg_has_role(o.oid, 'tenancy_definer', 'usage')
        )
    union all
    select 'child table', i.inhrelid::regclass::text, c.relowner, coalesce(c.relacl, acldefault('r', c.relowner)), 'rows of ' || j.relname || ' outside its policies and guards'
    from pg_inherits as i
    inner join junctions as j on i.inhparent = j.oid
    inner join pg_class as c on i.inhrelid = c.oid
    union all
    select 'trigger', format('%I on %s', t.tgname, j.relname), f.proowner, null, format('hands rows to %s', f.oid::regprocedure)
    from pg_trigger as t
    inner join junctions as j on t.tgrelid = j.oid
    inner join pg_proc as f on t.tgfoid = f.oid
    where not t.tgisinternal and f.pronamespace <> 'tenancy'::regnamespace
    union all
    select 'rule', format('%I on %s', w.rulename, j.relname), c.relowner, null, 'changes what a statement does'
    from pg_rewrite as w
    inner join junctions as j on w.ev_class = j.oid
    inner join pg_class as c on w.ev_class = c.oid
    union all
    select 'publication', quote_ident(p.pubname), p.pubowner, null, 'every change of ' || t.tablename || ', whoever subscribes'
    from pg_publication as p
    inner join pg_publication_tables as t on p.pubname = t.pubname
    inner join junctions as j on t.schemaname = 'core_api' and t.tablename = j.relname
    union all
    select 'replication slot', quote_ident(s.slot_name), null, null, 'every change of every table, by ' || s.plugin
    from pg_replication_slots as s
    where s.database = current_database()
    union all
    select 'event trigger', quote_ident(e.evtname), e.evtowner, null, format('runs %s as whoever changes the schema', e.evtfoid::regproc)
    from pg_event_trigger as e
    where e.evtenabled <> 'D'
)

select
    d.door,
    d.name,
    d.owner::regrole as owner,
    d.effect as shows,
    (
        select string_agg(distinct case a.grantee when 0 then 'public' else a.grantee::regrole::text end, ', ')
        from aclexplode(d.acl) as a
        where a.grantee <> d.owner
    ) as "open to"
from doors as d
order by d.door, d.name;

rollback;
