-- Makes tenancy_definer the owner of functions and views, so that they see all rows.
-- locks: none

create procedure tenancy.hand_to_definer(variadic objects text[])
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    caller name := current_user;
    object text;
begin
    -- Only a member may hand an object to a role, and only to one that may create in the schema: both for this moment.
    begin
        grant tenancy_definer to current_user;
    exception
        when insufficient_privilege then
            null; -- a DBA made it a member beforehand, or the next statement fails
    end;
    grant create on schema tenancy to tenancy_definer;

    foreach object in array objects loop
        execute format('alter %s owner to tenancy_definer', object);
        if starts_with(object, 'view ') then
            set local role tenancy_definer;
            execute format('grant select on %s to %I', substr(object, 6), caller);
            perform set_config('role', caller, true);
        end if;
    end loop;

    revoke create on schema tenancy from tenancy_definer;
    begin
        revoke tenancy_definer from current_user;
    exception
        when insufficient_privilege then
            null;
    end;
end
$$;
comment on procedure tenancy.hand_to_definer is
'For migrations: makes tenancy_definer the owner of functions and views, so that they see all rows; the caller keeps '
'SELECT on the views and is no member of the role afterwards.';

call tenancy.revoke_all('routine tenancy.hand_to_definer');
