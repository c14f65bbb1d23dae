-- The caller's visible rows, newest first, page by page.
-- locks: none

-- A bound body: it names tenancy's objects for callers that may not, and search_path has no part in it.
-- noqa: disable=RF01, AM04
create function core_api.company_workspace_connectors_page(
    page_limit integer default null,
    after_id uuid default null,
    direction core_api.direction_enum default null,
    company_id uuid default null,
    workspace_connector_id uuid default null,
    created_from timestamptz default null,
    created_before timestamptz default null
)
returns setof core_api.company_workspace_connectors
language sql
stable
begin atomic
    select j.*
    from core_api.company_workspace_connectors as j
    where
        j.pk = any((
            select tenancy.company_page_keys(
                company_workspace_connectors_page.page_limit,
                company_workspace_connectors_page.after_id,
                company_workspace_connectors_page.direction,
                company_workspace_connectors_page.company_id,
                company_workspace_connectors_page.workspace_connector_id,
                company_workspace_connectors_page.created_from,
                company_workspace_connectors_page.created_before,
                pg_has_role('connector_sync', 'usage'),
                false
            )
        )::integer[])
    order by j.created_at desc, j.pk desc;
end;
comment on function core_api.company_workspace_connectors_page is
'The caller''s visible rows, newest first: page_limit of them (1 to 1000, 50 where null) after the row after_id, which may have '
'been deleted meanwhile; of one direction, company or connector where given, created at created_from or later and before '
'created_before. To go on, pass the id of the last row. Error 22023 on a bad limit, or an after_id that is no row of the '
'current workspace.';

call tenancy.revoke_all('routine core_api.company_workspace_connectors_page');
grant execute on function core_api.company_workspace_connectors_page to workspace_member, connector_sync;
