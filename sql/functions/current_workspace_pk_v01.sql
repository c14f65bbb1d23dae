-- Which workspace this transaction works in: the one place that decides.
-- locks: none

create function tenancy.current_workspace_pk()
returns integer
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    uuid_format constant text := '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$';
    from_app text := nullif(current_setting('app.workspace_id', true), '');
    from_hasura text;
    from_jwt text;
    claimed uuid;
    claimed_pk integer;
    bound_pk integer;
begin
    -- Every statement runs this twice and pays for each expression: JSON is looked at only where there is some.
    if current_setting('hasura.user', true) <> '' or current_setting('request.jwt.claims', true) <> '' then
        from_hasura := nullif(current_setting('hasura.user', true), '');
        from_jwt := nullif(current_setting('request.jwt.claims', true), '');
        if from_hasura is not null then
            from_hasura := tenancy.json_claim('hasura.user', from_hasura, 'x-hasura-workspace-id');
        end if;
        if from_jwt is not null then
            from_jwt := tenancy.json_claim('request.jwt.claims', from_jwt, 'workspace_id');
        end if;
    end if;

    if (from_app ~ uuid_format and from_hasura ~ uuid_format and from_jwt ~ uuid_format) is false then
        raise exception using
            errcode = 'invalid_parameter_value',
            message = format(
                'setting %s does not hold a workspace uuid',
                case
                    when from_app !~ uuid_format then 'app.workspace_id'
                    when from_hasura !~ uuid_format then 'hasura.user (x-hasura-workspace-id)'
                    else 'request.jwt.claims (workspace_id)'
                end
            );
    end if;

    claimed := coalesce(from_app, from_hasura, from_jwt);

    select w.pk, r.workspace_pk
    into claimed_pk, bound_pk
    from (select) as always
    left join core_api.workspaces as w on w.workspace_id = claimed
    left join tenancy.role_bindings as r on r.role = to_regrole(quote_ident(session_user));

    if bound_pk is null and tenancy.is_tenant_login() then
        raise exception using
            errcode = 'insufficient_privilege',
            message = format('login %I is in workspace_tenant and has no binding in this database', session_user),
            hint = 'The owner of tenancy.role_bindings binds it to its workspace.';
    end if;

    if
        claimed <> from_hasura::uuid
        or claimed <> from_jwt::uuid
        or (claimed is not null and bound_pk is not null and claimed_pk is distinct from bound_pk)
    then
        raise exception using
            errcode = 'insufficient_privilege',
            message = 'the sources of the current workspace disagree: ' || concat_ws(
                ', ',
                case when from_app is not null then 'app.workspace_id' end,
                case when from_hasura is not null then 'hasura.user' end,
                case when from_jwt is not null then 'request.jwt.claims' end,
                case when bound_pk is not null then format('the binding of role %I', session_user) end
            ),
            hint = 'Set one of them, or the same workspace in each; a bound role has no other workspace.';
    end if;

    return coalesce(bound_pk, claimed_pk);
end
$$;
comment on function tenancy.current_workspace_pk is
'The workspace this transaction works in: named by app.workspace_id, hasura.user or request.jwt.claims, or fixed by '
'tenancy.role_bindings. Null, so no rows, when none is named or it does not exist; error 42501 when they disagree or a '
'login in workspace_tenant is not bound, 22023 when one is malformed.';

call tenancy.revoke_all('routine tenancy.current_workspace_pk');
-- hasura_service for a view that mentions it; like the others it may not name anything in tenancy.
grant execute on function tenancy.current_workspace_pk to workspace_member, connector_sync, hasura_service;
call tenancy.hand_to_definer('function tenancy.current_workspace_pk');
