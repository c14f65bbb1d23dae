-- A row as the API shows it.
-- locks: none

-- noqa: disable=RF01, RF02, RF03
create function core_api.company_workspace_connector_resource(
    company_workspace_connector core_api.company_workspace_connectors
)
returns json
language sql
stable
begin atomic
    select tenancy.company_resource(company_workspace_connector, i.company_id, i.workspace_connector_id)::json
    from tenancy.company_identifiers as i
    where
        i.company_pk = (company_workspace_connector).company_pk
        and i.workspace_connector_pk = (company_workspace_connector).workspace_connector_pk
        -- Asked before any row is looked at, as in retrieve.
        and (
            (select pg_has_role('hasura_service', 'usage')) or (select tenancy.current_workspace_pk()) is not null
        );
end;
comment on function core_api.company_workspace_connector_resource is
'The row as a JSON:API resource object; null where its parents are not of the current workspace.';

call tenancy.revoke_all('routine core_api.company_workspace_connector_resource');
grant execute on function core_api.company_workspace_connector_resource to workspace_member, connector_sync, hasura_service;
