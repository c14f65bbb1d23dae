-- 0015 down: drops Hasura's page functions; Hasura's metadata must have stopped tracking them before.
-- locks: none

drop function core_api.workspace_company_workspace_connectors(
    core_api.workspaces, integer, uuid, core_api.direction_enum, uuid, uuid
);
drop function core_api.company_workspace_connectors_session_page(
    json, integer, uuid, core_api.direction_enum, uuid, uuid
);
drop function tenancy.session_page_keys(json, integer, uuid, core_api.direction_enum, uuid, uuid);
