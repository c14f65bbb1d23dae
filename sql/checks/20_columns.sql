-- Columns: all of a table that this package created; of an adopted one those that the contract names, of a parent only what is relied on.

select
    format('column %s.%I', s.relation::regclass, a.attname) as object,
    concat(
        format_type(a.atttypid, a.atttypmod),
        case when a.attnotnull and (s.part <> 'parent' or a.attname in ('pk', 'workspace_pk')) then ' not null' end,
        case when s.part <> 'parent' then ' default ' || pg_get_expr(d.adbin, d.adrelid) end,
        case
            when s.part = 'parent' and exists (
                select
                from pg_catalog.pg_index as i
                where
                    i.indrelid = s.relation and i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null
                    and i.indexprs is null and i.indnkeyatts = 1 and i.indkey[0] = a.attnum
                    and (i.indisprimary or a.attname <> 'pk')
            ) then case a.attname when 'pk' then ' primary key' else ' unique' end
        end,
        case
            when s.part = 'parent' then (
                select min(concat(' references ', k.confrelid::regclass, case when not k.convalidated then ', not valid: ' || quote_ident(k.conname) end))
                from pg_catalog.pg_constraint as k
                where
                    k.conrelid = s.relation and k.contype = 'f' and k.conkey = array[a.attnum]
                    and k.confrelid = to_regclass('core_api.workspaces')
            )
        end
    ) as definition,
    case when s.part <> 'parent' then s.thing end as thing,
    s.part = 'parent' or not s.created as lenient
from scope as s
inner join pg_catalog.pg_attribute as a on s.relation = a.attrelid and a.attnum > 0 and not a.attisdropped
left join pg_catalog.pg_attrdef as d on a.attrelid = d.adrelid and a.attnum = d.adnum
where
    s.relation is distinct from to_regclass('tenancy.schema_version')
    and (
        s.part <> 'parent' or a.attname in ('pk', 'workspace_pk')
        or (a.atttypid = 'uuid'::regtype and a.attname like '%\_id')
        or format('column %s.%I', s.relation::regclass, a.attname) in (select c.object from contract as c)
    )
union all
select
    format('columns of %s, in order', s.relation::regclass),
    string_agg(a.attname, ', ' order by a.attnum),
    s.thing,
    false
from scope as s
inner join pg_catalog.pg_attribute as a on s.relation = a.attrelid and a.attnum > 0 and not a.attisdropped
where s.part = 'junction' and s.created
group by s.relation, s.thing
