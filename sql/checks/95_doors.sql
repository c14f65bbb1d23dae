-- Doors around the tables: views, copies and definer functions of owners whom row-level security does not hold, open to others.

select
    format('%s of %s', d.kind, d.name) as object,
    format('shows rows of %s with the rights of %s to %s', d.relations, d.owner, d.users) as definition,
    null as thing,
    false as lenient
from (
    with recursive dependents (relation, source) as (
        select
            s.relation,
            s.relation
        from scope as s
        where s.part = 'junction' or (s.part = 'parent' and s.created) or s.relation = to_regclass('tenancy.role_bindings')
        union
        select
            w.ev_class,
            d.source
        from dependents as d
        inner join pg_catalog.pg_depend as p
            on p.refobjid = d.relation and p.refclassid = 'pg_class'::regclass and p.classid = 'pg_rewrite'::regclass
        inner join pg_catalog.pg_rewrite as w on p.objid = w.oid and w.ev_class <> d.relation
    ),

    doors as (
        select
            case c.relkind when 'v' then 'view' else 'materialized view' end as kind,
            c.oid::regclass::text as name,
            c.relowner as owner,
            c.relacl as acl,
            d.source
        from dependents as d
        inner join pg_catalog.pg_class as c on d.relation = c.oid
        where
            (
                c.relkind = 'm'
                or (c.relkind = 'v' and (
                    select o.option_value::boolean from pg_options_to_table(c.reloptions) as o
                    where o.option_name = 'security_invoker'
                ) is not true)
            )
            and c.relnamespace is distinct from to_regnamespace('tenancy')
        union all
        select
            'definer function',
            p.oid::regprocedure::text,
            p.proowner,
            coalesce(p.proacl, acldefault('f', p.proowner)),
            d.source
        from pg_catalog.pg_proc as p
        cross join dependents as d
        inner join pg_catalog.pg_class as c on d.relation = c.oid
        where
            p.prosecdef and p.pronamespace::regnamespace::text not in ('tenancy', 'pg_catalog')
            -- In any case, whole; a name of others' may hold anything.
            and concat(p.prosrc, pg_get_function_sqlbody(p.oid)) ~* ('\m' || regexp_replace(c.relname, '\W', '\\\&', 'g') || '\M')
    )

    select
        o.kind,
        o.name,
        string_agg(distinct o.source::regclass::text, ', ') as relations,
        min(r.rolname) as owner,
        string_agg(distinct coalesce(g.label, 'public'), ', ') as users
    from doors as o
    inner join roles as r on o.owner = r.oid
    cross join aclexplode(o.acl) as a
    left join roles as g on a.grantee = g.oid
    where
        a.grantee <> o.owner and g.rolsuper is not true
        and (
            r.rolsuper or r.rolbypassrls or pg_has_role(r.oid, to_regrole('hasura_service'), 'usage') or pg_has_role(r.oid, to_regrole('tenancy_definer'), 'usage')
            or o.kind = 'materialized view'
            or (
                pg_has_role(r.oid, to_regrole('connector_sync'), 'usage')
                and (g.oid is null or not pg_has_role(g.oid, to_regrole('connector_sync'), 'usage'))
            )
            or (
                -- An owner whom nothing forces: a created parent's.
                select c.relowner = o.owner and not c.relforcerowsecurity from pg_catalog.pg_class as c
                where c.oid = o.source
            )
        )
    group by o.kind, o.name
) as d
