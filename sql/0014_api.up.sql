-- 0014: the API in SQL: the resource document, and create, delete and revoke by public ids for the sync role.
-- locks: none

-- A definer view like those that say what tenancy is: members resolve their own workspace's ids on an adopted parent too, where they have no
-- privilege, and a made-up row reveals no other's. Hasura names no workspace when it reads, and sees every row anyway.
create view tenancy.resource_identifiers as
select
    c.pk as company_pk,
    c.company_id,
    k.pk as workspace_connector_pk,
    k.workspace_connector_id
from core_api.companies as c
inner join core_api.workspace_connectors as k on c.workspace_pk = k.workspace_pk
where
    (select pg_has_role('hasura_service', 'usage'))
    or c.workspace_pk = (select tenancy.current_workspace_pk());
comment on view tenancy.resource_identifiers is
'The public ids of a company and a connector that belong to one workspace: the current one, or any for hasura_service. Evaluated with the rights of tenancy_definer.';

create function tenancy.json_timestamp(moment timestamptz)
returns text
language sql
stable
return coalesce(
    '"' || coalesce(to_char(moment at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), moment::text) || '"',
    'null'
);
comment on function tenancy.json_timestamp(timestamptz) is
'A moment as the API writes it: UTC with milliseconds, the rest cut off, in quotes; null for null.';

-- In bound bodies the parameters stand beside columns, and may be named by their function.
-- noqa: disable=RF01, RF02, RF03, AM04

-- json keeps the order and the spacing that jsonb would not. Every value is a uuid, a label or a timestamp: nothing to escape.
create function core_api.company_workspace_connector_document(
    company_workspace_connector core_api.company_workspace_connectors
)
returns json
language sql
stable
begin atomic
    select
        format(
            '{"type": "company_workspace_connector", "id": "%s", "attributes": {"direction": "%s", "created_at": %s, '
            '"updated_at": %s, "deleted_at": %s}, "relationships": {"company": {"data": {"type": "company", "id": "%s"}}, '
            '"workspace_connector": {"data": {"type": "workspace_connector", "id": "%s"}}}}',
            (company_workspace_connector).id,
            (company_workspace_connector).direction,
            tenancy.json_timestamp((company_workspace_connector).created_at),
            tenancy.json_timestamp((company_workspace_connector).updated_at),
            tenancy.json_timestamp((company_workspace_connector).deleted_at),
            r.company_id,
            r.workspace_connector_id
        )::json
    from tenancy.resource_identifiers as r
    where
        r.company_pk = (company_workspace_connector).company_pk
        and r.workspace_connector_pk = (company_workspace_connector).workspace_connector_pk;
end;
comment on function core_api.company_workspace_connector_document(core_api.company_workspace_connectors) is
'The row as a JSON:API resource object; null where its parents are not of the current workspace.';

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
comment on function tenancy.refuse(integer, text, text, bigint) is
'Always an error: 42501 where there is no current workspace, else the one given, with the place of the item in its list.';

-- Bound bodies: they name tenancy's objects for a caller that may not, and search_path has no part in them. The policies
-- judge each insert and update as if the caller had typed it.
create function core_api.create_company_workspace_connectors(items jsonb)
returns setof core_api.company_workspace_connectors
language sql
begin atomic
    insert into core_api.company_workspace_connectors (company_pk, workspace_connector_pk, direction)
    select
        coalesce(
            c.pk,
            tenancy.refuse(
                (select tenancy.current_workspace_pk()), '22023',
                'company_id is not a company of the current workspace', i.place
            )
        ),
        coalesce(
            k.pk,
            tenancy.refuse(
                (select tenancy.current_workspace_pk()), '22023',
                'workspace_connector_id is not a connector of the current workspace', i.place
            )
        ),
        (i.item ->> 'direction')::core_api.direction_enum
    from jsonb_array_elements(items) with ordinality as i (item, place)
    left join tenancy.current_workspace_companies as c on c.company_id = (i.item ->> 'company_id')::uuid
    left join tenancy.current_workspace_connectors as k
        on k.workspace_connector_id = (i.item ->> 'workspace_connector_id')::uuid
    order by i.place
    returning company_workspace_connectors.*;
end;
comment on function core_api.create_company_workspace_connectors(jsonb) is
'Records facts, all or none, from an array of objects with company_id, workspace_connector_id and direction. Error 22023 on an id that is not of the current workspace, whoever else has it; 22P02 on a malformed id or direction; 23502 without a direction; 42501 without a workspace.';

create function core_api.create_company_workspace_connector(
    company_id uuid, workspace_connector_id uuid, direction core_api.direction_enum
)
returns core_api.company_workspace_connectors
language sql
begin atomic
    select created.*
    from
        core_api.create_company_workspace_connectors(
            jsonb_build_array(
                jsonb_build_object(
                    'company_id', company_id,
                    'workspace_connector_id', workspace_connector_id,
                    'direction', direction
                )
            )
        ) as created;
