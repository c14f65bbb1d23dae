"""Which database, who is in the way, and what went wrong: shared by Alembic's environment and the command line."""

import os
import re
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from textwrap import indent
from typing import Any, ClassVar, Self

import psycopg
import sqlalchemy as sa
from alembic.config import Config
from alembic.util import CommandError
from psycopg.conninfo import conninfo_to_dict

from connector_provenance.migrations import sqlfile

ADVISORY_LOCK = 0x636F_6E6E  # "conn": one deployer at a time in each database; sql/script.sql spells the number out
POLL = 0.2  # seconds between two looks at who is in the way
REPEAT = 30.0  # seconds after which whoever still waits says so again

INSIDE = (  # to_regclass() would ask for a right to use the schema
    "select exists (select from pg_catalog.pg_class where relname = 'managed_objects'"
    " and relnamespace = pg_catalog.to_regnamespace('tenancy'))"
)
"""Whether the revisions are here; where there is no version table of ours, in a host's own Alembic."""

HOST = r"(?:\[[\da-fA-F:.]+\]|[^@:/?,\[\]]*)(?::\d*)?"
PARAMETER = r"\w+=[^@&]*"
URL = re.compile(
    r"postgres(?:ql)?(?:\+psycopg)?://(?:[^@/?]*@)?"  # user:password
    rf"{HOST}(?:,{HOST})*(?:/[^@/?]*)?(?:\?{PARAMETER}(?:&{PARAMETER})*)?"
)
WHO = (
    "select string_agg(format('pid %s (user %s, application %s, query since %s)', pid, usename,"
    " coalesce(nullif(application_name, ''), 'unknown'),"
    " coalesce(query_start::text, 'unknown without pg_read_all_stats')), '; ' order by pid)"
    " from pg_catalog.pg_stat_activity where pid <> pg_catalog.pg_backend_pid() and pid"
)
DEPLOYER = sa.text(
    f"{WHO} in (select pid from pg_catalog.pg_locks where locktype = 'advisory' and granted and classid = 0"  # noqa: S608
    f" and objid = {ADVISORY_LOCK} and objsubid = 1"
    " and database = (select oid from pg_catalog.pg_database where datname = current_database()))"
)
BLOCKERS = sa.text(f"{WHO} = any(pg_catalog.pg_blocking_pids(:pid))")
CANCEL = sa.text("select pg_catalog.pg_cancel_backend(:pid) where cardinality(pg_catalog.pg_blocking_pids(:pid)) > 0")


@sa.event.listens_for(sa.Table, "before_create")
def _schema_first(target: sa.Table, connection: sa.Connection, **_: Any) -> None:
    """Make the version table's schema whenever Alembic makes the table, online and offline."""
    if target.schema == "tenancy":
        connection.execute(sqlfile.ddl("sql/0000_schema.up.sql"))


class FailedError(CommandError):
    """Something that an operator can mend; ``code`` is what the command line exits with."""

    code: ClassVar[int] = 4


class LockNotObtainedError(FailedError):
    """Someone else is at work; the same call can succeed later."""

    code = 3


class RefusedError(FailedError):
    """What was looked at before forbids the change; nothing was changed."""

    code = 5

    def __init__(self, message: str, reasons: Sequence[Any] = ()) -> None:
        """Keep the ``reasons``: each a ``contract.Difference``."""
        self.reasons = list(reasons)
        told = [f"  {reason.text()}\n{indent(reason.mend or '', ' ' * 6)}".rstrip() for reason in reasons]
        super().__init__("\n".join([message, *told]))


class AheadError(FailedError):
    """The database has a revision that this package does not know."""

    code = 6


