-- 0000 down: run with and after the last revision's downgrade: removes the version table once it is empty, and schema tenancy once nothing is in it.
-- locks: ACCESS EXCLUSIVE on tenancy.schema_version

do $$
begin
    if to_regclass('tenancy.schema_version') is not null then
        if exists (select from tenancy.schema_version) then
            return;
        end if;
        drop table tenancy.schema_version;
    end if;
    if has_database_privilege(current_database(), 'create') then -- otherwise a DBA made it for us, empty
        drop schema if exists tenancy;
    end if;
exception
    when dependent_objects_still_exist or insufficient_privilege then
        raise notice 'schema tenancy is kept: %', sqlerrm;
end
$$;
