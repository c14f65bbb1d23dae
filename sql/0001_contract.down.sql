-- 0001 down: forgets what was created and what was found; the schema goes unless it still holds a version table.
-- locks: ACCESS EXCLUSIVE on tenancy.created_objects

drop table tenancy.created_objects;

do $$
begin
    drop schema tenancy;
exception
    when dependent_objects_still_exist then
        null;
end
$$;
