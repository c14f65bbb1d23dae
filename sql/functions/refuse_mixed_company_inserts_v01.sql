-- Refuses a statement that inserts a row whose company and connector differ in workspace.
-- locks: none

-- Each statement's new rows at once. The foreign keys have locked both parents by then, so neither can move any more.
create function tenancy.refuse_mixed_company_inserts()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    -- "Is not true": a parent that cannot be seen refuses the row as well.
    if exists (
        select
        from inserted as i
        left join core_api.companies as c on c.pk = i.company_pk
        left join core_api.workspace_connectors as k on k.pk = i.workspace_connector_pk
        where (c.workspace_pk = k.workspace_pk) is not true
    ) then
        raise exception using
            errcode = 'check_violation',
            schema = 'core_api',
            table = 'company_workspace_connectors',
            constraint = 'company_workspace_connectors_same_workspace',
            message = 'the company and the connector of a new row belong to different workspaces';
    end if;
    return null;
end
$$;
comment on function tenancy.refuse_mixed_company_inserts is
'Error 23514 when a statement inserts a row whose company and connector differ in workspace; it sees all rows, whoever '
'inserts.';

call tenancy.revoke_all('routine tenancy.refuse_mixed_company_inserts');
