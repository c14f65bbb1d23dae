-- A moment as the API writes it.
-- locks: none

create function tenancy.json_timestamp(moment timestamptz)
returns text
language sql
stable
return coalesce(
    '"' || coalesce(to_char(moment at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), moment::text) || '"',
    'null'
);
comment on function tenancy.json_timestamp is
'A moment as the API writes it: UTC with milliseconds, the rest cut off, in quotes; null for null.';

call tenancy.revoke_all('routine tenancy.json_timestamp');
grant execute on function tenancy.json_timestamp to workspace_member, connector_sync, hasura_service;
