-- The same walk for Hasura, which names the tenant in an argument because it sets nothing when it reads.
-- locks: none

-- The setting is put back before it returns, and an error puts it back too: the caller keeps the workspace it had, and two calls
-- in one statement, as in a batched subscription, each have their own. A `set` clause would do it, but only for a superuser.
create function tenancy.company_session_page_keys(
    hasura_session json,
    page_limit integer,
    after_id uuid,
    direction core_api.direction_enum,
    company_id uuid,
    workspace_connector_id uuid,
    created_from timestamptz,
    created_before timestamptz,
    and_one_more boolean
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
    keys := tenancy.company_page_keys(
        page_limit, after_id, direction, company_id, workspace_connector_id, created_from, created_before, false, and_one_more
    );
    perform set_config('app.workspace_id', named_before, true);
    return keys;
end
$$;
comment on function tenancy.company_session_page_keys is
'Which active rows of the session''s workspace make up a page. None without one; error 22023 where the session is malformed, 42501 '
'where it names another workspace than hasura.user or the login''s binding.';

call tenancy.revoke_all('routine tenancy.company_session_page_keys');
grant execute on function tenancy.company_session_page_keys to hasura_service;
call tenancy.hand_to_definer('function tenancy.company_session_page_keys');
