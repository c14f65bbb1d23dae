-- a company check that can only be probed
alter policy member_reads_active_rows on core_api.company_workspace_connectors
using (
    deleted_at is null
    and workspace_connector_pk = any(array(select k.pk from tenancy.current_workspace_connectors as k))
    and (
        select true from tenancy.current_workspace_companies as c
        where c.pk = company_workspace_connectors.company_pk
    )
);
