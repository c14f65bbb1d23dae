-- 0008: which companies belong to the current workspace, who stamps a row, and which role may do what with which column; policies follow.
-- locks: ACCESS EXCLUSIVE on company_workspace_connectors
-- consumers: after them, where the table was adopted: from here on an application sees rows only as a member of a group and with a workspace named

create view tenancy.current_workspace_companies as
select
    c.pk,
    c.company_id
from core_api.companies as c
where c.workspace_pk = (select tenancy.current_workspace_pk());
comment on view tenancy.current_workspace_companies is
'What "the company belongs to the current workspace" means, in one place; evaluated with the rights of tenancy_definer.';

call tenancy.revoke_all('table tenancy.current_workspace_companies');
grant select on tenancy.current_workspace_companies to workspace_member, connector_sync;
call tenancy.hand_to_definer('view tenancy.current_workspace_companies');

create trigger company_workspace_connectors_stamp_timestamps
before insert or update on core_api.company_workspace_connectors
for each row execute function tenancy.stamp_timestamps();
comment on trigger company_workspace_connectors_stamp_timestamps on core_api.company_workspace_connectors is
'The database''s clock is the only one that counts, in cascades of the foreign keys too.';

grant select (pk, company_id, workspace_pk) on core_api.companies to tenancy_definer;

grant select on core_api.company_workspace_connectors to workspace_member, connector_sync, hasura_service;
-- created_at and updated_at because ORMs always send them; the stamp trigger ignores what they send.
grant
insert (company_pk, workspace_connector_pk, direction, created_at, updated_at, deleted_at),
update (updated_at, deleted_at)
on core_api.company_workspace_connectors to connector_sync;
grant usage on sequence core_api.company_workspace_connectors_pk_seq to connector_sync;

grant
select (pk, id, company_pk, workspace_connector_pk, direction, created_at, updated_at, deleted_at),
delete
on core_api.company_workspace_connectors to tenancy_definer;

do $$
begin
    if tenancy.created('table', 'core_api.companies') then
        grant select on core_api.companies to workspace_member, connector_sync, hasura_service;
    end if;

    -- The owner migrates; it neither deletes nor truncates rows, not even by `truncate companies cascade`.
    execute format(
        'revoke delete, truncate on core_api.company_workspace_connectors from %I',
        (
            select pg_get_userbyid(c.relowner) from pg_catalog.pg_class as c
            where c.oid = 'core_api.company_workspace_connectors'::regclass
        )
    );
end
$$;

alter table core_api.company_workspace_connectors enable row level security;
alter table core_api.company_workspace_connectors force row level security;
