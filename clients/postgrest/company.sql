-- For PostgREST and Supabase: the provenance rows of companies, by public ids.

-- The parents' ids come from a view that works on adopted parents too, where members have no privilege. A barrier, so that a
-- caller's own condition is not shown ids of connectors that belong to others.
create view api.company_workspace_connectors with (security_invoker = true, security_barrier = true) as
select
    j.id,
    i.company_id,
    i.workspace_connector_id,
    j.direction,
    j.created_at,
    j.updated_at,
    j.deleted_at
from core_api.company_workspace_connectors as j
inner join tenancy.company_identifiers as i
    on j.company_pk = i.company_pk and j.workspace_connector_pk = i.workspace_connector_pk;
comment on view api.company_workspace_connectors is
'The rows that the caller may see. Pages, newest first, are company_workspace_connectors_list''s.';
grant select on api.company_workspace_connectors to workspace_member, connector_sync;

create function api.company_workspace_connectors_list(
    page_limit integer default null,
    after_id uuid default null,
    direction core_api.direction_enum default null,
    company_id uuid default null,
    workspace_connector_id uuid default null,
    created_from timestamptz default null,
    created_before timestamptz default null
)
returns json
language sql
stable
return core_api.company_workspace_connectors_list(
    page_limit, after_id, direction, company_id, workspace_connector_id, created_from, created_before
);

-- 404 where core_api's function has null: PostgREST would say 200.
create function api.company_workspace_connector_retrieve(id uuid)
returns json
language sql
stable
return coalesce(
    core_api.company_workspace_connector_retrieve(id),
    (select null::json from set_config('response.status', '404', true))
);

-- noqa: disable=RF01
create function api.company_workspace_connectors_counts(
    company_id uuid default null,
    workspace_connector_id uuid default null,
    created_from timestamptz default null,
    created_before timestamptz default null
)
returns table (connector_id uuid, direction core_api.direction_enum, active_rows bigint)
language sql
stable
begin atomic
    select
        counted.connector_id,
        counted.direction,
        counted.active_rows
    from
        core_api.company_workspace_connectors_counts(
            company_workspace_connectors_counts.company_id,
            company_workspace_connectors_counts.workspace_connector_id,
            company_workspace_connectors_counts.created_from,
            company_workspace_connectors_counts.created_before
        ) as counted;
end;

-- noqa: enable=RF01
create function api.create_company_workspace_connectors(items jsonb)
returns setof json
language sql
begin atomic
    select core_api.company_workspace_connector_resource(made)
    from core_api.create_company_workspace_connectors(items) as made;
end;

create function api.delete_company_workspace_connectors(ids jsonb)
returns setof json
language sql
begin atomic
    select core_api.company_workspace_connector_resource(deleted)
    from core_api.delete_company_workspace_connectors(ids) as deleted;
end;

create function api.revoke_company_workspace_connectors(
    workspace_connector_id uuid default null, company_id uuid default null
)
returns setof json
language sql
begin atomic
    select core_api.company_workspace_connector_resource(revoked)
    from core_api.revoke_company_workspace_connectors(workspace_connector_id, company_id) as revoked;
end;

revoke all on function
api.company_workspace_connectors_list,
api.company_workspace_connector_retrieve,
api.company_workspace_connectors_counts,
api.create_company_workspace_connectors,
api.delete_company_workspace_connectors,
api.revoke_company_workspace_connectors
from public;
grant execute on function
api.company_workspace_connectors_list,
api.company_workspace_connector_retrieve,
api.company_workspace_connectors_counts
to workspace_member, connector_sync;
grant execute on function
api.create_company_workspace_connectors,
api.delete_company_workspace_connectors,
api.revoke_company_workspace_connectors
to connector_sync;
