"""Alembic's environment: connect, keep other deployers out, one transaction per revision, no long wait for a lock."""

import re
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

import sqlalchemy as sa
from alembic import context
from alembic.util import CommandError
from psycopg.errors import DeadlockDetected, LockNotAvailable, QueryCanceled

from connector_provenance.migrations import contract, sqlfile
from connector_provenance.migrations.database import (
    ADVISORY_LOCK,
    INSIDE,
    AheadError,
    FailedError,
    LockNotObtainedError,
    RefusedError,
    Run,
    Watch,
    connect,
    message_of,
    only_deployer,
    pid_of,
    refuse_pooler,
)

Steps = Callable[..., Iterable[Any]]
"""Alembic's ``fn``: from the heads and the context to the steps that are to be done."""

MOST_COUNTED = 100_000  # rows that are counted before a refusal

READING = sa.text(
    "select set_config(name, case name when 'lock_timeout' then '10s' else '0' end, true) from pg_catalog.pg_settings"
    " where name in ('lock_timeout', 'statement_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout')"
)
"""For a transaction that only reads: what a role sets for its own sessions must not cut it; a pooler keeps its own."""

UNFINISHED = sa.text(
    "select i.indexrelid::regclass::text from pg_catalog.pg_index as i inner join tenancy.managed_objects as o"
    " on i.indexrelid = to_regclass(o.name) where o.kind = 'index' and o.created and not i.indisvalid"
)

DROPPED = sa.text(
    "select c.oid::regclass::text, c.relforcerowsecurity"
    " from unnest(cast(:tables as text[])) with ordinality as t (name, place)"
    " inner join pg_catalog.pg_class as c on c.oid = to_regclass(t.name)"
    " left join tenancy.managed_objects as o on o.kind = 'table' and o.name = t.name"
    " where coalesce(o.created, true) order by t.place"
)
"""Of these tables, those that a downgrade drops: bindings, and what was not adopted."""


def configure(**options: Any) -> None:
    """Configure Alembic's context."""
    context.configure(
        version_table="schema_version",
        version_table_schema="tenancy",
        transaction_per_migration=True,
        on_version_apply=tidy,
        # there are no models: `alembic check` has nothing to compare, `verify` compares a database with the contract
        target_metadata=sa.MetaData(),
        include_name=lambda *_: False,
        **options,
    )


def tidy(*_: Any, heads: Collection[Any] = (), **__: Any) -> None:
    """Take the version table away with the last revision."""
    if not heads:
        sqlfile.run("sql/0000_schema.down.sql")


# Offline


def run_offline() -> None:
    """Print the script that ``upgrade`` or ``downgrade`` would execute, for psql: it can be resumed."""
    write = (context.config.output_buffer or sys.stdout).write
    # psycopg's own style doubles every % in the output
    options = {"dialect_name": "postgresql", "dialect_opts": {"paramstyle": "named"}}
    configure(**options)
    here = context.get_context()
    steps = list(here.opts["fn"](here.get_current_heads(), here))

    def guarded(*_: object) -> Iterator[Any]:
        for step, (before, after) in zip(steps, pairwise(places), strict=True):
            write(f"select :'connector_provenance_at' = '{before}' as connector_provenance_due \\gset\n")
            write("\\if :connector_provenance_due\n")
            yield step
            write(f"\\set connector_provenance_at '{after}'\n\\endif\n\n")

    ends = (here.get_current_heads(), *(step.info.destination_revision_ids for step in steps))
    places = [", ".join(found) for found in ends]
    listed = ",".join(f'"{place}"' for place in places)
    write(f"\\set ON_ERROR_STOP on\n\\set connector_provenance_places '{{{listed}}}'\n")
    write(sqlfile.read("sql/script.sql") + sqlfile.read("sql/0000_session.up.sql") + "\n")
    configure(fn=guarded, **options)
    with context.begin_transaction():
        context.run_migrations()
    write(f"select pg_catalog.pg_advisory_unlock({ADVISORY_LOCK}) as connector_provenance_unlocked \\gset\n")


