-- Counts for Hasura, in one value, so that nobody needs its aggregates.
-- locks: none

-- Hasura names no workspace when it reads and sees every row, so both parents are asked here; a mixed row counts for nobody.
-- noqa: disable=RF01
create function core_api.workspace_company_counts(
    workspace core_api.workspaces,
    company_id uuid default null,
    workspace_connector_id uuid default null,
    created_from timestamptz default null,
    created_before timestamptz default null
)
returns json
language sql
stable
begin atomic
    with counted as (
        select
            j.workspace_connector_pk,
            j.direction,
            count(*) as active_rows
        from core_api.company_workspace_connectors as j
        where
            j.deleted_at is null
            and j.workspace_connector_pk = any(array(
                select k.pk
                from core_api.workspace_connectors as k
                where
                    k.workspace_pk = (workspace_company_counts.workspace).pk
                    and (
                        workspace_company_counts.workspace_connector_id is null
                        or k.workspace_connector_id = workspace_company_counts.workspace_connector_id
                    )
            ))
            and (
                workspace_company_counts.company_id is null
                or j.company_pk = (
                    select c.pk
                    from core_api.companies as c
                    where c.company_id = workspace_company_counts.company_id
                )
            )
            and exists (
                select
                from core_api.companies as c
                where c.pk = j.company_pk and c.workspace_pk = (workspace_company_counts.workspace).pk
            )
            and j.created_at >= coalesce(workspace_company_counts.created_from, '-infinity')
            and j.created_at < coalesce(workspace_company_counts.created_before, 'infinity')
        group by j.workspace_connector_pk, j.direction
    )

    select
        coalesce(
            json_agg(
                json_build_object(
                    'workspace_connector_id', k.workspace_connector_id,
                    'direction', counted.direction,
                    'active_rows', counted.active_rows
                )
                order by k.workspace_connector_id, counted.direction
            ),
            '[]'
        )
    from counted
    inner join core_api.workspace_connectors as k on counted.workspace_connector_pk = k.pk;
end;
comment on function core_api.workspace_company_counts is
'For Hasura: company_workspace_connectors_counts of the workspace, as one array of objects with workspace_connector_id, direction and '
'active_rows.';

call tenancy.revoke_all('routine core_api.workspace_company_counts');
grant execute on function core_api.workspace_company_counts to hasura_service;
