"""Which database, and what went wrong with it: shared by Alembic's environment and the command line."""

import os
import threading
from contextlib import AbstractContextManager
from typing import Self

import sqlalchemy as sa
from alembic.config import Config
from alembic.util import CommandError


class LockNotObtainedError(CommandError):
    """Another deployer is at work; the same call can succeed later."""


def url_of(config: Config) -> sa.URL:
    """Return the URL in ``config.attributes["database_url"]`` or else in ``DATABASE_URL``, for the psycopg dialect.

    :raises CommandError: none was given, or it is not a PostgreSQL URL. The message never contains the URL.
    """
    text = config.attributes.get("database_url") or os.environ.get("DATABASE_URL")
    if not text:
        raise CommandError("no database: set DATABASE_URL, for example postgresql://deployer@host:5432/name")
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        url = None
    if url is None or url.drivername.split("+")[0] not in ("postgresql", "postgres"):
        raise CommandError("DATABASE_URL is not a PostgreSQL URL: write postgresql://user@host:5432/name")
    return url.set(drivername="postgresql+psycopg")


def engine_of(config: Config) -> sa.Engine:
    """Return an engine for the configuration's database, with one session for each ``connect()``.

    :raises CommandError: as :func:`url_of`.
    """
    # a SQL_ASCII database would have psycopg return bytes for text
    return sa.create_engine(url_of(config), poolclass=sa.NullPool, connect_args={"client_encoding": "utf8"})


def name_of(config: Config) -> str:
    """Return what to call the configuration's database in a report: host and name, never user or password.

    :raises CommandError: as :func:`url_of`.
    """
    url = url_of(config)
    return f"{url.host or url.query.get('host', 'localhost')}/{url.database}"


def message_of(error: Exception) -> str:
    """Return what PostgreSQL said, with its detail and hint, and nothing of the statement or the URL.

    :param error: an error of SQLAlchemy or psycopg.
    """
    original = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    diagnostic = getattr(original, "diag", None)
    if diagnostic is None or diagnostic.message_primary is None:
        return str(original).strip()
    parts = [diagnostic.message_primary, diagnostic.message_detail, diagnostic.message_hint]
    return "\n".join(part for part in parts if part)


def refuse_pooler(connection: sa.Connection) -> None:
    """Make sure that the session is one session: locks and settings of a migration must not reach another client.

    :raises CommandError: the connection goes through a pooler such as pgbouncer. A pooler sends the client a process id
        of its own in the protocol's BackendKeyData message, so it differs from what the server says.
    """
    shown = connection.connection.dbapi_connection.info.backend_pid
    real = connection.scalar(sa.select(sa.func.pg_backend_pid()))
    connection.rollback()
    if shown != real:
        raise CommandError("DATABASE_URL leads through a connection pooler: migrations need a direct connection")


class BlockerWatch(AbstractContextManager["BlockerWatch"]):
    """Remember who last kept a session waiting, because after a lock timeout PostgreSQL cannot say."""

    INTERVAL = 0.1  # seconds

    def __init__(self, connection: sa.Connection, other: sa.Connection) -> None:
        """Watch ``connection`` through ``other``, which is in autocommit mode and idle."""
        self.blockers = "Who held it is not known."
        self._pid = connection.connection.dbapi_connection.info.backend_pid
        self._other = other
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        blocking = sa.text(
            "select string_agg(format('pid %s (user %s, application %s, query since %s)', pid, usename,"
            " coalesce(nullif(application_name, ''), 'unknown'),"
            " coalesce(query_start::text, 'unknown without pg_read_all_stats')), '; ')"
            " from pg_catalog.pg_stat_activity where pid = any(pg_catalog.pg_blocking_pids(:pid))"
        )
        while not self._stop.wait(self.INTERVAL):
            try:
                if found := self._other.scalar(blocking, {"pid": self._pid}):
                    self.blockers = f"Held by {found}."
            except sa.exc.SQLAlchemyError:
                return  # the server is gone, as the session that is watched finds out too
