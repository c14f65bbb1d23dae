-- 0003: the unique index on (workspace_pk, pk) of workspace_connectors, built while the application writes.
-- locks: SHARE UPDATE EXCLUSIVE on workspace_connectors while rows are read
-- Statements between "next" lines run one by one, outside a transaction, as CREATE INDEX CONCURRENTLY demands.
-- squawk-ignore-file ban-concurrent-index-creation-in-transaction

-- What an interrupted build left behind, under ACCESS EXCLUSIVE for milliseconds.
do $$
begin
    if
        exists (
            select
            from pg_catalog.pg_index as i
            where
                i.indexrelid = to_regclass('core_api.workspace_connectors_workspace_pk_pk_unique') and not i.indisvalid
        )
    then
        drop index core_api.workspace_connectors_workspace_pk_pk_unique;
    end if;
end
$$;

-- next
-- A build waits for transactions that are older than itself, but nobody waits for it.
set lock_timeout = '10min';

-- next
-- Unique, so that workspace_pk is a key column: an update of it then conflicts with every foreign-key check on the row,
-- which is what makes the same-workspace guards safe under concurrency. The policies read it too.
create unique index concurrently if not exists workspace_connectors_workspace_pk_pk_unique
on core_api.workspace_connectors (workspace_pk, pk);

-- next
set lock_timeout = '500ms';
