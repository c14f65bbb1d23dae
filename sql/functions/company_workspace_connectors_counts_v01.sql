-- How many active rows each connector has, by direction.
-- locks: none

-- Counted first, by the page index alone, and joined to the public ids afterwards; materialized, so that no condition of a caller
-- is shown another connector than is returned.
-- noqa: disable=RF01
create function core_api.company_workspace_connectors_counts(
    company_id uuid default null,
    workspace_connector_id uuid default null,
    created_from timestamptz default null,
    created_before timestamptz default null
)
returns table (connector_id uuid, direction core_api.direction_enum, active_rows bigint)
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
            -- Asked before any row is looked at, as in retrieve.
            (select tenancy.current_workspace_pk()) is not null
            and j.deleted_at is null
            -- For who is in hasura_service too, and would count rows of which only the connector is the workspace's.
            and (
                (select not pg_has_role('hasura_service', 'usage'))
                or exists (
                    select from tenancy.current_workspace_companies as c
                    where c.pk = j.company_pk
                )
            )
            and (
                company_workspace_connectors_counts.company_id is null
                or j.company_pk = (
                    select c.pk
                    from tenancy.current_workspace_companies as c
                    where c.company_id = company_workspace_connectors_counts.company_id
                )
            )
            and j.workspace_connector_pk = any(array(
                select k.pk
                from tenancy.current_workspace_connectors as k
                where
                    company_workspace_connectors_counts.workspace_connector_id is null
                    or k.workspace_connector_id = company_workspace_connectors_counts.workspace_connector_id
            ))
            and j.created_at >= coalesce(company_workspace_connectors_counts.created_from, '-infinity')
            and j.created_at < coalesce(company_workspace_connectors_counts.created_before, 'infinity')
        group by j.workspace_connector_pk, j.direction
    ),

    named as materialized (
        select
            k.workspace_connector_id,
            counted.direction,
            counted.active_rows
        from counted
        inner join tenancy.current_workspace_connectors as k on counted.workspace_connector_pk = k.pk
    )

    select
        named.workspace_connector_id,
        named.direction,
        named.active_rows
    from named
    order by named.workspace_connector_id, named.direction;
end;
comment on function core_api.company_workspace_connectors_counts is
'Active rows of the current workspace by connector and direction, of one company or connector where given, created at created_from '
'or later and before created_before. A connector without rows is not listed.';

call tenancy.revoke_all('routine core_api.company_workspace_connectors_counts');
grant execute on function core_api.company_workspace_connectors_counts to workspace_member, connector_sync;
