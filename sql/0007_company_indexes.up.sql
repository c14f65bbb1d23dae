-- 0007: ids for old rows without one, the indexes, built, and the foreign keys, validated, while the application reads and writes.
-- locks: ACCESS EXCLUSIVE on company_workspace_connectors; SHARE UPDATE EXCLUSIVE on companies, company_workspace_connectors while rows are read; ROW SHARE on workspace_connectors while rows are read
-- ACCESS EXCLUSIVE only where the junction has no id: for milliseconds, when its ids are all there.
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
                to_regclass('core_api.company_workspace_connectors_id_unique'),
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
-- An adopted table may have had no ids: its rows get theirs in batches that are committed, so that a run that was interrupted goes
-- on where it was. Rows in use are passed over and come last: nobody waits for a batch, and no batch for anybody.
do $$
declare
    batch constant integer := 5000;
    last_pk bigint := (select max(j.pk) from core_api.company_workspace_connectors as j);
    next_pk bigint := (select min(j.pk) from core_api.company_workspace_connectors as j);
begin
    if
        exists (
            select
            from pg_catalog.pg_attribute as a
            where a.attrelid = 'core_api.company_workspace_connectors'::regclass and a.attname = 'id' and a.attnotnull
        )
    then
        return;
    end if;

    while next_pk <= last_pk loop
        update core_api.company_workspace_connectors
        set id = gen_random_uuid()
        where
            pk in (
                select j.pk
                from core_api.company_workspace_connectors as j
                where j.pk >= next_pk and j.pk < next_pk + batch and j.id is null
                for no key update skip locked
            );
        commit;
        if next_pk / batch % 20 = 0 then
            raise notice 'core_api.company_workspace_connectors: ids up to pk % of %', next_pk + batch - 1, last_pk;
        end if;
        next_pk := (select min(j.pk) from core_api.company_workspace_connectors as j where j.pk >= next_pk + batch);
    end loop;
    update core_api.company_workspace_connectors set id = gen_random_uuid() where id is null;
    commit;
    alter table core_api.company_workspace_connectors
    drop constraint if exists company_workspace_connectors_id_is_there,
    add constraint company_workspace_connectors_id_is_there check (id is not null) not valid;
end
$$;

-- next
-- A build waits for transactions that are older than itself, but nobody waits for it.
set lock_timeout = '10min';

-- next
create unique index concurrently if not exists company_workspace_connectors_id_unique
on core_api.company_workspace_connectors (id);

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
    if
        exists (
            select
            from pg_catalog.pg_constraint as c
            where
                c.conrelid = 'core_api.company_workspace_connectors'::regclass
                and c.conname = 'company_workspace_connectors_id_is_there'
        )
    then
        alter table core_api.company_workspace_connectors validate constraint company_workspace_connectors_id_is_there;
    end if;
end
$$;

-- next
set lock_timeout = '500ms';

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
-- Reads no row: the validated check proves not null, and the index exists.
do $$
begin
    if
        exists (
            select
            from pg_catalog.pg_constraint as c
            where
                c.conrelid = 'core_api.company_workspace_connectors'::regclass
                and c.conname = 'company_workspace_connectors_id_is_there'
        )
    then
        alter table core_api.company_workspace_connectors alter column id set not null;
        alter table core_api.company_workspace_connectors drop constraint company_workspace_connectors_id_is_there;
    end if;
    if
        not exists (
            select
            from pg_catalog.pg_constraint as c
            where
                c.conrelid = 'core_api.company_workspace_connectors'::regclass
                and c.conname = 'company_workspace_connectors_id_unique'
        )
    then
        alter table core_api.company_workspace_connectors
        add constraint company_workspace_connectors_id_unique
        unique using index company_workspace_connectors_id_unique;
    end if;
end
$$;
