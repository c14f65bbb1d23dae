-- 0001: the group roles where they do not exist, and the record of what is adopted and what created; how a migration grants follows.
-- locks: none

-- In a host's own Alembic nothing has made it; `if not exists` would ask for CREATE on the database all the same.
do $$
begin
    if to_regnamespace('tenancy') is null then
        create schema tenancy;
    end if;
end
$$;
comment on schema tenancy is
'What consumers of core_api do not see: who the current workspace is, what belongs to it, '
'and the guards that keep it so.';

create table tenancy.managed_objects (
    kind text not null,
    name text not null,
    created boolean not null,
    constraint managed_objects_pkey primary key (kind, name)
);
comment on table tenancy.managed_objects is
'Every object that this package either creates or finds: only what it created is given tenant policies of ours or '
'dropped by a downgrade.';
comment on column tenancy.managed_objects.created is
'True: created here. False: adopted, so it stays as it was found.';

-- Roles belong to the whole cluster: two databases may get here at the same moment, and one of them finds the role made.
do $$
declare
    wanted record;
begin
    for wanted in
        values
        ('workspace_member', 'reads the active rows of one workspace'),
        ('workspace_tenant', 'a tenant''s own SQL login: it has the workspace it is bound to, and none while it is bound to none'),
        ('connector_sync', 'reads, inserts and soft-deletes the rows of one workspace'),
        ('connector_retention', 'purges rows that were soft-deleted, through one function, and reads nothing'),
        ('hasura_service', 'reads every row, so that Hasura''s own permissions can scope them'),
        ('tenancy_definer', 'owns the functions and views that decide what belongs to a workspace; nobody logs in as it')
    loop
        if to_regrole(wanted.column1) is null then
            begin
                execute format('create role %I nologin', wanted.column1);
                execute format('comment on role %I is %L', wanted.column1, 'connector-provenance: ' || wanted.column2);
            exception
                when duplicate_object or unique_violation then
                    null;
            end;
        end if;
    end loop;

    -- Only an administrator of workspace_member may say it, so whoever makes the role says it.
    if not pg_has_role('workspace_tenant', 'workspace_member', 'usage') then
        grant workspace_member to workspace_tenant;
    end if;
end
$$;
