-- 0009: a row whose company and connector differ in workspace cannot be stored, and a parent with rows cannot move away.
-- locks: ACCESS SHARE on companies, company_workspace_connectors, workspace_connectors while rows are read; SHARE ROW EXCLUSIVE on companies, company_workspace_connectors, workspace_connectors

create view tenancy.mixed_company_workspace_connectors as
select
    j.pk,
    c.pk as company_pk,
    c.workspace_pk as company_workspace_pk,
    k.pk as workspace_connector_pk,
    k.workspace_pk as workspace_connector_workspace_pk
from core_api.company_workspace_connectors as j
inner join core_api.companies as c on j.company_pk = c.pk
inner join core_api.workspace_connectors as k on j.workspace_connector_pk = k.pk
where c.workspace_pk <> k.workspace_pk;
comment on view tenancy.mixed_company_workspace_connectors is
'Rows whose company and connector belong to different workspaces. There must be none; no tenant sees one, whichever half is '
'theirs.';

call tenancy.revoke_all('table tenancy.mixed_company_workspace_connectors');
call tenancy.hand_to_definer('view tenancy.mixed_company_workspace_connectors');

-- Every row is read before the triggers take their locks, which then last for milliseconds. Those locks wait for every writer
-- to finish: later writers meet the triggers, and what earlier ones stored is committed by then and read by the next revision.
do $$
declare
    mixed bigint;
begin
    select count(*) into mixed from tenancy.mixed_company_workspace_connectors;
    if mixed > 0 then
        raise exception using
            errcode = 'object_not_in_prerequisite_state',
            message = format('%s rows have a company and a connector of different workspaces; no guard was added', mixed),
            hint = 'List them: ' || pg_get_viewdef('tenancy.mixed_company_workspace_connectors'::regclass);
    end if;
end
$$;

-- The parents first, as an application writes them: who holds a lock on a parent may still insert the row that points at it.
create trigger companies_refuse_workspace_move
after update on core_api.companies
for each row
when (old.workspace_pk <> new.workspace_pk)
execute function tenancy.refuse_company_move('company_pk');
comment on trigger companies_refuse_workspace_move on core_api.companies is
'A company with provenance rows stays in its workspace.';

create trigger companies_refuse_workspace_replacement
after delete on core_api.companies
referencing old table as deleted
for each statement execute function tenancy.refuse_company_move('company_pk');
comment on trigger companies_refuse_workspace_replacement on core_api.companies is
'Nor is it replaced, in one statement, by a company of another workspace with the same pk.';

create trigger workspace_connectors_with_companies_refuse_move
after update on core_api.workspace_connectors
for each row
when (old.workspace_pk <> new.workspace_pk)
execute function tenancy.refuse_company_move('workspace_connector_pk');
comment on trigger workspace_connectors_with_companies_refuse_move on core_api.workspace_connectors is
'A connector with provenance rows of companies stays in its workspace.';

create trigger workspace_connectors_with_companies_refuse_replacement
after delete on core_api.workspace_connectors
referencing old table as deleted
for each statement execute function tenancy.refuse_company_move('workspace_connector_pk');
comment on trigger workspace_connectors_with_companies_refuse_replacement on core_api.workspace_connectors is
'Nor is it replaced, in one statement, by a connector of another workspace with the same pk.';

create trigger company_workspace_connectors_refuse_mixed_inserts
after insert on core_api.company_workspace_connectors
referencing new table as inserted
for each statement execute function tenancy.refuse_mixed_company_inserts();
comment on trigger company_workspace_connectors_refuse_mixed_inserts on core_api.company_workspace_connectors is
'Integrity under the policies: no role, not even a superuser, stores a row that spans two workspaces.';

-- No column list: a trigger of the host may change a column that the statement does not name.
create trigger company_workspace_connectors_refuse_mixed_update
after update on core_api.company_workspace_connectors
for each row
when (old.company_pk <> new.company_pk or old.workspace_connector_pk <> new.workspace_connector_pk)
execute function tenancy.refuse_mixed_company_update();
comment on trigger company_workspace_connectors_refuse_mixed_update on core_api.company_workspace_connectors is
'The same for updates and cascades that point a row at another company or connector.';

-- Last, because only who may execute a function can make a trigger of it.
call tenancy.hand_to_definer(
    'function tenancy.refuse_mixed_company_inserts',
    'function tenancy.refuse_mixed_company_update',
    'function tenancy.refuse_company_move'
);
