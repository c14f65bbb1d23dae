-- What company_check.json asks about: two workspaces, and the row of the API's example. Empties the tables first. For a superuser.
truncate core_api.workspaces cascade;

insert into core_api.workspaces (pk, workspace_id) values
(1, 'c0000000-0000-4000-8000-00000000000a'), (2, 'c0000000-0000-4000-8000-00000000000b');

insert into core_api.companies (pk, company_id, workspace_pk) values
(11, 'a1b2c3d4-e5f6-7890-abcd-ef1234567890', 1),
(12, 'a1b2c3d4-e5f6-7890-abcd-ef1234567891', 1),
(21, 'b1b2c3d4-e5f6-7890-abcd-ef1234567890', 2);

insert into core_api.workspace_connectors (pk, workspace_connector_id, workspace_pk) values
(101, 'b2c3d4e5-f6a7-8901-bcde-f12345678901', 1),
(102, 'b2c3d4e5-f6a7-8901-bcde-f12345678902', 1),
(201, 'c2c3d4e5-f6a7-8901-bcde-f12345678901', 2);

-- With the timestamps that stand here: the stamp would set its own.
alter table core_api.company_workspace_connectors disable trigger user;
insert into core_api.company_workspace_connectors
(id, company_pk, workspace_connector_pk, direction, created_at, updated_at, deleted_at) values
('3f8c2a1d-0e45-4b7f-9c3e-1a2b3c4d5e6f', 11, 101, 'input', '2026-05-10 14:32Z', '2026-05-10 14:32Z', null),
('3f8c2a1d-0e45-4b7f-9c3e-1a2b3c4d5e6e', 11, 102, 'input', '2026-05-09 14:32Z', '2026-05-09 15:00Z', '2026-05-09 15:00Z'),
('3f8c2a1d-0e45-4b7f-9c3e-1a2b3c4d5e6d', 12, 101, 'output', '2026-05-08 14:32Z', '2026-05-08 14:32Z', null),
('4f8c2a1d-0e45-4b7f-9c3e-1a2b3c4d5e6f', 21, 201, 'input', '2026-05-10 14:32Z', '2026-05-10 14:32Z', null);
alter table core_api.company_workspace_connectors enable trigger user;
