-- For PostgREST (db-schemas = "api") and Supabase: what every record type's part of the schema "api" stands on.
-- Run by the deployer. The schema is the host's: drop it before a downgrade of this package, and make it again afterwards.
create schema api;
comment on schema api is 'What PostgREST shows of core_api: no pk and no foreign key, under the caller''s own policies.';
grant usage on schema api to workspace_member, connector_sync;