def give_up(stream: Any) -> None:
    """Lead a standard stream that cannot be written to nowhere: what it holds would fail again as Python exits."""
    with suppress(OSError, ValueError, AttributeError):  # closed, or never there
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@dataclass
class Run:
    """What a caller asks of Alembic's environment beside Alembic's own arguments, and what it answers."""

    url: str | None = None
    """The database; ``DATABASE_URL`` if None."""
    lock_wait: float = 60.0
    """Seconds to wait for another deployer."""
    build_wait: float = 600.0
    """Seconds that a run may spend waiting for others' transactions and locks, all revisions and attempts together."""
    pauses: Sequence[float] = (1, 2, 4, 8)
    """Seconds before each further attempt at a revision that waited for a lock in vain."""
    drop_rows: bool = False
    """Whether a downgrade may drop a table that has rows."""

    database: str = ""
    """Answer: host, port and name, never user or password."""
    revision: str | None = None
    """Answer: the revision that is committed, None if there is none."""
    doing: str | None = None
    """Answer: the revision at work, or that failed."""
    left: str = ""
    """Answer: what a failed revision left that could not be undone, in words."""
    applied: list[dict[str, str | float]] = field(default_factory=list)
    """Answer: revisions applied or undone: ``revision``, ``direction`` and ``milliseconds``."""

    @classmethod
    def of(cls, config: Config) -> Self:
        """Return the configuration's run; one with the defaults where Alembic's own command made it."""
        return config.attributes.setdefault("run", cls())

    def say(self, text: str) -> None:
        """Tell whoever watches what goes on; nobody need be there to hear it."""
        try:
            print(f"{self.database}: {text}", file=sys.stderr, flush=True)
        except (OSError, ValueError):
            give_up(sys.stderr)


def parameters(run: Run) -> dict[str, Any]:
    """Return libpq's parameters for the run's URL, and set ``run.database`` to what they say of it.

    :raises FailedError: no URL was given, or none that can be read in one way only. No message contains any of it:
        what a careless URL calls its host may be a piece of its password.
    """
    text = (os.environ.get("DATABASE_URL", "") if run.url is None else run.url).strip()
    if not text:
        raise FailedError("no database: set DATABASE_URL, for example postgresql://deployer@host:5432/name")
    found: dict[str, Any] | None = None
    if URL.fullmatch(text) and not re.search(r"%(?![\da-fA-F]{2})", text):
        with suppress(psycopg.Error):
            found = dict(conninfo_to_dict(re.sub(r"^\w+(\+psycopg)?", "postgresql", text)))
    if found is None:
        raise FailedError(
            "DATABASE_URL is not a PostgreSQL URL, or not a plain one: write postgresql://user@host:5432/name,"
            " and in a password %40 for @, %2F for /, %3F for ?, %25 for %"
        )
    known = {o.keyword.decode(): o.val.decode() for o in psycopg.pq.Conninfo.get_defaults() if o.val} | found
    if service := known.get("service"):
        run.database = f"service {service}"
    else:
        hosts, ports = (str(known.get(key, "")).split(",") for key in ("host", "port"))
        ports = ports * len(hosts) if len(ports) == 1 else ports
        addresses = (f"{host or 'localhost'}:{port or 5432}" for host, port in zip(hosts, ports, strict=False))
        run.database = f"{','.join(addresses)}/{known.get('dbname') or known.get('user')}"
    # a SQL_ASCII database would have psycopg return bytes for text
    return {"fallback_application_name": "connector-provenance", **found, "client_encoding": "utf8"}


PATH = "search_path = pg_catalog, pg_temp"


@contextmanager
def connect(run: Run, **options: Any) -> Iterator[sa.Connection]:
    """Open one session of its own, through libpq, so that its files, services and variables count.

    :param options: SQLAlchemy's, such as ``isolation_level``.
    :raises FailedError: as :func:`parameters`.
    :raises sqlalchemy.exc.OperationalError: nobody answers, or nobody lets us in.
    """
    found = parameters(run)
    engine = sa.create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(**found), poolclass=sa.NullPool, **options
    )
    # A tenant may have planted functions in the schema public that fit a call better than pg_catalog's.
    if options.get("isolation_level") == "AUTOCOMMIT":
        sa.event.listen(engine, "connect", lambda session, _: session.execute(f"set {PATH}"))
    else:  # not for the session: it may be a pooler's
        sa.event.listen(engine, "begin", lambda begun: begun.exec_driver_sql(f"set local {PATH}"))
    with engine.connect() as connection:
        info = connection.connection.dbapi_connection.info  # type: ignore[union-attr]
        run.database = f"{info.host or 'localhost'}:{info.port}/{info.dbname}"
        yield connection


