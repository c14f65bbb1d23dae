"""The script that a DBA reads or gives to psql: both directions, the database that an online run gives, resumable."""

import subprocess
import sys

import psycopg
import pytest
from deployer import REVISIONS, upgrade, version_of
from helpers import scalar
from servers import BIN, DEPLOYER, Server, dump

from connector_provenance.migrations import cli
from connector_provenance.migrations.database import ADVISORY_LOCK
from connector_provenance.migrations.sqlfile import ROOT

HEAD = REVISIONS[-1]


def psql(server: Server, dbname: str, script: str, user: str | None = DEPLOYER) -> subprocess.CompletedProcess[str]:
    """Pipe a script into psql, with no option that would make up for what the script does not say itself."""
    command = [str(BIN / "psql"), "--no-psqlrc", "--quiet", "--output=/dev/null", server.conninfo(dbname, user)]
    return subprocess.run(command, input=script, capture_output=True, text=True, timeout=60)


@pytest.fixture
def online(server: Server, second: psycopg.Connection) -> str:
    """The dump of a database that was migrated online."""
    upgrade(server, "provenance_second")
    return dump(server, "provenance_second")


def test_it_gives_the_database_that_the_online_run_gives_and_takes_it_back(
    server: Server, empty: psycopg.Connection, online: str
) -> None:
    before = dump(server, "provenance_empty")
    assert psql(server, "provenance_empty", cli.script_of("head")).returncode == 0
    assert dump(server, "provenance_empty") == online
    assert psql(server, "provenance_empty", cli.script_of("head:0006")).returncode == 0
    assert version_of(empty) == "0006_company"
    assert psql(server, "provenance_empty", cli.script_of("0006:head")).returncode == 0
    assert dump(server, "provenance_empty") == online
    assert psql(server, "provenance_empty", cli.script_of("head:base")).returncode == 0
    assert dump(server, "provenance_empty") == before


@pytest.mark.parametrize("stop", ["create table if not exists core_api.companies", "-- Running upgrade 0006_company"])
def test_it_goes_on_from_where_it_stopped(stop: str, server: Server, empty: psycopg.Connection, online: str) -> None:
    script = cli.script_of("head")
    assert psql(server, "provenance_empty", script[: script.index(stop)]).returncode == 3, "cut off"
    assert version_of(empty) == "0005_shared" if "create" in stop else "0006_company"
    assert psql(server, "provenance_empty", script).returncode == 0
    assert dump(server, "provenance_empty") == online
    assert psql(server, "provenance_empty", script).returncode == 0, "done is done"
    assert dump(server, "provenance_empty") == online
    down = cli.script_of("head:base")
    assert psql(server, "provenance_empty", down[: down.index("-- Running downgrade 0006_company")]).returncode == 3
    assert version_of(empty) == "0006_company"
    assert psql(server, "provenance_empty", down).returncode == 0
    assert version_of(empty) is None


def test_it_refuses_a_database_that_is_elsewhere(server: Server, empty: psycopg.Connection) -> None:
    upgrade(server, "provenance_empty", "0003")
    before = dump(server, "provenance_empty")
    for span in ("0005:head", "head:0006", "base:0002"):
        found = psql(server, "provenance_empty", cli.script_of(span))
        assert found.returncode == 3
        assert "the database is at revision '0003_workspace_connectors_index'" in found.stderr
        assert "ERROR:  this script does not start from where the database is" in found.stderr
    assert dump(server, "provenance_empty") == before


def test_it_stops_at_the_first_error(server: Server, empty: psycopg.Connection) -> None:
    empty.execute("create schema core_api; create table core_api.companies ()")
    found = psql(server, "provenance_empty", cli.script_of("head"), user=None)
    assert found.returncode == 3
    assert found.stderr.count("ERROR:") == 1
    assert version_of(empty) == "0005_shared"


def test_it_waits_for_another_deployer_and_says_for_whom(server: Server, empty: psycopg.Connection) -> None:
    empty.execute("select pg_advisory_lock(%s)", (ADVISORY_LOCK,))
    command = [
        str(BIN / "psql"),
        "--no-psqlrc",
        "--quiet",
        "--output=/dev/null",
        server.conninfo("provenance_empty", DEPLOYER),
    ]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stderr
        process.stdin.write(cli.script_of("0001"))
        process.stdin.close()
        assert (
            f"waiting for another deployer: pid {empty.info.backend_pid}, user {server.user}"
            in process.stderr.readline()
        )
        assert version_of(empty) is None
        empty.execute("select pg_advisory_unlock(%s)", (ADVISORY_LOCK,))
        assert process.wait(timeout=60) == 0
    assert version_of(empty) == "0001_roles"
    assert scalar(empty, "select count(*) from pg_locks where locktype = 'advisory'") == 0


def test_the_command_line_and_alembic_print_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, span in ((["upgrade", "head"], "head"), (["downgrade", f"{HEAD}:base"], "head:base")):
        alembic = subprocess.run(
            [sys.executable, "-m", "alembic", *arguments, "--sql"], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout
        assert cli.main(["sql", span]) == cli.DONE
        assert capsys.readouterr().out == alembic
        assert alembic.startswith("\\set ON_ERROR_STOP on\n")


def test_the_roles_script_can_be_repeated_and_serves_a_deployer_that_may_create_none(
    server: Server, empty: psycopg.Connection, second: psycopg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    empty.execute('create role "Deploy O\'Neil" login')
    try:
        assert cli.main(["sql", "--roles", "Deploy O'Neil"]) == cli.DONE
        script = capsys.readouterr().out
        for dbname in ("provenance_empty", "provenance_empty", "provenance_second"):
            found = psql(server, dbname, script, user=None)
            assert (found.returncode, "ERROR" in found.stderr) == (0, False)
        assert scalar(empty, "select pg_has_role('Deploy O''Neil', 'tenancy_definer', 'member')")
    finally:
        empty.execute('revoke tenancy_definer from "Deploy O\'Neil"; drop role "Deploy O\'Neil"')
