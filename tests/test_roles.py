"""The group roles belong to the cluster: made once, checked when found, dropped when nobody uses them any more."""

from collections.abc import Iterator

import psycopg
import pytest
from deployer import command_line, run, wait_until_it_waits
from psycopg import sql
from servers import DEPLOYER, GROUPS, Server, psql

pytestmark = pytest.mark.usefixtures("no_group_roles")


def roles(connection: psycopg.Connection) -> set[str]:
    found = connection.execute("select rolname from pg_roles where rolname = any(%s)", (list(GROUPS),)).fetchall()
    return {name for (name,) in found}


def test_the_roles_come_and_go_with_the_schema(server: Server, empty: psycopg.Connection) -> None:
    assert run(server, "provenance_empty", "upgrade") == ""
    assert roles(empty) == set(GROUPS)
    assert run(server, "provenance_empty", "downgrade", "base") == ""
    assert roles(empty) == set()


def test_no_group_role_can_log_in_or_go_round_the_policies(server: Server, empty: psycopg.Connection) -> None:
    run(server, "provenance_empty", "upgrade")
    found = empty.execute(
        "select rolcanlogin, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication from pg_roles"
        " where rolname = any(%s)",
        (list(GROUPS),),
    ).fetchall()
    assert set(found) == {(False,) * 6}
    run(server, "provenance_empty", "downgrade", "base")


def test_a_role_with_a_member_stays(server: Server, empty: psycopg.Connection) -> None:
    run(server, "provenance_empty", "upgrade")
    empty.execute("grant workspace_member to outsider_login")
    run(server, "provenance_empty", "downgrade", "base")
    assert roles(empty) == {"workspace_member"}


def test_a_role_that_another_database_uses_stays_until_that_one_is_done(
    server: Server, empty: psycopg.Connection, second: psycopg.Connection
) -> None:
    for dbname in ("provenance_empty", "provenance_second"):
        assert run(server, dbname, "upgrade") == ""
    run(server, "provenance_empty", "downgrade", "base")
    assert roles(empty) == set(GROUPS)
    run(server, "provenance_second", "downgrade", "base")
    assert roles(empty) == set()


def test_two_databases_of_a_cluster_may_create_the_roles_at_the_same_moment(
    server: Server, empty: psycopg.Connection, second: psycopg.Connection
) -> None:
    with psycopg.connect(server.conninfo("postgres")) as blocker:
        blocker.execute("create role workspace_member")
        both = [command_line(server, dbname, "upgrade") for dbname in ("provenance_empty", "provenance_second")]
        for connection, process in zip((empty, second), both, strict=True):
            wait_until_it_waits(connection, process)
        blocker.rollback()
    for process in both:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    assert roles(empty) == set(GROUPS)
    for dbname in ("provenance_empty", "provenance_second"):
        run(server, dbname, "downgrade", "base")


def test_a_role_that_exists_is_adopted_and_left(server: Server, empty: psycopg.Connection) -> None:
    empty.execute("create role hasura_service nologin")
    empty.execute(f"grant hasura_service to {DEPLOYER} with admin option")  # from 16 on, who may drop it
    assert run(server, "provenance_empty", "upgrade") == ""
    run(server, "provenance_empty", "downgrade", "base")
    assert roles(empty) == {"hasura_service"}


@pytest.mark.parametrize(
    ("attribute", "mend"),
    [
        ("superuser", "nosuperuser"),
        ("bypassrls", "nobypassrls"),
        ("createrole", "nocreaterole"),
        ("replication", "noreplication"),
        ("login", "nologin"),
        ("in role pg_read_all_data", "revoke pg_read_all_data from"),
    ],
)
def test_a_dangerous_role_is_refused_with_what_mends_it(
    attribute: str, mend: str, server: Server, empty: psycopg.Connection
) -> None:
    empty.execute(sql.SQL("create role workspace_member {}").format(sql.SQL(attribute)))
    message = run(server, "provenance_empty", "upgrade")
    assert "workspace_member: found" in message
    assert mend in message
    assert empty.execute("select to_regnamespace('tenancy')").fetchone() == (None,), "nothing was changed"
    assert roles(empty) == {"workspace_member"}


@pytest.fixture
def no_createrole(empty: psycopg.Connection) -> Iterator[None]:
    """A deployer that may not create roles."""
    empty.execute(f"alter role {DEPLOYER} nocreaterole")
    yield
    empty.execute(f"alter role {DEPLOYER} createrole")


@pytest.mark.usefixtures("no_createrole")
def test_a_deployer_that_may_not_create_roles_is_told_what_a_dba_must_run(
    server: Server, empty: psycopg.Connection
) -> None:
    message = run(server, "provenance_empty", "upgrade")
    assert f"connector-provenance sql --roles {DEPLOYER}" in message
    assert empty.execute("select to_regnamespace('tenancy')").fetchone() == (None,), "nothing was changed"


@pytest.mark.usefixtures("no_createrole")
def test_a_deployer_that_may_not_create_roles_can_do_everything_once_a_dba_made_them(
    server: Server, empty: psycopg.Connection
) -> None:
    script, _ = command_line(server, "provenance_empty", "sql", "--roles", DEPLOYER).communicate()
    psql(server, "provenance_empty", script, user=None)
    assert run(server, "provenance_empty", "upgrade") == ""
    if empty.info.server_version < 160000:
        empty.execute(f"revoke tenancy_definer from {DEPLOYER}")
    assert run(server, "provenance_empty", "verify") == ""
    assert run(server, "provenance_empty", "downgrade", "base") == ""
    assert roles(empty) == set(GROUPS)
    empty.execute(f"revoke tenancy_definer from {DEPLOYER}")
