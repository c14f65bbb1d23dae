-- The resource object of JSON:API, spelled once.
-- locks: none

-- Text keeps the order and the spacing that jsonb would not. Every value is a uuid, a label or a timestamp: nothing to escape.
create function tenancy.company_resource(
    provenance_row core_api.company_workspace_connectors, company_id uuid, workspace_connector_id uuid
)
returns text
language sql
stable
return format(
    '{"type": "company_workspace_connector", "id": "%s", "attributes": {"direction": "%s", "created_at": %s, '
    '"updated_at": %s, "deleted_at": %s}, "relationships": {"company": {"data": {"type": "company", "id": "%s"}}, '
    '"workspace_connector": {"data": {"type": "workspace_connector", "id": "%s"}}}}',
    (provenance_row).id,
    (provenance_row).direction,
    tenancy.json_timestamp((provenance_row).created_at),
    tenancy.json_timestamp((provenance_row).updated_at),
    tenancy.json_timestamp((provenance_row).deleted_at),
    company_id,
    workspace_connector_id
);
comment on function tenancy.company_resource is
'A provenance row, with the public ids of its parents, as the text of a JSON:API resource object.';

call tenancy.revoke_all('routine tenancy.company_resource');
grant execute on function tenancy.company_resource to workspace_member, connector_sync, hasura_service;
