-- what it costs to fail closed on a mixed row
alter policy member_reads_active_rows on core_api.company_workspace_connectors
using (
    deleted_at is null
    and workspace_connector_pk = any(array(select k.pk from tenancy.current_workspace_connectors as k))
);
