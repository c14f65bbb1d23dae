-- Triggers, enabled, and rules, of which there are none; an adopted parent may have its own.

select
    format('trigger %I on %s', t.tgname, s.relation::regclass) as object,
    concat(
        regexp_replace(pg_get_triggerdef(t.oid), '^CREATE TRIGGER \S+ ', ''),
        case when t.tgenabled not in ('O', 'A') then ', disabled' end
    ) as definition,
    case when s.part <> 'parent' then s.thing end as thing,
    false as lenient
from scope as s
inner join pg_catalog.pg_trigger as t on s.relation = t.tgrelid and not t.tgisinternal
inner join pg_catalog.pg_proc as p on t.tgfoid = p.oid
where
    (
        s.part <> 'parent' or p.pronamespace = to_regnamespace('tenancy')
        or format('trigger %I on %s', t.tgname, s.relation::regclass) in (select c.object from contract as c)
    )
    -- An event trigger of Hasura's, once it is handed to a role that only logs (hasura/*_events_after.sql).
    and not (
        t.tgname like 'notify\_hasura\_%' and t.tgtype & 2 = 0 and p.prosecdef and p.proconfig = '{"search_path=pg_catalog, pg_temp"}'
        and exists (
            select from roles as o
            where
                o.oid = p.proowner and not (o.rolsuper or o.rolbypassrls or o.rolcanlogin or o.label = 'the deployer')
                and not exists (
                    select from roles as g
                    where g.is_group and pg_has_role(o.oid, g.oid, 'member')
                )
        )
    )
union all
select
    format('rule %I on %s', r.rulename, s.relation::regclass),
    regexp_replace(pg_get_ruledef(r.oid), '\s+', ' ', 'g'),
    s.thing,
    false
from scope as s
inner join pg_catalog.pg_rewrite as r on s.relation = r.ev_class
where s.part <> 'parent' or s.created
