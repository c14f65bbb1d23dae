-- Purge: what a scheduled job calls until it returns 0.
-- locks: none

create function core_api.purge_company_workspace_connectors(
    deleted_before timestamptz,
    batch_size integer default 1000,
    workspace_id uuid default null,
    company_id uuid default null
)
returns integer
language sql
return tenancy.company_purge(deleted_before, batch_size, workspace_id, company_id);
comment on function core_api.purge_company_workspace_connectors is
'Removes rows for ever: at most batch_size (1 to 100000) of those that are soft-deleted and were last written before deleted_before '
'by the database''s clock, of one workspace or company where named. Returns how many; call it again until it returns 0. Error 22023 '
'on a null moment, a bad batch size, or an id that is not there.';

call tenancy.revoke_all('routine core_api.purge_company_workspace_connectors');
grant execute on function core_api.purge_company_workspace_connectors to connector_retention;
