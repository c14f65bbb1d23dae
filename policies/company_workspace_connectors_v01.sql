-- company_workspace_connectors: a row belongs to the current workspace when its company and its connector both do.
-- locks: ACCESS EXCLUSIVE on company_workspace_connectors

create policy member_reads_active_rows on core_api.company_workspace_connectors
for select
to workspace_member
using (
    deleted_at is null
    and workspace_connector_pk = any(array(select k.pk from tenancy.current_workspace_connectors as k))
    and exists (
        select from tenancy.current_workspace_companies as c
        where c.pk = company_workspace_connectors.company_pk
    )
);
comment on policy member_reads_active_rows on core_api.company_workspace_connectors is
'A member sees the rows of its workspace that are not deleted.';

create policy sync_reads_rows on core_api.company_workspace_connectors
for select
to connector_sync
using (
    workspace_connector_pk = any(array(select k.pk from tenancy.current_workspace_connectors as k))
    and exists (
        select from tenancy.current_workspace_companies as c
        where c.pk = company_workspace_connectors.company_pk
    )
);
comment on policy sync_reads_rows on core_api.company_workspace_connectors is
'The sync role sees the rows of its workspace, deleted ones too: without that it could not delete.';

create policy sync_inserts_rows on core_api.company_workspace_connectors
for insert
to connector_sync
with check (
    workspace_connector_pk = any(array(select k.pk from tenancy.current_workspace_connectors as k))
    and exists (
        select from tenancy.current_workspace_companies as c
        where c.pk = company_workspace_connectors.company_pk
    )
);
comment on policy sync_inserts_rows on core_api.company_workspace_connectors is
'The sync role records facts about companies and connectors of its workspace only.';

create policy sync_updates_rows on core_api.company_workspace_connectors
for update
to connector_sync
using (
    workspace_connector_pk = any(array(select k.pk from tenancy.current_workspace_connectors as k))
    and exists (
        select from tenancy.current_workspace_companies as c
        where c.pk = company_workspace_connectors.company_pk
    )
);
comment on policy sync_updates_rows on core_api.company_workspace_connectors is
'The sync role deletes and restores rows of its workspace only; column grants leave it nothing else to change.';

create policy hasura_reads_every_row on core_api.company_workspace_connectors
for select
to hasura_service
using (true);
comment on policy hasura_reads_every_row on core_api.company_workspace_connectors is
'Hasura names no tenant when it reads, so its own permissions scope what it shows.';

create policy definer_reads_every_row on core_api.company_workspace_connectors
for select
to tenancy_definer
using (true);
comment on policy definer_reads_every_row on core_api.company_workspace_connectors is
'The guards, the walk of a page and the purge look at every row; nobody logs in as this role.';

create policy definer_removes_deleted_rows on core_api.company_workspace_connectors
for delete
to tenancy_definer
using (deleted_at is not null);
comment on policy definer_removes_deleted_rows on core_api.company_workspace_connectors is
'The purge removes what was marked deleted and nothing else, whatever it is asked for; nobody logs in as this role.';
