-- A page for Hasura, as one document in its order.
-- locks: none

-- Hasura would shuffle the rows of a page that it joins with a permission, and only pk, which it hides, tells the order of rows of
-- one batch. One value keeps its order.
-- noqa: disable=RF01
create function core_api.workspace_company_workspace_connectors(
    workspace core_api.workspaces,
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
    tenancy.company_session_page_keys(
        json_build_object('x-hasura-workspace-id', (workspace_company_workspace_connectors.workspace).workspace_id),
        workspace_company_workspace_connectors.page_limit,
        workspace_company_workspace_connectors.after_id,
        workspace_company_workspace_connectors.direction,
        workspace_company_workspace_connectors.company_id,
        workspace_company_workspace_connectors.workspace_connector_id,
        workspace_company_workspace_connectors.created_from,
        workspace_company_workspace_connectors.created_before,
        true
    ),
    coalesce(workspace_company_workspace_connectors.page_limit, 50)
);
comment on function core_api.workspace_company_workspace_connectors is
'For Hasura: the document of company_workspace_connectors_list for the workspace''s active rows. To go on, pass links.next as '
'after_id.';

call tenancy.revoke_all('routine core_api.workspace_company_workspace_connectors');
grant execute on function core_api.workspace_company_workspace_connectors to hasura_service;
