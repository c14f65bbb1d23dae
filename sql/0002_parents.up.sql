-- 0002: schema core_api and the three parents, where they do not exist; those that do have been checked and stay as they are.
-- locks: none

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

-- Row-level security from their first moment, and comments, for the parents created here; an adopted one keeps the host's.
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
