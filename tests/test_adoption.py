"""A database that is alive: what exists is taken over when it agrees, and left alone, with a list, when it does not."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import psycopg
import pytest
import sqlalchemy as sa
from alembic.util import CommandError
from deployer import downgrade, upgrade, version_of
from helpers import SEED, force_row, scalar, some
from hosts import ADOPTED, GRANTED, HOSTS, MIXED, PARENTS, PREPARED, TABLE, Host, as_owner
from servers import DEPLOYER, Server, dump, psql

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


@contextmanager
def reading(server: Server) -> Iterator[sa.Connection]:
    """Connect as the deployer, in a transaction that may not write."""
    url = server.url(DATABASE).replace("postgresql:", "postgresql+psycopg:")
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
        connection.execute(sa.text("set transaction read only"))
        yield connection


def preflight(server: Server) -> list[contract.Difference]:
    """Return what the preflight finds."""
    with reading(server) as connection:
        return contract.preflight(connection)


def objects(differences: Iterable[contract.Difference], severity: str) -> list[str]:
    """Return the names of those that have a severity, sorted."""
    return sorted(each.object for each in differences if each.severity == severity)


def mend(server: Server, differences: Iterable[contract.Difference]) -> None:
    """Run what is printed, as psql does, each as the role that it names."""
    for each in differences:
        printed = each.mend or ""
        psql(server, DATABASE, printed, None if printed.startswith("-- as ") else DEPLOYER)


def verify(server: Server) -> list[str]:
    """Return what differs from the contract."""
    with reading(server) as connection:
        return [each.text() for each in contract.verify(connection, rows=True)]


# Adopted


@pytest.mark.parametrize("host", [host for host in HOSTS if not host.refused], ids=str)
def test_a_host_that_agrees_is_adopted_and_given_back_as_it_was(
    host: Host, server: Server, empty: psycopg.Connection
) -> None:
    with standing(host, empty):
        before, stored = dump(server, DATABASE), rows(empty)
        found = preflight(server)
        assert (objects(found, "drift"), objects(found, "warning")) == ([], sorted(host.warned))
        upgrade(server, DATABASE)
        assert verify(server) == []
        assert preflight(server) == []
        downgrade(server, DATABASE)
        assert dump(server, DATABASE) == before
        assert rows(empty) == stored


def test_schemas_that_a_dba_made_do_for_a_deployer_that_may_make_none(
    server: Server, empty: psycopg.Connection
) -> None:
    PREPARED.build(empty)
    assert preflight(server) == []
    upgrade(server, DATABASE)
    assert verify(server) == []
    downgrade(server, DATABASE)
    assert scalar(empty, "select to_regnamespace('core_api') is not null and to_regnamespace('tenancy') is null")


def test_a_grant_of_ours_that_was_there_is_announced_as_one_that_a_downgrade_revokes(
    server: Server, empty: psycopg.Connection
) -> None:
    GRANTED.build(empty)
    before = dump(server, DATABASE)
    (warning,) = preflight(server)
    assert (warning.object, warning.severity) == (GRANTED.warned[0], "warning")
    assert warning.mend == "-- a downgrade revokes it: grant it again then"
    upgrade(server, DATABASE)
    assert verify(server) == []
    downgrade(server, DATABASE)
    as_owner(empty, f"{warning.object}")
    assert dump(server, DATABASE) == before


# Refused


REFUSED = [host for host in HOSTS if host.refused]
ADOPTED_AFTERWARDS = some([host.name for host in REFUSED if host.mendable], 12)


@pytest.mark.parametrize("host", REFUSED, ids=str)
def test_a_host_that_differs_is_refused_unchanged_until_what_is_printed_was_run(
    host: Host, server: Server, empty: psycopg.Connection
) -> None:
    with standing(host, empty):
        before, stored = dump(server, DATABASE), rows(empty)
        found = preflight(server)
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
        mend(server, found)
        assert objects(preflight(server), "drift") == []
        if host.name in ADOPTED_AFTERWARDS:
            upgrade(server, DATABASE)
            assert verify(server) == []


# Rows that span two workspaces


def test_mixed_rows_are_listed_by_the_query_that_is_printed(server: Server, empty: psycopg.Connection) -> None:
    MIXED.build(empty)
    (difference,) = preflight(server)
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
