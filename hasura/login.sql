-- Hasura's login, to be given a password, which writes too where it has connector_sync, and a database of its own for its metadata.
create role hasura login;
grant hasura_service to hasura;
grant connector_sync to hasura;
alter role hasura set search_path = core_api, public;

grant hasura to current_user;
create database hasura_metadata owner hasura;
revoke hasura from current_user;
