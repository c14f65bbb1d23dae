"""Pgbouncer in transaction mode: two tenants take turns on one server connection and stay apart."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from consumers import client_database
from helpers import ACME, GLOBEX, scalar
from servers import POOLED, Server, pgbouncer

COUNT = "select count(*) from core_api.company_workspace_connectors"
Through = Callable[[], psycopg.Connection]


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
    settings = POOLED if resets else POOLED.replace("server_reset_query_always = 1", "")
    settings += "default_pool_size = 1"
    with pgbouncer(server, dbname, directory, settings) as pooler, ExitStack() as stack:
        conninfo = pooler.conninfo(dbname, "member_login")
        yield lambda: stack.enter_context(psycopg.connect(conninfo, autocommit=True, prepare_threshold=None))


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


def test_with_the_reset_a_prepared_statement_is_gone_with_its_transaction(through: Through, resets: bool) -> None:
    one = through()
    one.execute("prepare asked as select 1")
    if resets:
        with pytest.raises(psycopg.errors.InvalidSqlStatementName):
            one.execute("execute asked")
    else:
        assert scalar(one, "execute asked") == 1
