-- 0005: the provenance rows: which connector a company was pulled from or pushed to, one row for each fact of each sync.
-- locks: SHARE ROW EXCLUSIVE on companies, company_workspace_connectors, workspace_connectors

create table if not exists core_api.company_workspace_connectors (
    pk serial,
    id uuid not null default gen_random_uuid(),
    company_pk integer not null,
    workspace_connector_pk integer not null,
    direction core_api.direction_enum not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz,
    deleted_at timestamptz,
    constraint company_workspace_connectors_pkey primary key (pk),
    constraint company_workspace_connectors_id_unique unique (id)
);

-- Not valid: rows that exist are read by the next revision, without this one's locks.
do $$
begin
    if
        exists (
            select from tenancy.created_objects where object_name = 'company_workspace_connectors_company_pk_foreign'
        )
    then
        alter table core_api.company_workspace_connectors
        add constraint company_workspace_connectors_company_pk_foreign
        foreign key (company_pk) references core_api.companies (pk)
        on update cascade on delete no action
        not valid;
    end if;

    if
        exists (
            select from tenancy.created_objects
            where object_name = 'company_workspace_connectors_workspace_connector_pk_foreign'
        )
    then
        alter table core_api.company_workspace_connectors
        add constraint company_workspace_connectors_workspace_connector_pk_foreign
        foreign key (workspace_connector_pk) references core_api.workspace_connectors (pk)
        on update cascade on delete no action
        not valid;
    end if;
end
$$;

-- An adopted table keeps the host's comments, and its rows stay visible until the policies are there.
do $$
begin
    if not exists (select from tenancy.created_objects where object_name = 'core_api.company_workspace_connectors') then
        return;
    end if;

    -- From its first moment, and between any two revisions: without a policy nobody but a superuser sees a row.
    alter table core_api.company_workspace_connectors enable row level security;
    alter table core_api.company_workspace_connectors force row level security;

    comment on table core_api.company_workspace_connectors is
    'Provenance: each row says that a sync pulled a company from a workspace connector or pushed it there. Repeated facts are separate rows. A row belongs to the workspace that its company and its connector share.';
    comment on column core_api.company_workspace_connectors.pk is
    'Internal row number and tie-breaker of pages; never leaves the database through an API.';
    comment on column core_api.company_workspace_connectors.id is
    'Public identifier of the row, the id of the JSON:API resource.';
    comment on column core_api.company_workspace_connectors.company_pk is
    'The company whose record travelled; its workspace must be the connector''s.';
    comment on column core_api.company_workspace_connectors.workspace_connector_pk is
    'The connector it travelled through; its workspace must be the company''s.';
    comment on column core_api.company_workspace_connectors.direction is
    'input: pulled from the connector; output: pushed to it.';
    comment on column core_api.company_workspace_connectors.created_at is
    'When the row was inserted, by the database''s clock; a value sent by a client is ignored.';
    comment on column core_api.company_workspace_connectors.updated_at is
    'When the row was inserted or last updated, by the database''s clock; a value sent by a client is ignored.';
    comment on column core_api.company_workspace_connectors.deleted_at is
    'Set when the fact was revoked: the row is then outside every active query, visible to the sync role only.';
end
$$;
