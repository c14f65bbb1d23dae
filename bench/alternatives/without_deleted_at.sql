-- page index without deleted_at, fillfactor 85: revocations and counts
drop index core_api.company_workspace_connectors_page_index;
alter table core_api.company_workspace_connectors set (fillfactor = 85);
create index company_workspace_connectors_page_index
on core_api.company_workspace_connectors (workspace_connector_pk, created_at desc, pk desc)
include (company_pk);
