"""A database that is alive: what exists is taken over when it agrees, and left alone, with a list, when it does not."""

import re

import psycopg
import pytest
from deployer import downgrade, upgrade, version_of
from helpers import ACME, SEED, force_row, scalar
from hosts import ADOPTED, HOSTS, MIXED, PARENTS, SECURED, TABLE, Host, as_owner
from servers import DEPLOYER, Server, dump

from connector_provenance.migrations import cli


def rows(connection: psycopg.Connection) -> list[tuple]:
    """Return what is in the table, if there is one."""
    found = scalar(connection, "select to_regclass(%s)", TABLE)
    return connection.execute(f"select * from {TABLE} order by pk").fetchall() if found else []


@pytest.mark.parametrize("host", [host for host in HOSTS if not host.refused], ids=str)
def test_a_host_that_agrees_is_adopted_and_given_back_as_it_was(
    host: Host, server: Server, empty: psycopg.Connection
) -> None:
    host.build(empty)
    before, stored = dump(server, "provenance_empty"), rows(empty)
    upgrade(server, "provenance_empty")
    assert cli.main(["--database-url", server.url("provenance_empty"), "verify"]) == cli.DONE
    assert rows(empty) == stored
    downgrade(server, "provenance_empty")
    assert dump(server, "provenance_empty") == before
    assert rows(empty) == stored


def test_adopted_parents_get_no_policy_and_no_grant(server: Server, empty: psycopg.Connection) -> None:
    PARENTS.build(empty)
    upgrade(server, "provenance_empty")
    assert scalar(empty, "select count(*) from pg_policy where polrelid <> %s::regclass", TABLE) == 0
    assert not scalar(empty, "select has_table_privilege('workspace_member', 'core_api.companies', 'select')")


@pytest.mark.parametrize("host", [PARENTS, SECURED], ids=str)
def test_adopted_parents_serve_the_policies(host: Host, server: Server, empty: psycopg.Connection) -> None:
    host.build(empty)
    upgrade(server, "provenance_empty")
    empty.execute("insert into core_api.workspaces (pk, workspace_id) values (1, %s)", (ACME,))
    empty.execute("insert into core_api.companies (pk, workspace_pk) values (11, 1)")
    empty.execute("insert into core_api.workspace_connectors (pk, workspace_pk) values (101, 1)")
    with empty.transaction():
        empty.execute("set local role connector_sync")
        empty.execute("select set_config('app.workspace_id', %s, true)", (ACME,))
        empty.execute(f"insert into {TABLE} (company_pk, workspace_connector_pk, direction) values (11, 101, 'input')")
        assert scalar(empty, f"select count(*) from {TABLE}") == 1


def test_members_see_the_rows_of_an_adopted_table(server: Server, empty: psycopg.Connection) -> None:
    ADOPTED.build(empty)
    upgrade(server, "provenance_empty")
    with empty.transaction():
        empty.execute("set local role workspace_member")
        empty.execute("select set_config('app.workspace_id', %s, true)", (ACME,))
        assert scalar(empty, f"select count(*) from {TABLE}") == 2


def test_a_missing_foreign_key_is_added_and_validated(server: Server, empty: psycopg.Connection) -> None:
    ADOPTED.build(empty)
    as_owner(empty, f"alter table {TABLE} drop constraint company_workspace_connectors_company_pk_foreign")
    upgrade(server, "provenance_empty")
    keys = "select bool_and(convalidated), count(*) from pg_constraint where conrelid = %s::regclass and contype = 'f'"
    assert empty.execute(keys, (TABLE,)).fetchone() == (True, 2)


# Refused


@pytest.mark.parametrize("host", [host for host in HOSTS if host.refused], ids=str)
def test_a_host_that_differs_is_refused_and_mended_by_what_is_printed(
    host: Host, server: Server, empty: psycopg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    host.build(empty)
    before = dump(server, "provenance_empty")
    assert cli.main(["--database-url", server.url("provenance_empty"), "upgrade"]) == cli.REFUSED
    message = capsys.readouterr().err
    assert [difference for difference in host.refused if difference not in message] == []
    assert dump(server, "provenance_empty") == before
    if host.mendable:
        for _ in range(2):  # what was added to mend one difference may have to be renamed
            for mend in re.findall(r": ((?:alter|drop|revoke) .*;)$", message, re.MULTILINE):
                as_owner(empty, mend.replace("type uuid", "type uuid using id::uuid").replace("your_role", DEPLOYER))
            code = cli.main(["--database-url", server.url("provenance_empty"), "upgrade"])
            message = capsys.readouterr().err
            if not code:
                break
        assert code == cli.DONE, message


def test_rows_that_span_two_workspaces_are_listed_by_the_query_that_is_printed(
    server: Server, empty: psycopg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    MIXED.build(empty)
    assert cli.main(["--database-url", server.url("provenance_empty"), "upgrade"]) == cli.REFUSED
    query = re.search(r"1 rows have .*: (select .*;)", capsys.readouterr().err)
    assert query
    assert len(empty.execute(query[1]).fetchall()) == 1


def test_a_table_of_another_owner_is_named(
    server: Server, empty: psycopg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    PARENTS.build(empty)
    empty.execute("alter table core_api.companies owner to outsider_login")
    assert cli.main(["--database-url", server.url("provenance_empty"), "upgrade"]) == cli.REFUSED
    assert (
        f"core_api.companies belongs to outsider_login: grant outsider_login to {DEPLOYER};" in capsys.readouterr().err
    )


# Mixed rows that the preflight did not meet


def test_mixed_rows_that_the_deployer_cannot_see_stop_the_guards(
    server: Server, empty: psycopg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    MIXED.build(empty)
    empty.execute("alter table core_api.companies enable row level security, force row level security")
    assert cli.main(["--database-url", server.url("provenance_empty"), "upgrade"]) == cli.FAILED
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
    upgrade(server, "provenance_empty", reached)
    empty.execute(SEED)
    mixed = force_row(empty, 11, 201)
    assert cli.main(["--database-url", server.url("provenance_empty"), "upgrade"]) == cli.FAILED
    assert re.search(
        f"1 rows have a company and a connector of different workspaces; .*{message}", capsys.readouterr().err
    )
    assert version_of(empty) == reached
    assert scalar(empty, "select count(*) from pg_trigger where tgname ~ '_refuse_'") == guards
    empty.execute("delete from core_api.company_workspace_connectors where id = %s", (mixed,))
    upgrade(server, "provenance_empty")


# Accidents, and other deployers


def test_an_index_build_that_failed_is_cleaned_up_by_the_next_run(server: Server, empty: psycopg.Connection) -> None:
    PARENTS.build(empty)
    upgrade(server, "provenance_empty", "0006_company")
    as_owner(
        empty,
        "insert into core_api.workspaces (pk) values (1);"
        "create unique index companies_workspace_pk_pk_unique on core_api.companies (workspace_pk, pk)",
    )
    empty.execute(
        "update pg_index set indisvalid = false"
        " where indexrelid = 'core_api.companies_workspace_pk_pk_unique'::regclass"
    )
    upgrade(server, "provenance_empty")
    assert scalar(empty, "select bool_and(indisvalid) from pg_index where indexrelid::regclass::text ~ '^core_api'")


def test_a_superuser_may_deploy_for_another_owner(server: Server, empty: psycopg.Connection) -> None:
    ADOPTED.build(empty)
    upgrade(server, "provenance_empty", user=server.user)
    assert not scalar(
        empty, "select has_table_privilege(%s, 'core_api.company_workspace_connectors', 'truncate')", DEPLOYER
    )
