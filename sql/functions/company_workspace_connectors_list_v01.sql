-- List: a page of the caller's visible rows as a JSON:API document.
-- locks: none

-- noqa: disable=RF01
create function core_api.company_workspace_connectors_list(
    page_limit integer default null,
    after_id uuid default null,
    direction core_api.direction_enum default null,
    company_id uuid default null,
    workspace_connector_id uuid default null,
    created_from timestamptz default null,
    created_before timestamptz default null
)
returns json
language sql
stable
return tenancy.company_list(
    tenancy.company_page_keys(
        company_workspace_connectors_list.page_limit,
        company_workspace_connectors_list.after_id,
        company_workspace_connectors_list.direction,
        company_workspace_connectors_list.company_id,
        company_workspace_connectors_list.workspace_connector_id,
        company_workspace_connectors_list.created_from,
        company_workspace_connectors_list.created_before,
        pg_has_role('connector_sync', 'usage'),
        true
    ),
    coalesce(company_workspace_connectors_list.page_limit, 50)
);
comment on function core_api.company_workspace_connectors_list is
'A page of resource objects and links.next, the after_id of the page that follows, null exactly at the end. Arguments, order and '
'errors are those of company_workspace_connectors_page.';

call tenancy.revoke_all('routine core_api.company_workspace_connectors_list');
grant execute on function core_api.company_workspace_connectors_list to workspace_member, connector_sync;
