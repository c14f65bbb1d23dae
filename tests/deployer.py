"""What a deploy pipeline does: upgrade and downgrade in this process or in one of its own, and die in the middle."""

import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any

import psycopg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from helpers import SEED, scalar, wait_until
from servers import DEPLOYER, Server, give_to_deployer, join_groups, psql

from connector_provenance.migrations import cli, contract
from connector_provenance.migrations.database import Run
from connector_provenance.migrations.sqlfile import ROOT

VERSION_TABLE = "tenancy.schema_version"


def alembic_config(url: str, **options: Any) -> Config:
    """Return the configuration of the checkout's alembic.ini for one database."""
    config = Config(ROOT / "alembic.ini", **options)
    config.attributes["run"] = Run(url=url, drop_rows=True)
    return config


REVISIONS: list[str] = [
    script.revision for script in reversed(list(ScriptDirectory.from_config(alembic_config("")).walk_revisions()))
]
"""All of them, the first one first."""


def engine(server: Server, dbname: str, login: str | None = DEPLOYER) -> sa.Engine:
    """Return an engine for one database, as the deployer unless another login is named; as a superuser for None."""
    url = sa.make_url(server.url(dbname, login or server.user)).set(drivername="postgresql+psycopg")
    return sa.create_engine(url, poolclass=sa.NullPool)


@contextmanager
def reading(server: Server, dbname: str) -> Iterator[sa.Connection]:
    """Connect as the deployer, in a transaction that may not write."""
    with engine(server, dbname).connect() as connection:
        connection.execute(sa.text("set transaction read only"))
        yield connection


def preflight(server: Server, dbname: str) -> list[contract.Difference]:
    """Return what the preflight finds."""
    with reading(server, dbname) as connection:
        return contract.preflight(connection)


def mend(server: Server, dbname: str, differences: Iterable[contract.Difference]) -> None:
    """Run what is printed, as psql does: statements as the role that they name, and the output of our own command."""
    for each in differences:
        printed = each.mend or ""
        if command_printed := re.search(r"^-- connector-provenance (.*)$", printed, re.M):
            with redirect_stdout(io.StringIO()) as output:
                cli.main(command_printed[1].split())
            printed += "\n" + output.getvalue()
        psql(server, dbname, printed, None if printed.startswith("-- as ") else DEPLOYER)


def verify(server: Server, dbname: str) -> list[str]:
    """Return what differs from the contract."""
    with reading(server, dbname) as connection:
        return [each.text() for each in contract.verify(connection, rows=True) if each.severity != "warning"]


def run(server: Server, dbname: str, *arguments: str) -> str:
    """Run the command line in this process and return what it complains about."""
    complaints = io.StringIO()
    with redirect_stdout(io.StringIO()), redirect_stderr(complaints):
        cli.main(["--database-url", server.url(dbname), *arguments])
    return complaints.getvalue()


def upgrade(server: Server, dbname: str, revision: str = "head", user: str = DEPLOYER) -> str:
    """Upgrade as the deployer and return what was printed."""
    output = io.StringIO()
    command.upgrade(alembic_config(server.url(dbname, user), stdout=output), revision)
    return output.getvalue()


def downgrade(server: Server, dbname: str, revision: str = "base") -> None:
    """Downgrade as the deployer."""
    command.downgrade(alembic_config(server.url(dbname), stdout=io.StringIO()), revision)


def migrate_and_seed(server: Server, dbname: str) -> None:
    """Migrate a new database as the deployer, seed it, and put the logins into their groups."""
    with psycopg.connect(server.conninfo(dbname)) as connection:
        give_to_deployer(connection)
        upgrade(server, dbname)
        connection.execute(SEED)
        connection.execute("insert into tenancy.role_bindings (role, workspace_pk) values ('bound_login', 1)")
        join_groups(connection)


def version_of(connection: psycopg.Connection) -> str | None:
    """Return the revision that the database says it has."""
    if scalar(connection, "select to_regclass(%s)", VERSION_TABLE) is None:
        return None
    row = connection.execute(f"select version_num from {VERSION_TABLE}").fetchone()
    return row[0] if row else None


def command_line(server: Server, dbname: str, *arguments: str) -> subprocess.Popen[str]:
    """Start the command line in a process of its own, as a pipeline does, as the deployer."""
    return subprocess.Popen(
        [sys.executable, "-m", "connector_provenance.migrations.cli", *arguments],
        env={**os.environ, "DATABASE_URL": server.url(dbname)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def locked(server: Server, dbname: str, statement: str) -> Iterator[int]:
    """Hold the locks that a statement takes, in a session whose process id it yields; the server may stop meanwhile."""
    with psycopg.connect(server.conninfo(dbname)) as blocker:
        blocker.execute(statement)
        yield blocker.info.backend_pid
        with suppress(psycopg.OperationalError):
            blocker.rollback()


def wait_until_it_waits(observer: psycopg.Connection, process: subprocess.Popen[str], behind: int) -> int:
    """Return the process id of the deployer's session, as soon as it waits for a lock that ``behind`` holds.

    An index that is built concurrently waits for the observer's own snapshots as well, which end by themselves.
    """
    query = (
        "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        f" and usename = '{DEPLOYER}' and wait_event_type = 'Lock' and %(behind)s = any(pg_blocking_pids(pid))"
        " and (wait_event <> 'virtualxid' or %(behind)s <> pg_backend_pid())"
    )

    def waiting() -> tuple[int] | None:
        assert process.poll() is None, process.communicate()
        return observer.execute(query, {"behind": behind}).fetchone()

    (pid,) = wait_until(waiting, "the deployer never waited for a lock")
    return pid


def wait_until_gone(observer: psycopg.Connection) -> None:
    """Return when no session of the deployer is left."""
    query = "select count(*) = 0 from pg_stat_activity where datname = current_database() and usename = %s"
    wait_until(lambda: scalar(observer, query, DEPLOYER), "a session of the deployer stayed")


def kill(process: subprocess.Popen[str]) -> None:
    """End the deployer as `kill -9` does."""
    process.send_signal(signal.SIGKILL)
    process.communicate()