# Online


def run_online() -> None:
    """Migrate the database, or answer a question about it without writing.

    :raises LockNotObtainedError: another deployer, or the application, held a lock for too long.
    :raises RefusedError: the preflight, or rows that a downgrade would drop; nothing was changed.
    :raises AheadError: the database has a revision that is not here.
    :raises FailedError: the database cannot be reached or refused a statement; the revision at work is undone.
    """
    run = Run.of(context.config)
    if getattr(context.config.cmd_opts, "autogenerate", False):
        raise FailedError(
            "nothing to generate from: the schema is written in SQL; CONTRIBUTING.md says how to add a revision"
        )
    try:
        with connect(run) as connection:
            configure(connection=connection)
            here = context.get_context()
            # stamp --purge: whatever the version table says, it is thrown away
            heads = () if here.purge else here.get_current_heads()
            run.revision = ", ".join(sorted(heads)) or None
            refuse_unknown(heads)
            if here.opts.get("destination_rev") is None:
                connection.execute(READING)
                list(here.opts["fn"](heads, here))
                connection.commit()
                return
            steps = list(here.opts["fn"](heads, here))
            asked = not steps or steps[0].info.is_migration  # none: a downgrade
            inside = asked and not heads and connection.exec_driver_sql(INSIDE).scalar()
            if inside and not here.get_current_heads():  # asked again: another deployer may have begun meanwhile
                raise RefusedError("a host's own Alembic has these revisions here; nothing was changed: use that")
            if steps or here.purge:
                refuse_pooler(connection)
                with connect(run, isolation_level="AUTOCOMMIT") as other, only_deployer(other, run):
                    migrate(run, connection, other, here.opts["fn"])
    except sa.exc.DBAPIError as error:
        files = [f" ({file})" for file in error.detail]
        raise FailedError("".join([run.doing or "", *files, ": " * bool(run.doing), message_of(error)])) from error


def refuse_host(connection: sa.Connection) -> None:
    """Make sure that what is there can be adopted.

    :raises RefusedError: with everything that differs from the contract, and what mends it.
    """
    if reasons := [found for found in contract.preflight(connection) if found.severity != "warning"]:
        raise RefusedError("refused by the preflight; nothing was changed", reasons)


def refuse_unknown(heads: Iterable[str]) -> None:
    """Make sure that this package knows the database's revisions.

    :raises AheadError: it does not.
    """
    for head in heads:
        try:
            context.script.get_revision(head)
        except CommandError:
            raise AheadError(
                f"the database is at {head}, which this package does not know: its newest is"
                f" {context.script.get_current_head()}; install the version that migrated the database, or a newer one"
            ) from None


def migrate(run: Run, connection: sa.Connection, other: sa.Connection, steps_of: Steps) -> None:
    """Apply the steps; one that waits for a lock in vain is undone and tried again after a pause.

    :param connection: does the work.
    :param other: in autocommit mode; looks on, to say who is in the way, and clears up.
    :param steps_of: as Alembic made it.
    """
    here = context.get_context()
    steps = list(steps_of(() if here.purge else here.get_current_heads(), here))
    if any(step.info.is_upgrade and not step.info.is_stamp for step in steps):
        connection.execute(READING)
        refuse_host(connection)
    may_drop = run.drop_rows or context.get_x_argument(as_dictionary=True).get("drop-rows") == "yes"
    connection.rollback()

    pauses = list(run.pauses)
    waited = 0.0
    while True:
        configure(connection=connection, fn=lambda *_: work(run, steps))
        connection.execute(sqlfile.ddl("sql/0000_session.up.sql"))
        keep = "off" if may_drop else "on"  # rows that come after they were counted
        connection.execute(sa.select(sa.func.set_config("connector_provenance.keep_rows", keep, False)))
        connection.commit()
        with Watch(other, run, pid=pid_of(connection)) as watch:
            watch.waited = waited
            run.doing = steps[0].info.up_revision_id if steps else None
            try:
                if not (may_drop or run.applied):
                    refuse_rows(connection, steps)
                with context.begin_transaction():
                    context.run_migrations()
                return
            except BaseException as error:
                # leaving an autocommit block raises once more where the session is gone
                masked = isinstance(error, sa.exc.PendingRollbackError) and error.__context__
                failure = masked or error
        waited = watch.waited
        clear_up(run, connection, other)
        cause = getattr(failure, "orig", None)
        canceled = isinstance(cause, QueryCanceled) and waited > run.build_wait
        if not canceled and not isinstance(cause, (LockNotAvailable, DeadlockDetected)):
            raise failure
        if not pauses or waited > run.build_wait:
            left = run.left or "nothing is half done"
            raise LockNotObtainedError(
                f"{run.doing}: gave up waiting after {waited:.0f} s; {left}. {watch.blockers}"
            ) from failure
        run.say(f"{run.doing}: trying again in {pauses[0]} s. {watch.blockers}")
        time.sleep(pauses.pop(0))


