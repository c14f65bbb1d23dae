-- 0008 down: removes policies and grants; on a table created here row-level security stays, so nobody but a superuser sees a row.
-- locks: ACCESS EXCLUSIVE on companies, company_workspace_connectors, tenancy.current_workspace_companies

drop policy definer_removes_deleted_rows on core_api.company_workspace_connectors;
drop policy definer_reads_every_row on core_api.company_workspace_connectors;
drop policy hasura_reads_every_row on core_api.company_workspace_connectors;
drop policy sync_updates_rows on core_api.company_workspace_connectors;
drop policy sync_inserts_rows on core_api.company_workspace_connectors;
drop policy sync_reads_rows on core_api.company_workspace_connectors;
drop policy member_reads_active_rows on core_api.company_workspace_connectors;
drop policy if exists definer_reads_every_row on core_api.companies;

do $$
begin
    if tenancy.created('table', 'core_api.companies') then
        drop policy hasura_reads_every_row on core_api.companies;
        drop policy members_read_their_workspace on core_api.companies;
        revoke all on core_api.companies from workspace_member, connector_sync, hasura_service;
    end if;

    if not tenancy.created('table', 'core_api.company_workspace_connectors') then
        if tenancy.created('row security', 'core_api.company_workspace_connectors') then
            alter table core_api.company_workspace_connectors disable row level security;
        end if;
        if tenancy.created('forced row security', 'core_api.company_workspace_connectors') then
            alter table core_api.company_workspace_connectors no force row level security;
        end if;
    end if;

    execute format(
        'grant delete, truncate on core_api.company_workspace_connectors to %I',
        (
            select pg_get_userbyid(c.relowner) from pg_catalog.pg_class as c
            where c.oid = 'core_api.company_workspace_connectors'::regclass
        )
    );
end
$$;

revoke all (pk, company_id, workspace_pk) on core_api.companies from tenancy_definer;
revoke all on sequence core_api.company_workspace_connectors_pk_seq from connector_sync;
revoke all on core_api.company_workspace_connectors
from workspace_member, connector_sync, hasura_service, tenancy_definer;
drop trigger company_workspace_connectors_stamp_timestamps on core_api.company_workspace_connectors;
drop view tenancy.current_workspace_companies;
