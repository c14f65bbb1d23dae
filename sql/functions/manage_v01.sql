-- Notes, for a migration, which objects are there already.
-- locks: none

-- noqa: disable=RF01
create procedure tenancy.manage(kind text, variadic names text[])
language sql
begin atomic
    insert into tenancy.managed_objects (kind, name, created)
    select
        manage.kind,
        n.name,
        case manage.kind
            when 'schema' then to_regnamespace(n.name) is null
            when 'type' then to_regtype(n.name) is null
            when 'column'
                then
                    not exists (
                        select
                        from pg_catalog.pg_attribute as a
                        where
                            a.attrelid = to_regclass(split_part(n.name, ' on ', 2))
                            and a.attname = split_part(n.name, ' on ', 1) and not a.attisdropped
                    )
            when 'constraint'
                then
                    not exists (
                        select
                        from pg_catalog.pg_constraint as c
                        where
                            c.conrelid = to_regclass(split_part(n.name, ' on ', 2)) and c.conname = split_part(n.name, ' on ', 1)
                    )
            when 'row security'
                then
                    coalesce(
                        (
                            select not c.relrowsecurity from pg_catalog.pg_class as c
                            where c.oid = to_regclass(n.name)
                        ), true
                    )
            when 'forced row security'
                then
                    coalesce(
                        (
                            select not c.relforcerowsecurity from pg_catalog.pg_class as c
                            where c.oid = to_regclass(n.name)
                        ), true
                    )
            else to_regclass(n.name) is null
        end
    from unnest(manage.names) as n (name);
end;
comment on procedure tenancy.manage is
'For migrations: notes which of these objects are there already, so that they are adopted and the others created. A column '
'or constraint is named "c on schema.table".';

call tenancy.revoke_all('routine tenancy.manage');
