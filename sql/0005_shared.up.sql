-- 0005: what the junctions of all record types stand on: the connectors of the current workspace.
-- locks: none

-- A definer view on purpose: the table's own policies are evaluated for tenancy_definer, so a host's policies neither break nor
-- slow ours, and the roles need no privilege on the table. It shows the current workspace's keys and nothing else.
create view tenancy.current_workspace_connectors as
select
    k.pk,
    k.workspace_connector_id
from core_api.workspace_connectors as k
where k.workspace_pk = (select tenancy.current_workspace_pk());
comment on view tenancy.current_workspace_connectors is
'What "the connector belongs to the current workspace" means, in one place; evaluated with the rights of tenancy_definer.';

call tenancy.revoke_all('table tenancy.current_workspace_connectors');
grant select on tenancy.current_workspace_connectors to workspace_member, connector_sync;
call tenancy.hand_to_definer('view tenancy.current_workspace_connectors');
