-- Tenants of very unequal size, on a migrated and empty schema; the number of rows is the setting bench.rows.
-- The biggest tenant has 4.5 % of the rows, the others share the rest by a power law with a long tail; two tenants, of 2,000
-- and of 200 rows, are the same in a table of any size, so that its growth can be seen in them.
select setseed(0.42);
select set_config('bench.first', '1', false);

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
