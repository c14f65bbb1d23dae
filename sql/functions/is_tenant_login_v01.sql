-- Whether the session is a tenant's own: then it has the workspace it is bound to, or none.
-- locks: none

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
comment on function tenancy.is_tenant_login is
'Whether the session''s login can use workspace_tenant, by inheritance or set role, itself or through groups; not a '
'superuser, nor a role that only administers the group.';

call tenancy.revoke_all('routine tenancy.is_tenant_login');
grant execute on function tenancy.is_tenant_login to tenancy_definer;
