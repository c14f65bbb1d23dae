-- Functions: those of schema tenancy, of tenancy_definer, of the contract, and definers in a core_api of ours. No caller's type, function
-- or table may reach into one: plpgsql searches pg_temp last, SQL is a bound body.

select
    format('function %s', p.oid::regprocedure) as object,
    concat_ws(
        ', ',
        nullif(pg_get_function_arguments(p.oid), ''),
        case when p.prokind = 'p' then 'procedure' else 'returns ' || pg_get_function_result(p.oid) end,
        concat(
            l.lanname,
            case p.provolatile when 'i' then ' immutable' when 's' then ' stable' end,
            case when p.proisstrict then ' strict' end,
            case when p.proleakproof then ' leakproof' end,
            case p.proparallel when 's' then ' parallel safe' when 'r' then ' parallel restricted' end,
            case when p.prosecdef then ' security definer' end,
            case when p.procost <> 100 then ' cost ' || p.procost end,
            case when p.prorows not in (0, 1000) then ' rows ' || p.prorows end,
            ' support ' || nullif(p.prosupport, 0)::regproc
        ),
        array_to_string(p.proconfig, ', '),
        case
            when case l.lanname when 'sql' then p.prosqlbody is null else p.proconfig is distinct from '{"search_path=pg_catalog, pg_temp"}' end
                then 'open to the caller''s temporary types, whose code then runs as another role'
        end,
        'owner ' || r.label,
        'body '
        || case
            -- A bound body lists the columns of its tables, and an adopted table may have more of them.
            when p.prosqlbody is not null and w.adopted then 'of an adopted table' else md5(concat(p.prosrc, pg_get_function_sqlbody(p.oid)))
        end
    ) as definition,
    null as thing,
    false as lenient
from pg_catalog.pg_proc as p
inner join pg_catalog.pg_language as l on p.prolang = l.oid
inner join roles as r on p.proowner = r.oid
cross join (select coalesce(bool_or(not s.created and s.part <> 'ours'), false) as adopted from scope as s) as w
where
    p.pronamespace = 'tenancy'::regnamespace
    or r.rolname = 'tenancy_definer'
    or format('function %s', p.oid::regprocedure) in (select c.object from contract as c)
    or (
        p.pronamespace = to_regnamespace('core_api') and p.prosecdef
        and exists (
            select from managed as m
            where m.thing = 'schema core_api' and m.created
        )
    )
