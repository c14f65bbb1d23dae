-- Delete: soft-deletes one row by its public id.
-- locks: none

-- noqa: disable=RF01
create function core_api.delete_company_workspace_connector(id uuid)
returns core_api.company_workspace_connectors
language sql
return (
    select deleted
    from
        core_api.delete_company_workspace_connectors(
            jsonb_build_array(delete_company_workspace_connector.id)
        ) as deleted
);
comment on function core_api.delete_company_workspace_connector is
'Soft-deletes one row and returns it; errors as delete_company_workspace_connectors.';

call tenancy.revoke_all('routine core_api.delete_company_workspace_connector');
grant execute on function core_api.delete_company_workspace_connector to connector_sync;
