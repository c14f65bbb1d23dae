-- Whether this package created an object, as opposed to found it.
-- locks: none

-- noqa: disable=RF01
create function tenancy.created(kind text, name text)
returns boolean
language sql
stable
begin atomic
    select o.created from tenancy.managed_objects as o
    where o.kind = created.kind and o.name = created.name;
end;
comment on function tenancy.created is
'For migrations: whether this package created the object, as opposed to found it; null for one that it does not manage.';

call tenancy.revoke_all('routine tenancy.created');