def work(run: Run, steps: list[Any]) -> Iterator[Any]:
    """Hand out what is still to be done; a step leaves the list, and is reported, when it is committed."""
    while steps:
        started = time.monotonic()
        info = steps[0].info
        run.doing = info.up_revision_id
        yield steps[0]
        verb = "stamp" if info.is_stamp else "upgrade" if info.is_upgrade else "downgrade"
        took = round((time.monotonic() - started) * 1000, 1)
        steps.pop(0)
        run.revision = ", ".join(info.destination_revision_ids) or None
        run.applied.append({"revision": run.doing, "direction": verb, "milliseconds": took})
        context.config.print_stdout("%-9s %-31s %6.0f ms", verb, run.doing, took)
    run.doing = None


def clear_up(run: Run, connection: sa.Connection, other: sa.Connection) -> None:
    """Undo what a failed step left: its transaction, indexes that it was building, the version table of no revision."""
    left: list[str] = []
    with suppress(sa.exc.SQLAlchemyError):
        connection.rollback()
    with suppress(sa.exc.SQLAlchemyError):  # the server is gone
        other.execute(sqlfile.ddl("sql/0000_session.up.sql"))
        if run.revision is None:
            other.execute(sqlfile.ddl("sql/0000_schema.down.sql"))
        else:
            left = list(other.scalars(UNFINISHED))
    for name in list(left):
        with suppress(sa.exc.SQLAlchemyError):
            other.exec_driver_sql(f"drop index {name}")
            left.remove(name)
    named = f"index {', '.join(left)} is unfinished and locked, so it stays: the next upgrade drops and builds it"
    run.left = named if left else ""


def refuse_rows(connection: sa.Connection, steps: Sequence[Any]) -> None:
    """Make sure that a downgrade drops no row.

    :param connection: of the tables' owner; nothing of it is left open.
    :raises RefusedError: a table that this package created, and that the downgrade drops, has rows.
    """
    scripts = [
        sqlfile.read(f"sql/{step.info.up_revision_id}.down.sql")
        for step in steps
        if step.info.is_migration and not step.info.is_upgrade
    ]
    dropped = re.findall(r"call tenancy\.drop_table\('(.*)'\)", "\n".join(scripts))
    found = []
    for table, forced in connection.execute(DROPPED, {"tables": dropped}).all() if dropped else ():
        if forced:  # its owner sees no rows otherwise; rolled back in a moment
            connection.exec_driver_sql(f"alter table {table} no force row level security")
        count = f"select count(*) from (select from {table} limit {MOST_COUNTED}) as r"  # noqa: S608
        rows = connection.exec_driver_sql(count).scalar()
        if rows:
            found.append(f"{table} has {rows}{' or more' if rows == MOST_COUNTED else ''} rows")
    connection.rollback()
    if found:
        raise RefusedError(f"{'; '.join(found)}; nothing was changed: --drop-rows drops them with their table")


if context.is_offline_mode():
    run_offline()
else:
    run_online()
