-- Begins what `connector-provenance sql` prints, for psql: keeps other deployers out and sees where the database is.
-- locks: none

set search_path = pg_catalog, pg_temp; -- not public, where a tenant may have planted functions

-- One deployer at a time, as in migrations/database.py. Each look is a transaction of its own: a session that waits in one
-- holds a snapshot, for which CREATE INDEX CONCURRENTLY of the deployer at work would wait.
do $$
declare
    deadline constant timestamptz := clock_timestamp() + interval '60 s';
    told text := '';
    holder text;
begin
    while not pg_catalog.pg_try_advisory_lock(1668247150) loop
        select format('pid %s, user %s, application %s', a.pid, a.usename, a.application_name)
        into holder
        from pg_catalog.pg_locks as l
        inner join pg_catalog.pg_stat_activity as a on l.pid = a.pid
        where
            l.locktype = 'advisory' and l.granted and l.classid = 0 and l.objid = 1668247150 and l.objsubid = 1
            and l.database = (select d.oid from pg_catalog.pg_database as d where d.datname = current_database());
        if clock_timestamp() > deadline then
            raise exception 'another deployer is at work: %', holder using errcode = 'lock_not_available';
        elsif holder <> told then
            raise notice 'waiting for another deployer: %', holder;
            told := holder;
        end if;
        commit;
        perform pg_catalog.pg_sleep(0.2);
    end loop;
end
$$;

\set connector_provenance_at ''
select to_regclass('tenancy.schema_version') is not null as connector_provenance_versioned \gset
\if :connector_provenance_versioned
select coalesce(max(v.version_num), '') as connector_provenance_at from tenancy.schema_version as v \gset
\endif
select :'connector_provenance_at' = any (:'connector_provenance_places'::text[]) as connector_provenance_fits \gset
\if :connector_provenance_fits
\else
\warn the database is at revision :'connector_provenance_at', and this script leads through :'connector_provenance_places'
do $$ begin raise exception 'this script does not start from where the database is'; end $$;
\endif

