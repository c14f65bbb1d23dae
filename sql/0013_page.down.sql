-- 0013 down: drops the page function; a client that pages must sort and cut for itself again.
-- locks: none

drop function core_api.company_workspace_connectors_page(integer, uuid, core_api.direction_enum, uuid, uuid);
drop function tenancy.page_keys(integer, uuid, core_api.direction_enum, uuid, uuid, boolean);
revoke all (direction, deleted_at) on core_api.company_workspace_connectors from tenancy_definer;
