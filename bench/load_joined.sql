-- One more tenant, whose rows are a third of those there are, with a connector for each hundred of them.
insert into bench.tenants
select
    301 as n,
    'newcomer' as title,
    ceil(sum(row_count) / 3.0)::integer as row_count,
    ceil(sum(row_count) / 15.0)::integer as companies,
    ceil(sum(row_count) / 300.0)::integer as connectors
from bench.tenants;
select set_config('bench.first', '301', false);
