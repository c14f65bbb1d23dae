-- For PostgREST and PostGraphile: a login that has no right of its own and becomes the role that a token names. Run by the
-- deployer; give it a password.
create role authenticator login noinherit;
grant workspace_member to authenticator;
grant connector_sync to authenticator;
