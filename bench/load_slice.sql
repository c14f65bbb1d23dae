-- One slice of time of the provenance rows, in the order in which the syncs wrote them; 4 % have been revoked since.
insert into core_api.company_workspace_connectors
(company_pk, workspace_connector_pk, direction, created_at, updated_at, deleted_at)
select
    c.pk,
    s.workspace_connector_pk,
    s.direction,
    s.created_at,
    s.created_at,
    case when random() < 0.04 then s.created_at + interval '30 days' end
from (
    select
        s.*,
        1 + floor(random() * t.companies) as company
    from bench.syncs as s
    inner join bench.tenants as t on s.n = t.n
    cross join lateral generate_series(1, s.row_count)
    where s.slice = current_setting('bench.slice')::integer
) as s
inner join bench.companies as c on s.n = c.n and s.company = c.place
order by s.created_at;
