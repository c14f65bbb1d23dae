"""Alembic's environment: connect, keep other deployers out, apply one revision per transaction, report each."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from alembic import context
from alembic.util import CommandError

from cwc_schema.migrations import sqlfile
from cwc_schema.migrations.database import LockNotObtainedError, engine_of, message_of

ADVISORY_LOCK = 0x6377_6373  # "cwcs": one deployer at a time in each database
LOCK_WAIT = 60.0  # seconds, unless config.attributes["lock_wait"] says otherwise
LOCK_POLL = 0.2  # seconds

OPTIONS: dict[str, Any] = {
    "version_table": "cwc_schema_version",
    "version_table_schema": "tenancy",
    "transaction_per_migration": True,
}


@contextmanager
def only_deployer(engine: sa.Engine) -> Iterator[None]:
    """Hold the database's deployment lock, polled so that nobody queues behind this session.

    :raises LockNotObtainedError: another deployer held it for :data:`LOCK_WAIT` seconds.
    """
    wait = context.config.attributes.get("lock_wait", LOCK_WAIT)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        deadline = time.monotonic() + wait
        while not connection.scalar(sa.select(sa.func.pg_try_advisory_lock(ADVISORY_LOCK))):
            if time.monotonic() > deadline:
                raise LockNotObtainedError(f"another deployer has been at work for {wait:.0f} s; try again later")
            time.sleep(LOCK_POLL)
        yield  # the lock goes with the connection


def applied() -> Any:
    """Return the callback that reports each revision with its time and tidies up after the last downgrade."""
    started = time.monotonic()

    def callback(*, ctx: Any, step: Any, heads: set[str], **_: Any) -> None:
        nonlocal started
        if not heads:
            sqlfile.run("sql/0000_bookkeeping.down.sql")
        if not ctx.as_sql:
            now = time.monotonic()
            verb = "upgrade" if step.is_upgrade else "downgrade"
            revision = step.up_revision_id
            context.config.print_stdout("%s %-36s %5.0f ms", verb, revision, (now - started) * 1000)
            started = now

    return callback


def run_offline() -> None:
    """Print the script that ``upgrade`` or ``downgrade`` would execute."""
    context.configure(
        dialect_name="postgresql",
        # psycopg's own style doubles every % in the output
        dialect_opts={"paramstyle": "named"},
        on_version_apply=applied(),
        **OPTIONS,
    )
    context.execute(sqlfile.ddl("sql/0000_bookkeeping.up.sql"))
    with context.begin_transaction():
        context.run_migrations()


def run_online() -> None:
    """Migrate the database, or answer a question about it without writing.

    :raises CommandError: the database cannot be reached or refused a statement; what was not committed is undone.
    """
    engine = engine_of(context.config)
    try:
        with engine.connect() as connection:
            context.configure(connection=connection, on_version_apply=applied(), **OPTIONS)
            if context.get_context().opts.get("dont_mutate"):
                context.run_migrations()
                return
            with only_deployer(engine):
                migrate(connection)
    except sa.exc.DBAPIError as error:
        raise CommandError(message_of(error)) from error


def migrate(connection: sa.Connection) -> None:
    """Apply the revisions; a database that still has none afterwards is left as it was found."""
    connection.execute(sqlfile.ddl("sql/0000_bookkeeping.up.sql"))
    connection.commit()
    try:
        with context.begin_transaction():
            context.run_migrations()
    finally:
        connection.rollback()
        if not context.get_context().get_current_heads():
            connection.execute(sqlfile.ddl("sql/0000_bookkeeping.down.sql"))
        connection.commit()


if context.is_offline_mode():
    run_offline()
else:
    run_online()
