-- Who may act for whom, or is a member that no policy holds; settings that every session has.

-- 15 knows membership alone; from 16 on one that neither inherits nor may set is an administrator's, and nobody acts by it.
select
    format('right of role %s to act as tenancy_definer', r.label) as object,
    'granted' as definition,
    null as thing,
    false as lenient
from roles as r
where
    not r.rolsuper and r.rolname <> 'tenancy_definer'
    and pg_has_role(
        r.oid, 'tenancy_definer',
        case when current_setting('server_version_num')::integer < 160000 then 'member' else 'usage, set' end
    )
union all
-- As after pg_upgrade from 15, where CREATEROLE was enough.
select
    'right of the deployer to hand functions to tenancy_definer',
    'missing, so the next revision fails',
    null,
    false
from roles as r
inner join deployer as d on r.oid = d.oid
where
    current_setting('server_version_num')::integer >= 160000 and not r.rolsuper
    and not pg_has_role(r.oid, 'tenancy_definer', 'set') and not pg_has_role(r.oid, 'tenancy_definer', 'member with admin option')
union all
select
    format('role %s in %s', r.label, g.label),
    danger.reason,
    null,
    false
from roles as r
inner join roles as g on pg_has_role(r.oid, g.oid, 'member') and not r.is_group
cross join deployer as d
cross join
    lateral (
        values
        (r.rolsuper and g.is_group, 'a superuser, whom no policy holds'),
        (
            r.rolbypassrls and not r.rolsuper and g.is_group
            and pg_has_role(r.oid, g.oid, case when current_setting('server_version_num')::integer < 160000 then 'member' else 'usage, set' end),
            'with BYPASSRLS, which no policy holds'
        ),
        (
            g.rolname in ('hasura_service', 'connector_retention') and not r.rolsuper
            and pg_has_role(r.oid, 'workspace_tenant', 'usage'),
            'a tenant''s login, which then sees or removes every tenant''s rows'
        ),
        (
            not r.rolsuper and pg_has_role(r.oid, 'workspace_tenant', 'usage')
            and (g.oid = d.oid or g.oid in (select s.relowner from scope as s) or g.oid = (
                select b.datdba from pg_catalog.pg_database as b
                where b.datname = current_database()
            )),
            'a tenant''s login, which then owns what keeps it apart'
        ),
        (
            g.rolname in ('hasura_service', 'tenancy_definer') and not r.rolsuper and not r.rolcreaterole and r.oid <> d.oid
            and pg_has_role(r.oid, g.oid, 'member with admin option'),
            'an administrator of the group, who lets others in'
        )
    ) as danger (applies, reason)
where
    danger.applies
    and (not r.rolsuper or exists (
        select from pg_catalog.pg_auth_members as m
        where m.member = r.oid and m.roleid = g.oid
    ))
union all
select
    concat_ws(
        ' ', 'setting', split_part(c.setting, '=', 1),
        'of role ' || r.label, 'of database ' || (
            select b.datname from pg_catalog.pg_database as b
            where b.oid = s.setdatabase
        )
    ),
    'set for every session: ' || c.setting,
    null,
    false
from pg_catalog.pg_db_role_setting as s
cross join unnest(s.setconfig) as c (setting)
left join roles as r on s.setrole = r.oid
where
    (s.setdatabase = 0 or s.setdatabase = (
        select b.oid from pg_catalog.pg_database as b
        where b.datname = current_database()
    ))
    and split_part(c.setting, '=', 1) in (
        'app.workspace_id', 'hasura.user', 'request.jwt.claims', 'session_replication_role', 'row_security'
    )
union all
select
    format('grant %s on parameter %s to %s', lower(a.privilege_type), p.parname, coalesce(r.label, 'public')),
    'granted',
    null,
    false
from pg_catalog.pg_parameter_acl as p
cross join aclexplode(p.paracl) as a
left join roles as r on a.grantee = r.oid
where p.parname = 'session_replication_role' and (r.rolsuper is not true)
