-- 0012: pages of the visible rows, newest first, each continuing after a row that the page before it showed.
-- locks: none that anything waits for.

create function tenancy.page_size(page_limit integer)
returns integer
language plpgsql
immutable
parallel safe
set search_path = ''
as $$
begin
    if page_limit not between 1 and 1000 then
        raise exception using
            errcode = 'invalid_parameter_value',
            message = format('page_limit must be between 1 and 1000, not %s', page_limit);
    end if;
    return coalesce(page_limit, 50);
end
$$;
revoke all on function tenancy.page_size(integer) from public;
grant execute on function tenancy.page_size(integer) to workspace_member, connector_sync;
comment on function tenancy.page_size(integer) is
'How many rows a page has at the most: 50 where nothing is asked; error 22023 below 1 and above 1000.';

-- With the definer's rights, because the row may have been deleted since the page that showed it: its place remains.
create function tenancy.page_start(after_id uuid, out created_at timestamptz, out pk integer)
returns record
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
    if after_id is null then
        created_at := 'infinity';
        pk := 0;
        return;
    end if;
    select j.created_at, j.pk
    into created_at, pk
    from core_api.company_workspace_connectors as j
    where
        j.id = after_id
        and exists (
            select from tenancy.current_workspace_connectors as k where k.pk = j.workspace_connector_pk
        )
        and exists (
            select from tenancy.current_workspace_companies as c where c.pk = j.company_pk
        );
    if pk is null then
        raise exception using
            errcode = 'invalid_parameter_value',
            message = 'after_id is not the id of a row of the current workspace';
    end if;
end
$$;
revoke all on function tenancy.page_start(uuid) from public;
grant execute on function tenancy.page_start(uuid) to workspace_member, connector_sync;
comment on function tenancy.page_start(uuid) is
'The place of a row of the current workspace, deleted or not, in the order of pages; error 22023, the same for all, where it is another workspace''s, a mixed or no row at all.';

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
    select newest.*
    from tenancy.page_start(company_workspace_connectors_page.after_id) as place
    cross join tenancy.current_workspace_connectors as k
    cross join
        lateral (
            select j.*
            from core_api.company_workspace_connectors as j
            where
                j.workspace_connector_pk = k.pk
                and (j.created_at, j.pk) < (place.created_at, place.pk)
                and (
                    company_workspace_connectors_page.direction is null
                    or j.direction = company_workspace_connectors_page.direction
                )
            order by j.created_at desc, j.pk desc
            limit tenancy.page_size(page_limit)
        ) as newest
    where
        company_workspace_connectors_page.company_id is null
        and (
            company_workspace_connectors_page.workspace_connector_id is null
            or k.workspace_connector_id = company_workspace_connectors_page.workspace_connector_id
        )
    union all
    select j.*
    from tenancy.page_start(company_workspace_connectors_page.after_id) as place
    cross join tenancy.current_workspace_companies as c
    inner join core_api.company_workspace_connectors as j on c.pk = j.company_pk
    inner join tenancy.current_workspace_connectors as k on j.workspace_connector_pk = k.pk
    where
        c.company_id = company_workspace_connectors_page.company_id
        and (j.created_at, j.pk) < (place.created_at, place.pk)
        and (
            company_workspace_connectors_page.direction is null
            or j.direction = company_workspace_connectors_page.direction
        )
        and (
            company_workspace_connectors_page.workspace_connector_id is null
            or k.workspace_connector_id = company_workspace_connectors_page.workspace_connector_id
        )
    order by created_at desc, pk desc
    limit tenancy.page_size(page_limit);
end;
revoke all on function core_api.company_workspace_connectors_page(
    integer, uuid, core_api.direction_enum, uuid, uuid
) from public;
grant execute on function core_api.company_workspace_connectors_page(
    integer, uuid, core_api.direction_enum, uuid, uuid
) to workspace_member, connector_sync;
comment on function core_api.company_workspace_connectors_page(integer, uuid, core_api.direction_enum, uuid, uuid) is
'The caller''s visible rows, newest first: page_limit of them (1 to 1000, 50 where null) after the row after_id, which may have been deleted meanwhile; of one direction, company or connector where given. To go on, pass the id of the last row. Error 22023 on a bad limit, or an after_id that is no row of the current workspace.';

call tenancy.hand_to_definer('function tenancy.page_start(uuid)');
