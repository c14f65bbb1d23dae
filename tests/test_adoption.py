"""A database that is alive: what exists is taken over when it agrees, and left alone, with a list, when it does not."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import psycopg
import pytest
from alembic.util import CommandError
from deployer import downgrade, mend, preflight, upgrade, verify, version_of
from helpers import ACME, SEED, force_row, scalar, some
from hosts import ADOPTED, GRANTED, HOSTS, MIXED, PARENTS, PREPARED, SECURED, TABLE, Host, as_owner
from servers import DEPLOYER, Server, dump

from connector_provenance.migrations import cli, contract

pytestmark = pytest.mark.usefixtures("template")  # so that the group roles are there, made by the deployer

DATABASE = "provenance_empty"


@contextmanager
def standing(host: Host, connection: psycopg.Connection) -> Iterator[None]:
    """Build a host, and leave the cluster as it was."""
    try:
        host.build(connection)
        yield
    finally:
        connection.execute(host.undo)


def rows(connection: psycopg.Connection) -> list[tuple]:
    """Return what is in the table, if there is one."""
    found = scalar(connection, "select to_regclass(%s)", TABLE)
    return connection.execute(f"select * from {TABLE} order by pk").fetchall() if found else []


def objects(differences: Iterable[contract.Difference], severity: str) -> list[str]:
    """Return the names of those that have a severity, sorted."""
    return sorted(each.object for each in differences if each.severity == severity)


# Adopted


@pytest.mark.parametrize("host", some([host for host in HOSTS if not host.refused], 5), ids=str)
def test_a_host_that_agrees_is_adopted_and_given_back_as_it_was(
    host: Host, server: Server, empty: psycopg.Connection
) -> None:
    if empty.info.server_version // 10000 < host.since:
        pytest.skip(f"from {host.since} on")
    with standing(host, empty):
        before, stored = dump(server, DATABASE), rows(empty)
        found = preflight(server, DATABASE)
        assert (objects(found, "drift"), objects(found, "warning")) == ([], sorted(host.warned))
        upgrade(server, DATABASE)
        assert verify(server, DATABASE) == []
        assert preflight(server, DATABASE) == []
        downgrade(server, DATABASE)
        assert dump(server, DATABASE) == before
        assert rows(empty) == stored


def test_adopted_parents_get_no_policy_and_no_grant(server: Server, empty: psycopg.Connection) -> None:
    PARENTS.build(empty)
    upgrade(server, DATABASE)
    assert scalar(empty, "select count(*) from pg_policy where polrelid <> %s::regclass", TABLE) == 0
    assert not scalar(empty, "select has_table_privilege('workspace_member', 'core_api.companies', 'select')")


@pytest.mark.parametrize("host", [PARENTS, SECURED], ids=str)
def test_adopted_parents_serve_the_policies(host: Host, server: Server, empty: psycopg.Connection) -> None:
    host.build(empty)
    upgrade(server, DATABASE)
    empty.execute("insert into core_api.workspaces (pk, workspace_id) values (1, %s)", (ACME,))
    empty.execute("insert into core_api.companies (pk, workspace_pk) values (11, 1)")
    empty.execute("insert into core_api.workspace_connectors (pk, workspace_pk) values (101, 1)")
    with empty.transaction():
        empty.execute("set local role connector_sync")
        empty.execute("select set_config('app.workspace_id', %s, true)", (ACME,))
        empty.execute(f"insert into {TABLE} (company_pk, workspace_connector_pk, direction) values (11, 101, 'input')")
        assert scalar(empty, f"select count(*) from {TABLE}") == 1
        assert scalar(empty, "select json_array_length(core_api.company_workspace_connectors_list() -> 'data')") == 1


def test_the_rows_of_an_adopted_table_are_seen_by_members_in_their_workspace_alone(
    server: Server, empty: psycopg.Connection
) -> None:
    ADOPTED.build(empty)
    upgrade(server, DATABASE)
    for role, workspace, seen in (("workspace_member", ACME, 2), ("workspace_member", "", 0), (DEPLOYER, ACME, 0)):
        with empty.transaction():
            empty.execute(f"set local role {role}")
            empty.execute("select set_config('app.workspace_id', %s, true)", (workspace,))
            assert scalar(empty, f"select count(*) from {TABLE}") == seen, role


def test_a_missing_foreign_key_is_added_and_validated(server: Server, empty: psycopg.Connection) -> None:
    ADOPTED.build(empty)
    as_owner(empty, f"alter table {TABLE} drop constraint company_workspace_connectors_company_pk_foreign")
    upgrade(server, DATABASE)
    keys = "select bool_and(convalidated), count(*) from pg_constraint where conrelid = %s::regclass and contype = 'f'"
    assert empty.execute(keys, (TABLE,)).fetchone() == (True, 2)


def test_schemas_that_a_dba_made_do_for_a_deployer_that_may_make_none(
    server: Server, empty: psycopg.Connection
) -> None:
    PREPARED.build(empty)
    assert preflight(server, DATABASE) == []
    upgrade(server, DATABASE)
    assert verify(server, DATABASE) == []
    downgrade(server, DATABASE)
    assert scalar(empty, "select to_regnamespace('core_api') is not null and to_regnamespace('tenancy') is not null")
    assert preflight(server, DATABASE) == []
    upgrade(server, DATABASE)


def test_a_grant_of_ours_that_was_there_is_announced_as_one_that_a_downgrade_revokes(
    server: Server, empty: psycopg.Connection
) -> None:
    GRANTED.build(empty)
    before = dump(server, DATABASE)
    (warning,) = preflight(server, DATABASE)
    assert (warning.object, warning.severity) == (GRANTED.warned[0], "warning")
    assert warning.mend == "-- a downgrade revokes it: grant it again then"
    upgrade(server, DATABASE)
    assert verify(server, DATABASE) == []
    downgrade(server, DATABASE)
    as_owner(empty, f"{warning.object}")
    assert dump(server, DATABASE) == before


# Refused


@pytest.mark.parametrize("host", some([host for host in HOSTS if host.refused], 8), ids=str)
def test_a_host_that_differs_is_refused_unchanged_until_what_is_printed_was_run(
    host: Host, server: Server, empty: psycopg.Connection
) -> None:
    if empty.info.server_version // 10000 < host.since:
        pytest.skip(f"from {host.since} on")
    with standing(host, empty):
        before, stored = dump(server, DATABASE), rows(empty)
        found = preflight(server, DATABASE)
        assert (objects(found, "drift"), objects(found, "warning")) == (sorted(host.refused), sorted(host.warned))
        with pytest.raises(CommandError, match="refused by the preflight; nothing was changed") as caught:
            upgrade(server, DATABASE)
        found = [each for each in found if each.severity != "warning"]
        assert [each.text() for each in found if each.text() not in str(caught.value)] == []
        assert dump(server, DATABASE) == before
        assert rows(empty) == stored
        printed = [line for each in found for line in (each.mend or "").splitlines()]
        assert printed
        if not host.mendable:
            assert any(line.startswith("--") for line in printed)
            return
        mend(server, DATABASE, found)
        assert objects(preflight(server, DATABASE), "drift") == []
        upgrade(server, DATABASE)
        assert verify(server, DATABASE) == []


# Rows that span two workspaces


def test_mixed_rows_are_listed_by_the_query_that_is_printed(server: Server, empty: psycopg.Connection) -> None:
    MIXED.build(empty)
    (difference,) = preflight(server, DATABASE)
    assert difference.found == "1 whose two parents differ in workspace"
    assert difference.mend
    query = re.search("select .*;", difference.mend)
    assert query
    assert empty.execute(query[0]).fetchall() == [(3, 11, 1, 201, 2)]


def test_mixed_rows_that_the_deployer_cannot_see_stop_the_guards(
    server: Server, empty: psycopg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    MIXED.build(empty)
    empty.execute("alter table core_api.companies enable row level security, force row level security")
    assert cli.main(["--database-url", server.url(DATABASE), "upgrade"]) == cli.FAILED
    assert "no guard was added" in capsys.readouterr().err
    assert version_of(empty) == "0008_company_policies"


@pytest.mark.parametrize(
    ("reached", "message", "guards"),
    [
        ("0008_company_policies", "no guard was added", 0),
        ("0009_company_guards", "older than the guards, which stay", 6),
    ],
)
def test_a_mixed_row_that_came_after_the_preflight_stops_the_upgrade_until_it_is_gone(
    reached: str,
    message: str,
    guards: int,
    server: Server,
    empty: psycopg.Connection,
    capsys: pytest.CaptureFixture[str],
) -> None:
    upgrade(server, DATABASE, reached)
    empty.execute(SEED)
    mixed = force_row(empty, 11, 201)
    assert cli.main(["--database-url", server.url(DATABASE), "upgrade"]) == cli.FAILED
    assert re.search(
        f"1 rows have a company and a connector of different workspaces; .*{message}", capsys.readouterr().err
    )
    assert version_of(empty) == reached
    assert scalar(empty, "select count(*) from pg_trigger where tgname ~ '_refuse_'") == guards
    empty.execute("delete from core_api.company_workspace_connectors where id = %s", (mixed,))
    upgrade(server, DATABASE)


# Accidents, and other deployers


def test_an_index_build_that_failed_is_cleaned_up_by_the_next_run(server: Server, empty: psycopg.Connection) -> None:
    PARENTS.build(empty)
    upgrade(server, DATABASE, "0006_company")
    as_owner(
        empty,
        "insert into core_api.workspaces (pk) values (1);"
        "create unique index companies_workspace_pk_pk_unique on core_api.companies (workspace_pk, pk)",
    )
    empty.execute(
        "update pg_index set indisvalid = false"
        " where indexrelid = 'core_api.companies_workspace_pk_pk_unique'::regclass"
    )
    upgrade(server, DATABASE)
    assert scalar(empty, "select bool_and(indisvalid) from pg_index where indexrelid::regclass::text ~ '^core_api'")


def test_a_superuser_may_deploy_for_another_owner(server: Server, empty: psycopg.Connection) -> None:
    ADOPTED.build(empty)
    upgrade(server, DATABASE, user=server.user)
    assert not scalar(
        empty, "select has_table_privilege(%s, 'core_api.company_workspace_connectors', 'truncate')", DEPLOYER
    )
