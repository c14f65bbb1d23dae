-- 0001: what every record type shares: schemas, workspaces, workspace_connectors and the enum, each created where it is missing.
-- locks: none

comment on schema tenancy is
'What consumers of core_api do not see: who the current workspace is, what belongs to it, '
'and the guards that keep it so.';

create table tenancy.managed_objects (
    kind text not null,
    name text not null,
    created boolean not null,
    constraint managed_objects_pkey primary key (kind, name)
);
comment on table tenancy.managed_objects is
'Every object that this package either creates or finds: only what it created is given tenant policies of ours or '
'dropped by a downgrade.';
comment on column tenancy.managed_objects.created is
'True: created here. False: adopted, so it stays as it was found.';

create procedure tenancy.manage(kind text, variadic names text[])
language sql
begin atomic
    insert into tenancy.managed_objects (kind, name, created)
    select
        manage.kind,
        n.name,
        case manage.kind
            when 'schema' then to_regnamespace(n.name) is null
            when 'type' then to_regtype(n.name) is null
            when 'constraint' then not exists (
                select
                from pg_catalog.pg_constraint as c
                where
                    c.conrelid = to_regclass(split_part(n.name, ' on ', 2)) and c.conname = split_part(n.name, ' on ', 1)
            )
            when 'row security' then coalesce(
                (select not c.relrowsecurity from pg_catalog.pg_class as c where c.oid = to_regclass(n.name)), true
            )
            when 'forced row security' then coalesce(
                (select not c.relforcerowsecurity from pg_catalog.pg_class as c where c.oid = to_regclass(n.name)), true
            )
            else to_regclass(n.name) is null
        end
    from unnest(manage.names) as n (name);
end;
comment on procedure tenancy.manage is
'For migrations: notes which of these objects are there already, so that they are adopted and the others created. A constraint is '
'named "c on schema.table".';
revoke all on procedure tenancy.manage from public;

create function tenancy.created(kind text, name text)
returns boolean
language sql
stable
begin atomic
    select o.created from tenancy.managed_objects as o where o.kind = created.kind and o.name = created.name;
end;
comment on function tenancy.created is
'For migrations: whether this package created the object, as opposed to found it; null for one that it does not manage.';
revoke all on function tenancy.created from public;

call tenancy.manage('schema', 'core_api');
call tenancy.manage('table', 'core_api.workspaces', 'core_api.workspace_connectors');
call tenancy.manage('index', 'core_api.workspace_connectors_workspace_pk_pk_unique');
call tenancy.manage('type', 'core_api.direction_enum');

create schema if not exists core_api;

create table if not exists core_api.workspaces (
    pk serial,
    workspace_id uuid not null default gen_random_uuid(),
    constraint workspaces_pkey primary key (pk),
    constraint workspaces_workspace_id_unique unique (workspace_id)
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

-- Row-level security from their first moment, not forced: their owner is the application's administrator, who adds workspaces
-- and connectors. What was adopted keeps the host's comments and policies.
do $$
begin
    if tenancy.created('schema', 'core_api') then
        comment on schema core_api is
        'What the product''s API consumers see: the tables, their enum, and functions meant for an API.';
    end if;

    if tenancy.created('table', 'core_api.workspaces') then
        alter table core_api.workspaces enable row level security;
        comment on table core_api.workspaces is 'The tenants: every other row belongs to exactly one of these.';
        comment on column core_api.workspaces.workspace_id is
        'The tenant''s public identifier: the value of X-Hasura-Workspace-Id and of app.workspace_id.';
    end if;

    if tenancy.created('table', 'core_api.workspace_connectors') then
        alter table core_api.workspace_connectors enable row level security;
        comment on table core_api.workspace_connectors is
        'The connectors of a workspace: where its records are pulled from and pushed to.';
        comment on column core_api.workspace_connectors.workspace_pk is
        'The tenant of the connector; cannot change while provenance rows point at it.';
    end if;

    if tenancy.created('type', 'core_api.direction_enum') then
        create type core_api.direction_enum as enum ('input', 'output');
        revoke all on type core_api.direction_enum from public;
        comment on type core_api.direction_enum is
        'Which way a record travelled: input, pulled from a connector; output, pushed to it. Shared by all junctions.';
    end if;
end
$$;
