-- Revoke: soft-deletes every active row of a connector, of a company, or of both.
-- locks: none

-- noqa: disable=RF01, RF02, RF03, RF04, ST11
create function core_api.revoke_company_workspace_connectors(
    workspace_connector_id uuid default null, company_id uuid default null
)
returns setof core_api.company_workspace_connectors
language sql
begin atomic
    with named as (
        select
            coalesce(
                k.pk,
                case
                    when
                        revoke_company_workspace_connectors.workspace_connector_id is not null
                        or revoke_company_workspace_connectors.company_id is null
                        then tenancy.refuse(
                            (select tenancy.current_workspace_pk()), '22023',
                            'workspace_connector_id is not a connector of the current workspace', 1
                        )
                end
            ) as workspace_connector_pk,
            coalesce(
                c.pk,
                case
                    when revoke_company_workspace_connectors.company_id is not null
                        then tenancy.refuse(
                            (select tenancy.current_workspace_pk()), '22023',
                            'company_id is not a company of the current workspace', 1
                        )
                end
            ) as company_pk
        from (select) as always
        left join tenancy.current_workspace_connectors as k
            on k.workspace_connector_id = revoke_company_workspace_connectors.workspace_connector_id
        left join tenancy.current_workspace_companies as c
            on c.company_id = revoke_company_workspace_connectors.company_id
    ),

    -- Two updates, so that each finds its rows by its own index.
    of_connector as (
        update core_api.company_workspace_connectors set deleted_at = now()
        from named
        where
            company_workspace_connectors.workspace_connector_pk = named.workspace_connector_pk
            and (named.company_pk is null or company_workspace_connectors.company_pk = named.company_pk)
            and company_workspace_connectors.deleted_at is null
        returning company_workspace_connectors.*
    ),

    of_company as (
        update core_api.company_workspace_connectors set deleted_at = now()
        from named
        where
            named.workspace_connector_pk is null
            and company_workspace_connectors.company_pk = named.company_pk
            and company_workspace_connectors.deleted_at is null
        returning company_workspace_connectors.*
    )

    select of_connector.* from of_connector
    union all
    select of_company.* from of_company;
end;
comment on function core_api.revoke_company_workspace_connectors is
'Soft-deletes every active row of a connector, of a company, or of the two together, and returns the rows; one of them is named. '
'Error 22023 on an id that is not of the current workspace, whoever else has it; 42501 without a workspace.';

call tenancy.revoke_all('routine core_api.revoke_company_workspace_connectors');
grant execute on function core_api.revoke_company_workspace_connectors to connector_sync;
