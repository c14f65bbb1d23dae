-- Compares a live database with the contract: an error names the first difference, its detail lists the others.
-- locks: ACCESS SHARE on what it reads; it writes nothing and leaves no setting behind. Only the last check reads rows.
--
-- Run it with psql -v ON_ERROR_STOP=1 -f or as cwc-schema verify; as the tables' owner, a superuser or an auditor in
-- pg_read_all_data. First comes the contract, then what the catalog says in the same sections and words.

do $verify$
declare
    caller_search_path constant text := pg_catalog.current_setting('search_path');
    group_roles constant text[] := '{workspace_member,workspace_tenant,connector_sync,hasura_service,tenancy_definer}';
    current_pk constant text := '( SELECT tenancy.current_workspace_pk() AS current_workspace_pk)';
    in_workspace constant text :=
        '(workspace_connector_pk = ANY (ARRAY( SELECT k.pk FROM tenancy.current_workspace_connectors k)))'
        ' AND (EXISTS ( SELECT FROM tenancy.current_workspace_companies c'
        ' WHERE (c.pk = company_workspace_connectors.company_pk)))';

    before_16 boolean;
    junction regclass;
    parents regclass[];
    created_parents regclass[]; -- an adopted one is the host's: there we look for what is ours and mind nothing else
    more_columns boolean;
    core_api_created boolean;
    junction_created boolean; -- an adopted one may have columns and indexes of the host's, and the host's constraints
    deployer name;
    mixed bigint;
    findings text[];
