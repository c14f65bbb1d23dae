-- The database stamps created_at and updated_at, whatever a client sends.
-- locks: none

create function tenancy.stamp_timestamps()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_op = 'INSERT' then
        new.created_at := now();
    else
        new.pk := old.pk;
        new.id := old.id;
        new.created_at := old.created_at;
    end if;
    new.updated_at := now();
    return new;
end
$$;
comment on function tenancy.stamp_timestamps is
'Replaces whatever a client sent: created_at is the time of the insert for ever, updated_at that of the last write, pk and '
'id never change.';

call tenancy.revoke_all('routine tenancy.stamp_timestamps');
