-- 0000: run before any revision: bounded lock waits, qualified names only, and the schema of Alembic's version table.
-- locks: none that anything waits for.

set search_path = '';
set lock_timeout = '2s';
create schema if not exists tenancy;
