-- 0007: the indexes, built, and the foreign keys, validated, while the application reads and writes.
-- locks: SHARE UPDATE EXCLUSIVE on companies, company_workspace_connectors while rows are read; ROW SHARE on workspace_connectors while rows are read
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
                to_regclass('core_api.company_workspace_connectors_company_pk_index'),
                to_regclass('core_api.company_workspace_connectors_page_index'),
                to_regclass('core_api.company_workspace_connectors_purge_index')
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
-- Unique for the same reason as that of the connectors: it closes the race between a company's move and a row's insert.
create unique index concurrently if not exists companies_workspace_pk_pk_unique
on core_api.companies (workspace_pk, pk);

-- next
create index concurrently if not exists company_workspace_connectors_company_pk_index
on core_api.company_workspace_connectors (company_pk);

-- next
-- The one index that may lead on workspace_connector_pk: beside a plain one the planner would fetch all and sort.
create index concurrently if not exists company_workspace_connectors_page_index
on core_api.company_workspace_connectors (workspace_connector_pk, created_at desc, pk desc)
include (company_pk, deleted_at, direction);

-- next
create index concurrently if not exists company_workspace_connectors_purge_index
on core_api.company_workspace_connectors (updated_at) where deleted_at is not null;

-- next
alter table core_api.company_workspace_connectors
validate constraint company_workspace_connectors_company_pk_foreign;

-- next
alter table core_api.company_workspace_connectors
validate constraint company_workspace_connectors_workspace_connector_pk_foreign;

-- next
do $$
begin
    if tenancy.created('index', 'core_api.company_workspace_connectors_company_pk_index') then
        comment on index core_api.company_workspace_connectors_company_pk_index is
        'One company''s rows; also carries the foreign key''s cascade and the guard against moving a company.';
    end if;
    if tenancy.created('index', 'core_api.company_workspace_connectors_page_index') then
        comment on index core_api.company_workspace_connectors_page_index is
        'Pages of a connector, newest first, without touching the table; it drives every policy, so nothing else may lead '
        'on workspace_connector_pk.';
    end if;
    if tenancy.created('index', 'core_api.company_workspace_connectors_purge_index') then
        comment on index core_api.company_workspace_connectors_purge_index is
        'The soft-deleted rows, longest untouched first, so that a purge reads what it removes.';
    end if;
end
$$;

-- next
set lock_timeout = '500ms';
