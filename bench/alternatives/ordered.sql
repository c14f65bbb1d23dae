-- a bitmap priced above the order of the page index: a condition that is always true, evaluated once for a scan of that index
create function tenancy.lowest_pk() returns integer
language plpgsql stable parallel safe cost 100
as $$ begin return -2147483648; end $$;
grant execute on function tenancy.lowest_pk() to workspace_member;
alter policy member_reads_active_rows on core_api.company_workspace_connectors
using (
    deleted_at is null
    and workspace_connector_pk >= tenancy.lowest_pk()
    and workspace_connector_pk = any(array(select k.pk from tenancy.current_workspace_connectors as k))
    and exists (
        select from tenancy.current_workspace_companies as c
        where c.pk = company_workspace_connectors.company_pk
    )
);
