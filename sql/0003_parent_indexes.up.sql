-- 0003: the unique indexes on (workspace_pk, pk) of companies and workspace_connectors, built while the application writes.
-- locks: SHARE UPDATE EXCLUSIVE on companies, workspace_connectors while rows are read
-- Statements between "next" lines run one by one, outside a transaction, as CREATE INDEX CONCURRENTLY demands.
-- squawk-ignore-file ban-concurrent-index-creation-in-transaction

-- What an interrupted build left behind, under ACCESS EXCLUSIVE for milliseconds.
do $$
declare
    leftover regclass;
begin
    for leftover in
        select i.indexrelid
        from pg_catalog.pg_index as i
        where
            i.indexrelid in (
                to_regclass('core_api.companies_workspace_pk_pk_unique'),
                to_regclass('core_api.workspace_connectors_workspace_pk_pk_unique')
            )
            and not i.indisvalid
    loop
        execute format('drop index %s', leftover);
    end loop;
end
$$;

-- next
-- A build waits for transactions that are older than itself, but nobody waits for it.
set lock_timeout = '10min';

-- next
-- Unique, so that workspace_pk is a key column: an update of it then conflicts with every foreign-key check on the row,
-- which is what makes the same-workspace guards safe under concurrency. The policies read it too.
create unique index concurrently if not exists companies_workspace_pk_pk_unique
on core_api.companies (workspace_pk, pk);

-- next
create unique index concurrently if not exists workspace_connectors_workspace_pk_pk_unique
on core_api.workspace_connectors (workspace_pk, pk);

-- next
set lock_timeout = '500ms';
