-- Makes the caller the owner again of what tenancy_definer owns, so that a migration can change it.
-- locks: none

create procedure tenancy.take_back(variadic objects text[])
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    object text;
begin
    begin
        grant tenancy_definer to current_user;
    exception
        when insufficient_privilege then
            null; -- as in hand_to_definer
    end;
    foreach object in array objects loop
        execute format('alter %s owner to %I', object, current_user);
    end loop;
    begin
        revoke tenancy_definer from current_user;
    exception
        when insufficient_privilege then
            null;
    end;
end
$$;
comment on procedure tenancy.take_back is
'For migrations: makes the caller the owner of functions and views of tenancy_definer, which hand_to_definer then gives back.';

call tenancy.revoke_all('routine tenancy.take_back');
