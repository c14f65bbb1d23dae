-- 0003 down: drops the table and every provenance row in it; export them first if they matter.
-- locks: ACCESS EXCLUSIVE on company_workspace_connectors, companies and workspace_connectors, for milliseconds.

drop table core_api.company_workspace_connectors;
