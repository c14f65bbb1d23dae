-- 0000: run before any revision: bounded lock waits, no other timeout.
-- locks: none

-- For each table: a revision that locks three may hold the first for 1.5 s while it waits for the others. Shorter than
-- deadlock_timeout, so that in a deadlock the migration gives way, not the application.
set lock_timeout = '500ms';
-- What a role or a database sets for its own sessions must not cut a migration; transaction_timeout came with 17.
select set_config(s.name, '0', false)
from pg_catalog.pg_settings as s
where s.name in ('statement_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout');
