-- 0004: the native enum that says which way a record travelled, where it does not exist.
-- locks: none

do $$
begin
    if exists (select from tenancy.created_objects where object_name = 'core_api.direction_enum') then
        create type core_api.direction_enum as enum ('input', 'output');
        revoke all on type core_api.direction_enum from public;
        comment on type core_api.direction_enum is
        'Which way a record travelled: input, pulled from a connector; output, pushed to it. Shared by all connector tables.';
    end if;
end
$$;
