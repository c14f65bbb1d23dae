-- A page for Hasura, as rows that it can join, filter and subscribe to.
-- locks: none

-- noqa: disable=RF01, AM04
create function core_api.company_workspace_connectors_session_page(
    hasura_session json,
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
rows 50
begin atomic
    select j.*
    from core_api.company_workspace_connectors as j
    where
        j.pk = any((
            select tenancy.company_session_page_keys(
                company_workspace_connectors_session_page.hasura_session,
                company_workspace_connectors_session_page.page_limit,
                company_workspace_connectors_session_page.after_id,
                company_workspace_connectors_session_page.direction,
                company_workspace_connectors_session_page.company_id,
                company_workspace_connectors_session_page.workspace_connector_id,
                company_workspace_connectors_session_page.created_from,
                company_workspace_connectors_session_page.created_before,
                false
            )
        )::integer[])
    order by j.created_at desc, j.pk desc;
end;
comment on function core_api.company_workspace_connectors_session_page is
'For Hasura: company_workspace_connectors_page of the workspace in its session variables, active rows only. Arguments and errors are '
'the same; without a workspace there are no rows. Hasura joins them with its permission and keeps no order: continue a page of the '
'workspace''s documents instead.';

call tenancy.revoke_all('routine core_api.company_workspace_connectors_session_page');
grant execute on function core_api.company_workspace_connectors_session_page to hasura_service;
