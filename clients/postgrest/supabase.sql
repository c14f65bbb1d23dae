-- For Supabase, instead of roles.sql: its users read their workspace's active rows. Choose the function as "Customize Access
-- Token (JWT) Claims" hook. The workspace is a user's app_metadata, which only the service role can write; a user's own
-- user_metadata must never name it.
grant workspace_member to authenticated;

create function api.workspace_claim(event jsonb)
returns jsonb
language sql
immutable
return jsonb_set(
    event, '{claims,workspace_id}', coalesce(event #> '{claims,app_metadata,workspace_id}', 'null')
);
comment on function api.workspace_claim is 'Copies the workspace of a user''s app_metadata to where core_api looks for it.';
revoke all on function api.workspace_claim from public;
grant usage on schema api to supabase_auth_admin;
grant execute on function api.workspace_claim to supabase_auth_admin;
