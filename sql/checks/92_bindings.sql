-- Bindings: each of a login that has no workspace at all when its binding goes, to a workspace.

select
    format('binding of %s in tenancy.role_bindings', b.role) as object,
    case
        when r.oid is null then 'no such role'
        when r.rolsuper then 'a superuser'
        when r.rolbypassrls then 'a role with BYPASSRLS'
        when not r.rolcanlogin then 'a role that cannot log in, and so binds nobody'
        when not pg_has_role(r.oid, 'workspace_tenant', 'member') then 'a login outside workspace_tenant, free when its binding goes'
        when b.workspace_pk is null then 'no workspace'
    end as definition,
    null as thing,
    false as lenient
from tenancy.role_bindings as b
left join roles as r on b.role = r.oid
where
    b.workspace_pk is null
    or (r.rolcanlogin and not r.rolsuper and not r.rolbypassrls and pg_has_role(r.oid, 'workspace_tenant', 'member')) is not true
