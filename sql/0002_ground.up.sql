-- 0002: what every record type shares: schema, workspaces, workspace_connectors and the enum, each created where it is missing.
-- locks: none

call tenancy.revoke_all('schema tenancy', 'table tenancy.managed_objects', 'table tenancy.schema_version');

call tenancy.manage('schema', 'core_api');
call tenancy.manage('table', 'core_api.workspaces', 'core_api.workspace_connectors');
call tenancy.manage('index', 'core_api.workspace_connectors_workspace_pk_pk_unique');
call tenancy.manage('type', 'core_api.direction_enum');

do $$
begin
    if tenancy.created('schema', 'core_api') then
        create schema core_api;
    end if;
end
$$;

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
-- and connectors. What was adopted keeps the host's grants, comments and policies.
do $$
begin
    if tenancy.created('schema', 'core_api') then
        call tenancy.revoke_all('schema core_api');
        comment on schema core_api is
        'What the product''s API consumers see: the tables, their enum, and functions meant for an API.';
    end if;

    if tenancy.created('table', 'core_api.workspaces') then
        call tenancy.revoke_all('table core_api.workspaces', 'sequence core_api.workspaces_pk_seq');
        grant select on core_api.workspaces to workspace_member, connector_sync, hasura_service;
        alter table core_api.workspaces enable row level security;
        comment on table core_api.workspaces is 'The tenants: every other row belongs to exactly one of these.';
        comment on column core_api.workspaces.workspace_id is
        'The tenant''s public identifier: the value of X-Hasura-Workspace-Id and of app.workspace_id.';
    end if;

    if tenancy.created('table', 'core_api.workspace_connectors') then
        call tenancy.revoke_all('table core_api.workspace_connectors', 'sequence core_api.workspace_connectors_pk_seq');
        grant select on core_api.workspace_connectors to workspace_member, connector_sync, hasura_service;
        alter table core_api.workspace_connectors enable row level security;
        comment on table core_api.workspace_connectors is
        'The connectors of a workspace: where its records are pulled from and pushed to.';
        comment on column core_api.workspace_connectors.workspace_pk is
        'The tenant of the connector; cannot change while provenance rows point at it.';
    end if;

    if tenancy.created('type', 'core_api.direction_enum') then
        create type core_api.direction_enum as enum ('input', 'output');
        call tenancy.revoke_all('type core_api.direction_enum');
        comment on type core_api.direction_enum is
        'Which way a record travelled: input, pulled from a connector; output, pushed to it. Shared by all junctions.';
    end if;
end
$$;

-- workspace_tenant directly too: it cannot be dropped then while this database uses it.
grant usage on schema core_api
to workspace_member, workspace_tenant, connector_sync, connector_retention, hasura_service, tenancy_definer;
grant usage on schema tenancy to tenancy_definer;
grant select (pk, workspace_id) on core_api.workspaces to tenancy_definer;
grant select (pk, workspace_connector_id, workspace_pk) on core_api.workspace_connectors to tenancy_definer;
