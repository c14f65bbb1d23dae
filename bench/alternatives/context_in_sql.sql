-- the context function written in SQL, without bindings, JSON and checks: the floor
create or replace function tenancy.current_workspace_pk()
returns integer
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
select w.pk from core_api.workspaces as w where w.workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid
$$;
