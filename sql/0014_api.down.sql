-- 0014 down: drops the API functions; a client resolves public ids and builds its documents for itself again.
-- locks: ACCESS EXCLUSIVE on tenancy.resource_identifiers

drop function core_api.revoke_workspace_connector(uuid);
drop function core_api.delete_company_workspace_connector(uuid);
drop function core_api.delete_company_workspace_connectors(uuid[]);
drop function core_api.create_company_workspace_connector(uuid, uuid, core_api.direction_enum);
drop function core_api.create_company_workspace_connectors(jsonb);
drop function tenancy.refuse(integer, text, text, bigint);
drop function core_api.company_workspace_connector_document(core_api.company_workspace_connectors);
drop function tenancy.json_timestamp(timestamptz);
drop view tenancy.resource_identifiers;
