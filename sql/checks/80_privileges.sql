-- Privileges, as the grant that gives them: nobody but an owner has any beyond these; on what was adopted the host grants what it likes
-- to others, but for a junction. The owner may not delete or truncate provenance rows; its other rights do not count.

select
    format(
        'grant %s on %s to %s', concat(lower(a.privilege_type), ' (' || o.column_name || ')'), o.name,
        case when a.grantee = o.owner then 'its owner' when a.grantee = 0 then 'public' else r.label end
    ) as object,
    case when a.is_grantable then 'granted with grant option' else 'granted' end as definition,
    o.thing,
    o.lenient
from (
    select
        'schema ' || n.nspname as name,
        null as column_name,
        n.nspowner as owner,
        n.nspacl as acl,
        case n.nspname when 'core_api' then 'schema core_api' end as thing,
        n.nspname = 'core_api' and exists (
            select from managed as m
            where m.thing = 'schema core_api' and not m.created
        ) as lenient
    from pg_catalog.pg_namespace as n
    where n.nspname in ('core_api', 'tenancy')
    union all
    select
        m.thing,
        null,
        t.typowner,
        coalesce(t.typacl, acldefault('T', t.typowner)),
        m.thing,
        not m.created
    from managed as m
    inner join pg_catalog.pg_type as t on m.thing = 'type ' || t.oid::regtype
    union all
    select
        case c.relkind when 'S' then 'sequence ' else 'table ' end || c.oid::regclass,
        null,
        c.relowner,
        coalesce(c.relacl, acldefault(case c.relkind when 'S' then 's' else 'r' end::"char", c.relowner)),
        s.thing,
        not s.created and s.part = 'parent'
    from pg_catalog.pg_class as c
    left join pg_catalog.pg_depend as d
        on c.relkind = 'S' and d.objid = c.oid and d.classid = 'pg_class'::regclass and d.deptype in ('a', 'i') and d.refobjsubid > 0
    left join scope as s on s.relation in (c.oid, d.refobjid)
    where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f') and (s.relation is not null or c.relnamespace = to_regnamespace('tenancy'))
    union all
    select
        'table ' || c.oid::regclass,
        a.attname,
        c.relowner,
        a.attacl,
        s.thing,
        not s.created and s.part = 'parent'
    from pg_catalog.pg_attribute as a
    inner join pg_catalog.pg_class as c on a.attrelid = c.oid
    left join scope as s on c.oid = s.relation
    where a.attacl is not null and (s.relation is not null or c.relnamespace = to_regnamespace('tenancy'))
    union all
    select
        format('routine %s', p.oid::regprocedure),
        null,
        p.proowner,
        coalesce(p.proacl, acldefault('f', p.proowner)),
        null,
        false
    from pg_catalog.pg_proc as p
    where p.pronamespace = to_regnamespace('tenancy') or format('function %s', p.oid::regprocedure) in (select c.object from contract as c)
) as o
cross join aclexplode(o.acl) as a
left join roles as r on a.grantee = r.oid
where
    a.grantee <> o.owner
    or (o.name like 'table core_api.%\_workspace\_connectors' and a.privilege_type in ('DELETE', 'TRUNCATE'))
union all
-- What a schema's future objects would be open to.
select
    format('default privileges of %s in schema %s', r.label, d.defaclnamespace::regnamespace),
    array_to_string(d.defaclacl, ', '),
    null,
    false
from pg_catalog.pg_default_acl as d
inner join roles as r on d.defaclrole = r.oid
where d.defaclnamespace = to_regnamespace('tenancy')
