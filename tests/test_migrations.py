"""The revisions as a deployer applies them: one by one, back and again, on hosts with settings of their own."""

import re
from pathlib import Path

import psycopg
import pytest
from deployer import REVISIONS, command_line, downgrade, upgrade, verify
from helpers import scalar
from servers import DEPLOYER, FULL, Server, dump

from connector_provenance.migrations.sqlfile import ROOT

RUN = ("sql/[0-9]*.sql", "sql/functions/*.sql", "policies/*.sql")
"""The files that revisions run."""

# The files


def test_every_sql_file_is_used_exactly_once() -> None:
    code = "".join(path.read_text() for path in ROOT.glob("migrations/versions/*.py"))
    files = {path.relative_to(ROOT).as_posix() for pattern in RUN for path in ROOT.glob(pattern)}
    used = re.findall(r'sqlfile\.run\w*\("(?!sql/0000_)(.+?)"\)', code)
    assert sorted(used) == sorted(path for path in files if "/0000_" not in path), (
        "name each SQL file once, in the revision that runs it: sqlfile.run(…); delete what no revision needs"
    )


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_revision_has_one_name(revision: str) -> None:
    assert (ROOT / "migrations" / "versions" / f"{revision}.py").is_file()
    assert len(revision) <= 32, "Alembic's version table holds 32 characters, a host's own too"


@pytest.mark.parametrize("path", sorted(path for pattern in RUN for path in ROOT.glob(pattern)), ids=lambda p: p.name)
def test_a_file_says_first_what_it_does_and_then_what_it_locks(path: Path) -> None:
    first, second, *_ = path.read_text().splitlines()
    assert first.startswith("-- ")
    assert second.startswith("-- locks: ")


# Up and down


@FULL
def test_each_revision_can_be_undone_and_done_again(server: Server, empty: psycopg.Connection) -> None:
    before = None
    for revision in REVISIONS:
        upgrade(server, "provenance_empty", revision)
        after = dump(server, "provenance_empty")
        if before is not None:
            downgrade(server, "provenance_empty", "-1")
            # a foreign key that was validated stays so: nothing is gained by forgetting it
            assert dump(server, "provenance_empty") == before.replace(" NOT VALID", "")
            upgrade(server, "provenance_empty", revision)
            assert dump(server, "provenance_empty") == after
        before = after


def test_a_junction_that_is_created_is_closed_from_its_first_moment(server: Server, empty: psycopg.Connection) -> None:
    upgrade(server, "provenance_empty", "0006_company")
    junction = "where oid = 'core_api.company_workspace_connectors'::regclass"
    assert scalar(empty, f"select relrowsecurity and relforcerowsecurity from pg_class {junction}")


def test_at_head_there_is_nothing_to_do(server: Server, empty: psycopg.Connection) -> None:
    assert upgrade(server, "provenance_empty").count("upgrade ") == len(REVISIONS)
    assert upgrade(server, "provenance_empty") == ""


def test_a_database_without_an_encoding_is_migrated_too(server: Server, empty: psycopg.Connection) -> None:
    empty.execute("create database provenance_ascii encoding 'SQL_ASCII' template template0 locale 'C' owner deployer")
    try:
        process = command_line(server, "provenance_ascii", "upgrade")
        assert process.communicate(timeout=60)[1] == ""
    finally:
        empty.execute("drop database provenance_ascii")


def test_public_may_execute_nothing_after_any_revision(server: Server, empty: psycopg.Connection) -> None:
    for revision in REVISIONS:
        upgrade(server, "provenance_empty", revision)
        open_functions = empty.execute(
            "select oid::regprocedure from pg_proc where pronamespace::regnamespace::text in ('core_api', 'tenancy')"
            " and has_function_privilege('public', oid, 'execute')"
        ).fetchall()
        assert open_functions == [], revision


@pytest.mark.usefixtures("database")  # its template has made the group roles
def test_default_privileges_of_the_host_hand_out_nothing(
    server: Server, database: str, empty: psycopg.Connection
) -> None:
    favour(empty)
    upgrade(server, "provenance_empty")
    assert grants(server, "provenance_empty") == grants(server, database)
    assert verify(server, "provenance_empty") == []


def favour(host: psycopg.Connection) -> None:
    """Let the host's default privileges give everything that the deployer creates to roles that should not have it."""
    for kind in ("tables", "sequences", "functions", "types", "schemas"):
        host.execute(
            f"alter default privileges for role {DEPLOYER} grant all on {kind}"
            " to public, outsider_login, workspace_member"
        )


def grants(server: Server, dbname: str) -> list[str]:
    """Return the grants and revokes of a database as pg_dump writes them."""
    return [line for line in dump(server, dbname).splitlines() if line.startswith(("GRANT ", "REVOKE "))]
