-- 0007: the database stamps created_at and updated_at, whatever a client sends.
-- locks: SHARE ROW EXCLUSIVE on company_workspace_connectors

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
revoke all on function tenancy.stamp_timestamps() from public;
comment on function tenancy.stamp_timestamps() is
'Replaces whatever a client sent: created_at is the time of the insert for ever, updated_at that of the last write, pk and id never change.';

create trigger company_workspace_connectors_stamp_timestamps
before insert or update on core_api.company_workspace_connectors
for each row execute function tenancy.stamp_timestamps();
comment on trigger company_workspace_connectors_stamp_timestamps on core_api.company_workspace_connectors is
'The database''s clock is the only one that counts, in cascades of the foreign keys too.';
