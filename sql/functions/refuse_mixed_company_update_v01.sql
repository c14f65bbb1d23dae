-- Refuses an update that gives a row a company and a connector of different workspaces.
-- locks: none

create function tenancy.refuse_mixed_company_update()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if not exists (
        select
        from core_api.companies as c
        inner join core_api.workspace_connectors as k on k.workspace_pk = c.workspace_pk
        where c.pk = new.company_pk and k.pk = new.workspace_connector_pk
    ) then
        raise exception using
            errcode = 'check_violation',
            schema = 'core_api',
            table = 'company_workspace_connectors',
            constraint = 'company_workspace_connectors_same_workspace',
            message = 'the company and the connector of an updated row belong to different workspaces';
    end if;
    return null;
end
$$;
comment on function tenancy.refuse_mixed_company_update is
'Error 23514 when an update or a cascade gives a row a company and a connector of different workspaces.';

call tenancy.revoke_all('routine tenancy.refuse_mixed_company_update');
