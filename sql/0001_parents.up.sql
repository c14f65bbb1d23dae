-- 0001: the two schemas and the three parents; a parent that exists is checked and adopted, a missing one is created.
-- locks: SHARE on an existing companies and workspace_connectors while their unique index is built; nothing else waits.

comment on schema tenancy is
'What consumers of core_api do not see: who the current workspace is, what belongs to it, and the guards that keep it so.';

create table tenancy.created_objects (
    object_name text not null,
    constraint created_objects_pkey primary key (object_name)
);
comment on table tenancy.created_objects is
'What this package created, as opposed to found: only what is listed here is given tenant policies or dropped by a downgrade.';

insert into tenancy.created_objects (object_name)
select wanted.object_name
from
    (
        values
        ('core_api.workspaces'),
        ('core_api.companies'),
        ('core_api.workspace_connectors'),
        ('core_api.companies_workspace_pk_pk_unique'),
        ('core_api.workspace_connectors_workspace_pk_pk_unique')
    ) as wanted (object_name)
where to_regclass(wanted.object_name) is null
union all
select 'core_api'
where to_regnamespace('core_api') is null;

create schema if not exists core_api;

create table if not exists core_api.workspaces (
    pk serial,
    workspace_id uuid not null default gen_random_uuid(),
    constraint workspaces_pkey primary key (pk),
    constraint workspaces_workspace_id_unique unique (workspace_id)
);

create table if not exists core_api.companies (
    pk serial,
    company_id uuid not null default gen_random_uuid(),
    workspace_pk integer not null,
    constraint companies_pkey primary key (pk),
    constraint companies_company_id_unique unique (company_id),
    constraint companies_workspace_pk_foreign foreign key (workspace_pk) references core_api.workspaces (pk)
);

create table if not exists core_api.workspace_connectors (
    pk serial,
    workspace_connector_id uuid not null default gen_random_uuid(),
    workspace_pk integer not null,
    constraint workspace_connectors_pkey primary key (pk),
    constraint workspace_connectors_workspace_connector_id_unique unique (workspace_connector_id),
    constraint workspace_connectors_workspace_pk_foreign
    foreign key (workspace_pk) references core_api.workspaces (pk)
);

-- Comments and row-level security are for the parents created here; an adopted one keeps the host's.
do $$
begin
    if exists (select from tenancy.created_objects where object_name = 'core_api') then
        comment on schema core_api is
        'What the product''s API consumers see: the tables, their enum, and functions meant for an API.';
    end if;

    if exists (select from tenancy.created_objects where object_name = 'core_api.workspaces') then
        alter table core_api.workspaces enable row level security;
        alter table core_api.workspaces force row level security;
        comment on table core_api.workspaces is 'The tenants: every other row belongs to exactly one of these.';
        comment on column core_api.workspaces.workspace_id is
        'The tenant''s public identifier: the value of X-Hasura-Workspace-Id and of app.workspace_id.';
    end if;

    if exists (select from tenancy.created_objects where object_name = 'core_api.companies') then
        alter table core_api.companies enable row level security;
        alter table core_api.companies force row level security;
        comment on table core_api.companies is 'The companies of a workspace.';
        comment on column core_api.companies.workspace_pk is
        'The tenant of the company; cannot change while provenance rows point at it.';
    end if;

    if exists (select from tenancy.created_objects where object_name = 'core_api.workspace_connectors') then
        alter table core_api.workspace_connectors enable row level security;
        alter table core_api.workspace_connectors force row level security;
        comment on table core_api.workspace_connectors is
        'The connectors of a workspace: where its companies are pulled from and pushed to.';
        comment on column core_api.workspace_connectors.workspace_pk is
        'The tenant of the connector; cannot change while provenance rows point at it.';
    end if;
end
$$;

-- The contract with the parents. Every difference is listed, each with the statement that mends it, and nothing changes.
do $$
declare
    differences text;