def message_of(error: BaseException) -> str:
    """Return what PostgreSQL said, with its detail and hint, in one line, and nothing of the statement or the URL.

    :param error: an error of SQLAlchemy or psycopg.
    """
    original: Any = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    found = getattr(original, "diag", None)
    parts = [found.message_primary, found.message_detail, found.message_hint] if found else []
    parts = [part for part in parts if part] or [str(original)]
    for kind, advice in ADVICE.items():
        if isinstance(original, kind):
            parts.append(advice)
    return "; ".join(" ".join(part.split()) for part in parts)


ADVICE: dict[type[psycopg.Error], str] = {
    psycopg.errors.ReadOnlySqlTransaction: "this is a standby, or default_transaction_read_only is on for the role"
    " or the database",
    psycopg.errors.InsufficientPrivilege: "log in as the tables' owner; a deployer also needs CREATE on the database,"
    " and CREATEROLE or roles made before: connector-provenance sql --roles",
}


def refuse_pooler(connection: sa.Connection) -> None:
    """Make sure that the session is one session: locks and settings of a migration must not reach another client.

    :raises FailedError: the connection goes through a pooler such as pgbouncer. A pooler sends the client a process id
        of its own in the protocol's BackendKeyData message, so it differs from what the server says.
    """
    real = connection.scalar(sa.select(sa.func.pg_backend_pid()))
    connection.rollback()
    if pid_of(connection) != real:
        raise FailedError("DATABASE_URL leads through a connection pooler: migrations need a direct connection")


def pid_of(connection: sa.Connection) -> int:
    """Return the process id that the server told the client when it connected."""
    return connection.connection.dbapi_connection.info.backend_pid  # type: ignore[union-attr]


@contextmanager
def only_deployer(connection: sa.Connection, run: Run) -> Iterator[None]:
    """Hold the database's deployment lock, and say who has it while waiting.

    It is polled: a session that waits *in* ``pg_advisory_lock()`` holds a snapshot, for which CREATE INDEX CONCURRENTLY
    of the deployer at work would wait.

    :param connection: in autocommit mode, and used for nothing else meanwhile.
    :raises LockNotObtainedError: another deployer held it for ``run.lock_wait`` seconds.
    """
    deadline = time.monotonic() + run.lock_wait
    watch = Watch(connection, run, DEPLOYER)
    while not connection.scalar(sa.select(sa.func.pg_try_advisory_lock(ADVISORY_LOCK))):
        watch.look()
        if time.monotonic() > deadline:
            raise LockNotObtainedError(f"another deployer is at work; waited {run.lock_wait:.0f} s. {watch.blockers}")
        time.sleep(POLL)
    try:
        yield
    finally:
        with suppress(sa.exc.SQLAlchemyError):  # a session that is gone has given it back
            connection.execute(sa.select(sa.func.pg_advisory_unlock(ADVISORY_LOCK)))


class Watch(AbstractContextManager["Watch"]):
    """Looks on while a session works: says who keeps it waiting, remembers it, and ends a wait that takes too long."""

    def __init__(self, other: sa.Connection, run: Run, query: sa.TextClause = BLOCKERS, pid: int = 0) -> None:
        """Look through ``other``, in autocommit mode and idle; as a context, at the session ``pid``."""
        self.blockers = "Who held it is not known."
        self.waited = 0.0
        """Seconds in which the session was seen waiting."""
        self._other, self._run, self._query, self._pid = other, run, query, pid
        self._said: tuple[str | None, float] = (None, 0.0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def look(self) -> bool:
        """Say who is in the way, if anybody is and it was not said a moment ago."""
        found = self._other.scalar(self._query, {"pid": self._pid} if self._pid else {})
        if found:
            self.blockers = f"Held by {found}."
            if self._said[0] != found or time.monotonic() - self._said[1] > REPEAT:
                self._said = (found, time.monotonic())
                self._run.say(f"{f'{self._run.doing}: ' if self._run.doing else ''}waiting for {found}")
        return bool(found)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        before = time.monotonic()
        with suppress(sa.exc.SQLAlchemyError):  # the server is gone, as the session that is watched finds out too
            while not self._stop.wait(POLL / 2):
                now = time.monotonic()
                if self.look():
                    self.waited += now - before
                    if self.waited > self._run.build_wait:
                        self._other.execute(CANCEL, {"pid": self._pid})
                before = now
