-- 0006: companies, and their provenance rows: which connector a company was pulled from or pushed to, one row for each fact of a sync.
-- locks: ACCESS EXCLUSIVE on company_workspace_connectors; SHARE ROW EXCLUSIVE on companies, workspace_connectors, workspaces
-- ACCESS EXCLUSIVE only where the junction has no id: for milliseconds, while the column is added. SHARE ROW EXCLUSIVE otherwise.

call tenancy.manage('table', 'core_api.companies', 'core_api.company_workspace_connectors');
call tenancy.manage(
    'index',
    'core_api.companies_workspace_pk_pk_unique',
    'core_api.company_workspace_connectors_id_unique',
    'core_api.company_workspace_connectors_company_pk_index',
    'core_api.company_workspace_connectors_page_index',
    'core_api.company_workspace_connectors_purge_index'
);
call tenancy.manage(
    'constraint',
    'company_workspace_connectors_company_pk_foreign on core_api.company_workspace_connectors',
    'company_workspace_connectors_workspace_connector_pk_foreign on core_api.company_workspace_connectors'
);
call tenancy.manage('column', 'id on core_api.company_workspace_connectors');
call tenancy.manage('row security', 'core_api.company_workspace_connectors');
call tenancy.manage('forced row security', 'core_api.company_workspace_connectors');

create table if not exists core_api.companies (
    pk serial,
    company_id uuid not null default gen_random_uuid(),
    workspace_pk integer not null,
    constraint companies_pkey primary key (pk),
    constraint companies_company_id_unique unique (company_id),
    constraint companies_workspace_pk_foreign foreign key (workspace_pk) references core_api.workspaces (pk)
);

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

do $$
begin
    -- Not valid: rows that exist are read by the next revision, without this one's locks.
    if
        tenancy.created(
            'constraint', 'company_workspace_connectors_company_pk_foreign on core_api.company_workspace_connectors'
        )
    then
        alter table core_api.company_workspace_connectors
        add constraint company_workspace_connectors_company_pk_foreign
        foreign key (company_pk) references core_api.companies (pk)
        on update cascade on delete no action
        not valid;
    end if;

    if
        tenancy.created(
            'constraint',
            'company_workspace_connectors_workspace_connector_pk_foreign on core_api.company_workspace_connectors'
        )
    then
        alter table core_api.company_workspace_connectors
        add constraint company_workspace_connectors_workspace_connector_pk_foreign
        foreign key (workspace_connector_pk) references core_api.workspace_connectors (pk)
        on update cascade on delete no action
        not valid;
    end if;

    -- As for the ground: enabled, not forced, for the application's administrator.
    if tenancy.created('table', 'core_api.companies') then
        call tenancy.revoke_all('table core_api.companies', 'sequence core_api.companies_pk_seq');
        alter table core_api.companies enable row level security;
        comment on table core_api.companies is 'The companies of a workspace.';
        comment on column core_api.companies.workspace_pk is
        'The tenant of the company; cannot change while provenance rows point at it.';
    end if;

    if tenancy.created('table', 'core_api.company_workspace_connectors') then
        call tenancy.revoke_all(
            'table core_api.company_workspace_connectors', 'sequence core_api.company_workspace_connectors_pk_seq'
        );
        -- From its first moment, and between any two revisions: without a policy nobody but a superuser sees a row. The rows of an
        -- adopted table stay visible until the policies are there, and its comments the host's.
        alter table core_api.company_workspace_connectors enable row level security;
        alter table core_api.company_workspace_connectors force row level security;

        comment on table core_api.company_workspace_connectors is
        'Provenance: each row says that a sync pulled a company from a workspace connector or pushed it there. '
        'Repeated facts are separate rows. A row belongs to the workspace that its company and its connector share.';
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
        'Set when the fact was revoked: the row is then outside every active query.';
    elsif tenancy.created('column', 'id on core_api.company_workspace_connectors') then
        -- In two steps, as a column that comes with such a default rewrites the table. New rows have an id from here on; the next
        -- revision gives old ones theirs.
        alter table core_api.company_workspace_connectors add column id uuid;
        alter table core_api.company_workspace_connectors alter column id set default gen_random_uuid();
    end if;
end
$$;
