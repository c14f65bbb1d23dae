"""Pgbouncer in transaction mode: two tenants take turns on one server connection and stay apart."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from consumers import CLIENTS, client_database
from helpers import ACME, GLOBEX, scalar, wait_until
from psycopg.conninfo import make_conninfo
from servers import PASSWORD, Server

COUNT = "select count(*) from core_api.company_workspace_connectors"
Through = Callable[[], psycopg.Connection]


def pgbouncer() -> str:
    """Return where pgbouncer is; Debian keeps it out of an ordinary user's PATH."""
    found = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    return found or pytest.skip("pgbouncer is not installed")


@pytest.fixture(params=[True, False], ids=["as in the file", "without the reset"])
def resets(request: pytest.FixtureRequest) -> bool:
    return request.param


@pytest.fixture(scope="module")
def dbname(server: Server, template: str) -> Iterator[str]:
    with client_database(server, template, "provenance_pgbouncer") as connection:
        yield connection.info.dbname


@pytest.fixture
def through(resets: bool, dbname: str, server: Server, directory: Path) -> Iterator[Through]:
    """Open connections of the application through a pool of one server connection, which has the file's settings."""
    settings = (CLIENTS / "pgbouncer" / "pgbouncer.ini").read_text(encoding="utf-8")
    if not resets:
        settings = settings.replace("server_reset_query_always = 1", "")
    (directory / "users").write_text(f'"member_login" "{PASSWORD}"\n')
    (directory / "pgbouncer.ini").write_text(
        f"[databases]\n{dbname} = host={server.host} port={server.port} pool_size=1\n{settings}\n"
        f"listen_addr =\nlisten_port = 6432\nunix_socket_dir = {directory}\n"
        f"auth_type = plain\nauth_file = {directory / 'users'}\n"
    )
    command = [pgbouncer(), "--quiet", "pgbouncer.ini"]
    if os.getuid() == 0:  # which pgbouncer refuses to run as; the server's user reaches its socket
        user = Path(server.host).owner() if Path(server.host).is_dir() else "nobody"
        shutil.chown(directory, user)
        command += ["--user", user]
    with subprocess.Popen(command, cwd=directory, stderr=subprocess.PIPE, text=True) as process, ExitStack() as stack:
        conninfo = make_conninfo(
            host=str(directory), port=6432, dbname=dbname, user="member_login", password=PASSWORD, connect_timeout=10
        )

        def connected() -> psycopg.Connection | None:
            assert process.poll() is None, process.communicate()
            try:
                return psycopg.connect(conninfo, autocommit=True, prepare_threshold=None)
            except psycopg.OperationalError:
                return None

        try:
            yield lambda: stack.enter_context(wait_until(connected, "pgbouncer did not answer", 20))
        finally:
            stack.close()
            process.terminate()


def name_workspace(connection: psycopg.Connection, workspace: str, for_the_transaction: bool = True) -> None:
    connection.execute("select set_config('app.workspace_id', %s, %s)", (workspace, for_the_transaction))


def test_tenants_that_take_turns_see_their_own_rows(through: Through) -> None:
    acme, globex = through(), through()
    servers = set()
    for _ in range(3):
        for connection, workspace, rows in ((acme, ACME, 3), (globex, GLOBEX, 2)):
            with connection.transaction():
                name_workspace(connection, workspace)
                servers.add(scalar(connection, "select pg_backend_pid()"))
                assert scalar(connection, COUNT) == rows
    assert len(servers) == 1


def test_a_transaction_that_names_no_workspace_sees_nothing(through: Through) -> None:
    one, other = through(), through()
    with one.transaction():
        name_workspace(one, ACME)
        assert scalar(one, COUNT) == 3
    assert scalar(other, COUNT) == 0
    assert scalar(one, COUNT) == 0


def test_a_sessions_workspace_reaches_the_next_client_unless_it_is_reset(through: Through, resets: bool) -> None:
    careless, next_client = through(), through()
    name_workspace(careless, ACME, for_the_transaction=False)
    assert scalar(next_client, COUNT) == (0 if resets else 3)
