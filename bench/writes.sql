-- 100,000 facts of the biggest tenant, waiting in a staging copy.
create table bench.staged as
select
    c.pk as company_pk,
    k.pk as workspace_connector_pk,
    'input'::core_api.direction_enum as direction,
    (round - 1) * t.companies + c.place as place
from bench.tenants as t
inner join bench.companies as c on t.n = c.n
inner join bench.connectors as k on t.n = k.n and c.place % t.connectors + 1 = k.place
cross join generate_series(1, ceil(100000.0 / t.companies)::integer) as round
where t.n = 1 and (round - 1) * t.companies + c.place <= 100000;
create index on bench.staged (place);

grant usage on schema bench to bench_sync;
grant select on bench.staged to bench_sync, bench_expert;
