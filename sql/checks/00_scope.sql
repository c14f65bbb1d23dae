-- What the checks look at: the tables that the contract names and those that this package manages, with all of schema tenancy.

managed as (
    select format('%s %s', m.kind, m.name) as thing, m.created
    from tenancy.managed_objects as m
),

deployer as (
    select n.nspowner as oid from pg_catalog.pg_namespace as n where n.nspname = 'tenancy'
),

roles as (
    select
        r.*,
        case when r.oid = d.oid then 'the deployer' else quote_ident(r.rolname) end as label,
        r.rolname in (
            'workspace_member', 'workspace_tenant', 'connector_sync', 'connector_retention', 'hasura_service',
            'tenancy_definer'
        ) as is_group
    from pg_catalog.pg_roles as r
    cross join deployer as d
),

scope as (
    select
        c.oid as relation,
        c.relowner,
        c.relnamespace,
        case when n.nspname <> 'tenancy' then 'table ' || c.oid::regclass end as thing,
        case
            when n.nspname = 'tenancy' then 'ours' when c.relname like '%\_workspace\_connectors' then 'junction'
            else 'parent'
        end as part,
        n.nspname = 'tenancy' or coalesce(m.created, false) as created
    from pg_catalog.pg_class as c
    inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid
    left join managed as m on m.thing = 'table ' || c.oid::regclass
    where
        c.relkind in ('r', 'p')
        and (
            n.nspname = 'tenancy'
            or m.thing is not null
            or 'table ' || c.oid::regclass in (select k.object from contract as k)
        )
)
