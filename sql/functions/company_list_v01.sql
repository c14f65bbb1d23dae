-- A page's keys as a JSON:API document, with the cursor of the page that follows.
-- locks: none

-- noqa: disable=RF02, RF03, RF04
create function tenancy.company_list(keys integer[], page_limit integer)
returns json
language sql
stable
begin atomic
    with page as (
        select
            j.pk,
            j.id,
            j.created_at,
            tenancy.company_resource(j, i.company_id, i.workspace_connector_id) as resource
        from core_api.company_workspace_connectors as j
        inner join tenancy.company_identifiers as i
            on j.company_pk = i.company_pk and j.workspace_connector_pk = i.workspace_connector_pk
        where j.pk = any(keys[:page_limit])
    )

    select
        format(
            '{"data": [%s], "links": {"next": %s}}',
            string_agg(p.resource, ', ' order by p.created_at desc, p.pk desc),
            case
                when cardinality(keys) > page_limit
                    then coalesce('"' || (array_agg(p.id order by p.created_at, p.pk))[1] || '"', 'null')
                else 'null'
            end
        )::json
    from page as p;
end;
comment on function tenancy.company_list is
'The rows of a page, read under the caller''s policies, as a JSON:API document. With more keys than page_limit, links.next is the '
'cursor of the next page; otherwise null.';

call tenancy.revoke_all('routine tenancy.company_list');
grant execute on function tenancy.company_list to workspace_member, connector_sync, hasura_service;
