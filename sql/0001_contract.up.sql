-- 0001: what exists already is compared with the contract; if anything differs all of it is listed and nothing has changed.
-- locks: ACCESS SHARE on companies, company_workspace_connectors, workspace_connectors while rows are read

create schema if not exists tenancy;
comment on schema tenancy is
'What consumers of core_api do not see: who the current workspace is, what belongs to it, and the guards that keep it so.';

create table tenancy.created_objects (
    object_name text not null,
    constraint created_objects_pkey primary key (object_name)
);
comment on table tenancy.created_objects is
'What this package creates, as opposed to finds: only what is listed here is given tenant policies of our own or dropped by a downgrade.';

insert into tenancy.created_objects (object_name)
select relation.name
from
    (
        values
        ('core_api.workspaces'),
        ('core_api.companies'),
        ('core_api.companies_workspace_pk_pk_unique'),
        ('core_api.workspace_connectors'),
        ('core_api.workspace_connectors_workspace_pk_pk_unique'),
        ('core_api.company_workspace_connectors'),
        ('core_api.company_workspace_connectors_company_pk_index'),
        ('core_api.company_workspace_connectors_page_index')
    ) as relation (name)
where to_regclass(relation.name) is null
union all
select 'core_api'
where to_regnamespace('core_api') is null
union all
select 'core_api.direction_enum'
where to_regtype('core_api.direction_enum') is null
union all
select wanted.name
from
    (
        values
        ('company_workspace_connectors_company_pk_foreign'),
        ('company_workspace_connectors_workspace_connector_pk_foreign')
    ) as wanted (name)
where not exists (
    select
    from pg_catalog.pg_constraint as f
    where f.conname = wanted.name and f.conrelid = to_regclass('core_api.company_workspace_connectors')
);

-- Each difference with what mends it. A table that does not exist has none: it will be created.
do $$
declare
    differences text[];
    mixed bigint;
    callers_path text := current_setting('search_path');
    creates_roles boolean := (
        select r.rolsuper or r.rolcreaterole from pg_catalog.pg_roles as r where r.rolname = current_user
    );
    hands_over boolean := creates_roles;
    grant_options text := '';