begin
    -- Definitions are compared as PostgreSQL prints them; under an empty search_path it qualifies every name.
    perform pg_catalog.set_config('search_path', '', true);
    before_16 := current_setting('server_version_num')::integer < 160000;

    -- 0. What the rest reads and refers to.
    findings := array(
        select format('%s is missing', wanted.object)
        from
            unnest(array[
                'schema core_api',
                'table core_api.workspaces',
                'table core_api.companies',
                'table core_api.workspace_connectors',
                'table core_api.company_workspace_connectors',
                'schema tenancy',
                'table tenancy.created_objects',
                'table tenancy.role_bindings',
                'view tenancy.mixed_company_workspace_connectors',
                'role workspace_member',
                'role workspace_tenant',
                'role connector_sync',
                'role hasura_service',
                'role tenancy_definer'
            ]) with ordinality as wanted (object, place)
        where
            wanted.object not in (
                select format('schema %s', n.nspname)
                from pg_catalog.pg_namespace as n
                union all
                select format('%s %s.%s', case c.relkind when 'v' then 'view' else 'table' end, n.nspname, c.relname)
                from pg_catalog.pg_class as c
                inner join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
                where c.relkind in ('r', 'p', 'v')
                union all
                select format('role %s', r.rolname)
                from pg_catalog.pg_roles as r
            )
        order by wanted.place
    );
    if findings <> '{}' then
        raise exception using
            message = findings[1],
            detail = array_to_string(findings[2:] || 'Nothing else was compared.'::text, e'\n'),
            hint = 'If this is the right database, migrate it: cwc-schema upgrade.';
    end if;

    if not (
        has_schema_privilege('core_api', 'usage')
        and has_schema_privilege('tenancy', 'usage')
        and has_table_privilege('tenancy.created_objects', 'select')
        and has_table_privilege('tenancy.role_bindings', 'select')
    ) then
        raise exception using
            errcode = 'insufficient_privilege',
            message = format('nothing was verified: role %I may not read the tables of schema tenancy', current_user),
            hint = 'Verify as the owner of the tables, a superuser, or a member of pg_read_all_data.';
    end if;

    junction := 'core_api.company_workspace_connectors';
    parents := '{core_api.workspaces,core_api.companies,core_api.workspace_connectors}';
    created_parents := array(
        select p.relation
        from unnest(parents) as p (relation)
        inner join tenancy.created_objects as o on o.object_name = p.relation::text
    );
    junction_created := exists (select from tenancy.created_objects as o where o.object_name = junction::text);
    more_columns := exists (
        select
        from tenancy.created_objects as o
        right join unnest(junction || parents) as r (relation) on o.object_name = r.relation::text
        where o.object_name is null
    );
    core_api_created := exists (select from tenancy.created_objects as o where o.object_name = 'core_api');
    deployer := (select pg_get_userbyid(c.relowner) from pg_catalog.pg_class as c where c.oid = junction);

    findings := array(
        with
        contract (place, object, definition) as (
            values
            -- 1. The enum's labels, in order.
            (1, 'labels of core_api.direction_enum', 'input, output'),

            -- 2. The columns of the provenance rows, and their order.
            (
                2, 'column core_api.company_workspace_connectors.pk',
                'integer not null default nextval(''core_api.company_workspace_connectors_pk_seq''::regclass)'
            ),
            (2, 'column core_api.company_workspace_connectors.id', 'uuid not null default gen_random_uuid()'),
            (2, 'column core_api.company_workspace_connectors.company_pk', 'integer not null'),
            (2, 'column core_api.company_workspace_connectors.workspace_connector_pk', 'integer not null'),
            (2, 'column core_api.company_workspace_connectors.direction', 'core_api.direction_enum not null'),
            (
                2, 'column core_api.company_workspace_connectors.created_at',
                'timestamp with time zone not null default now()'
            ),
            (2, 'column core_api.company_workspace_connectors.updated_at', 'timestamp with time zone'),
            (2, 'column core_api.company_workspace_connectors.deleted_at', 'timestamp with time zone'),
            (2, 'column tenancy.role_bindings.role', 'regrole not null'),
            (2, 'column tenancy.role_bindings.workspace_pk', 'integer not null'),
            -- 3. Constraints: these and no others, validated, not deferrable, in force.
            (
                3, 'constraint company_workspace_connectors_pkey on core_api.company_workspace_connectors',
                'PRIMARY KEY (pk)'
            ),
            (
                3, 'constraint company_workspace_connectors_id_unique on core_api.company_workspace_connectors',
                'UNIQUE (id)'
            ),
            (
                3, 'constraint company_workspace_connectors_company_pk_foreign'
                ' on core_api.company_workspace_connectors',
                'FOREIGN KEY (company_pk) REFERENCES core_api.companies(pk) ON UPDATE CASCADE'
            ),
            (
                3, 'constraint company_workspace_connectors_workspace_connector_pk_foreign'
                ' on core_api.company_workspace_connectors',
                'FOREIGN KEY (workspace_connector_pk) REFERENCES core_api.workspace_connectors(pk) ON UPDATE CASCADE'
            ),
            (3, 'constraint role_bindings_pkey on tenancy.role_bindings', 'PRIMARY KEY (role)'),
            (
                3, 'constraint role_bindings_workspace_pk_foreign on tenancy.role_bindings',
                'FOREIGN KEY (workspace_pk) REFERENCES core_api.workspaces(pk) ON UPDATE CASCADE'
            ),

            -- 4. Other indexes: no more than these; a second one that leads on workspace_connector_pk ruins the plans.
            (
                4, 'index core_api.company_workspace_connectors_company_pk_index',
                'CREATE INDEX company_workspace_connectors_company_pk_index'
                ' ON core_api.company_workspace_connectors USING btree (company_pk)'
            ),
            (
                4, 'index core_api.company_workspace_connectors_page_index',
                'CREATE INDEX company_workspace_connectors_page_index ON core_api.company_workspace_connectors'
                ' USING btree (workspace_connector_pk, created_at DESC, pk DESC) INCLUDE (company_pk, deleted_at)'
            ),
            (
                4, 'index tenancy.role_bindings_workspace_pk_index',
                'CREATE INDEX role_bindings_workspace_pk_index ON tenancy.role_bindings USING btree (workspace_pk)'
            ),

            -- 5. What the package relies on in the parents. The unique index makes workspace_pk a key column, and that
            -- closes the race between a parent's move and a row's insert.
            (5, 'column core_api.workspaces.pk', 'integer not null primary key'),
            (5, 'column core_api.workspaces.workspace_id', 'uuid unique'),
            (5, 'column core_api.companies.pk', 'integer not null primary key'),
            (5, 'column core_api.companies.company_id', 'uuid unique'),
            (5, 'column core_api.companies.workspace_pk', 'integer not null references core_api.workspaces'),
            (5, 'column core_api.workspace_connectors.pk', 'integer not null primary key'),
            (5, 'column core_api.workspace_connectors.workspace_connector_id', 'uuid unique'),
            (5, 'column core_api.workspace_connectors.workspace_pk', 'integer not null references core_api.workspaces'),
            (5, 'unique index on core_api.companies (workspace_pk, pk)', 'valid, over every row'),
            (5, 'unique index on core_api.workspace_connectors (workspace_pk, pk)', 'valid, over every row'),

            -- 6. Triggers, enabled: on the provenance rows and the bindings no others; a parent may have its own.
            (
                6, 'trigger company_workspace_connectors_stamp_timestamps',
                'CREATE TRIGGER company_workspace_connectors_stamp_timestamps BEFORE INSERT OR UPDATE'
                ' ON core_api.company_workspace_connectors FOR EACH ROW EXECUTE FUNCTION tenancy.stamp_timestamps()'
            ),
            (
                6, 'trigger company_workspace_connectors_refuse_mixed_inserts',
                'CREATE TRIGGER company_workspace_connectors_refuse_mixed_inserts AFTER INSERT'
                ' ON core_api.company_workspace_connectors REFERENCING NEW TABLE AS inserted'
                ' FOR EACH STATEMENT EXECUTE FUNCTION tenancy.refuse_mixed_inserts()'
            ),
            (
                6, 'trigger company_workspace_connectors_refuse_mixed_update',
                'CREATE TRIGGER company_workspace_connectors_refuse_mixed_update AFTER UPDATE'
                ' ON core_api.company_workspace_connectors FOR EACH ROW WHEN (((old.company_pk <> new.company_pk)'
                ' OR (old.workspace_connector_pk <> new.workspace_connector_pk)))'
                ' EXECUTE FUNCTION tenancy.refuse_mixed_update()'
            ),
            (
                6, 'trigger companies_refuse_workspace_move',
                'CREATE TRIGGER companies_refuse_workspace_move AFTER UPDATE ON core_api.companies'
                ' FOR EACH ROW WHEN ((old.workspace_pk <> new.workspace_pk))'
                ' EXECUTE FUNCTION tenancy.refuse_workspace_move(''company_pk'')'
            ),
            (
                6, 'trigger companies_refuse_workspace_replacement',
                'CREATE TRIGGER companies_refuse_workspace_replacement AFTER DELETE ON core_api.companies'
                ' REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT'
                ' EXECUTE FUNCTION tenancy.refuse_workspace_move(''company_pk'')'
            ),
            (
                6, 'trigger workspace_connectors_refuse_workspace_move',
                'CREATE TRIGGER workspace_connectors_refuse_workspace_move AFTER UPDATE'
                ' ON core_api.workspace_connectors FOR EACH ROW WHEN ((old.workspace_pk <> new.workspace_pk))'
                ' EXECUTE FUNCTION tenancy.refuse_workspace_move(''workspace_connector_pk'')'
            ),
            (
                6, 'trigger workspace_connectors_refuse_workspace_replacement',
                'CREATE TRIGGER workspace_connectors_refuse_workspace_replacement AFTER DELETE'
                ' ON core_api.workspace_connectors REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT'
                ' EXECUTE FUNCTION tenancy.refuse_workspace_move(''workspace_connector_pk'')'
            ),

            -- 7. Tables and views: row-level security, owner, definition; no others in tenancy or of tenancy_definer's.
            (7, junction::text, 'table of the deployer, row-level security enabled, forced'),
            (7, 'tenancy.cwc_schema_version', 'table of the deployer'),
            (7, 'tenancy.created_objects', 'table of the deployer'),
            (7, 'tenancy.role_bindings', 'table of the deployer'),
            (
                7, 'tenancy.current_workspace_companies',
                format(
                    'view of tenancy_definer, SELECT %spk, %1$scompany_id FROM core_api.companies c'
                    ' WHERE (%1$sworkspace_pk = %s);',
                    case when before_16 then 'c.' end, current_pk
                )
            ),
            (
                7, 'tenancy.current_workspace_connectors',
                format(
                    'view of tenancy_definer, SELECT %spk, %1$sworkspace_connector_id FROM core_api.workspace_connectors k'
                    ' WHERE (%1$sworkspace_pk = %s);',
                    case when before_16 then 'k.' end, current_pk
                )
            ),
            (
                7, 'tenancy.mixed_company_workspace_connectors',
                'view of tenancy_definer, SELECT j.pk, c.pk AS company_pk, c.workspace_pk AS company_workspace_pk,'
                ' k.pk AS workspace_connector_pk, k.workspace_pk AS workspace_connector_workspace_pk'
                ' FROM ((core_api.company_workspace_connectors j JOIN core_api.companies c ON ((j.company_pk = c.pk)))'
                ' JOIN core_api.workspace_connectors k ON ((j.workspace_connector_pk = k.pk)))'
                ' WHERE (c.workspace_pk <> k.workspace_pk);'
            ),
            (
                7, 'tenancy.resource_identifiers',
                'view of tenancy_definer, SELECT c.pk AS company_pk, c.company_id, k.pk AS workspace_connector_pk,'
                ' k.workspace_connector_id'
                ' FROM (core_api.companies c JOIN core_api.workspace_connectors k ON ((c.workspace_pk = k.workspace_pk)))'
                ' WHERE (( SELECT pg_has_role(''hasura_service''::name, ''usage''::text) AS pg_has_role)'
                ' OR (c.workspace_pk = ' || current_pk || '));'
            ),

            -- 8. Policies: these and no others; the parents' follow below.
            (
                8, 'policy member_reads_active_rows on core_api.company_workspace_connectors',
                format('permissive, select, to workspace_member, using ((deleted_at IS NULL) AND %s)', in_workspace)
            ),
            (
                8, 'policy sync_reads_rows on core_api.company_workspace_connectors',
                format('permissive, select, to connector_sync, using (%s)', in_workspace)
            ),
            (
                8, 'policy sync_inserts_rows on core_api.company_workspace_connectors',
                format('permissive, insert, to connector_sync, with check (%s)', in_workspace)
            ),
            (
                8, 'policy sync_updates_rows on core_api.company_workspace_connectors',
                format('permissive, update, to connector_sync, using (%s)', in_workspace)
            ),
            (
                8, 'policy hasura_reads_every_row on core_api.company_workspace_connectors',
                'permissive, select, to hasura_service, using true'
            ),
            (
                8, 'policy definer_reads_every_row on core_api.company_workspace_connectors',
                'permissive, select, to tenancy_definer, using true'
            ),

            -- 9. Functions: these and no others in tenancy; the body as md5(prosrc).
            (
                9, 'function tenancy.stamp_timestamps()',
                'plpgsql, of the deployer, search_path=pg_catalog, pg_temp, body f2476e631698f5f80823e269942a9c0c'
            ),
            (
                9, 'function tenancy.revoke_all(text[])',
                'plpgsql, of the deployer, search_path=pg_catalog, pg_temp, body 9a3910bad5cf3e13fb806cc0c7acacc1'
            ),
            (
                9, 'function tenancy.hand_to_definer(text[])',
                'plpgsql, of the deployer, search_path=pg_catalog, pg_temp, body 52b84a9eac3b4d4c7e2ab9a93dbcf84a'
            ),
            (
                9, 'function tenancy.json_claim(text,text,text)',
                'plpgsql immutable, of the deployer, search_path=pg_catalog, pg_temp, body 788cb148230522545c357170223c6099'
            ),
            (
                9, 'function tenancy.is_tenant_login()',
                'plpgsql stable, of the deployer, search_path=pg_catalog, pg_temp, body 4fc022f7e74db7f64e27a631f4682469'
            ),
            (
                9, 'function tenancy.current_workspace_pk()',
                'plpgsql stable definer, of tenancy_definer, search_path=pg_catalog, pg_temp, body e326ff73df53da2cc3fcfd423bf1f44f'
            ),
            (
                9, 'function tenancy.refuse_mixed_inserts()',
                'plpgsql definer, of tenancy_definer, search_path=pg_catalog, pg_temp, body 2a09f7e0923be32f9377bde6fa9535a6'
            ),
            (
                9, 'function tenancy.refuse_mixed_update()',
                'plpgsql definer, of tenancy_definer, search_path=pg_catalog, pg_temp, body 51deb06d80ac6c3fd1bd231985df92b0'
            ),
            (
                9, 'function tenancy.refuse_workspace_move()',
                'plpgsql definer, of tenancy_definer, search_path=pg_catalog, pg_temp, body 00f0284b35c27fe2b5f53e7e628cf2a7'
            ),
            (
                9, 'function tenancy.page_keys(integer,uuid,core_api.direction_enum,uuid,uuid,boolean)',
                'plpgsql stable definer, of tenancy_definer, search_path=pg_catalog, pg_temp, body 6dc926ef787de05068249f6590d45a65'
            ),
            (
                9, 'function core_api.company_workspace_connectors_page(integer,uuid,core_api.direction_enum,uuid,uuid)',
                'sql stable, of the deployer, body cfad5d64e588528cc2b56e6094e46497'
            ),
            (
                9, 'function tenancy.json_timestamp(timestamp with time zone)',
                'sql stable, of the deployer, body 6086cb048646b4bb853b0e8b01aa2c4b'
            ),
            (
                9, 'function core_api.company_workspace_connector_document(core_api.company_workspace_connectors)',
                'sql stable, of the deployer, body e12967c559663bf41efdd8865fdf22cc'
            ),
            (
                9, 'function tenancy.refuse(integer,text,text,bigint)',
                'plpgsql, of the deployer, search_path=pg_catalog, pg_temp, body 643ca05f74ab167aa0dc709661f0f6ae'
            ),
            (
                9, 'function core_api.create_company_workspace_connectors(jsonb)',
                'sql, of the deployer, body fa2984dd40d31900b30ab48a32068d75'
            ),
            (
                9, 'function core_api.create_company_workspace_connector(uuid,uuid,core_api.direction_enum)',
                'sql, of the deployer, body bd1b6988fe95e0e966a8cfaec73a9752'
            ),
            (
                9, 'function core_api.delete_company_workspace_connectors(uuid[])',
                'sql, of the deployer, body 392e1e25bd5dee1da7bbfb9acafdfb8f'
            ),
            (
                9, 'function core_api.delete_company_workspace_connector(uuid)',
                'sql, of the deployer, body 08db68fa6ad4803b4da7f2d13be760fc'
            ),
            (
                9, 'function core_api.revoke_workspace_connector(uuid)',
                'sql, of the deployer, body 60c9b39bf3e657a0fb86d0f82d6ae64a'
            ),
            (
                9, 'function tenancy.session_page_keys(json,integer,uuid,core_api.direction_enum,uuid,uuid)',
                'plpgsql stable definer, of tenancy_definer, search_path=pg_catalog, pg_temp, body 7f78325c730a7f165bafc5feb8335d96'
            ),
            (
                9, 'function core_api.company_workspace_connectors_session_page(json,integer,uuid,core_api.direction_enum,uuid,uuid)',
                'sql stable, of the deployer, body 24059329f85fdc5367019cf2cb01b5da'
            ),
            (
                9, 'function core_api.workspace_company_workspace_connectors(core_api.workspaces,integer,uuid,core_api.direction_enum,uuid,uuid)',
                'sql stable, of the deployer, body a4ff89735e66338c79f8f283b6e387ce'
            )
        ),

        -- 11. Privileges: nobody but an owner has any beyond these; on an adopted parent the host grants what it likes.
        matrix (grantees, privilege, object, columns) as (
            values
            (group_roles, 'USAGE', 'schema core_api', null::text[]),
            ('{tenancy_definer}', 'USAGE', 'schema tenancy', null),
            ('{workspace_member,connector_sync,hasura_service}', 'SELECT', junction::text, null),
            (
                '{connector_sync}', 'INSERT', junction::text,
                '{company_pk,workspace_connector_pk,direction,created_at,updated_at,deleted_at}'
            ),
            ('{connector_sync}', 'UPDATE', junction::text, '{updated_at,deleted_at}'),
            ('{connector_sync}', 'USAGE', 'core_api.company_workspace_connectors_pk_seq', null),
            (
                '{tenancy_definer}', 'SELECT', junction::text,
                '{pk,id,company_pk,workspace_connector_pk,direction,created_at,deleted_at}'
            ),
            ('{tenancy_definer}', 'SELECT', 'core_api.workspaces', '{pk,workspace_id}'),
            ('{tenancy_definer}', 'SELECT', 'core_api.companies', '{pk,company_id,workspace_pk}'),
            (
                '{tenancy_definer}', 'SELECT', 'core_api.workspace_connectors',
                '{pk,workspace_connector_id,workspace_pk}'
            ),
            ('{tenancy_definer}', 'SELECT', 'tenancy.role_bindings', '{role,workspace_pk}'),
            ('{workspace_member,connector_sync}', 'SELECT', 'tenancy.current_workspace_companies', null),
            ('{workspace_member,connector_sync}', 'SELECT', 'tenancy.current_workspace_connectors', null),
            (array[deployer]::text[], 'SELECT', 'tenancy.current_workspace_companies', null),
            (array[deployer]::text[], 'SELECT', 'tenancy.current_workspace_connectors', null),
            (array[deployer]::text[], 'SELECT', 'tenancy.mixed_company_workspace_connectors', null),
            (
                '{workspace_member,connector_sync,hasura_service}', 'EXECUTE',
                'function tenancy.current_workspace_pk()', null
            ),
            ('{workspace_member,connector_sync,hasura_service}', 'SELECT', 'tenancy.resource_identifiers', null),
            (array[deployer]::text[], 'SELECT', 'tenancy.resource_identifiers', null),
            (
                '{workspace_member,connector_sync,hasura_service}', 'EXECUTE',
                'function tenancy.json_timestamp(timestamp with time zone)', null
            ),
            (
                '{workspace_member,connector_sync,hasura_service}', 'EXECUTE',
                'function core_api.company_workspace_connector_document(core_api.company_workspace_connectors)', null
            ),
            ('{connector_sync}', 'EXECUTE', 'function tenancy.refuse(integer,text,text,bigint)', null),
            ('{connector_sync}', 'EXECUTE', 'function core_api.create_company_workspace_connectors(jsonb)', null),
            (
                '{connector_sync}', 'EXECUTE',
                'function core_api.create_company_workspace_connector(uuid,uuid,core_api.direction_enum)', null
            ),
            ('{connector_sync}', 'EXECUTE', 'function core_api.delete_company_workspace_connectors(uuid[])', null),
            ('{connector_sync}', 'EXECUTE', 'function core_api.delete_company_workspace_connector(uuid)', null),
            ('{connector_sync}', 'EXECUTE', 'function core_api.revoke_workspace_connector(uuid)', null),
            (
                '{hasura_service}', 'EXECUTE',
                'function tenancy.session_page_keys(json,integer,uuid,core_api.direction_enum,uuid,uuid)', null
            ),
            (
                '{hasura_service}', 'EXECUTE',
                'function core_api.company_workspace_connectors_session_page'
                '(json,integer,uuid,core_api.direction_enum,uuid,uuid)', null
            ),
            (
                '{hasura_service}', 'EXECUTE',
                'function core_api.workspace_company_workspace_connectors'
                '(core_api.workspaces,integer,uuid,core_api.direction_enum,uuid,uuid)', null
            ),
            ('{tenancy_definer}', 'EXECUTE', 'function tenancy.json_claim(text,text,text)', null),
            ('{tenancy_definer}', 'EXECUTE', 'function tenancy.is_tenant_login()', null),
            (
                '{workspace_member,connector_sync}', 'EXECUTE',
                'function tenancy.page_keys(integer,uuid,core_api.direction_enum,uuid,uuid,boolean)', null
            ),
            (
                '{workspace_member,connector_sync}', 'EXECUTE',
                'function core_api.company_workspace_connectors_page(integer,uuid,core_api.direction_enum,uuid,uuid)', null
            )
            union all
            select '{workspace_member,connector_sync,hasura_service}', 'SELECT', p.relation::text, null
            from unnest(created_parents) as p (relation)
        ),

        whole_contract (place, object, definition) as (
            select * from contract
            union all
            select
                2, format('columns of %s, in order', junction),
                'pk, id, company_pk, workspace_connector_pk, direction, created_at, updated_at, deleted_at'
            where junction_created
            union all
            select c.*
            from unnest(created_parents) as p (relation)
            cross join lateral (
                values
                (7, p.relation::text, 'table of the deployer, row-level security enabled, forced'),
                (
                    8, format('policy members_read_their_workspace on %s', p.relation),
                    format(
                        'permissive, select, to connector_sync, workspace_member, using (%s = %s)',
                        case p.relation::text when 'core_api.workspaces' then 'pk' else 'workspace_pk' end, current_pk
                    )
                ),
                (
                    8, format('policy hasura_reads_every_row on %s', p.relation),
                    'permissive, select, to hasura_service, using true'
                )
            ) as c (place, object, definition)
            union all
            -- The host's own row-level security on an adopted parent would blind the guards without this.
            select
                8, format('policy definer_reads_every_row on %s', c.oid::regclass),
                'permissive, select, to tenancy_definer, using true'
            from pg_catalog.pg_class as c
            where c.oid = any(created_parents) or (c.oid = any(parents) and c.relrowsecurity)
            union all
            -- 10. Roles: the groups have no attribute and belong to no other, but that a tenant is a member; nobody may act
            -- as tenancy_definer.
            select
                10, format('role %s', g.rolname),
                concat('group role', case g.rolname when 'workspace_tenant' then ', member of workspace_member' end)
            from unnest(group_roles) as g (rolname)
            union all
            select
                11, format('%s on %s for %s', m.privilege, concat(m.object, '.' || c.column_name), g.rolname),
                'granted'
            from matrix as m
            cross join unnest(m.grantees) as g (rolname)
            left join unnest(m.columns) as c (column_name) on true
            union all
            -- 12. Bindings: of a login that has no workspace at all when its binding goes.
            select
                12, format('binding of %s in tenancy.role_bindings', b.role),
                'a login in workspace_tenant'
            from tenancy.role_bindings as b
        ),

        found (place, object, definition) as (
            -- 1. The enum's labels.
            select 1, 'labels of core_api.direction_enum', string_agg(e.enumlabel, ', ' order by e.enumsortorder)
            from pg_catalog.pg_enum as e
            where e.enumtypid = to_regtype('core_api.direction_enum')
            union all

            -- 2. The columns of the provenance rows.
            select
                2, format('column %s.%s', a.attrelid::regclass, a.attname),
                concat(
                    format_type(a.atttypid, a.atttypmod),
                    case when a.attnotnull then ' not null' end,
                    ' default ' || pg_get_expr(d.adbin, d.adrelid)
                )
            from pg_catalog.pg_attribute as a
            left join pg_catalog.pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
            where
                a.attrelid in (junction, 'tenancy.role_bindings'::regclass) and a.attnum > 0 and not a.attisdropped
                and (junction_created or a.attrelid <> junction or format('column %s.%s', junction, a.attname) in (select c.object from contract as c))
            union all
            select 2, format('columns of %s, in order', junction), string_agg(a.attname, ', ' order by a.attnum)
            from pg_catalog.pg_attribute as a
            where a.attrelid = junction and a.attnum > 0 and not a.attisdropped
            having junction_created
            union all

            -- 3. Constraints. 18 lists not null here too: the column says that already, unless it is not validated.
            select
                3, format('constraint %s on %s', k.conname, k.conrelid::regclass),
                concat(
                    pg_get_constraintdef(k.oid),
                    case when exists (
                        select
                        from pg_catalog.pg_trigger as t
                        where t.tgconstraint = k.oid and t.tgenabled not in ('O', 'A')
                    ) then ', its triggers disabled' end
                )
            from pg_catalog.pg_constraint as k
            where
                k.conrelid in (junction, 'tenancy.role_bindings'::regclass)
                and not (k.contype = 'n' and k.convalidated)
                and (
                    junction_created
                    or k.contype = 'u'
                    or format('constraint %s on %s', k.conname, k.conrelid::regclass) in (select c.object from contract as c)
                )
            union all

            -- 4. Indexes.
            select
                4, format('index %s', i.indexrelid::regclass),
                concat(
                    pg_get_indexdef(i.indexrelid),
                    case when not (i.indisvalid and i.indisready) then ', not valid' end
                )
            from pg_catalog.pg_index as i
            where
                i.indrelid in (junction, 'tenancy.role_bindings'::regclass)
                and not exists (
                    select
                    from pg_catalog.pg_constraint as k
                    where k.conindid = i.indexrelid and k.conrelid = i.indrelid
                )
                and (
                    junction_created
                    or i.indisunique
                    or pg_get_indexdef(i.indexrelid, 1, false) = 'workspace_connector_pk'
                    or format('index %s', i.indexrelid::regclass) in (select c.object from contract as c)
                )
            union all

            -- 5. The parents: of each column no more than the contract asks for.
            select
                5, c.object,
                concat(
                    format_type(a.atttypid, a.atttypmod),
                    case when a.attnotnull and c.definition like '%not null%' then ' not null' end,
                    case when exists (
                        select
                        from pg_catalog.pg_index as i
                        where
                            i.indrelid = a.attrelid and i.indisunique and i.indisvalid and i.indimmediate
                            and i.indpred is null and i.indexprs is null
                            and i.indnkeyatts = 1 and i.indkey[0] = a.attnum
                            and (i.indisprimary or c.definition like '% unique')
                    ) then substring(c.definition from ' primary key| unique') end,
                    case when exists (
                        select
                        from pg_catalog.pg_constraint as k
                        where
                            k.conrelid = a.attrelid and k.contype = 'f' and k.convalidated
                            and k.conkey = array[a.attnum] and k.confrelid = 'core_api.workspaces'::regclass
                    ) then substring(c.definition from ' references .*') end
                )
            from pg_catalog.pg_attribute as a
            inner join contract as c on c.object = format('column %s.%s', a.attrelid::regclass, a.attname)
            where a.attrelid = any(parents)
            union all
            select distinct
                5, format('unique index on %s (workspace_pk, pk)', i.indrelid::regclass), 'valid, over every row'
            from pg_catalog.pg_index as i
            where
                i.indrelid = any(parents) and i.indisunique and i.indisvalid and i.indisready and i.indpred is null
                and i.indnkeyatts = 2
                and pg_get_indexdef(i.indexrelid, 1, false) = 'workspace_pk'
                and pg_get_indexdef(i.indexrelid, 2, false) = 'pk'
            union all

            -- 6. Triggers, and rules, of which there are none.
            select
                6, format('trigger %s', t.tgname),
                concat(pg_get_triggerdef(t.oid), case when t.tgenabled not in ('O', 'A') then ', disabled' end)
            from pg_catalog.pg_trigger as t
            inner join pg_catalog.pg_proc as p on p.oid = t.tgfoid
            where
                not t.tgisinternal
                and (
                    t.tgrelid in (junction, 'tenancy.role_bindings'::regclass)
                    or (t.tgrelid = any(parents) and p.pronamespace = 'tenancy'::regnamespace)
                )
            union all
            select 6, format('rule %s', r.rulename), pg_get_ruledef(r.oid)
            from pg_catalog.pg_rewrite as r
            where r.ev_class in (junction, 'tenancy.role_bindings'::regclass)
            union all

            -- 7. Tables and views.
            select
                7, c.oid::regclass::text,
                concat(
                    case c.relpersistence when 'u' then 'unlogged ' end,
                    case c.relkind when 'r' then 'table' when 'v' then 'view' else concat('relation ', c.relkind) end,
                    ' of ', case when r.rolname = any(group_roles) then r.rolname else 'the deployer' end,
                    case when c.relrowsecurity then ', row-level security enabled' end,
                    case when c.relforcerowsecurity then ', forced' end,
                    case when c.relkind = 'v' then ', ' || array_to_string(c.reloptions, ', ') end,
                    case when c.relkind = 'v' then ',' || regexp_replace(pg_get_viewdef(c.oid), '\s+', ' ', 'g') end
                )
            from pg_catalog.pg_class as c
            inner join pg_catalog.pg_roles as r on r.oid = c.relowner
            where
                c.relkind not in ('i', 'I', 'c', 't')
                and (
                    c.oid = any(junction || created_parents)
                    or c.relnamespace = 'tenancy'::regnamespace
                    or r.rolname = 'tenancy_definer'
                )
            union all

            -- 8. Policies; of an adopted parent ours, and what would hide rows from the views and guards.
            select
                8, format('policy %s on %s', p.polname, p.polrelid::regclass),
                concat(
                    case when p.polpermissive then 'permissive, ' else 'restrictive, ' end,
                    case p.polcmd
                        when 'r' then 'select'
                        when 'a' then 'insert'
                        when 'w' then 'update'
                        when 'd' then 'delete'
                        else 'all'
                    end,
                    ', to ',
                    (
                        select string_agg(coalesce(r.rolname, 'public'), ', ' order by r.rolname)
                        from unnest(p.polroles) as g (oid)
                        left join pg_catalog.pg_roles as r on r.oid = g.oid
                    ),
                    ', using ' || regexp_replace(pg_get_expr(p.polqual, p.polrelid), '\s+', ' ', 'g'),
                    ', with check ' || regexp_replace(pg_get_expr(p.polwithcheck, p.polrelid), '\s+', ' ', 'g'),
                    case when not p.polpermissive and c.oid <> all(junction || created_parents) then
                        ', which hides rows from tenancy_definer'
                    end
                )
            from pg_catalog.pg_policy as p
            inner join pg_catalog.pg_class as c on c.oid = p.polrelid
            where
                c.oid = any(junction || created_parents)
                or (
                    c.oid = any(parents) and c.relrowsecurity
                    and (
                        p.polname = 'definer_reads_every_row'
                        or (
                            not p.polpermissive and p.polcmd in ('r', '*')
                            and p.polroles && array[0, to_regrole('tenancy_definer')]::oid[]
                        )
                    )
                )
            union all

            -- 9. Functions; also those named above, definers in a core_api of ours, and all of tenancy_definer's.
            select
                9, format('function %s', p.oid::regprocedure),
                concat(
                    l.lanname,
                    case p.provolatile when 'i' then ' immutable' when 's' then ' stable' end,
                    case when p.proisstrict then ' strict' end,
                    case when p.proleakproof then ' leakproof' end,
                    case when p.prosecdef then ' definer' end,
                    ', of ', case when r.rolname = any(group_roles) then r.rolname else 'the deployer' end,
                    ', ' || array_to_string(p.proconfig, ', '),
                    ', body ',
                    coalesce(
                        -- A bound body lists the columns of its tables, and an adopted table may have more of them.
                        (
                            select substring(c.definition from 'body (.*)')
                            from contract as c
                            where
                                more_columns and p.prosqlbody is not null
                                and c.object = format('function %s', p.oid::regprocedure)
                        ),
                        md5(concat(p.prosrc, pg_get_function_sqlbody(p.oid)))
                    )
                )
            from pg_catalog.pg_proc as p
            inner join pg_catalog.pg_language as l on l.oid = p.prolang
            inner join pg_catalog.pg_roles as r on r.oid = p.proowner
            where
                p.pronamespace = 'tenancy'::regnamespace
                or (
                    p.pronamespace = 'core_api'::regnamespace
                    and (
                        (p.prosecdef and core_api_created)
                        or format('function %s', p.oid::regprocedure) in (select c.object from contract as c)
                    )
                )
                or r.rolname = 'tenancy_definer'
            union all

            -- 10. Roles. From 16 on a membership may be an administrator's only, and then nobody acts by it.
            select
                10, format('role %s', r.rolname),
                concat(
                    'group role',
                    case when r.rolsuper then ', SUPERUSER' end,
                    case when r.rolbypassrls then ', BYPASSRLS' end,
                    case when r.rolcreaterole then ', CREATEROLE' end,
                    case when r.rolreplication then ', REPLICATION' end,
                    case when r.rolcanlogin then ', LOGIN' end,
                    (
                        select ', member of ' || string_agg(pg_get_userbyid(m.roleid), ', ' order by m.roleid)
                        from pg_catalog.pg_auth_members as m
                        where m.member = r.oid
                    )
                )
            from pg_catalog.pg_roles as r
            where r.rolname = any(group_roles)
            union all
            select 10, format('right of role %s to act as tenancy_definer', r.rolname), 'granted'
            from pg_catalog.pg_roles as r
            where
                not r.rolsuper
                and r.rolname <> 'tenancy_definer'
                and pg_has_role(r.oid, 'tenancy_definer', case when before_16 then 'member' else 'usage, set' end)
            union all

            -- 11. Privileges. The owner may not delete or truncate provenance rows; its other rights do not count.
            select
                11, p.object, case when p.is_grantable then 'granted with grant option' else 'granted' end
            from
                (
                    select
                        format('%s on %s for %s', a.privilege_type, o.object, coalesce(r.rolname, 'public')) as object,
                        a.is_grantable,
                        o.is_ours
                    from
                        (
                            select
                                format('schema %s', n.nspname), n.nspowner, n.nspname = 'tenancy' or core_api_created,
                                n.nspacl
                            from pg_catalog.pg_namespace as n
                            where n.nspname in ('core_api', 'tenancy')
                            union all
                            select
                                format('type %s', t.oid::regtype), t.typowner, true,
                                coalesce(t.typacl, acldefault('T', t.typowner))
                            from pg_catalog.pg_type as t
                            inner join tenancy.created_objects as o on o.object_name = t.oid::regtype::text
                            where t.typtype = 'e'
                            union all
                            select
                                c.oid::regclass::text, c.relowner,
                                c.oid = any(created_parents) or c.oid <> all(parents),
                                coalesce(c.relacl, acldefault('r', c.relowner))
                            from pg_catalog.pg_class as c
                            where
                                c.relkind not in ('i', 'I', 'c', 't')
                                and (
                                    c.oid = any(junction || parents)
                                    or c.oid = to_regclass('core_api.company_workspace_connectors_pk_seq')
                                    or c.relnamespace = 'tenancy'::regnamespace
                                )
                            union all
                            select
                                format('%s.%s', c.oid::regclass, a.attname), c.relowner,
                                c.oid = any(created_parents) or c.oid <> all(parents), a.attacl
                            from pg_catalog.pg_attribute as a
                            inner join pg_catalog.pg_class as c on c.oid = a.attrelid
                            where c.oid = any(junction || parents) or c.relnamespace = 'tenancy'::regnamespace
                            union all
                            select
                                format('function %s', p.oid::regprocedure), p.proowner, true,
                                coalesce(p.proacl, acldefault('f', p.proowner))
                            from pg_catalog.pg_proc as p
                            where
                                p.pronamespace = 'tenancy'::regnamespace
                                or (
                                    p.pronamespace = 'core_api'::regnamespace
                                    and format('function %s', p.oid::regprocedure)
                                    in (select c.object from contract as c)
                                )
                        ) as o (object, owner, is_ours, acl)
                    cross join aclexplode(o.acl) as a
                    left join pg_catalog.pg_roles as r on r.oid = a.grantee
                    where
                        a.grantee <> o.owner
                        or (o.object = junction::text and a.privilege_type in ('DELETE', 'TRUNCATE'))
                ) as p
            where p.is_ours or p.object in (select c.object from whole_contract as c)
            union all

            -- 12. Bindings.
            select
                12, format('binding of %s in tenancy.role_bindings', b.role),
                case
                    when r.oid is null then 'no such role'
                    when r.rolsuper then 'a superuser'
                    when r.rolbypassrls then 'a role with BYPASSRLS'
                    when not r.rolcanlogin then 'a role that cannot log in, and so binds nobody'
                    when not pg_has_role(r.oid, 'workspace_tenant', 'member') then
                        'a login outside workspace_tenant, free when its binding goes'
                    else 'a login in workspace_tenant'
                end
            from tenancy.role_bindings as b
            left join pg_catalog.pg_roles as r on r.oid = b.role
            union all

            -- 13. The rule that keeps a caller's code out of functions that run with other rights: pg_temp, where anyone creates
            -- types, is searched last, or nothing is searched at all.
            select
                13, format('search path of function %s', p.oid::regprocedure),
                'the caller''s temporary types come first, so the caller''s code runs as another role'
            from pg_catalog.pg_proc as p
            inner join pg_catalog.pg_language as l on l.oid = p.prolang
            where
                (p.pronamespace = 'tenancy'::regnamespace or pg_get_userbyid(p.proowner) = 'tenancy_definer')
                and case l.lanname
                    when 'sql' then p.prosqlbody is null
                    else p.proconfig is distinct from '{"search_path=pg_catalog, pg_temp"}'
                end
        )

        select
            format(
                '%s: found %s; the contract says %s',
                object, coalesce(f.definition, 'none'), coalesce(c.definition, 'none')
            )
        from whole_contract as c
        full join found as f using (place, object)
        where f.definition is distinct from c.definition
        order by place, object
    );
    if findings <> '{}' then
        raise exception using
            message = findings[1],
            detail = coalesce(nullif(array_to_string(findings[2:], e'\n'), ''), 'Nothing else differs.'),
            hint = 'Undo what was changed by hand: the files in sql/ and policies/ hold each definition. '
            'If the change was wanted, write a migration for it.';
    end if;

    -- 14. The data: last because it reads every row, and only now because it relies on all of the above.
    -- `cwc-schema status` leaves it out: set cwc_schema.skip_rows = on.
    if current_setting('cwc_schema.skip_rows', true) is distinct from 'on' then
        select count(*) into mixed from tenancy.mixed_company_workspace_connectors;
    end if;
    if mixed > 0 then
        raise exception using
            message = format('%s rows of %s have a company and a connector of different workspaces', mixed, junction),
            detail = 'List them: select * from tenancy.mixed_company_workspace_connectors;',
            hint = 'No tenant sees them. A superuser deletes them; the next sync records what is true.';
    end if;

    if
        current_setting('server_version_num')::integer < (
            case current_setting('server_version_num')::integer / 10000
                when 15 then 150018 when 16 then 160014 when 17 then 170010 else 180004
            end
        )
    then
        raise warning 'server % is below 15.18, 16.14, 17.10 and 18.4: known flaws let a tenant past the policies',
            current_setting('server_version');
    end if;

    perform set_config('search_path', caller_search_path, true);
    raise notice 'verified: the database is what the contract says';
end
$verify$;
