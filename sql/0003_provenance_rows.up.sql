-- 0003: the provenance rows: which connector a company was pulled from or pushed to, one row for each fact of each sync.
-- locks: SHARE ROW EXCLUSIVE on companies and workspace_connectors, for milliseconds; no row is read.

create table core_api.company_workspace_connectors (
    pk serial,
    id uuid not null default gen_random_uuid(),
    company_pk integer not null,
    workspace_connector_pk integer not null,
    direction core_api.direction_enum not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz,
    deleted_at timestamptz,
    constraint company_workspace_connectors_pkey primary key (pk),
    constraint company_workspace_connectors_id_unique unique (id),
    constraint company_workspace_connectors_company_pk_foreign
    foreign key (company_pk) references core_api.companies (pk)
    on update cascade on delete no action,
    constraint company_workspace_connectors_workspace_connector_pk_foreign
    foreign key (workspace_connector_pk) references core_api.workspace_connectors (pk)
    on update cascade on delete no action
);

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

create index company_workspace_connectors_company_pk_index
on core_api.company_workspace_connectors (company_pk);
comment on index core_api.company_workspace_connectors_company_pk_index is
'One company''s rows; also carries the foreign key''s cascade and the guard against moving a company.';

-- The one index that may lead on workspace_connector_pk: beside a plain one the planner would fetch all and sort.
create index company_workspace_connectors_page_index
on core_api.company_workspace_connectors (workspace_connector_pk, created_at desc, pk desc)
include (company_pk, deleted_at);
comment on index core_api.company_workspace_connectors_page_index is
'Pages of a connector, newest first, without touching the table; it drives every policy, so nothing else may lead on workspace_connector_pk.';
