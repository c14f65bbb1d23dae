-- Delete: soft-deletes rows by their public ids.
-- locks: none

-- noqa: disable=RF02, RF03
create function core_api.delete_company_workspace_connectors(ids jsonb)
returns setof core_api.company_workspace_connectors
language sql
begin atomic
    with named as (
        select
            i.place,
            i.id::uuid as id
        from jsonb_array_elements_text(ids) with ordinality as i (id, place)
    ),

    deleted as (
        update core_api.company_workspace_connectors set deleted_at = now()
        where
            company_workspace_connectors.id in (select named.id from named)
            and company_workspace_connectors.deleted_at is null
        returning company_workspace_connectors.*
    ),

    -- Through both parents once more: a caller who is in hasura_service too sees every tenant's rows.
    found as (
        select j.id
        from core_api.company_workspace_connectors as j
        inner join tenancy.current_workspace_companies as c on j.company_pk = c.pk
        inner join tenancy.current_workspace_connectors as k on j.workspace_connector_pk = k.pk
    )

    -- A row that another transaction deleted meanwhile is in no "deleted", but still in "found".
    select d.*
    from named
    left join deleted as d on named.id = d.id
    left join found on named.id = found.id
    where
        d.id is not null
        or tenancy.refuse(
            (select tenancy.current_workspace_pk()),
            case when found.id is null then '22023' else '23000' end,
            case
                when found.id is null then 'id is not the id of a row of the current workspace'
                else 'the row is deleted already'
            end,
            named.place
        ) is null
    order by named.place;
end;
comment on function core_api.delete_company_workspace_connectors is
'Soft-deletes rows by an array of their public ids, all or none, and returns them. Error 22023 on an id that is no row of the '
'current workspace, whoever else has it; 23000 on a row that is deleted already; 42501 without a workspace.';

call tenancy.revoke_all('routine core_api.delete_company_workspace_connectors');
grant execute on function core_api.delete_company_workspace_connectors to connector_sync;
