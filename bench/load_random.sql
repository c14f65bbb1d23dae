-- Rows of the tenants from bench.first on, in random order: each company's from up to five connectors of its tenant, 10 % revoked.
insert into core_api.company_workspace_connectors
(company_pk, workspace_connector_pk, direction, created_at, updated_at, deleted_at)
select
    c.pk,
    k.pk,
    case when random() < 0.7 then 'input' else 'output' end::core_api.direction_enum,
    s.created_at,
    s.created_at,
    case when random() < 0.1 then s.created_at + interval '30 days' end
from (
    select
        t.n,
        t.connectors,
        1 + floor(random() * t.companies) as company,
        floor(random() * least(5, t.connectors))::integer as choice,
        timestamptz '2024-01-01Z' + random() * interval '300 days' as created_at
    from bench.tenants as t
    cross join lateral generate_series(1, t.row_count)
    where t.n >= current_setting('bench.first')::integer
) as s
inner join bench.companies as c on s.n = c.n and s.company = c.place
inner join bench.connectors as k on s.n = k.n and 1 + (c.place * 7 + s.choice) % s.connectors = k.place
order by random();
