-- companies priced so that they are probed rather than hashed: a condition that is always true and never evaluated
create function tenancy.costly(pk integer) returns boolean
language plpgsql immutable cost 400
as $$ begin return true; end $$;
grant execute on function tenancy.costly(integer) to workspace_member, connector_sync;
create or replace view tenancy.current_workspace_companies as
select
    c.pk,
    c.company_id
from core_api.companies as c
where
    c.workspace_pk = (select tenancy.current_workspace_pk())
    and (c.pk > 0 or tenancy.costly(c.pk));
