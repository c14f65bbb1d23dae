-- After it: nothing that runs when a row is written is Hasura's to change any more.
revoke trigger on core_api.company_workspace_connectors from hasura;

do $$
declare
    event_function regprocedure;
begin
    if to_regrole('hasura_events') is null then
        create role hasura_events nologin;
    end if;
    grant usage, create on schema hdb_catalog to hasura_events;
    grant hasura, hasura_events to current_user;

    for event_function in
        select p.oid from pg_catalog.pg_proc as p
        where p.pronamespace = 'hdb_catalog'::regnamespace and p.proname like 'notify\_hasura\_%'
    loop
        execute format('alter function %s security definer set search_path = pg_catalog, pg_temp', event_function);
        execute format('alter function %s owner to hasura_events', event_function);
    end loop;
    alter function hdb_catalog.insert_event_log owner to hasura_events;
    alter table hdb_catalog.event_log owner to hasura_events;
    grant select, insert, update, delete on hdb_catalog.event_log to hasura;

    revoke hasura, hasura_events from current_user;
    revoke create on schema hdb_catalog from hasura_events;
end
$$;
