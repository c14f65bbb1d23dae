-- 0011: a row whose company and connector differ in workspace cannot be stored, and a parent with rows cannot move away.
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
'Rows whose company and connector belong to different workspaces. There must be none; no tenant sees one, whichever half is theirs.';

call tenancy.revoke_all('table tenancy.mixed_company_workspace_connectors');
call tenancy.hand_to_definer('view tenancy.mixed_company_workspace_connectors');

-- Every row is read before the triggers take their locks, which then last for milliseconds. A row that is stored meanwhile is
-- found by the next revision: every statement that takes its lock after this one meets the triggers, and this one's locks
-- have waited for all others to end, so what is found there is all there is and nothing can be added to it.
do $$
declare
    mixed bigint;
begin
    select count(*) into mixed from tenancy.mixed_company_workspace_connectors;
    if mixed > 0 then
        raise exception using
            errcode = 'object_not_in_prerequisite_state',
            message = format('%s rows have a company and a connector of different workspaces; no guard was added', mixed),
            hint = 'List them: select j.pk, c.workspace_pk, k.workspace_pk from core_api.company_workspace_connectors j '
            'join core_api.companies c on c.pk = j.company_pk '
            'join core_api.workspace_connectors k on k.pk = j.workspace_connector_pk where c.workspace_pk <> k.workspace_pk;';
    end if;
end
$$;

-- Each statement's new rows at once. The foreign keys have locked both parents by then, so neither can move any more.
create function tenancy.refuse_mixed_inserts()
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
comment on function tenancy.refuse_mixed_inserts() is
'Error 23514 when a statement inserts a row whose company and connector differ in workspace; it sees all rows, whoever inserts.';

create function tenancy.refuse_mixed_update()
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
comment on function tenancy.refuse_mixed_update() is
'Error 23514 when an update or a cascade gives a row a company and a connector of different workspaces.';

create function tenancy.refuse_workspace_move()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    moved integer[];
    in_use boolean;
begin
    if tg_op = 'UPDATE' then
        moved := array[old.pk, new.pk];
    else
        -- A delete is a move when the same statement put another workspace's row in its place: the foreign key allows that.
        execute format(
            'select array_agg(d.pk) from deleted as d inner join %s as p on p.pk = d.pk where p.workspace_pk <> d.workspace_pk',
            tg_relid::regclass
        ) into moved;
        if moved is null then
            return null;
        end if;
    end if;

    if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
        raise exception using
            errcode = 'invalid_transaction_state',
            message = format('a row of %s can change workspace only in a READ COMMITTED transaction', tg_relid::regclass),
            detail = 'The snapshot of this transaction may be older than provenance rows that exist by now.';
    end if;

    execute format(
        'select exists (select from core_api.company_workspace_connectors as j where j.%I = any($1))', tg_argv[0]
    ) into in_use using moved;
    if in_use then
        raise exception using
            errcode = 'check_violation',
            schema = 'core_api',
            table = 'company_workspace_connectors',
            constraint = 'company_workspace_connectors_same_workspace',
            message = format('a row of %s that has provenance rows cannot change workspace', tg_relid::regclass);
    end if;
    return null;
end
$$;
comment on function tenancy.refuse_workspace_move() is
'Error 23514 when a parent with provenance rows changes workspace, by update or by delete and insert in one statement; 25000 when the transaction cannot see whether it has any.';

-- The parents first, as an application writes them: who holds a lock on a parent may still insert the row that points at it.
create trigger companies_refuse_workspace_move
after update on core_api.companies
for each row
when (old.workspace_pk <> new.workspace_pk)
execute function tenancy.refuse_workspace_move('company_pk');
comment on trigger companies_refuse_workspace_move on core_api.companies is
'A company with provenance rows stays in its workspace.';

create trigger companies_refuse_workspace_replacement
after delete on core_api.companies
referencing old table as deleted
for each statement execute function tenancy.refuse_workspace_move('company_pk');
comment on trigger companies_refuse_workspace_replacement on core_api.companies is
'Nor is it replaced, in one statement, by a company of another workspace with the same pk.';

create trigger workspace_connectors_refuse_workspace_move
after update on core_api.workspace_connectors
for each row
when (old.workspace_pk <> new.workspace_pk)
execute function tenancy.refuse_workspace_move('workspace_connector_pk');
comment on trigger workspace_connectors_refuse_workspace_move on core_api.workspace_connectors is
'A connector with provenance rows stays in its workspace.';

create trigger workspace_connectors_refuse_workspace_replacement
after delete on core_api.workspace_connectors
referencing old table as deleted
for each statement execute function tenancy.refuse_workspace_move('workspace_connector_pk');
comment on trigger workspace_connectors_refuse_workspace_replacement on core_api.workspace_connectors is
'Nor is it replaced, in one statement, by a connector of another workspace with the same pk.';

create trigger company_workspace_connectors_refuse_mixed_inserts
after insert on core_api.company_workspace_connectors
referencing new table as inserted
for each statement execute function tenancy.refuse_mixed_inserts();
comment on trigger company_workspace_connectors_refuse_mixed_inserts on core_api.company_workspace_connectors is
'Integrity under the policies: no role, not even a superuser, stores a row that spans two workspaces.';

-- No column list: a trigger of the host may change a column that the statement does not name.
create trigger company_workspace_connectors_refuse_mixed_update
after update on core_api.company_workspace_connectors
for each row
when (old.company_pk <> new.company_pk or old.workspace_connector_pk <> new.workspace_connector_pk)
execute function tenancy.refuse_mixed_update();
comment on trigger company_workspace_connectors_refuse_mixed_update on core_api.company_workspace_connectors is
'The same for updates and cascades that point a row at another company or connector.';

call tenancy.revoke_all(
    'routine tenancy.refuse_mixed_inserts()',
    'routine tenancy.refuse_mixed_update()',
    'routine tenancy.refuse_workspace_move()'
);
call tenancy.hand_to_definer(
    'function tenancy.refuse_mixed_inserts()',
    'function tenancy.refuse_mixed_update()',
    'function tenancy.refuse_workspace_move()'
);
