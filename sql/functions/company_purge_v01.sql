-- Removes soft-deleted rows, a batch at a time: the only way a provenance row leaves the table.
-- locks: none

create function tenancy.company_purge(deleted_before timestamptz, batch_size integer, workspace_id uuid, company_id uuid)
returns integer
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    the_company integer;
    the_workspace integer;
    connectors integer[];
    batch integer[];
    tried integer[];
    purged integer;
begin
    if deleted_before is null or (batch_size between 1 and 100000) is not true then
        raise exception using
            errcode = 'invalid_parameter_value',
            message = 'deleted_before must not be null, and batch_size must be between 1 and 100000';
    end if;

    if company_purge.workspace_id is not null then
        select w.pk into the_workspace from core_api.workspaces as w where w.workspace_id = company_purge.workspace_id;
        if not found then
            raise exception using
                errcode = 'invalid_parameter_value', message = 'workspace_id is not the id of a workspace';
        end if;
        connectors := array(
            select k.pk from core_api.workspace_connectors as k where k.workspace_pk = the_workspace
        );
    end if;
    if company_purge.company_id is not null then
        select c.pk
        into the_company
        from core_api.companies as c
        where c.company_id = company_purge.company_id and (the_workspace is null or c.workspace_pk = the_workspace);
        if not found then
            raise exception using
                errcode = 'invalid_parameter_value', message = 'company_id is not the id of a company there';
        end if;
    end if;

    -- Another purger may have taken the batch that was found: then there may be more, and the next look sees what is left.
    loop
        if the_company is not null then
            batch := array(
                select j.pk
                from core_api.company_workspace_connectors as j
                where j.company_pk = the_company and j.deleted_at is not null and j.updated_at < deleted_before
                limit batch_size
            );
        elsif the_workspace is not null then
            -- Last written first: of a workspace that was just revoked, that is all there is. Executed, and so planned for these very
            -- arguments: a plan for any would fetch the workspace and sort it, for each batch.
            execute
                'select array(
                    select j.pk
                    from core_api.company_workspace_connectors as j
                    where
                        j.workspace_connector_pk = any($1)
                        and (select c.workspace_pk = $2 from core_api.companies as c where c.pk = j.company_pk)
                        and j.deleted_at is not null and j.updated_at < $3
                    order by j.updated_at desc
                    limit $4
                )'
            into batch using connectors, the_workspace, deleted_before, batch_size;
        else
            batch := array(
                select j.pk
                from core_api.company_workspace_connectors as j
                where j.deleted_at is not null and j.updated_at < deleted_before
                order by j.updated_at
                limit batch_size
            );
        end if;

        -- Once more, because an undelete may have come between.
        delete from core_api.company_workspace_connectors as j
        where j.pk = any(batch) and j.deleted_at is not null and j.updated_at < deleted_before;
        get diagnostics purged = row_count;
        exit when purged > 0 or batch = '{}';
        if batch = tried then
            raise exception using
                errcode = 'object_not_in_prerequisite_state',
                message = 'rows that may be purged are not removed: a policy or a trigger keeps them';
        end if;
        tried := batch;
    end loop;
    return purged;
end
$$;
comment on function tenancy.company_purge is
'Removes at most batch_size rows that are soft-deleted and were last written before a moment, of one workspace or company where '
'named, and returns how many; 0 when none is left.';

call tenancy.revoke_all('routine tenancy.company_purge');
grant execute on function tenancy.company_purge to connector_retention;
call tenancy.hand_to_definer('function tenancy.company_purge');
