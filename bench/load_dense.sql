-- Three hundred tenants, the n-th with a share of 1/n: as load.sql, with fewer tenants and connectors that are asked for much more.
select setseed(0.42);
select set_config('bench.first', '1', false);

create schema bench;

create table bench.tenants as
with sized as (
    select
        n,
        ceil(current_setting('bench.rows')::double precision / n / sum(1.0 / n) over ())::integer as row_count
    from generate_series(1, 300) as n
)

select
    n,
    case n when 1 then 'biggest' when 10 then 'tenth' when 150 then 'median' when 300 then 'small' end as title,
    row_count,
    ceil(row_count / 5.0)::integer as companies,
    greatest(3, 30 / n) as connectors
from sized;
