-- Create: records one fact by public ids.
-- locks: none

-- noqa: disable=AM04, RF03
create function core_api.create_company_workspace_connector(
    company_id uuid, workspace_connector_id uuid, direction core_api.direction_enum
)
returns core_api.company_workspace_connectors
language sql
begin atomic
    select created.*
    from
        core_api.create_company_workspace_connectors(
            jsonb_build_array(
                jsonb_build_object(
                    'company_id', company_id,
                    'workspace_connector_id', workspace_connector_id,
                    'direction', direction
                )
            )
        ) as created;
end;
comment on function core_api.create_company_workspace_connector is
'Records one fact and returns its row; errors as create_company_workspace_connectors.';

call tenancy.revoke_all('routine core_api.create_company_workspace_connector');
grant execute on function core_api.create_company_workspace_connector to connector_sync;