begin
    -- Functions are handed to tenancy_definer, which only its members may do; from 16 on, those with the SET option, which
    -- CREATEROLE alone no longer gives.
    if current_setting('server_version_num')::integer >= 160000 then
        grant_options := ' with admin true, inherit false, set false';
        if to_regrole('tenancy_definer') is not null then
            hands_over := pg_has_role('tenancy_definer', 'set') or pg_has_role('tenancy_definer', 'member with admin option');
        end if;
    elsif to_regrole('tenancy_definer') is not null then
        hands_over := creates_roles or pg_has_role('tenancy_definer', 'member');
    end if;

    -- Definitions are compared as text, which shows a schema only where the path does not.
    perform set_config('search_path', '', true);

    with
    contract (relation, column_name, data_type, not_null, key, default_value, parent) as (
        values
        ('core_api.workspaces', 'pk', 'integer', true, 'primary', null, null),
        ('core_api.workspaces', 'workspace_id', 'uuid', false, 'unique', null, null),
        ('core_api.companies', 'pk', 'integer', true, 'primary', null, null),
        ('core_api.companies', 'company_id', 'uuid', false, 'unique', null, null),
        ('core_api.companies', 'workspace_pk', 'integer', true, null, null, 'core_api.workspaces'),
        ('core_api.workspace_connectors', 'pk', 'integer', true, 'primary', null, null),
        ('core_api.workspace_connectors', 'workspace_connector_id', 'uuid', false, 'unique', null, null),
        ('core_api.workspace_connectors', 'workspace_pk', 'integer', true, null, null, 'core_api.workspaces'),
        (
            'core_api.company_workspace_connectors', 'pk', 'integer', true, 'primary',
            'nextval(''core_api.company_workspace_connectors_pk_seq''::regclass)', null
        ),
        ('core_api.company_workspace_connectors', 'id', 'uuid', true, 'unique', 'gen_random_uuid()', null),
        ('core_api.company_workspace_connectors', 'company_pk', 'integer', true, null, null, null),
        ('core_api.company_workspace_connectors', 'workspace_connector_pk', 'integer', true, null, null, null),
        ('core_api.company_workspace_connectors', 'direction', 'core_api.direction_enum', true, null, null, null),
        ('core_api.company_workspace_connectors', 'created_at', 'timestamp with time zone', true, null, 'now()', null),
        ('core_api.company_workspace_connectors', 'updated_at', 'timestamp with time zone', false, null, null, null),
        ('core_api.company_workspace_connectors', 'deleted_at', 'timestamp with time zone', false, null, null, null)
    ),

    existing as (
        select c.oid, c.oid::regclass::text as name, c.relkind, c.relowner, c.relacl
        from pg_catalog.pg_class as c
        where c.oid in (select to_regclass(relation) from contract)
    ),

    columns as (
        select
            c.*,
            e.oid as relid,
            a.attnum,
            a.attnotnull,
            format_type(a.atttypid, a.atttypmod) as found_type,
            pg_get_expr(d.adbin, d.adrelid) as found_default
        from contract as c
        inner join existing as e on e.oid = to_regclass(c.relation)
        left join pg_catalog.pg_attribute as a
            on a.attrelid = e.oid and a.attname = c.column_name and not a.attisdropped
        left join pg_catalog.pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
    ),

    found (relation, difference) as (
        select e.name, format('%s is not an ordinary table: rename it, or deploy elsewhere', e.name)
        from existing as e
        where e.relkind <> 'r'
        union all
        select
            e.name,
            format('%s belongs to %s: grant %2$I to %3$I;', e.name, pg_get_userbyid(e.relowner), current_user)
        from existing as e
        where not pg_has_role(e.relowner, 'member')
        union all
        select
            c.relation,
            format(
                '%s.%I is missing: alter table %1$s add column %2$I %3$s;', c.relation, c.column_name,
                concat_ws(
                    ' ', c.data_type, 'default ' || c.default_value,
                    case c.key when 'primary' then 'primary key' else c.key end,
                    case when c.not_null and c.key is distinct from 'primary' then 'not null' end,
                    'references ' || c.parent || ' (pk)'
                )
            )
        from columns as c
        where c.attnum is null
        union all
        select
            c.relation,
            format(
                '%s.%I is %s, not %s: alter table %1$s alter column %2$I type %4$s;',
                c.relation, c.column_name, c.found_type, c.data_type
            )
        from columns as c
        where c.found_type <> c.data_type
        union all
        select
            c.relation,
            format('%s.%I may be null: alter table %1$s alter column %2$I set not null;', c.relation, c.column_name)
        from columns as c
        where c.not_null and not c.attnotnull
        union all
        select
            c.relation,
            format('%s.%I may not be null: alter table %1$s alter column %2$I drop not null;', c.relation, c.column_name)
        from columns as c
        where c.column_name in ('updated_at', 'deleted_at') and c.attnotnull
        union all
        select
            c.relation,
            format(
                '%s.%I has the default %s, not %s: alter table %1$s alter column %2$I %5$s;',
                c.relation, c.column_name, coalesce(c.found_default, 'null'), coalesce(c.default_value, 'null'),
                coalesce('set default ' || c.default_value, 'drop default')
            )
        from columns as c
        where
            c.relation = 'core_api.company_workspace_connectors' and c.attnum is not null
            and c.found_default is distinct from c.default_value
        union all
        select
            c.relation,
            format(
                '%s.%I is not %s: alter table %1$s add %4$s (%2$I);', c.relation, c.column_name,
                case c.key when 'primary' then 'the primary key' else 'unique' end,
                case c.key when 'primary' then 'primary key' else 'unique' end
            )
        from columns as c
        where
            c.attnum is not null and c.key is not null
            and not exists (
                select
                from pg_catalog.pg_index as i
                where
                    i.indrelid = c.relid and i.indisunique and i.indisvalid and i.indimmediate
                    and i.indpred is null and i.indexprs is null and i.indnkeyatts = 1 and i.indkey[0] = c.attnum
                    and (i.indisprimary or c.key <> 'primary')
            )
        union all
        select
            c.relation,
            format(
                '%s.%I has no foreign key: alter table %1$s add foreign key (%2$I) references %3$s (pk);',
                c.relation, c.column_name, c.parent
            )
        from columns as c
        where
            c.attnum is not null and c.parent is not null
            and not exists (
                select
                from pg_catalog.pg_constraint as f
                where
                    f.conrelid = c.relid and f.contype = 'f' and f.confrelid = to_regclass(c.parent)
                    and f.conkey = array[c.attnum] and f.convalidated
            )
        union all
        select
            e.name,
            format(
                'foreign key %I is "%s", not "%s": alter table %s drop constraint %1$I;',
                f.conname, pg_get_constraintdef(f.oid), wanted.definition, e.name
            )
        from existing as e
        inner join pg_catalog.pg_constraint as f on f.conrelid = e.oid
        inner join (
            values
            (
                'company_workspace_connectors_company_pk_foreign',
                'FOREIGN KEY (company_pk) REFERENCES core_api.companies(pk) ON UPDATE CASCADE'
            ),
            (
                'company_workspace_connectors_workspace_connector_pk_foreign',
                'FOREIGN KEY (workspace_connector_pk) REFERENCES core_api.workspace_connectors(pk) ON UPDATE CASCADE'
            )
        ) as wanted (name, definition) on wanted.name = f.conname
        where replace(pg_get_constraintdef(f.oid), ' NOT VALID', '') <> wanted.definition
        union all
        select
            e.name,
            format(
                'column %I of %s is not in the contract and would refuse our inserts: alter table %2$s alter column %1$I'
                ' drop not null;',
                a.attname, e.name
            )
        from existing as e
        inner join pg_catalog.pg_attribute as a on a.attrelid = e.oid and a.attnum > 0 and not a.attisdropped
        where
            e.oid = to_regclass('core_api.company_workspace_connectors') and a.attnotnull and not a.atthasdef
            and a.attidentity = '' and a.attname not in (select column_name from contract where relation = e.name)
        union all
        select
            e.name,
            format(
                'index %s is a second one that leads on workspace_connector_pk, which ruins every plan: drop index %1$s;',
                i.indexrelid::regclass
            )
        from existing as e
        inner join pg_catalog.pg_index as i on i.indrelid = e.oid
        inner join pg_catalog.pg_attribute as a on a.attrelid = e.oid and a.attnum = i.indkey[0]
        where
            e.oid = to_regclass('core_api.company_workspace_connectors') and a.attname = 'workspace_connector_pk'
            and i.indexrelid is distinct from to_regclass('core_api.company_workspace_connectors_page_index')
        union all
        select
            e.name,
            format(
                'unique index %s forbids facts to repeat: alter table %s drop constraint if exists %I; drop index if exists %1$s;',
                i.indexrelid::regclass, e.name, c.relname
            )
        from existing as e
        inner join pg_catalog.pg_index as i on i.indrelid = e.oid and i.indisunique
        inner join pg_catalog.pg_class as c on c.oid = i.indexrelid
        where
            e.oid = to_regclass('core_api.company_workspace_connectors')
            and not exists (
                select
                from pg_catalog.pg_attribute as a
                where a.attrelid = e.oid and a.attnum = any(i.indkey) and a.attname in ('pk', 'id')
            )
        union all
        select
            'index',
            format('index core_api.%I is not "%s": drop index core_api.%1$I;', wanted.name, wanted.definition)
        from (
            values
            (
                'companies_workspace_pk_pk_unique',
                'CREATE UNIQUE INDEX companies_workspace_pk_pk_unique ON core_api.companies USING btree (workspace_pk, pk)'
            ),
            (
                'workspace_connectors_workspace_pk_pk_unique',
                'CREATE UNIQUE INDEX workspace_connectors_workspace_pk_pk_unique ON core_api.workspace_connectors'
                ' USING btree (workspace_pk, pk)'
            ),
            (
                'company_workspace_connectors_company_pk_index',
                'CREATE INDEX company_workspace_connectors_company_pk_index ON core_api.company_workspace_connectors'
                ' USING btree (company_pk)'
            ),
            (
                'company_workspace_connectors_page_index',
                'CREATE INDEX company_workspace_connectors_page_index ON core_api.company_workspace_connectors'
                ' USING btree (workspace_connector_pk, created_at DESC, pk DESC) INCLUDE (company_pk, deleted_at)'
            )
        ) as wanted (name, definition)
        inner join pg_catalog.pg_index as i on i.indexrelid = to_regclass('core_api.' || wanted.name)
        where pg_get_indexdef(i.indexrelid) <> wanted.definition or not i.indisvalid
        union all
        select
            e.name,
            format(
                'constraint %I should be called %I: alter table %s rename constraint %1$I to %2$I;',
                u.conname, wanted.name, e.name
            )
        from existing as e
        inner join pg_catalog.pg_constraint as u on u.conrelid = e.oid and u.contype in ('p', 'u')
        inner join pg_catalog.pg_attribute as a on a.attrelid = e.oid and u.conkey = array[a.attnum]
        inner join (
            values ('pk', 'company_workspace_connectors_pkey'), ('id', 'company_workspace_connectors_id_unique')
        ) as wanted (column_name, name) on wanted.column_name = a.attname
        where e.oid = to_regclass('core_api.company_workspace_connectors') and u.conname <> wanted.name
        union all
        select
            e.name,
            format(
                'policy %I on %s is restrictive and would hide rows from the guards: limit it to the roles it is meant for,'
                ' alter policy %1$I on %2$s to your_role;',
                p.polname, e.name
            )
        from existing as e
        inner join pg_catalog.pg_policy as p on p.polrelid = e.oid
        where
            e.oid is distinct from to_regclass('core_api.company_workspace_connectors')
            and not p.polpermissive and p.polcmd in ('r', '*') and 0 = any(p.polroles)
        union all
        select
            e.name,
            format('policy %I would widen or narrow ours: drop policy %1$I on %s;', p.polname, e.name)
        from existing as e
        inner join pg_catalog.pg_policy as p on p.polrelid = e.oid
        where e.oid = to_regclass('core_api.company_workspace_connectors')
        union all
        select
            e.name,
            format('trigger %I is not ours: drop trigger %1$I on %s;', t.tgname, e.name)
        from existing as e
        inner join pg_catalog.pg_trigger as t on t.tgrelid = e.oid and not t.tgisinternal
        where e.oid = to_regclass('core_api.company_workspace_connectors')
        union all
        select
            e.name,
            format(
                '%s may %s: revoke all on %s from %1$s;', g.grantee, string_agg(distinct lower(g.privilege), ', '), e.name
            )
        from existing as e
        cross join lateral (
            select
                case a.grantee when 0 then 'public' else a.grantee::regrole::text end as grantee,
                a.privilege_type as privilege
            from aclexplode(e.relacl) as a
            where a.grantee <> e.relowner
            union all
            select case a.grantee when 0 then 'public' else a.grantee::regrole::text end, a.privilege_type
            from pg_catalog.pg_attribute as column_of
            cross join aclexplode(column_of.attacl) as a
            where column_of.attrelid = e.oid and a.grantee <> e.relowner
        ) as g
        where e.oid = to_regclass('core_api.company_workspace_connectors')
        group by e.name, g.grantee
        union all
        select
            'enum',
            format(
                'core_api.direction_enum is not an enum of exactly input, output in that order, but %s: create a new one with'
                ' the two labels, alter the columns to it, rename it',
                coalesce(
                    (
                        select string_agg(e.enumlabel::text, ', ' order by e.enumsortorder)
                        from pg_catalog.pg_enum as e
                        where e.enumtypid = t.oid
                    ),
                    'no enum at all'
                )
            )
        from pg_catalog.pg_type as t
        where
            t.oid = to_regtype('core_api.direction_enum')
            and array['input', 'output'] is distinct from (
                select array_agg(e.enumlabel::text order by e.enumsortorder)
                from pg_catalog.pg_enum as e
                where e.enumtypid = t.oid
            )
        union all
        select 'role', format('role %I %s', r.rolname, danger.difference)
        from pg_catalog.pg_roles as r
        cross join lateral (
            select string_agg(m.roleid::regrole::text, ', ' order by m.roleid::regrole::text) as roles
            from pg_catalog.pg_auth_members as m
            where
                m.member = r.oid
                and not (r.rolname = 'workspace_tenant' and m.roleid = to_regrole('workspace_member'))
        ) as others
        cross join lateral (
            values
            (r.rolsuper, format('is a superuser: alter role %I nosuperuser;', r.rolname)),
            (r.rolbypassrls, format('goes round row-level security: alter role %I nobypassrls;', r.rolname)),
            (r.rolcreaterole, format('may create roles: alter role %I nocreaterole;', r.rolname)),
            (r.rolreplication, format('may replicate: alter role %I noreplication;', r.rolname)),
            (r.rolcanlogin, format('may log in: alter role %I nologin;', r.rolname)),
            (
                others.roles is not null,
                format('is a member of other roles: revoke %s from %I;', others.roles, r.rolname)
            ),
            (
                r.rolname = 'workspace_tenant' and not pg_has_role(r.oid, to_regrole('workspace_member'), 'usage'),
                'is no member of workspace_member: grant workspace_member to workspace_tenant;'
            )
        ) as danger (applies, difference)
        where
            r.rolname in ('workspace_member', 'workspace_tenant', 'connector_sync', 'hasura_service', 'tenancy_definer') and danger.applies
        union all
        select 'role', format('role %I is missing and %I may not create roles: create role %1$I nologin;', r.name, current_user)
        from unnest(array['workspace_member', 'workspace_tenant', 'connector_sync', 'hasura_service', 'tenancy_definer']) as r (name)
        where to_regrole(r.name) is null and not creates_roles
        union all
        select
            'role',
            format(
                '%I may not hand functions to tenancy_definer: grant tenancy_definer to %1$I%s;', current_user, grant_options
            )
        where not hands_over
    )

    select array_agg(f.difference order by f.relation, f.difference)
    into differences
    from found as f;

    if differences is null and to_regclass('core_api.company_workspace_connectors') is not null then
        select count(*)
        into mixed
        from core_api.company_workspace_connectors as j
        inner join core_api.companies as c on c.pk = j.company_pk
        inner join core_api.workspace_connectors as k on k.pk = j.workspace_connector_pk
        where c.workspace_pk <> k.workspace_pk;
        if mixed > 0 then
            differences := array[format(
                '%s rows have a company and a connector of different workspaces: select j.pk, c.workspace_pk, k.workspace_pk '
                'from core_api.company_workspace_connectors j join core_api.companies c on c.pk = j.company_pk '
                'join core_api.workspace_connectors k on k.pk = j.workspace_connector_pk '
                'where c.workspace_pk <> k.workspace_pk;', mixed
            )];
        end if;
    end if;

    perform set_config('search_path', callers_path, true);

    if differences is not null then
        raise exception using
            errcode = 'object_not_in_prerequisite_state',
            message = 'what exists already differs from the contract; nothing was changed',
            detail = array_to_string(differences, e'\n'),
            hint = 'Mend each difference with the statement after its colon and run this again.';
    end if;
end
$$;
