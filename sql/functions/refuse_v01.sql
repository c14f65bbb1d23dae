-- The one way in which an API function refuses: which error, and which item of its list.
-- locks: none

-- Volatile, so that it runs after a statement's order by: of several faults, the first in the list is the one reported.
create function tenancy.refuse(workspace_pk integer, code text, complaint text, place bigint)
returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if workspace_pk is null then
        raise exception using
            errcode = 'insufficient_privilege',
            message = 'there is no current workspace to write in',
            hint = 'Name an existing one in app.workspace_id, hasura.user or request.jwt.claims.';
    end if;
    raise exception using errcode = code, message = complaint, detail = format('Item %s.', place);
end
$$;
comment on function tenancy.refuse is
'Always an error: 42501 where there is no current workspace, else the one given, with the place of the item in its list.';

call tenancy.revoke_all('routine tenancy.refuse');
grant execute on function tenancy.refuse to connector_sync;
