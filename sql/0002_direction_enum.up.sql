-- 0002: the native enum that says which way a record travelled; an existing one with the same labels is adopted.
-- locks: none that anything waits for.

insert into tenancy.created_objects (object_name)
select 'core_api.direction_enum'
where to_regtype('core_api.direction_enum') is null;

do $$
declare
    labels text[];
begin
    if to_regtype('core_api.direction_enum') is null then
        create type core_api.direction_enum as enum ('input', 'output');
        revoke all on type core_api.direction_enum from public;
        comment on type core_api.direction_enum is
        'Which way a record travelled: input, pulled from a connector; output, pushed to it. Shared by all connector tables.';
        return;
    end if;

    select array_agg(e.enumlabel::text order by e.enumsortorder)
    into labels
    from pg_catalog.pg_enum as e
    where e.enumtypid = to_regtype('core_api.direction_enum');

    if labels is distinct from array['input', 'output'] then
        raise exception using
            errcode = 'object_not_in_prerequisite_state',
            message = 'core_api.direction_enum exists, but is not an enum of exactly input, output in that order',
            detail = format('Its labels are: %s.', coalesce(array_to_string(labels, ', '), 'none, it is not an enum')),
            hint = 'PostgreSQL cannot drop a label: create a new enum with the two labels, alter the columns to it, rename it.';
    end if;
end
$$;
