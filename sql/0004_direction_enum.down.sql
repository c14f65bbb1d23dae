-- 0004 down: drops the enum if this package created it; refused while a sibling table uses it.
-- locks: none

do $$
begin
    if exists (select from tenancy.created_objects where object_name = 'core_api.direction_enum') then
        drop type core_api.direction_enum;
    end if;
end
$$;
