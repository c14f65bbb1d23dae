-- Retrieve: one row of the current workspace as a JSON:API document.
-- locks: none

-- Through both parents once more: a caller who is in hasura_service too sees every tenant's rows.
-- noqa: disable=RF01
create function core_api.company_workspace_connector_retrieve(id uuid)
returns json
language sql
stable
begin atomic
    select format('{"data": %s}', tenancy.company_resource(j, c.company_id, k.workspace_connector_id))::json
    from core_api.company_workspace_connectors as j
    inner join tenancy.current_workspace_companies as c on j.company_pk = c.pk
    inner join tenancy.current_workspace_connectors as k on j.workspace_connector_pk = k.pk
    where
        j.id = company_workspace_connector_retrieve.id
        -- Asked before any row is looked at: a refused workspace is refused whether or not somebody has the id.
        and (select tenancy.current_workspace_pk()) is not null;
end;
comment on function core_api.company_workspace_connector_retrieve is
'One row, deleted ones for the sync role only; null for an id that is not there and for another workspace''s alike.';

call tenancy.revoke_all('routine core_api.company_workspace_connector_retrieve');
grant execute on function core_api.company_workspace_connector_retrieve to workspace_member, connector_sync;
