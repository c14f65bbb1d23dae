-- For a DBA, before an upgrade by a deployer that may not create roles; `cwc-schema sql --roles NAME` names the deployer.
-- locks: none

create role workspace_member nologin;
create role workspace_tenant nologin in role workspace_member;
create role connector_sync nologin;
create role hasura_service nologin;
create role tenancy_definer nologin;

-- The deployer hands functions to tenancy_definer, which only a member may do.
do $$
declare
    deployer text := current_setting('cwc_schema.deployer');
begin
    if current_setting('server_version_num')::integer >= 160000 then
        execute format('grant tenancy_definer to %I with admin true, inherit false, set false', deployer);
    else
        execute format('grant tenancy_definer to %I', deployer);
        raise notice 'Version 15 knows no membership without inheritance. After the upgrade: revoke tenancy_definer from %;',
            quote_ident(deployer);
    end if;
end
$$;
