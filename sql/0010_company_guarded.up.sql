-- 0010: no row that was there before the guards, or came while they were being added, spans two workspaces.
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
            message = format(
                '%s rows have a company and a connector of different workspaces; they are older than the guards, which stay',
                mixed
            ),
            hint = 'List them: select * from tenancy.mixed_company_workspace_connectors;';
    end if;
end
$$;
