-- Takes every privilege on new objects from everyone but their owner, so that grants start from nothing.
-- locks: none

create procedure tenancy.revoke_all(variadic objects text[])
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    object text;
    grantee text;
begin
    foreach object in array objects loop
        for grantee in
            select distinct case a.grantee when 0 then 'public' else a.grantee::regrole::text end
            from (
                select c.relowner, c.relacl
                from pg_catalog.pg_class as c
                where object ~ '^(table|sequence) ' and c.oid = to_regclass(split_part(object, ' ', 2))
                union all
                select n.nspowner, n.nspacl
                from pg_catalog.pg_namespace as n
                where object like 'schema %' and n.oid = to_regnamespace(split_part(object, ' ', 2))
                union all
                select t.typowner, coalesce(t.typacl, acldefault('T', t.typowner))
                from pg_catalog.pg_type as t
                where object like 'type %' and t.oid = to_regtype(split_part(object, ' ', 2))
                union all
                select p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
                from pg_catalog.pg_proc as p
                where object like 'routine %' and p.oid = to_regproc(split_part(object, ' ', 2))
            ) as o (owner, acl)
            cross join aclexplode(o.acl) as a
            where a.grantee <> o.owner
        loop
            execute format('revoke all on %s from %s', object, grantee);
        end loop;
    end loop;
end
$$;
comment on procedure tenancy.revoke_all is
'For migrations: takes every privilege on new objects from everyone but their owner, PUBLIC and those whom the host''s '
'default privileges favour included, so that grants start from nothing. An object is named "table t", "routine f", …';

call tenancy.revoke_all('routine tenancy.revoke_all');
