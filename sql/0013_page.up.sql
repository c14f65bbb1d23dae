-- 0013: pages of the visible rows, newest first, each continuing after a row that the page before it showed.
-- locks: none

-- It finds; the page function shows. The definer's rights let it place a cursor row that was deleted since it was shown, and
-- walk the page index without the policies' check of each candidate: what it returns is checked before and shown through them.
create function tenancy.page_keys(
    page_limit integer,
    after_id uuid,
    direction core_api.direction_enum,
    company_id uuid,
    workspace_connector_id uuid,
    with_deleted boolean
)
returns integer[]
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    wanted constant integer := coalesce(page_limit, 50);
    connectors constant integer[] := array(
        select k.pk
        from tenancy.current_workspace_connectors as k
        where page_keys.workspace_connector_id is null or k.workspace_connector_id = page_keys.workspace_connector_id
    );
    place_at timestamptz := 'infinity';
    place_pk integer := 0;
    candidates integer[];
    companies integer[];
    keys integer[] := '{}';
begin
    if wanted not between 1 and 1000 then
        raise exception using
            errcode = 'invalid_parameter_value',
            message = format('page_limit must be between 1 and 1000, not %s', page_limit);
    end if;

    if after_id is not null then
        select j.created_at, j.pk
        into place_at, place_pk
        from core_api.company_workspace_connectors as j
        where
            j.id = after_id
            and j.workspace_connector_pk in (select k.pk from tenancy.current_workspace_connectors as k)
            and j.company_pk in (select c.pk from tenancy.current_workspace_companies as c);
        if not found then
            raise exception using
                errcode = 'invalid_parameter_value',
                message = 'after_id is not the id of a row of the current workspace';
        end if;
    end if;

    if page_keys.company_id is not null then
        return array(
            select j.pk
            from core_api.company_workspace_connectors as j
            where
                j.company_pk = (
                    select c.pk from tenancy.current_workspace_companies as c where c.company_id = page_keys.company_id
                )
                and j.workspace_connector_pk = any(connectors)
                and (j.created_at, j.pk) < (place_at, place_pk)
                and (with_deleted or j.deleted_at is null)
                and (page_keys.direction is null or j.direction = page_keys.direction)
            order by j.created_at desc, j.pk desc
            limit wanted
        );
    end if;

    -- The newest of each connector, merged. One round, unless a row was forced in whose company is another workspace's.
    loop
        select array_agg(merged.pk), array_agg(merged.company_pk), min(merged.created_at)
        into candidates, companies, place_at
        from (
            select newest.*
            from unnest(connectors) as k (pk)
            cross join lateral (
                select j.pk, j.company_pk, j.created_at
                from core_api.company_workspace_connectors as j
                where
                    j.workspace_connector_pk = k.pk
                    and (j.created_at, j.pk) < (place_at, place_pk)
                    and (with_deleted or j.deleted_at is null)
                    and (page_keys.direction is null or j.direction = page_keys.direction)
                order by j.created_at desc, j.pk desc
                limit wanted
            ) as newest
            order by newest.created_at desc, newest.pk desc
            limit wanted
        ) as merged;

        -- A scalar subquery is probed for each candidate; `exists` would read all companies of a big tenant.
        keys := keys || array(
            select candidate.pk
            from unnest(candidates, companies) with ordinality as candidate (pk, company_pk, place)
            where (
                select true from tenancy.current_workspace_companies as c where c.pk = candidate.company_pk
            )
            order by candidate.place
        );
        exit when candidates is null or cardinality(candidates) < wanted or cardinality(keys) >= wanted;
        place_pk := candidates[wanted];
    end loop;
    return keys[:wanted];
end
$$;
comment on function tenancy.page_keys(integer, uuid, core_api.direction_enum, uuid, uuid, boolean) is
'Which rows of the current workspace make up a page, deleted ones only where asked for; error 22023 on a bad limit, and on a cursor that is another workspace''s, a mixed or no row at all, the same for all three.';

-- A bound body: it names tenancy's objects for callers that may not, and search_path has no part in it.
-- noqa: disable=RF01, AM04
create function core_api.company_workspace_connectors_page(
    page_limit integer default null,
    after_id uuid default null,
    direction core_api.direction_enum default null,
    company_id uuid default null,
    workspace_connector_id uuid default null
)
returns setof core_api.company_workspace_connectors
language sql
stable
begin atomic
    select j.*
    from core_api.company_workspace_connectors as j
    where
        j.pk = any((
            select tenancy.page_keys(
                company_workspace_connectors_page.page_limit,
                company_workspace_connectors_page.after_id,
                company_workspace_connectors_page.direction,
                company_workspace_connectors_page.company_id,
                company_workspace_connectors_page.workspace_connector_id,
                pg_has_role('connector_sync', 'usage')
            )
        )::integer[])
    order by j.created_at desc, j.pk desc;
end;
call tenancy.revoke_all(
    'routine tenancy.page_keys(integer, uuid, core_api.direction_enum, uuid, uuid, boolean)',
    'routine core_api.company_workspace_connectors_page(integer, uuid, core_api.direction_enum, uuid, uuid)'
);
grant execute on function
tenancy.page_keys(integer, uuid, core_api.direction_enum, uuid, uuid, boolean),
core_api.company_workspace_connectors_page(integer, uuid, core_api.direction_enum, uuid, uuid)
to workspace_member, connector_sync;
comment on function core_api.company_workspace_connectors_page(integer, uuid, core_api.direction_enum, uuid, uuid) is
'The caller''s visible rows, newest first: page_limit of them (1 to 1000, 50 where null) after the row after_id, which may have been deleted meanwhile; of one direction, company or connector where given. To go on, pass the id of the last row. Error 22023 on a bad limit, or an after_id that is no row of the current workspace.';

grant select (direction, deleted_at) on core_api.company_workspace_connectors to tenancy_definer;
call tenancy.hand_to_definer(
    'function tenancy.page_keys(integer, uuid, core_api.direction_enum, uuid, uuid, boolean)'
);