end;
comment on function core_api.create_company_workspace_connector(uuid, uuid, core_api.direction_enum) is
'Records one fact and returns its row; errors as create_company_workspace_connectors.';

create function core_api.delete_company_workspace_connectors(ids uuid[])
returns setof core_api.company_workspace_connectors
language sql
begin atomic
    with deleted as (
        update core_api.company_workspace_connectors set deleted_at = now()
        where
            company_workspace_connectors.id = any(ids)
            and company_workspace_connectors.deleted_at is null
        returning company_workspace_connectors.*
    ),

    -- Through both parents once more: a caller who is in hasura_service too sees every tenant's rows.
    found as (
        select j.id
        from core_api.company_workspace_connectors as j
        inner join tenancy.current_workspace_companies as c on j.company_pk = c.pk
        inner join tenancy.current_workspace_connectors as k on j.workspace_connector_pk = k.pk
    )

    -- A row that another transaction deleted meanwhile is in no "deleted", but still in "found".
    select d.*
    from unnest(ids) with ordinality as i (id, place)
    left join deleted as d on i.id = d.id
    left join found on i.id = found.id
    where
        d.id is not null
        or tenancy.refuse(
            (select tenancy.current_workspace_pk()),
            case when found.id is null then '22023' else '23000' end,
            case
                when found.id is null then 'id is not the id of a row of the current workspace'
                else 'the row is deleted already'
            end,
            i.place
        ) is null
    order by i.place;
end;
comment on function core_api.delete_company_workspace_connectors(uuid[]) is
'Soft-deletes rows by their public ids, all or none, and returns them. Error 22023 on an id that is no row of the current workspace, whoever else has it; 23000 on a row that is deleted already; 42501 without a workspace.';

create function core_api.delete_company_workspace_connector(id uuid)
returns core_api.company_workspace_connectors
language sql
return (
    select deleted
    from core_api.delete_company_workspace_connectors(array[delete_company_workspace_connector.id]) as deleted
);
comment on function core_api.delete_company_workspace_connector(uuid) is
'Soft-deletes one row and returns it; errors as delete_company_workspace_connectors.';

create function core_api.revoke_workspace_connector(workspace_connector_id uuid)
returns integer
language sql
begin atomic
    with connector as (
        select
            coalesce(
                (
                    select k.pk from tenancy.current_workspace_connectors as k
                    where k.workspace_connector_id = revoke_workspace_connector.workspace_connector_id
                ),
                tenancy.refuse(
                    (select tenancy.current_workspace_pk()), '22023',
                    'workspace_connector_id is not a connector of the current workspace', 1
                )
            ) as pk
    ),

    revoked as (
        update core_api.company_workspace_connectors set deleted_at = now()
        from connector
        where
            company_workspace_connectors.workspace_connector_pk = connector.pk
            and company_workspace_connectors.deleted_at is null
        returning company_workspace_connectors.pk
    )

    select (select count(*) from revoked)::integer from connector;
end;
comment on function core_api.revoke_workspace_connector(uuid) is
'Soft-deletes every active row of a connector and returns how many there were. Error 22023 on an id that is no connector of the current workspace, whoever else has it; 42501 without a workspace.';

call tenancy.revoke_all(
    'table tenancy.resource_identifiers',
    'routine tenancy.json_timestamp(timestamptz)',
    'routine core_api.company_workspace_connector_document(core_api.company_workspace_connectors)',
    'routine tenancy.refuse(integer, text, text, bigint)',
    'routine core_api.create_company_workspace_connectors(jsonb)',
    'routine core_api.create_company_workspace_connector(uuid, uuid, core_api.direction_enum)',
    'routine core_api.delete_company_workspace_connectors(uuid[])',
    'routine core_api.delete_company_workspace_connector(uuid)',
    'routine core_api.revoke_workspace_connector(uuid)'
);
grant select on tenancy.resource_identifiers to workspace_member, connector_sync, hasura_service;
grant execute on function tenancy.json_timestamp(timestamptz) to workspace_member, connector_sync, hasura_service;
grant execute on function core_api.company_workspace_connector_document(core_api.company_workspace_connectors)
to workspace_member, connector_sync, hasura_service;
grant execute on function tenancy.refuse(integer, text, text, bigint) to connector_sync;
grant execute on function core_api.create_company_workspace_connectors(jsonb) to connector_sync;
grant execute on function core_api.create_company_workspace_connector(uuid, uuid, core_api.direction_enum)
to connector_sync;
grant execute on function core_api.delete_company_workspace_connectors(uuid[]) to connector_sync;
grant execute on function core_api.delete_company_workspace_connector(uuid) to connector_sync;
grant execute on function core_api.revoke_workspace_connector(uuid) to connector_sync;

call tenancy.hand_to_definer('view tenancy.resource_identifiers');
