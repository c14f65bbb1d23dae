-- Policies: these and no others; of an adopted parent ours, and what would hide its rows from the views and guards.

select
    format('policy %I on %s', p.polname, s.relation::regclass) as object,
    concat(
        'as ', case when p.polpermissive then 'permissive' else 'restrictive' end,
        ' for ', case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
        ' to ',
        (
            select string_agg(coalesce(r.label, 'public'), ', ' order by r.label)
            from unnest(p.polroles) as g (oid)
            left join roles as r on g.oid = r.oid
        ),
        ' using (' || regexp_replace(pg_get_expr(p.polqual, p.polrelid), '\s+', ' ', 'g') || ')',
        ' with check (' || regexp_replace(pg_get_expr(p.polwithcheck, p.polrelid), '\s+', ' ', 'g') || ')',
        case when not p.polpermissive and s.part = 'parent' and not s.created then ', which hides rows from tenancy_definer' end
    ) as definition,
    s.thing,
    not s.created and s.part = 'parent' and p.polpermissive as lenient
from scope as s
inner join pg_catalog.pg_policy as p on s.relation = p.polrelid
inner join pg_catalog.pg_class as c on s.relation = c.oid
where
    s.created or s.part <> 'parent'
    or (
        c.relrowsecurity
        and (
            p.polname = 'definer_reads_every_row'
            or (
                not p.polpermissive and p.polcmd in ('r', '*')
                and p.polroles && array[0, to_regrole('tenancy_definer')]::oid[]
            )
        )
    )
