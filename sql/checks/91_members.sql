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
        select
            -- As tenancy.is_tenant_login() has it.
            exists(
                select from roles as s
                where
                    case
                        when current_setting('server_version_num')::integer < 160000 then s.oid = r.oid and pg_has_role(s.oid, 'workspace_tenant', 'member')
                        else pg_has_role(r.oid, s.oid, 'set') and pg_has_role(s.oid, 'workspace_tenant', 'usage')
                    end
            ) as is_tenant,
            exists(
                select from roles as o
                where o.is_group and pg_has_role(r.oid, o.oid, a.means)
            ) as in_group,
            pg_has_role(r.oid, g.oid, a.means) as acts
        from (select case when current_setting('server_version_num')::integer < 160000 then 'member' else 'usage, set' end as means) as a
    ) as it
cross join
    lateral (
        values
        (r.rolsuper and g.is_group, 'a superuser, whom no policy holds'),
        (it.acts and r.rolbypassrls and not r.rolsuper and g.is_group, 'with BYPASSRLS, which no policy holds'),
        (it.acts and r.rolreplication and not r.rolsuper and g.is_group, 'with REPLICATION, which reads every row'),
        (it.acts and g.rolsuper and not r.rolsuper and it.in_group, 'a superuser, whom no policy holds'),
        (
            it.acts and not r.rolsuper and (
                (it.in_group and g.rolname in ('pg_write_all_data', 'pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program'))
                or (it.is_tenant and g.rolname = 'pg_read_all_data')
            ),
            'whose rights reach what is not under a policy'
        ),
        (
            g.rolname in ('hasura_service', 'connector_retention') and not r.rolsuper and it.is_tenant,
            'a tenant''s login, which then sees or removes every tenant''s rows'
        ),
        (
            not r.rolsuper and it.is_tenant
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
    and lower(split_part(c.setting, '=', 1)) in (
        'app.workspace_id', 'hasura.user', 'request.jwt.claims', 'session_replication_role', 'row_security'
    )
union all
select
    format('setting %s of the server', s.name),
    'set for this session, if not for every one: ' || current_setting(s.name, true),
    null,
    false
from unnest(array['app.workspace_id', 'hasura.user', 'request.jwt.claims', 'session_replication_role']) as s (name)
where coalesce(current_setting(s.name, true), '') not in ('', 'origin')
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
