"""Alembic's environment: connect, keep other deployers out, one transaction per revision, no long wait for a lock."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from alembic import context
from alembic.util import CommandError

from connector_provenance.migrations import contract, sqlfile
from connector_provenance.migrations.database import (
    BlockerWatch,
    LockNotObtainedError,
    engine_of,
    message_of,
    refuse_pooler,
)

ADVISORY_LOCK = 0x636F_6E6E  # "conn": one deployer at a time in each database
LOCK_WAIT = 60.0  # seconds for another deployer, unless config.attributes["lock_wait"] says otherwise
LOCK_POLL = 0.2  # seconds
RETRY_PAUSES = (1, 2, 4, 8)  # seconds before each further attempt at a revision that waited for a table in vain

OPTIONS: dict[str, Any] = {
    "version_table": "schema_version",
    "version_table_schema": "tenancy",
    "transaction_per_migration": True,
}


@contextmanager
def only_deployer(connection: sa.Connection) -> Iterator[None]:
    """Hold the database's deployment lock, polled so that nobody queues behind this session.

    :param connection: in autocommit mode, and used for nothing else meanwhile.
    :raises LockNotObtainedError: another deployer held it for :data:`LOCK_WAIT` seconds.
    """
    wait = context.config.attributes.get("lock_wait", LOCK_WAIT)
    deadline = time.monotonic() + wait
    while not connection.scalar(sa.select(sa.func.pg_try_advisory_lock(ADVISORY_LOCK))):
        if time.monotonic() > deadline:
            raise LockNotObtainedError(f"another deployer has been at work for {wait:.0f} s; try again later")
        time.sleep(LOCK_POLL)
    try:
        yield
    finally:
        connection.execute(sa.select(sa.func.pg_advisory_unlock(ADVISORY_LOCK)))


def applied() -> Any:
    """Return the callback that reports each revision with its time and tidies up after the last downgrade."""
    started = time.monotonic()

    def callback(*, ctx: Any, step: Any, heads: set[str], **_: Any) -> None:
        nonlocal started
        if not heads:
            sqlfile.run("sql/0000_session.down.sql")
        if not ctx.as_sql:
            now = time.monotonic()
            verb, took = "upgrade" if step.is_upgrade else "downgrade", round((now - started) * 1000, 1)
            context.config.print_stdout("%-9s %-26s %6.0f ms", verb, step.up_revision_id, took)
            context.config.attributes.setdefault("applied", []).append(
                {"revision": step.up_revision_id, "direction": verb, "milliseconds": took}
            )
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
    context.execute(sqlfile.ddl("sql/0000_session.up.sql"))
    with context.begin_transaction():
        context.run_migrations()


def run_online() -> None:
    """Migrate the database, or answer a question about it without writing.

    :raises LockNotObtainedError: another deployer, or the application, held a lock for too long; nothing is half done.
    :raises CommandError: the database cannot be reached or refused a statement; what was not committed is undone.
    """
    engine = engine_of(context.config)
    try:
        with engine.connect() as connection:
            context.configure(connection=connection, on_version_apply=applied(), **OPTIONS)
            try:
                if context.get_context().opts.get("dont_mutate"):
                    context.run_migrations()
                    return
                refuse_pooler(connection)
                with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as other, only_deployer(other):
                    migrate(connection, other)
            finally:
                context.config.attributes["revision"] = ", ".join(context.get_context().get_current_heads()) or None
    except sa.exc.DBAPIError as error:
        raise CommandError(message_of(error)) from error


def migrate(connection: sa.Connection, other: sa.Connection) -> None:
    """Apply the revisions; one that waits for a lock in vain is undone and tried again after a pause.

    :param connection: does the work.
    :param other: looks on, to say who was in the way.
    """
    if context.get_context().opts["fn"].__name__ == "upgrade":
        refused = [each for each in contract.preflight(connection) if each.severity != "warning"]
        connection.rollback()
        if refused:
            lines = "\n".join(f"{each.text()}\n{each.mend}" for each in refused)
            raise CommandError(f"refused by the preflight; nothing was changed\n{lines}")
    relative = context.get_revision_argument() or ""
    pauses = [] if str(relative).startswith(("+", "-")) else list(context.config.attributes.get("pauses", RETRY_PAUSES))
    try:
        while True:
            connection.execute(sqlfile.ddl("sql/0000_session.up.sql"))
            connection.commit()
            with BlockerWatch(connection, other) as watch:
                try:
                    with context.begin_transaction():
                        context.run_migrations()
                    return
                except sa.exc.OperationalError as error:
                    connection.rollback()
                    if getattr(error.orig, "sqlstate", None) != "55P03":
                        raise
            if not pauses:
                raise LockNotObtainedError(f"gave up waiting for a lock; nothing is half done. {watch.blockers}")
            context.config.print_stdout("waiting %s s: %s", pauses[0], watch.blockers)
            time.sleep(pauses.pop(0))
    finally:
        connection.rollback()
        if not context.get_context().get_current_heads():
            connection.execute(sqlfile.ddl("sql/0000_session.down.sql"))
        connection.commit()


if context.is_offline_mode():
    run_offline()
else:
    run_online()
