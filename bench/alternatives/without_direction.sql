-- page index without direction: counts by direction from the table
drop index core_api.company_workspace_connectors_page_index;
create index company_workspace_connectors_page_index
on core_api.company_workspace_connectors (workspace_connector_pk, created_at desc, pk desc)
include (company_pk, deleted_at);
