"""A deployer that is killed, or a server that stops, at any step: the next run completes what it left."""

import time
from itertools import pairwise

import psycopg
import pytest
from deployer import (
    REVISIONS,
    VERSION_TABLE,
    command_line,
    kill,
    locked,
    upgrade,
    verify,
    version_of,
    wait_until_gone,
    wait_until_it_waits,
)
from helpers import scalar, some
from hosts import ADOPTED, EMPTY, Uninterrupted
from servers import DEPLOYER, Crashing, Server, dump, new_database

from connector_provenance.migrations import cli

STEPS = list(pairwise(REVISIONS))
"""Each revision but the first, with the one before it."""

BREAKPOINT = """
create function public.breakpoint() returns event_trigger language plpgsql
security definer set lock_timeout = 0 as $$
declare
    version text := 'none';
begin
    if to_regclass('tenancy.schema_version') is not null then
        execute 'select max(version_num) from tenancy.schema_version' into version;
    end if;
    if coalesce(version, 'none') = current_setting('test.breakpoint', true) then
        perform pg_advisory_xact_lock(1);
    end if;
end
$$;
create event trigger breakpoint on ddl_command_start execute function public.breakpoint();
"""
"""Stops whoever changes the schema for as long as the test holds advisory lock 1, when it is at a certain revision."""


def test_a_deployer_killed_at_the_end_of_any_revision_leaves_what_the_next_run_completes(
    server: Server, empty: psycopg.Connection, uninterrupted: Uninterrupted
) -> None:
    ADOPTED.build(empty)
    for before, revision in some(STEPS, 2):
        upgrade(server, "provenance_empty", before)
        with locked(server, "provenance_empty", f"lock table {VERSION_TABLE} in share row exclusive mode") as behind:
            deployer = command_line(server, "provenance_empty", "upgrade")
            wait_until_it_waits(empty, deployer, behind)
            kill(deployer)
        wait_until_gone(empty)
        assert version_of(empty) == before, revision
    upgrade(server, "provenance_empty")
    assert dump(server, "provenance_empty") == uninterrupted(ADOPTED)


def test_a_deployer_killed_between_any_two_revisions_leaves_what_the_next_run_completes(
    server: Server, empty: psycopg.Connection, uninterrupted: Uninterrupted
) -> None:
    empty.execute(BREAKPOINT)
    # the revision after the guards only reads, so there is no change of the schema to stop at
    stops = [None, *(revision for revision in REVISIONS[:-1] if revision != "0009_company_guards")]
    for revision in some(stops, 2):
        empty.execute(f"alter database provenance_empty set test.breakpoint = '{revision or 'none'}'")
        empty.execute("select pg_advisory_lock(1)")
        deployer = command_line(server, "provenance_empty", "upgrade")
        wait_until_it_waits(empty, deployer, empty.info.backend_pid)
        kill(deployer)
        empty.execute("select pg_advisory_unlock(1)")
        wait_until_gone(empty)
        assert version_of(empty) == revision
    empty.execute(
        "drop event trigger breakpoint; drop function public.breakpoint(); alter database provenance_empty reset all"
    )
    upgrade(server, "provenance_empty")
    assert dump(server, "provenance_empty") == uninterrupted(EMPTY)


def test_a_deployer_killed_while_it_compares_changes_nothing(
    server: Server, empty: psycopg.Connection, uninterrupted: Uninterrupted
) -> None:
    ADOPTED.build(empty)
    with locked(server, "provenance_empty", "lock table core_api.companies in access exclusive mode") as behind:
        deployer = command_line(server, "provenance_empty", "upgrade")
        wait_until_it_waits(empty, deployer, behind)
        kill(deployer)
    wait_until_gone(empty)
    assert version_of(empty) is None
    assert scalar(empty, "select count(*) from pg_class where relnamespace = to_regnamespace('tenancy')") <= 2, (
        "Alembic's table and its key at the most"
    )
    upgrade(server, "provenance_empty")
    assert dump(server, "provenance_empty") == uninterrupted(ADOPTED)


BUILDS = {
    "companies": ("0006_company", "companies_workspace_pk_pk_unique"),
    "workspace_connectors": ("0002_ground", "workspace_connectors_workspace_pk_pk_unique"),
    "company_workspace_connectors": ("0006_company", "company_workspace_connectors_company_pk_index"),
}


@pytest.mark.parametrize(("table", "revision", "index"), some([(table, *build) for table, build in BUILDS.items()], 1))
def test_an_index_build_that_was_interrupted_is_done_again(
    table: str,
    revision: str,
    index: str,
    server: Server,
    empty: psycopg.Connection,
    uninterrupted: Uninterrupted,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    valid = f"select indisvalid from pg_index where indexrelid = to_regclass('core_api.{index}')"
    ADOPTED.build(empty)
    upgrade(server, "provenance_empty", revision)
    with locked(server, "provenance_empty", f"lock table core_api.{table} in row exclusive mode") as behind:
        deployer = command_line(server, "provenance_empty", "upgrade")
        orphan = wait_until_it_waits(empty, deployer, behind)
        kill(deployer)
        assert scalar(empty, valid) is False

        # the server does not notice that nobody waits for the build any more; the next run says who is in the way
        assert cli.main(["--database-url", server.url("provenance_empty"), "upgrade"]) == cli.LOCKED
        assert f"pid {orphan} (user {DEPLOYER}" in capsys.readouterr().err
        empty.execute("select pg_terminate_backend(%s)", (orphan,))
        wait_until_gone(empty)
    assert scalar(empty, valid) is False
    assert version_of(empty) == revision
    upgrade(server, "provenance_empty")
    assert scalar(empty, valid) is True
    assert dump(server, "provenance_empty") == uninterrupted(ADOPTED)


# A server that stops


def test_a_server_that_stops_in_the_middle_of_any_revision_is_completed_after_its_restart(crashing: Crashing) -> None:
    server = crashing.server
    with new_database(server, "provenance_empty") as connection:
        ADOPTED.build(connection)
        for before, revision in some(STEPS, 2):
            upgrade(server, "provenance_empty", before)
            with (
                psycopg.connect(server.conninfo("provenance_empty"), autocommit=True) as observer,
                locked(server, "provenance_empty", f"lock table {VERSION_TABLE} in share row exclusive mode") as behind,
            ):
                deployer = command_line(server, "provenance_empty", "upgrade")
                wait_until_it_waits(observer, deployer, behind)
                crashing.stop()
            output, errors = deployer.communicate()
            assert deployer.returncode == cli.FAILED, revision
            assert "Traceback" not in output + errors, errors
            crashing.start()
            with psycopg.connect(server.conninfo("provenance_empty"), autocommit=True) as observer:
                assert version_of(observer) == before
        upgrade(server, "provenance_empty")
        assert verify(server, "provenance_empty") == []
