-- A schema for Hasura's own tables: for event triggers, and for its metadata where that has no database of its own. Not Hasura's:
-- whoever owns a schema may drop what others own in it.
create schema hdb_catalog;
grant usage, create on schema hdb_catalog to hasura;
