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
analyze bench.syncs;
