"""A tenant's login keeps its workspace when the database moves: by dump and restore, and by pg_upgrade."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from deployer import migrate_and_seed
from helpers import ACME
from psycopg import errors, sql
from servers import (
    BIN,
    BIN_15,
    FROM_15,
    PASSWORD,
    SERVER_BIN,
    Server,
    forget_durability,
    make_roles,
    pg_upgrade,
    started,
)

QUOTED = 'Globex\'s "reports"'
"""A login whose name must be quoted; bound to GLOBEX."""

READS = (
    "select company_pk from core_api.company_workspace_connectors",
    "select company_pk from core_api.company_workspace_connectors_page()",
)
COMPANIES = {"bound_login": [11, 11, 12, 12], QUOTED: [21, 22], "unbound_login": None}
"""What each login finds by each of the reads; the last one is refused. The first is in connector_sync too."""


def seen(server: Server, dbname: str, workspace: str) -> dict[str, list[int] | None]:
    """Return the companies that each tenant's login finds; None where every read is refused with 42501."""
    found: dict[str, list[int] | None] = {}
    for login in COMPANIES:
        answers: list[list[int] | None] = []
        for query in READS:
            with psycopg.connect(server.conninfo(dbname, login)) as connection:
                connection.execute("select set_config('app.workspace_id', %s, true)", (workspace,))
                try:
                    answers.append(sorted(pk for (pk,) in connection.execute(query)))
                except errors.InsufficientPrivilege:
                    answers.append(None)
        assert answers[0] == answers[1]
        found[login] = answers[0]
    return found


def assert_bound(server: Server, dbname: str) -> None:
    """Every login sees its own workspace without naming it, and no other; the one without a binding nothing."""
    assert seen(server, dbname, "") == COMPANIES
    assert seen(server, dbname, ACME) == {**COMPANIES, QUOTED: None}


def add_quoted_login(connection: psycopg.Connection) -> None:
    """Make the login whose name must be quoted, and bind it."""
    role = sql.Identifier(QUOTED).as_string()
    connection.execute(f"create role {role} login password '{PASSWORD}' in role workspace_tenant")
    connection.execute("insert into tenancy.role_bindings (role, workspace_pk) values (%s, 2)", (role,))
    connection.commit()


def bound_roles(connection: psycopg.Connection) -> dict[str, int]:
    """Return the OID of each bound role."""
    return dict(connection.execute("select role::text, role::oid from tenancy.role_bindings").fetchall())


@pytest.fixture
def source(clone: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """The clone, with the login whose name must be quoted; the role is dropped again, because it outlives the clone."""
    add_quoted_login(clone)
    yield clone
    clone.execute(sql.SQL("drop role {}").format(sql.Identifier(QUOTED)))
    clone.commit()


def test_a_dump_binds_the_same_logins_in_another_cluster(
    source: psycopg.Connection, server: Server, directory: Path
) -> None:
    assert_bound(server, source.info.dbname)
    conninfo = server.conninfo(source.info.dbname)
    dump = directory / "dump"
    subprocess.run([SERVER_BIN / "pg_dump", "--format=custom", "--file", dump, conninfo], check=True)
    roles = subprocess.check_output([SERVER_BIN / "pg_dumpall", "--roles-only", "--dbname", conninfo])

    with started(directory / "data") as other:
        with psycopg.connect(other.conninfo("postgres"), autocommit=True) as connection:
            connection.execute("create role newcomer")  # so that no role gets the OID that it had
            connection.execute("create database provenance_restored")
        conninfo = other.conninfo("postgres")
        subprocess.run([BIN / "psql", "--no-psqlrc", "--quiet", conninfo], input=roles, check=True, capture_output=True)
        conninfo = other.conninfo("provenance_restored")
        subprocess.run([SERVER_BIN / "pg_restore", "--exit-on-error", "--dbname", conninfo, dump], check=True)

        assert_bound(other, "provenance_restored")
        with psycopg.connect(conninfo) as connection:
            before, after = bound_roles(source), bound_roles(connection)
        assert before.keys() == after.keys()
        assert not before.items() & after.items(), "every OID is another one: it is the names that moved"


@FROM_15
def test_pg_upgrade_from_15_to_18_keeps_the_bindings(directory: Path) -> None:
    old, new = directory / "15", directory / "18"
    with started(old, BIN_15) as server:
        with psycopg.connect(server.conninfo("postgres"), autocommit=True) as connection:
            assert connection.info.server_version // 10000 == 15
            forget_durability(connection)
            make_roles(connection)
            connection.execute("create database provenance_moving")
        migrate_and_seed(server, "provenance_moving")
        with psycopg.connect(server.conninfo("provenance_moving")) as connection:
            add_quoted_login(connection)
            before = bound_roles(connection)
        assert_bound(server, "provenance_moving")

    pg_upgrade(old, new)

    with started(new) as server:
        assert_bound(server, "provenance_moving")
        with psycopg.connect(server.conninfo("provenance_moving")) as connection:
            assert connection.info.server_version // 10000 == 18
            assert bound_roles(connection) == before
