-- Comments, which are how the database explains itself.

select
    format(
        'comment on %s', case d.classoid
            when 'pg_class'::regclass
                then
                    case
                        when d.objsubid > 0 then format('column %s.%I', c.oid::regclass, a.attname)
                        else
                            concat(
                                case c.relkind when 'v' then 'view ' when 'i' then 'index ' when 'S' then 'sequence ' else 'table ' end,
                                c.oid::regclass
                            )
                    end
            when 'pg_proc'::regclass
                then
                    case f.prokind when 'p' then 'procedure ' else 'function ' end || f.oid::regprocedure
            else i.type || ' ' || i.identity
        end
    ) as object,
    quote_literal(d.description) as definition,
    coalesce(s.thing, x.thing) as thing,
    coalesce(not s.created, false) as lenient
from pg_catalog.pg_description as d
left join pg_catalog.pg_class as c on d.classoid = 'pg_class'::regclass and d.objoid = c.oid
left join pg_catalog.pg_attribute as a on c.oid = a.attrelid and d.objsubid = a.attnum and d.objsubid > 0
left join pg_catalog.pg_index as n on c.oid = n.indexrelid
left join pg_catalog.pg_trigger as t on d.classoid = 'pg_trigger'::regclass and d.objoid = t.oid
left join pg_catalog.pg_policy as p on d.classoid = 'pg_policy'::regclass and d.objoid = p.oid
left join pg_catalog.pg_proc as f on d.classoid = 'pg_proc'::regclass and d.objoid = f.oid
cross join pg_identify_object(d.classoid, d.objoid, 0) as i
left join scope as s on coalesce(t.tgrelid, p.polrelid, n.indrelid, c.oid) = s.relation
left join managed as x
    on
        x.thing in ('type ' || d.objoid::regtype::text, 'schema ' || d.objoid::regnamespace::text)
        and d.classoid in ('pg_type'::regclass, 'pg_namespace'::regclass)
where
    -- A host's own words, on what was adopted, are its own.
    (x.thing is not null and x.created)
    or (s.relation is not null and (s.created or coalesce(c.relkind, 'i') = 'i'))
    or c.relnamespace = 'tenancy'::regnamespace or f.pronamespace = 'tenancy'::regnamespace
    or 'function ' || f.oid::regprocedure in (select k.object from contract as k)
    or (d.classoid = 'pg_namespace'::regclass and d.objoid = 'tenancy'::regnamespace)
