-- Create: records facts by public ids.
-- locks: none

-- Bound bodies, here and in what follows: they name tenancy's objects for a caller that may not, and search_path has no part in
-- them. The policies judge each insert and update as if the caller had typed it.
-- noqa: disable=RF02, RF03
create function core_api.create_company_workspace_connectors(items jsonb)
returns setof core_api.company_workspace_connectors
language sql
begin atomic
    insert into core_api.company_workspace_connectors (company_pk, workspace_connector_pk, direction)
    select
        coalesce(
            c.pk,
            tenancy.refuse(
                (select tenancy.current_workspace_pk()), '22023',
                'company_id is not a company of the current workspace', i.place
            )
        ),
        coalesce(
            k.pk,
            tenancy.refuse(
                (select tenancy.current_workspace_pk()), '22023',
                'workspace_connector_id is not a connector of the current workspace', i.place
            )
        ),
        (i.item ->> 'direction')::core_api.direction_enum
    from jsonb_array_elements(items) with ordinality as i (item, place)
    left join tenancy.current_workspace_companies as c on c.company_id = (i.item ->> 'company_id')::uuid
    left join tenancy.current_workspace_connectors as k
        on k.workspace_connector_id = (i.item ->> 'workspace_connector_id')::uuid
    order by i.place
    returning company_workspace_connectors.*;
end;
comment on function core_api.create_company_workspace_connectors is
'Records facts, all or none, from an array of objects with company_id, workspace_connector_id and direction. Error 22023 on an id '
'that is not of the current workspace, whoever else has it; 22P02 on a malformed id or direction; 23502 without a direction; '
'42501 without a workspace.';

call tenancy.revoke_all('routine core_api.create_company_workspace_connectors');
grant execute on function core_api.create_company_workspace_connectors to connector_sync;
