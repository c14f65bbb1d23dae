"""A real server, a migrated template, and connections as the roles that production uses."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from pytest_postgresql import factories

for module in ("deployer", "helpers", "servers"):
    pytest.register_assert_rewrite(module)

from deployer import migrate_and_seed
from helpers import ACME, Connect
from servers import (
    SCRATCH,
    Server,
    drop_groups,
    drop_roles,
    forget_durability,
    fresh_server,
    make_roles,
    new_database,
    server_of,
)

LONG = ("interruptions", "verify", "adoption", "operating", "command_line", "shadowing", "live", "deploying", "entity")
"""Files that take longest, so that no worker begins one when the other has nothing left."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests about roles first: roles belong to the cluster, and the other tests' template creates them."""
    order = [f"test_{name}.py" for name in LONG]

    def place(item: pytest.Item) -> tuple[bool, int]:
        name = item.path.name
        about_roles = "no_group_roles" in getattr(item, "fixturenames", ())
        return not about_roles, order.index(name) if name in order else len(order)

    items.sort(key=place)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The server of TEST_DATABASE_URL, or a fresh one, embedded unless TEST_POSTGRES_BIN says otherwise.

    Its logins are made here and dropped at the end.
    """
    given = os.environ.get("TEST_DATABASE_URL")
    with ExitStack() as stack:
        if given:
            found = conninfo_to_dict(given)
            server = Server(
                host=str(found.get("host", "localhost")),
                port=int(found.get("port") or 5432),
                user=str(found.get("user", "postgres")),
                password=str(found["password"]) if "password" in found else None,
            )
        else:
            server = server_of(stack.enter_context(fresh_server()))
        with psycopg.connect(server.conninfo("postgres"), autocommit=True) as connection:
            if not given:
                forget_durability(connection)
            drop_roles(connection)
            make_roles(connection)
        yield server
        if given:
            with psycopg.connect(server.conninfo("postgres"), autocommit=True) as connection:
                drop_roles(connection)


@pytest.fixture
def no_group_roles(server: Server) -> Iterator[None]:
    """A cluster in which no migration has created the group roles yet; they are dropped again afterwards.

    Before, too: what a test left that failed. Where the template is there already PostgreSQL refuses it.
    """
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as connection:
        drop_groups(connection)
        yield
        drop_groups(connection)


def load_template(*, host: str, port: int, user: str, dbname: str, password: str | None, **_: Any) -> None:
    """Fill the template."""
    migrate_and_seed(Server(host=host, port=port, user=user, password=password), dbname)


schema_template = factories.postgresql_noproc(depends_on="server", dbname="provenance", load=[load_template])
clone = factories.postgresql("schema_template", dbname="provenance_clone")
"""A superuser's connection to a migrated, seeded database of the test's own, for tests that commit."""


@pytest.fixture(scope="session")
def template(schema_template: Any) -> str:
    """The name of the migrated, seeded database that others are copies of."""
    return schema_template.template_dbname


@pytest.fixture(scope="session")
def database(server: Server, template: str) -> Iterator[str]:
    """The name of a migrated, seeded database that all tests share, so none of them commits."""
    with new_database(server, "provenance_shared", template) as connection:
        connection.close()
        yield "provenance_shared"


@pytest.fixture
def empty(server: Server) -> Iterator[psycopg.Connection]:
    """A superuser's connection to an empty database that the deployer owns."""
    with new_database(server, "provenance_empty") as connection:
        yield connection


@pytest.fixture
def second(server: Server) -> Iterator[psycopg.Connection]:
    """Another empty database of the same cluster, as ``empty``."""
    with new_database(server, "provenance_second") as connection:
        yield connection


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory for the data of servers, with a name that is short enough for their sockets."""
    with tempfile.TemporaryDirectory(prefix="provenance-", dir=SCRATCH) as path:
        yield Path(path)


@pytest.fixture
def connect(server: Server, database: str) -> Iterator[Connect]:
    """Open connections as a login role, in a transaction that is rolled back; the superuser's without a name.

    ``workspace`` sets ``app.workspace_id``, ``settings`` any other; ``dbname`` is the shared database unless given.
    """
    connections: list[psycopg.Connection] = []

    def _connect(
        login: str | None = None,
        workspace: str | None = None,
        settings: dict[str, str] | None = None,
        dbname: str = database,
    ) -> psycopg.Connection:
        connection = psycopg.connect(server.conninfo(dbname, login))
        connections.append(connection)
        if workspace is not None:
            settings = {"app.workspace_id": workspace, **(settings or {})}
        for name, value in (settings or {}).items():
            connection.execute("select set_config(%s, %s, true)", (name, value))
        return connection

    yield _connect
    for connection in connections:
        connection.close()


@pytest.fixture
def as_member(connect: Connect) -> psycopg.Connection:
    """A member of workspace_member, working in ACME."""
    return connect("member_login", ACME)


@pytest.fixture
def as_sync(connect: Connect) -> psycopg.Connection:
    """A member of connector_sync, working in ACME."""
    return connect("sync_login", ACME)


@pytest.fixture
def as_retention(connect: Connect) -> psycopg.Connection:
    """A member of connector_retention, which works in no workspace."""
    return connect("retention_login")


@pytest.fixture
def as_superuser(connect: Connect) -> psycopg.Connection:
    """The superuser, who is subject to triggers and constraints but not to policies."""
    return connect()
