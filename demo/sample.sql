-- Two workspaces with provenance in both directions, each part loaded by the role that would load it in production.
-- Run as a superuser on an empty database; one transaction.

-- The parents are the application's; here the superuser stands in for it.
insert into core_api.workspaces (workspace_id) values
('a0000000-0000-4000-8000-000000000001'),
('b0000000-0000-4000-8000-000000000002');

insert into core_api.companies (company_id, workspace_pk)
select
    company.company_id::uuid,
    w.pk
from
    (
        values
        ('a1b2c3d4-e5f6-7890-abcd-ef1234567890', 'a0000000-0000-4000-8000-000000000001'),
        ('a1b2c3d4-e5f6-7890-abcd-ef1234567891', 'a0000000-0000-4000-8000-000000000001'),
        ('a1b2c3d4-e5f6-7890-abcd-ef1234567892', 'a0000000-0000-4000-8000-000000000001'),
        ('a1b2c3d4-e5f6-7890-abcd-ef1234567893', 'b0000000-0000-4000-8000-000000000002'),
        ('a1b2c3d4-e5f6-7890-abcd-ef1234567894', 'b0000000-0000-4000-8000-000000000002')
    ) as company (company_id, workspace_id)
inner join core_api.workspaces as w on company.workspace_id::uuid = w.workspace_id;

insert into core_api.workspace_connectors (workspace_connector_id, workspace_pk)
select
    connector.workspace_connector_id::uuid,
    w.pk
from
    (
        values
        ('b2c3d4e5-f6a7-8901-bcde-f12345678901', 'a0000000-0000-4000-8000-000000000001'),
        ('b2c3d4e5-f6a7-8901-bcde-f12345678902', 'a0000000-0000-4000-8000-000000000001'),
        ('b2c3d4e5-f6a7-8901-bcde-f12345678903', 'b0000000-0000-4000-8000-000000000002')
    ) as connector (workspace_connector_id, workspace_id)
inner join core_api.workspaces as w on connector.workspace_id::uuid = w.workspace_id;

-- The orchestrator records what its syncs did, one workspace at a time. It may name only what its workspace holds,
-- so "every company with every connector" below is every pair of that workspace.
set local role connector_sync;

select set_config('app.workspace_id', 'a0000000-0000-4000-8000-000000000001', true);
insert into core_api.company_workspace_connectors (company_pk, workspace_connector_pk, direction)
select
    c.pk,
    k.pk,
    'input'
from core_api.companies as c
cross join core_api.workspace_connectors as k;

-- The same fact again, from a later sync: allowed, and a row of its own.
insert into core_api.company_workspace_connectors (company_pk, workspace_connector_pk, direction)
select
    c.pk,
    k.pk,
    'input'
from core_api.companies as c
cross join core_api.workspace_connectors as k
where
    c.company_id = 'a1b2c3d4-e5f6-7890-abcd-ef1234567891'
    and k.workspace_connector_id = 'b2c3d4e5-f6a7-8901-bcde-f12345678901';

-- A fact that was revoked: soft-deleted, outside what members see.
update core_api.company_workspace_connectors set deleted_at = now()
where
    company_pk = (
        select c.pk from core_api.companies as c
        where c.company_id = 'a1b2c3d4-e5f6-7890-abcd-ef1234567892'
    )
    and workspace_connector_pk = (
        select k.pk from core_api.workspace_connectors as k
        where k.workspace_connector_id = 'b2c3d4e5-f6a7-8901-bcde-f12345678902'
    );

select set_config('app.workspace_id', 'b0000000-0000-4000-8000-000000000002', true);
insert into core_api.company_workspace_connectors (company_pk, workspace_connector_pk, direction)
select
    c.pk,
    k.pk,
    'output'
from core_api.companies as c
cross join core_api.workspace_connectors as k;

reset role;

-- The resource object of the API's documentation has a fixed id and fixed timestamps. No role may send an id, and the stamp
-- trigger would overwrite the timestamps: a superuser goes round both, for this one row.
alter table core_api.company_workspace_connectors disable trigger company_workspace_connectors_stamp_timestamps;
insert into core_api.company_workspace_connectors
(id, company_pk, workspace_connector_pk, direction, created_at, updated_at)
select
    '3f8c2a1d-0e45-4b7f-9c3e-1a2b3c4d5e6f',
    c.pk,
    k.pk,
    'input',
    '2026-05-10T14:32:00Z',
    '2026-05-10T14:32:00Z'
from core_api.companies as c
cross join core_api.workspace_connectors as k
where
    c.company_id = 'a1b2c3d4-e5f6-7890-abcd-ef1234567890'
    and k.workspace_connector_id = 'b2c3d4e5-f6a7-8901-bcde-f12345678901';
alter table core_api.company_workspace_connectors enable trigger company_workspace_connectors_stamp_timestamps;
