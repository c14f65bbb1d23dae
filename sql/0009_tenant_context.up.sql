-- 0009: who the current workspace is, and which companies and connectors belong to it.
-- locks: SHARE ROW EXCLUSIVE on workspaces

create table tenancy.role_bindings (
    role regrole not null,
    workspace_pk integer not null,
    constraint role_bindings_pkey primary key (role),
    constraint role_bindings_workspace_pk_foreign foreign key (workspace_pk) references core_api.workspaces (pk)
    on update cascade on delete no action
);
comment on table tenancy.role_bindings is
'Ties a login role to one workspace, which its sessions cannot leave whatever they set or the role is called: for tenants with direct SQL access. Only the owner writes it. A bound workspace cannot be deleted; a role that is dropped leaves its row, which then binds nobody.';

create index role_bindings_workspace_pk_index on tenancy.role_bindings (workspace_pk);
comment on index tenancy.role_bindings_workspace_pk_index is
'Carries the foreign key when a workspace is renumbered or deleted.';

create function tenancy.json_claim(setting text, document text, key text)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    claims jsonb;
begin
    begin
        claims := document::jsonb;
    exception
        when others then
            claims := null;
    end;
    if jsonb_typeof(claims) is distinct from 'object' then
        raise exception using
            errcode = 'invalid_parameter_value',
            message = format('setting %s is not a JSON object', setting);
    end if;
    return nullif(claims ->> key, '');
end
$$;
comment on function tenancy.json_claim(text, text, text) is
'The value of one key of a setting that holds a JSON object; null where the key is absent or empty, error 22023 naming the setting where it is not a JSON object.';

-- Asked only where there is no binding. From 16 on membership has options, and a chain may set to a role that inherits.
create function tenancy.is_tenant_login()
returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
    if not pg_has_role(session_user, 'workspace_tenant', 'member') then
        return false;
    end if;
    -- A superuser is a member of every role; the setting is_superuser would speak of current_user.
    if (select r.rolsuper from pg_catalog.pg_roles as r where r.rolname = session_user) then
        return false;
    end if;
    if current_setting('server_version_num')::integer < 160000 then
        return true;
    end if;
    return exists (
        select
        from pg_catalog.pg_roles as r
        where pg_has_role(session_user, r.oid, 'set') and pg_has_role(r.oid, 'workspace_tenant', 'usage')
    );
end
$$;
comment on function tenancy.is_tenant_login() is
'Whether the session''s login can use workspace_tenant, by inheritance or set role, itself or through groups; not a superuser, nor a role that only administers the group.';

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
comment on function tenancy.current_workspace_pk() is
'The workspace this transaction works in: named by app.workspace_id, hasura.user or request.jwt.claims, or fixed by tenancy.role_bindings. Null, so no rows, when none is named or it does not exist; error 42501 when they disagree or a login in workspace_tenant is not bound, 22023 when one is malformed.';

-- Definer views on purpose: a parent's own policies are evaluated for tenancy_definer, so a host's policies neither break
-- nor slow ours, and the roles need no privilege on the parents. They show the current workspace's keys and nothing else.
create view tenancy.current_workspace_companies as
select
    c.pk,
    c.company_id
from core_api.companies as c
where c.workspace_pk = (select tenancy.current_workspace_pk());
comment on view tenancy.current_workspace_companies is
'What "the company belongs to the current workspace" means, in one place; evaluated with the rights of tenancy_definer.';

create view tenancy.current_workspace_connectors as
select
    k.pk,
    k.workspace_connector_id
from core_api.workspace_connectors as k
where k.workspace_pk = (select tenancy.current_workspace_pk());
comment on view tenancy.current_workspace_connectors is
'What "the connector belongs to the current workspace" means, in one place; evaluated with the rights of tenancy_definer.';

call tenancy.revoke_all(
    'table tenancy.role_bindings',
    'table tenancy.current_workspace_companies',
    'table tenancy.current_workspace_connectors',
    'routine tenancy.json_claim(text, text, text)',
    'routine tenancy.is_tenant_login()',
    'routine tenancy.current_workspace_pk()'
);
grant select on tenancy.current_workspace_companies, tenancy.current_workspace_connectors
to workspace_member, connector_sync;
-- hasura_service for a view that mentions it; like the others it may not name anything in tenancy.
grant execute on function tenancy.current_workspace_pk() to workspace_member, connector_sync, hasura_service;

grant select (role, workspace_pk) on tenancy.role_bindings to tenancy_definer;
grant execute on function tenancy.json_claim(text, text, text), tenancy.is_tenant_login() to tenancy_definer;

call tenancy.hand_to_definer(
    'function tenancy.current_workspace_pk()',
    'view tenancy.current_workspace_companies',
    'view tenancy.current_workspace_connectors'
);
