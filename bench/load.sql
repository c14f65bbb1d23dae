-- Tenants of very unequal size, on a migrated and empty schema; the number of rows is the setting bench.rows.
-- The biggest tenant has 4.5 % of the rows, the others share the rest by a power law with a long tail; two tenants, of 2,000
-- and of 200 rows, are the same in a table of any size, so that its growth can be seen in them.
select setseed(0.42);

create schema bench;

create table bench.tenants as
with asked as (
    select
        current_setting('bench.rows')::double precision as total,
        greatest(20, current_setting('bench.rows')::double precision / 5000) as tenants
),

weighted as (
    select
        asked.total,
        n,
        pow(n / asked.tenants, -0.6) * (1.02 - n / asked.tenants) as weight
    from asked
    cross join lateral generate_series(1, asked.tenants::integer) as n
),

sized as (
    select
        n,
        greatest(1, case n
            when 1 then 0.045 * total
            when 2 then 2000
            when 3 then 200
            else (0.955 * total - 2200) * (weight / sum(weight) filter (where n > 3) over ())
        end)::integer as row_count
    from weighted
)

select
    n,
    case n when 1 then 'biggest' when 2 then 'median' when 3 then 'small' end as title,
    row_count,
    ceil(row_count / 5.0)::integer as companies,
    case n when 1 then 37 else ceil(pow(row_count, 0.28))::integer end as connectors
from sized;

insert into core_api.workspaces (pk)
select n from bench.tenants;

-- Parents are created as life brings them, not tenant by tenant.
insert into core_api.companies (workspace_pk)
select n
from bench.tenants
cross join lateral generate_series(1, companies)
order by random();

insert into core_api.workspace_connectors (workspace_pk)
select n
from bench.tenants
cross join lateral generate_series(1, connectors)
order by random();

create table bench.companies as
select
    pk,
    workspace_pk as n,
    row_number() over (partition by workspace_pk order by pk) as place
from core_api.companies;

create table bench.connectors as
select
    pk,
    workspace_pk as n,
    row_number() over (partition by workspace_pk order by pk) as place
from core_api.workspace_connectors;

-- A sync is one transaction of one connector: about twenty rows with the same time, some connectors far busier than others.
create table bench.syncs as
select
    s.n,
    k.pk as workspace_connector_pk,
    s.created_at,
    s.direction,
    s.row_count,
    ntile(20) over (order by s.created_at) as slice
from (
    select
        t.n,
        1 + floor(t.connectors * pow(random(), 1.5)) as connector,
        timestamptz '2024-01-01Z' + random() * interval '700 days' as created_at,
        case when random() < 0.7 then 'input' else 'output' end::core_api.direction_enum as direction,
        least(20, t.row_count - first_row + 1) as row_count
    from bench.tenants as t
    cross join lateral generate_series(1, t.row_count, 20) as first_row
) as s
inner join bench.connectors as k on s.n = k.n and s.connector = k.place;
create index on bench.syncs (slice);
analyze bench.syncs, bench.companies;
