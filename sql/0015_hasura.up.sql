-- 0015: the page function for Hasura, which names the tenant in an argument because it sets nothing when it reads.
-- locks: none

-- The setting is put back before it returns, and an error puts it back too: the caller keeps the workspace it had, and two calls
-- in one statement, as in a batched subscription, each have their own. A `set` clause would do it, but only for a superuser.
create function tenancy.session_page_keys(
    hasura_session json,
    page_limit integer,
    after_id uuid,
    direction core_api.direction_enum,
    company_id uuid,
    workspace_connector_id uuid
)
returns integer[]
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    claimed constant text := tenancy.json_claim('hasura_session', hasura_session::text, 'x-hasura-workspace-id');
    named_before constant text := coalesce(current_setting('app.workspace_id', true), '');
    keys integer[];
begin
    if claimed !~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' then
        raise exception using
            errcode = 'invalid_parameter_value',
            message = 'hasura_session (x-hasura-workspace-id) does not hold a workspace uuid';
    end if;
    perform set_config('app.workspace_id', coalesce(claimed, ''), true);
    keys := tenancy.page_keys(page_limit, after_id, direction, company_id, workspace_connector_id, false);
    perform set_config('app.workspace_id', named_before, true);
    return keys;
end
$$;
comment on function tenancy.session_page_keys(json, integer, uuid, core_api.direction_enum, uuid, uuid) is
'Which active rows of the session''s workspace make up a page. None without one; error 22023 where the session is malformed, 42501 where it names another workspace than hasura.user or the login''s binding.';

-- noqa: disable=RF01, AM04
create function core_api.company_workspace_connectors_session_page(
    hasura_session json,
    page_limit integer default null,
    after_id uuid default null,
    direction core_api.direction_enum default null,
    company_id uuid default null,
    workspace_connector_id uuid default null
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
            select tenancy.session_page_keys(
                company_workspace_connectors_session_page.hasura_session,
                company_workspace_connectors_session_page.page_limit,
                company_workspace_connectors_session_page.after_id,
                company_workspace_connectors_session_page.direction,
                company_workspace_connectors_session_page.company_id,
                company_workspace_connectors_session_page.workspace_connector_id
            )
        )::integer[])
    order by j.created_at desc, j.pk desc;
end;
comment on function core_api.company_workspace_connectors_session_page(
    json, integer, uuid, core_api.direction_enum, uuid, uuid
) is
'For Hasura: company_workspace_connectors_page of the workspace in its session variables, active rows only. Arguments and errors are the same; without a workspace there are no rows. Hasura joins them with its permission and keeps no order: continue a page of the workspace''s documents instead.';

-- Hasura would shuffle the rows of a page that it joins with a permission, and only pk, which it hides, tells the order of rows of
-- one batch. One value keeps its order.
create function core_api.workspace_company_workspace_connectors(
    workspace core_api.workspaces,
    page_limit integer default null,
    after_id uuid default null,
    direction core_api.direction_enum default null,
    company_id uuid default null,
    workspace_connector_id uuid default null
)
returns json
language sql
stable
begin atomic
    select
        coalesce(
            json_agg(core_api.company_workspace_connector_document(j) order by j.created_at desc, j.pk desc), '[]'
        )
    from
        core_api.company_workspace_connectors_session_page(
            json_build_object('x-hasura-workspace-id', (workspace_company_workspace_connectors.workspace).workspace_id),
            workspace_company_workspace_connectors.page_limit,
            workspace_company_workspace_connectors.after_id,
            workspace_company_workspace_connectors.direction,
            workspace_company_workspace_connectors.company_id,
            workspace_company_workspace_connectors.workspace_connector_id
        ) as j;
end;
comment on function core_api.workspace_company_workspace_connectors(
    core_api.workspaces, integer, uuid, core_api.direction_enum, uuid, uuid
) is
'For Hasura: a page of the workspace''s active rows as an array of resource objects, newest first. To go on, pass the id of the last one as after_id.';

call tenancy.revoke_all(
    'routine tenancy.session_page_keys(json, integer, uuid, core_api.direction_enum, uuid, uuid)',
    'routine core_api.company_workspace_connectors_session_page(json, integer, uuid, core_api.direction_enum, uuid, uuid)',
    'routine core_api.workspace_company_workspace_connectors(core_api.workspaces, integer, uuid, core_api.direction_enum, uuid, uuid)'
);
grant execute on function
tenancy.session_page_keys(json, integer, uuid, core_api.direction_enum, uuid, uuid),
core_api.company_workspace_connectors_session_page(json, integer, uuid, core_api.direction_enum, uuid, uuid)
to hasura_service;
grant execute on function core_api.workspace_company_workspace_connectors(
    core_api.workspaces, integer, uuid, core_api.direction_enum, uuid, uuid
) to hasura_service;

call tenancy.hand_to_definer(
    'function tenancy.session_page_keys(json, integer, uuid, core_api.direction_enum, uuid, uuid)'
);