begin
    with contract (relation, column_name, data_type, not_null, is_unique, is_primary, parent) as (
        values
        ('core_api.workspaces'::regclass, 'pk', 'integer', true, true, true, null::regclass),
        ('core_api.workspaces', 'workspace_id', 'uuid', false, true, false, null),
        ('core_api.companies', 'pk', 'integer', true, true, true, null),
        ('core_api.companies', 'company_id', 'uuid', false, true, false, null),
        ('core_api.companies', 'workspace_pk', 'integer', true, false, false, 'core_api.workspaces'),
        ('core_api.workspace_connectors', 'pk', 'integer', true, true, true, null),
        ('core_api.workspace_connectors', 'workspace_connector_id', 'uuid', false, true, false, null),
        ('core_api.workspace_connectors', 'workspace_pk', 'integer', true, false, false, 'core_api.workspaces')
    ),

    found as (
        select
            c.*,
            a.attnum,
            format_type(a.atttypid, a.atttypmod) as found_type,
            a.attnotnull,
            exists (
                select
                from pg_catalog.pg_index as i
                where
                    i.indrelid = c.relation and i.indisunique and i.indisvalid and i.indimmediate
                    and i.indpred is null and i.indexprs is null and i.indnkeyatts = 1 and i.indkey[0] = a.attnum
                    and (i.indisprimary or not c.is_primary)
            ) as found_unique,
            exists (
                select
                from pg_catalog.pg_constraint as f
                where
                    f.conrelid = c.relation and f.contype = 'f' and f.confrelid = c.parent
                    and f.conkey = array[a.attnum] and f.convalidated
            ) as found_foreign_key
        from contract as c
        left join pg_catalog.pg_attribute as a
            on a.attrelid = c.relation and a.attname = c.column_name and not a.attisdropped
    )

    select string_agg(d.difference, e'\n' order by f.relation::text, f.column_name, d.place)
    into differences
    from found as f
    cross join lateral (
        values
        (
            1, f.attnum is null,
            format(
                '%s.%I is missing: alter table %1$s add column %2$I %3$s;', f.relation, f.column_name,
                concat_ws(
                    ' ', f.data_type,
                    case when f.is_primary then 'primary key' when f.is_unique then 'unique' end,
                    case when f.not_null and not f.is_primary then 'not null' end,
                    'references ' || f.parent || ' (pk)'
                )
            )
        ),
        (
            2, f.found_type <> f.data_type,
            format(
                '%s.%I is %s, not %s: alter table %1$s alter column %2$I type %4$s;',
                f.relation, f.column_name, f.found_type, f.data_type
            )
        ),
        (
            3, f.not_null and not f.attnotnull,
            format(
                '%s.%I may be null: alter table %1$s alter column %2$I set not null;', f.relation, f.column_name
            )
        ),
        (
            4, f.attnum is not null and f.is_primary and not f.found_unique,
            format(
                '%s.%I is not the primary key: alter table %1$s add primary key (%2$I);', f.relation, f.column_name
            )
        ),
        (
            5, f.attnum is not null and f.is_unique and not f.is_primary and not f.found_unique,
            format('%s.%I is not unique: alter table %1$s add unique (%2$I);', f.relation, f.column_name)
        ),
        (
            6, f.attnum is not null and f.parent is not null and not f.found_foreign_key,
            format(
                '%s.%I has no foreign key: alter table %1$s add foreign key (%2$I) references %3$s (pk);',
                f.relation, f.column_name, f.parent
            )
        )
    ) as d (place, applies, difference)
    where d.applies;

    if differences is not null then
        raise exception using
            errcode = 'object_not_in_prerequisite_state',
            message = 'the existing parent tables differ from what this package relies on; nothing was changed',
            detail = differences,
            hint = 'Mend each difference with the statement after its colon, or rename the table that is in the way.';
    end if;
end
$$;

-- Unique, so that workspace_pk is a key column: an update of it then conflicts with every foreign-key check on the row,
-- which is what makes the same-workspace guards of 0008 safe under concurrency. The policies read it too.
create unique index if not exists companies_workspace_pk_pk_unique on core_api.companies (workspace_pk, pk);
create unique index if not exists workspace_connectors_workspace_pk_pk_unique
on core_api.workspace_connectors (workspace_pk, pk);
