-- 0000: run before any revision: bounded lock waits, qualified names only, and the schema of Alembic's version table.
-- locks: none

set search_path = '';
-- For each table: a revision that locks three keeps the first one's queue waiting for up to three times this. Being shorter
-- than deadlock_timeout, it also lets the migration give way in a deadlock, not the application.
set lock_timeout = '500ms';
create schema if not exists tenancy;
