-- Roles: the groups have no attribute and belong to no other, but that a tenant is a member.

select
    'role ' || r.label as object,
    concat(
        'group role',
        case when r.rolsuper then ', superuser' end,
        case when r.rolbypassrls then ', bypassrls' end,
        case when r.rolcreaterole then ', createrole' end,
        case when r.rolcreatedb then ', createdb' end,
        case when r.rolreplication then ', replication' end,
        case when r.rolcanlogin then ', login' end
    ) as definition,
    null as thing,
    false as lenient
from roles as r
where r.is_group
union all
select distinct
    format('grant %s to %s', g.label, r.label),
    'granted',
    null,
    false
from pg_catalog.pg_auth_members as m
inner join roles as r on m.member = r.oid and r.is_group
inner join roles as g on m.roleid = g.oid
