-- 0010: row-level security on a table that was adopted; on one created here it has been on from the start.
-- locks: ACCESS EXCLUSIVE on company_workspace_connectors

insert into tenancy.created_objects (object_name)
select c.added
from (
    select 'row level security of core_api.company_workspace_connectors' as added
    from pg_catalog.pg_class as t
    where t.oid = 'core_api.company_workspace_connectors'::regclass and not t.relrowsecurity
    union all
    select 'forced row level security of core_api.company_workspace_connectors'
    from pg_catalog.pg_class as t
    where t.oid = 'core_api.company_workspace_connectors'::regclass and not t.relforcerowsecurity
) as c;

alter table core_api.company_workspace_connectors enable row level security;
alter table core_api.company_workspace_connectors force row level security;
