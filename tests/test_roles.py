"""The group roles belong to the cluster: made once, checked when found, dropped when nobody uses them any more."""

from collections.abc import Iterator

import psycopg
import pytest
from deployer import command_line, mend, preflight, run, verify, wait_until_it_waits
from helpers import some
from psycopg import sql
from servers import DEPLOYER, GROUPS, Server

RIGHT = "right to make the group roles, and to hand functions to tenancy_definer"

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
            wait_until_it_waits(connection, process, blocker.info.backend_pid)
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
    ("attribute", "difference", "statement"),
    [
        *(
            (attribute, "role workspace_member", f"alter role workspace_member no{attribute};")
            for attribute in some(("superuser", "createrole", "replication", "login", "bypassrls"), 2)
        ),
        (
            "in role pg_read_all_data",
            "grant pg_read_all_data to workspace_member",
            "revoke pg_read_all_data from workspace_member;",
        ),
    ],
)
def test_a_dangerous_role_is_refused_until_what_is_printed_was_run(
    attribute: str, difference: str, statement: str, server: Server, empty: psycopg.Connection
) -> None:
    empty.execute(sql.SQL("create role workspace_member {}").format(sql.SQL(attribute)))
    found = {each.object: each for each in preflight(server, "provenance_empty")}
    assert statement in (found[difference].mend or "")
    assert difference in run(server, "provenance_empty", "upgrade")
    assert empty.execute("select to_regnamespace('tenancy')").fetchone() == (None,), "nothing was changed"
    assert roles(empty) == {"workspace_member"}
    mend(server, "provenance_empty", found.values())
    assert run(server, "provenance_empty", "upgrade") == ""
    run(server, "provenance_empty", "downgrade", "base")
    if "tenancy_definer" in roles(empty):
        empty.execute(f"revoke tenancy_definer from {DEPLOYER}")


@pytest.fixture
def no_createrole(empty: psycopg.Connection) -> Iterator[None]:
    """A deployer that may not create roles."""
    empty.execute(f"alter role {DEPLOYER} nocreaterole")
    yield
    empty.execute(f"alter role {DEPLOYER} createrole")


@pytest.mark.usefixtures("no_createrole")
def test_a_deployer_that_may_not_create_roles_does_everything_once_a_dba_ran_what_is_printed(
    server: Server, empty: psycopg.Connection
) -> None:
    (difference,) = preflight(server, "provenance_empty")
    assert difference.object == RIGHT
    assert f"connector-provenance sql --roles {DEPLOYER}" in run(server, "provenance_empty", "upgrade")
    assert empty.execute("select to_regnamespace('tenancy')").fetchone() == (None,), "nothing was changed"
    mend(server, "provenance_empty", [difference])
    assert run(server, "provenance_empty", "upgrade") == ""
    if empty.info.server_version < 160000:
        assert verify(server, "provenance_empty") == [
            "right of role the deployer to act as tenancy_definer: found granted; the contract says none"
        ]
        empty.execute(f"revoke tenancy_definer from {DEPLOYER}")
    assert verify(server, "provenance_empty") == []
    assert run(server, "provenance_empty", "downgrade", "base") == ""
    assert roles(empty) == set(GROUPS)
    empty.execute(f"revoke tenancy_definer from {DEPLOYER}")


@pytest.mark.parametrize("missing", ["tenancy_definer", "workspace_member"])
def test_a_deployer_needs_more_than_createrole_for_roles_of_another_from_16_on(
    missing: str, server: Server, empty: psycopg.Connection
) -> None:
    run(server, "provenance_empty", "upgrade")
    run(server, "provenance_empty", "downgrade", "base")
    empty.execute(f"create role {missing} nologin")
    found = preflight(server, "provenance_empty")
    if empty.info.server_version < 160000:
        assert found == []
        return
    assert [each.object for each in found] == [RIGHT]
    mend(server, "provenance_empty", found)
    assert run(server, "provenance_empty", "upgrade") == ""
    assert verify(server, "provenance_empty") == []
    run(server, "provenance_empty", "downgrade", "base")
    empty.execute(f"revoke tenancy_definer from {DEPLOYER}")
