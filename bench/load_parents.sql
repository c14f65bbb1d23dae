-- Workspaces, companies and connectors of the tenants from bench.first on.
insert into core_api.workspaces (pk)
select n from bench.tenants
where n >= current_setting('bench.first')::integer;

-- Parents are created as life brings them, not tenant by tenant.
insert into core_api.companies (workspace_pk)
select n
from bench.tenants
cross join lateral generate_series(1, companies)
where n >= current_setting('bench.first')::integer
order by random();

insert into core_api.workspace_connectors (workspace_pk)
select n
from bench.tenants
cross join lateral generate_series(1, connectors)
where n >= current_setting('bench.first')::integer
order by random();

drop table if exists bench.companies;
create table bench.companies as
select
    pk,
    workspace_pk as n,
    row_number() over (partition by workspace_pk order by pk) as place
from core_api.companies;

drop table if exists bench.connectors;
create table bench.connectors as
select
    pk,
    workspace_pk as n,
    row_number() over (partition by workspace_pk order by pk) as place
from core_api.workspace_connectors;
analyze bench.companies, bench.connectors;
