-- 0004: which workspace is the current one.
-- locks: SHARE ROW EXCLUSIVE on workspaces

create table tenancy.role_bindings (
    role regrole not null,
    workspace_pk integer not null,
    constraint role_bindings_pkey primary key (role),
    constraint role_bindings_workspace_pk_foreign foreign key (workspace_pk) references core_api.workspaces (pk)
    on update cascade on delete no action
);
comment on table tenancy.role_bindings is
'Ties a login role to one workspace, which its sessions cannot leave whatever they set or the role is called: for tenants '
'with direct SQL access. Only the owner writes it. A bound workspace cannot be deleted; a role that is dropped leaves its '
'row, which then binds nobody.';

create index role_bindings_workspace_pk_index on tenancy.role_bindings (workspace_pk);
comment on index tenancy.role_bindings_workspace_pk_index is
'Carries the foreign key when a workspace is renumbered or deleted.';

call tenancy.revoke_all('table tenancy.role_bindings');
grant select (role, workspace_pk) on tenancy.role_bindings to tenancy_definer;
