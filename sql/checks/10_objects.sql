-- Schemas, the enum, tables and sequences: what they are, and whose. A host's own keep its owner where the deployer is a member of it.

select
    'schema ' || n.nspname as object,
    'owner ' || r.label as definition,
    'schema ' || n.nspname as thing,
    false as lenient
from pg_catalog.pg_namespace as n
inner join roles as r on n.nspowner = r.oid
where
    n.nspname = 'tenancy'
    or (n.nspname = 'core_api' and exists (
        select from managed as m
        where m.thing = 'schema core_api' and m.created
    ))
union all
select
    'type ' || t.oid::regtype,
    concat(
        'enum (',
        (
            select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder)
            from pg_catalog.pg_enum as e
            where e.enumtypid = t.oid
        ),
        ')'
    ),
    m.thing,
    false
from managed as m
inner join pg_catalog.pg_type as t on m.thing = 'type ' || t.oid::regtype
union all
select
    'owner of ' || m.thing,
    r.label,
    m.thing,
    false
from managed as m
inner join pg_catalog.pg_type as t on m.thing = 'type ' || t.oid::regtype
inner join roles as r on t.typowner = r.oid
where m.created
union all
select
    case c.relkind when 'v' then 'view ' when 'S' then 'sequence ' when 'm' then 'materialized view ' else 'table ' end
    || c.oid::regclass,
    concat_ws(
        ', ',
        case c.relpersistence when 'u' then 'unlogged' end,
        case when c.relrowsecurity then 'row level security' end,
        case when c.relforcerowsecurity then 'forced' end,
        case when s.created is not false then 'with (' || array_to_string(c.reloptions, ', ') || ')' end,
        (
            select
                format(
                    'as %s increment %s%s, owned by %s.%s', format_type(q.seqtypid, null), q.seqincrement,
                    case when q.seqcycle then ' cycle' end, d.refobjid::regclass, a.attname
                )
            from pg_catalog.pg_sequence as q
            left join pg_catalog.pg_depend as d
                on d.objid = q.seqrelid and d.classid = 'pg_class'::regclass and d.deptype in ('a', 'i') and d.refobjsubid > 0
            left join pg_catalog.pg_attribute as a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
            where q.seqrelid = c.oid
        ),
        case
            when s.created or s.relation is null or not pg_has_role(d.oid, c.relowner, 'member') then 'owner ' || r.label
            else 'owner the deployer'
        end,
        -- 15 writes the alias of a single table before its columns, later versions do not.
        'as' || regexp_replace(
            regexp_replace(pg_get_viewdef(c.oid), case when pg_get_viewdef(c.oid) like '% JOIN %' then '^$' else '\m(?!core_api\.|tenancy\.|pg_catalog\.)\w+\.' end, '', 'g'),
            '\s+', ' ', 'g'
        )
    ),
    s.thing,
    -- Such as the sequence of a column of its own.
    c.relkind = 'S' and s.created is false
from pg_catalog.pg_class as c
cross join deployer as d
inner join roles as r on c.relowner = r.oid
left join pg_catalog.pg_depend as o
    on c.relkind = 'S' and o.objid = c.oid and o.classid = 'pg_class'::regclass and o.deptype in ('a', 'i') and o.refobjsubid > 0
left join scope as s on s.relation in (c.oid, o.refobjid)
where
    c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
    and (s.relation is not null or c.relnamespace = to_regnamespace('tenancy') or r.rolname = 'tenancy_definer')
    and c.oid is distinct from to_regclass('tenancy.schema_version')
    and (s.relation is null or s.part <> 'parent' or s.created)
union all
select
    format('table %s inherits from %s', i.inhrelid::regclass, i.inhparent::regclass),
    'outside its guards and policies',
    null,
    false
from pg_catalog.pg_inherits as i
inner join scope as s on s.relation in (i.inhparent, i.inhrelid) and (s.part <> 'parent' or s.created)
union all
select
    'managed object ' || m.thing,
    'recorded',
    null,
    false
from managed as m
