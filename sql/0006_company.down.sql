-- 0006 down: drops what this package created of companies and their provenance, with every row; from what was adopted, what was added.
-- locks: ACCESS EXCLUSIVE on companies, companies_pk_seq, company_workspace_connectors, company_workspace_connectors_pk_seq, workspace_connectors, workspaces

do $$
begin
    if tenancy.created('table', 'core_api.company_workspace_connectors') then
        call tenancy.drop_table('core_api.company_workspace_connectors');
    else
        if tenancy.created('column', 'id on core_api.company_workspace_connectors') then
            alter table core_api.company_workspace_connectors drop column id;
        end if;
        if
            tenancy.created(
                'constraint', 'company_workspace_connectors_company_pk_foreign on core_api.company_workspace_connectors'
            )
        then
            alter table core_api.company_workspace_connectors
            drop constraint company_workspace_connectors_company_pk_foreign;
        end if;
        if
            tenancy.created(
                'constraint',
                'company_workspace_connectors_workspace_connector_pk_foreign on core_api.company_workspace_connectors'
            )
        then
            alter table core_api.company_workspace_connectors
            drop constraint company_workspace_connectors_workspace_connector_pk_foreign;
        end if;
    end if;
    if tenancy.created('table', 'core_api.companies') then
        call tenancy.drop_table('core_api.companies');
    end if;
end
$$;

delete from tenancy.managed_objects
where
    name in (
        'core_api.companies',
        'core_api.companies_workspace_pk_pk_unique',
        'core_api.company_workspace_connectors',
        'core_api.company_workspace_connectors_company_pk_index',
        'core_api.company_workspace_connectors_id_unique',
        'core_api.company_workspace_connectors_page_index',
        'core_api.company_workspace_connectors_purge_index',
        'id on core_api.company_workspace_connectors',
        'company_workspace_connectors_company_pk_foreign on core_api.company_workspace_connectors',
        'company_workspace_connectors_workspace_connector_pk_foreign on core_api.company_workspace_connectors'
    );
