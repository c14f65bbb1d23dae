-- 0000: run before the version table is made, and by the first revision, which a host's own Alembic may run: schema tenancy, unless it is there.
-- locks: none

do $$
begin
    if to_regnamespace('tenancy') is null then -- `if not exists` asks for CREATE on the database all the same
        create schema tenancy;
    end if;
end
$$;
