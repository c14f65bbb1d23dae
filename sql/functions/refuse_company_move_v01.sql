-- Refuses that a company or a connector with provenance rows of companies changes workspace.
-- locks: none

create function tenancy.refuse_company_move()
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
comment on function tenancy.refuse_company_move is
'Error 23514 when a parent with provenance rows changes workspace, by update or by delete and insert in one statement; '
'25000 when the transaction cannot see whether it has any.';

call tenancy.revoke_all('routine tenancy.refuse_company_move');
