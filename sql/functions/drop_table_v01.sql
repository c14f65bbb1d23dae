-- Drops a table, unless it has rows that are to be kept.
-- locks: none

create procedure tenancy.drop_table(name text)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    filled boolean := false;
begin
    if current_setting('connector_provenance.keep_rows', true) = 'on' then
        -- Locks it, so that no row comes any more, and shows them all to its owner.
        execute format('alter table %s no force row level security', name::regclass);
        execute format('select exists (select from %s)', name::regclass) into filled;
    end if;
    if filled then
        raise exception using
            errcode = 'object_in_use',
            message = format('%s has rows', name),
            hint = '--drop-rows drops them with their table.';
    end if;
    execute format('drop table %s', name::regclass);
end
$$;
comment on procedure tenancy.drop_table is
'For migrations: drops a table of this package; error 55006 if it has rows and connector_provenance.keep_rows is on.';

call tenancy.revoke_all('routine tenancy.drop_table');
