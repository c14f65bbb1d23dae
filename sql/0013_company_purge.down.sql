-- 0013 down: drops the purge; nothing removes a row any more.
-- locks: none

drop function core_api.purge_company_workspace_connectors;
drop function tenancy.company_purge;
