-- What a database lacks before this package manages it, or what adoption would harm: names that are taken, rights of the deployer, rows
-- that it cannot see. Of tables the checks of verify say the rest; contract.py puts contract, managed, scope, found … in front of this.

select
    '10_objects' as section,
    m.thing as object,
    coalesce((pg_identify_object('pg_class'::regclass, to_regclass(m.name), 0)).type, 'type') as found,
    'an ordinary table, not partitioned' as wanted,
    'drift' as severity
from (select k.thing, substr(k.thing, 7) as name from managed as k where k.thing like 'table %') as m
where coalesce(to_regclass(m.name)::oid, to_regtype(m.name)::oid) is not null and m.thing not in (select s.thing from scope as s)
union all
select '10_objects', 'name ' || c.oid::regclass, coalesce(pg_get_indexdef(i.indexrelid), (pg_identify_object('pg_class'::regclass, c.oid, 0)).type), 'no other of this name', 'drift'
from managed as m
inner join pg_catalog.pg_class as c
    on c.oid::regclass::text ~ ('^' || substr(m.thing, 7) || '_(pkey|pk_seq|\w*id_unique|workspace_pk_pk_unique|(\w+_pk|page|purge)_index)$')
left join pg_catalog.pg_index as i on c.oid = i.indexrelid
left join scope as s on m.thing = s.thing
where
    m.thing like 'table %'
    and case s.part
        when 'junction' then c.relkind <> 'S' and i.indrelid is distinct from s.relation
        when 'parent' then
            c.relname ~ '_workspace_pk_pk_unique$'
            and not coalesce(i.indisvalid and pg_get_indexdef(c.oid) ~ ('UNIQUE .* ' || s.relation::regclass || ' USING btree \(workspace_pk, pk\)$'), false)
        else true
    end
union all
select '10_objects', 'table ' || r.name, null, 'there, as it is what these refer to: ' || string_agg(distinct s.thing, ', '), 'drift'
from scope as s
inner join contract as k on k.object ~ (' ' || s.relation::regclass || '(\.\w+)?$')
cross join substring(k.definition, '(?i)references (core_api\.\w+)') as r (name)
where to_regclass(r.name) is null and r.name is not null
group by r.name
union all
select '70_functions', 'function ' || p.oid::regprocedure, 'another of this name', null, 'drift'
from pg_catalog.pg_proc as p
where 'core_api.' || p.proname in (select substring(k.object, '^function (core_api\.\w+)') from contract as k) and p.pronamespace = to_regnamespace('core_api')
union all
-- One that is empty was made for the deployer, or left by a run that was killed.
select '10_objects', 'schema tenancy', 'in use', 'none, or an empty one of ' || quote_ident(current_user), 'drift'
from pg_catalog.pg_namespace as n
where
    n.nspname = 'tenancy' and to_regclass('tenancy.managed_objects') is null
    and (
        pg_get_userbyid(n.nspowner) <> current_user or obj_description(n.oid, 'pg_namespace') is not null
        or exists (select from aclexplode(n.nspacl) as a where a.grantee <> n.nspowner)
        or exists (
            select from pg_catalog.pg_depend as d
            where d.refclassid = 'pg_namespace'::regclass and d.refobjid = n.oid and d.objid is distinct from to_regclass('tenancy.schema_version')
        )
    )
union all
select '10_objects', 'right to ' || r.what, null, 'held by ' || quote_ident(current_user), 'drift'
from deployer as d
cross join (select count(*) > 0 as missing from contract as k where k.section = '90_roles' and k.object not in (select f.object from found as f)) as k
cross join lateral (
    values (
        'create schemas in database ' || quote_ident(current_database()),
        has_database_privilege(current_database(), 'create') or num_nulls(to_regnamespace('core_api'), to_regnamespace('tenancy')) = 0
    ), (
        'create in schema core_api, and to let others use it',
        has_schema_privilege(to_regnamespace('core_api'), 'create') and has_schema_privilege(to_regnamespace('core_api'), 'usage with grant option')
    ), (
        -- From 16 on CREATEROLE alone does not let a role become a member of another.
        'make the group roles, and to hand functions to tenancy_definer',
        case
            when current_setting('server_version_num')::integer < 160000
                then d.creates or (not k.missing and pg_has_role(to_regrole('tenancy_definer'), 'member'))
            else
                (d.creates or not k.missing)
                and coalesce(pg_has_role(to_regrole('tenancy_definer'), 'set, member with admin option'), d.creates)
                and (not k.missing or coalesce(pg_has_role(to_regrole('workspace_member'), 'member with admin option'), d.creates))
        end
    )
    union all
    select format('change %s, which belongs to %s', s.thing, s.relowner::regrole), pg_has_role(s.relowner, 'usage') from scope as s
    union all
    select 'use ' || m.thing, has_type_privilege(to_regtype(substr(m.thing, 6)), 'usage') from managed as m where m.thing like 'type %'
) as r (what, held)
where not r.held
union all
select '20_columns', format('column %s.%I', s.relation::regclass, a.attname), 'not null', 'no value needed, as ours give it none', 'drift'
from scope as s
inner join pg_catalog.pg_attribute as a on s.relation = a.attrelid and a.attnum > 0 and a.attnotnull and not a.atthasdef and a.attidentity = ''
where s.part = 'junction' and format('column %s.%I', s.relation::regclass, a.attname) not in (select k.object from contract as k)
union all
-- Without an id every row is written to; of the parents' rows only the look for mixed ones is blind.
select
    '60_policies', 'row level security of ' || s.relation::regclass, 'hides rows from ' || quote_ident(current_user),
    'every row in its sight', case s.part when 'parent' then 'warning' else 'drift' end
from scope as s
where
    row_security_active(s.relation)
    and (s.lacks_id or (s.part = 'parent' and exists (select from scope as o where o.part = 'junction')))
union all
-- Views that would lose their rows; a workspace that would not be renumbered any more.
select '95_doors', pg_describe_object('pg_class'::regclass, w.ev_class, 0), 'reads ' || s.relation::regclass || ' as its owner', 'security_invoker, or rows gone', 'warning'
from scope as s
inner join pg_catalog.pg_depend as d on s.relation = d.refobjid and d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass
inner join pg_catalog.pg_rewrite as w on d.objid = w.oid
inner join pg_catalog.pg_class as c on w.ev_class = c.oid and c.relkind in ('v', 'm') and (select o.option_value::boolean from pg_options_to_table(c.reloptions) as o where o.option_name = 'security_invoker') is not true
inner join roles as r on c.relowner = r.oid and not (r.rolsuper or r.rolbypassrls)
where s.part = 'junction'
group by s.relation, w.ev_class
union all
select '30_constraints', format('constraint %I on %s', k.conname, s.relation::regclass), pg_get_constraintdef(k.oid), 'no renumbering', 'warning'
from scope as s
inner join pg_catalog.pg_constraint as k on s.relation = k.conrelid and k.confupdtype = 'c'
where s.part = 'parent' and k.confrelid = to_regclass('core_api.workspaces')
