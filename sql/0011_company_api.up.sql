-- 0011: what the API's functions, installed with it, resolve public ids by.
-- locks: none

-- A definer view like those that say what tenancy is: members resolve their own workspace's ids on an adopted parent too, where they
-- have no privilege, and a made-up row reveals no other's. Hasura names no workspace when it reads, and sees every row anyway.
create view tenancy.company_identifiers as
select
    c.pk as company_pk,
    c.company_id,
    k.pk as workspace_connector_pk,
    k.workspace_connector_id
from core_api.companies as c
inner join core_api.workspace_connectors as k on c.workspace_pk = k.workspace_pk
where
    (select pg_has_role('hasura_service', 'usage'))
    or c.workspace_pk = (select tenancy.current_workspace_pk());
comment on view tenancy.company_identifiers is
'The public ids of a company and a connector that belong to one workspace: the current one, or any for hasura_service. Evaluated '
'with the rights of tenancy_definer.';

call tenancy.revoke_all('table tenancy.company_identifiers');
grant select on tenancy.company_identifiers to workspace_member, connector_sync, hasura_service;
call tenancy.hand_to_definer('view tenancy.company_identifiers');
