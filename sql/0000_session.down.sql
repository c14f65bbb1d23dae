-- 0000 down: run after the last revision is gone: removes the version table, and its schema unless others put objects there.
-- locks: ACCESS EXCLUSIVE on tenancy.schema_version

drop table if exists tenancy.schema_version;

do $$
begin
    drop schema if exists tenancy;
exception
    when dependent_objects_still_exist or insufficient_privilege then
        raise notice 'schema tenancy is kept: %', sqlerrm;
end
$$;
