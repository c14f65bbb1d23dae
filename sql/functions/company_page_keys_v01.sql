-- Which rows make up a page: the walk of the page index that every list shares.
-- locks: none

-- Returns keys only: the functions that show these rows read them under the caller's policies, so a wrong key shows nothing. The
-- definer's rights let it place a cursor row that was deleted since it was shown, and walk the index without a check of each candidate.
create function tenancy.company_page_keys(
    page_limit integer,
    after_id uuid,
    direction core_api.direction_enum,
    company_id uuid,
    workspace_connector_id uuid,
    created_from timestamptz,
    created_before timestamptz,
    with_deleted boolean,
    and_one_more boolean
)
returns integer[]
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    wanted integer := coalesce(page_limit, 50);
    oldest constant timestamptz := coalesce(created_from, '-infinity');
    connectors constant integer[] := array(
        select k.pk
        from tenancy.current_workspace_connectors as k
        where
            -- Asked before any row is looked at, as in retrieve.
            (select tenancy.current_workspace_pk()) is not null
            and (
                company_page_keys.workspace_connector_id is null
                or k.workspace_connector_id = company_page_keys.workspace_connector_id
            )
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
    wanted := wanted + and_one_more::integer;

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
    if created_before <= place_at then
        place_at := created_before;
        place_pk := -2147483648;
    end if;

    if company_page_keys.company_id is not null then
        return array(
            select j.pk
            from core_api.company_workspace_connectors as j
            where
                j.company_pk = (
                    select c.pk
                    from tenancy.current_workspace_companies as c
                    where c.company_id = company_page_keys.company_id
                )
                and j.workspace_connector_pk = any(connectors)
                and (j.created_at, j.pk) < (place_at, place_pk)
                and j.created_at >= oldest
                and (with_deleted or j.deleted_at is null)
                and (company_page_keys.direction is null or j.direction = company_page_keys.direction)
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
                    and j.created_at >= oldest
                    and (with_deleted or j.deleted_at is null)
                    and (company_page_keys.direction is null or j.direction = company_page_keys.direction)
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
comment on function tenancy.company_page_keys is
'Which rows of the current workspace make up a page, newest first, deleted ones only where asked for; one key more, where asked '
'for, tells that another page follows. Error 22023 on a bad limit, and on a cursor that is another workspace''s, a mixed or no '
'row at all, the same for all three.';

call tenancy.revoke_all('routine tenancy.company_page_keys');
grant execute on function tenancy.company_page_keys to workspace_member, connector_sync;
call tenancy.hand_to_definer('function tenancy.company_page_keys');
