-- 0012: no row that was there before the guards, or came while they were being added, spans two workspaces.
-- locks: ACCESS SHARE on companies, company_workspace_connectors, workspace_connectors while rows are read

-- No lock is needed: the guards are committed, so the rows that this reads are the only ones that could be mixed.
do $$
declare
    mixed bigint;
begin
    select count(*) into mixed from tenancy.mixed_company_workspace_connectors;
    if mixed > 0 then
        raise exception using
            errcode = 'object_not_in_prerequisite_state',
            message = format('%s rows have a company and a connector of different workspaces; they are older than the guards, which stay', mixed),
            hint = 'List them: select j.pk, c.workspace_pk, k.workspace_pk from core_api.company_workspace_connectors j '
            'join core_api.companies c on c.pk = j.company_pk '
            'join core_api.workspace_connectors k on k.pk = j.workspace_connector_pk where c.workspace_pk <> k.workspace_pk;';
    end if;
end
$$;
