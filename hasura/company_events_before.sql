-- Before `hasura metadata apply` brings or changes an event trigger, or a new release of Hasura migrates its tables.
do $$
begin
    if to_regrole('hasura_events') is not null then
        grant hasura, hasura_events to current_user;
        reassign owned by hasura_events to hasura;
        revoke hasura, hasura_events from current_user;
    end if;
end
$$;
grant trigger on core_api.company_workspace_connectors to hasura;
