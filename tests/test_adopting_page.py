"""docs/adopting.md: every command and statement on the page is run as it is printed, by whom it says."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest
from deployer import preflight, version_of
from helpers import scalar
from hosts import ADOPTED, HOSTS, MIXED
from servers import BIN, DEPLOYER, GROUPS, PASSWORD, Server, dump, psql

from connector_provenance.migrations import cli
from connector_provenance.migrations.sqlfile import ROOT

PAGE = (ROOT / "docs" / "adopting.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S))
BLOCK = re.compile(r"^```(sh|sql)\n(.*?)^```$", re.M | re.S)
LOGINS = ("app_admin", "app_deployer", "app_api", "app_sync")

ADOPTION = ("A table that an application uses", "What is added to your tables, and nothing else")

pytestmark = pytest.mark.usefixtures("no_group_roles")


@pytest.fixture
def cluster(server: Server) -> Iterator[psycopg.Connection]:
    """A superuser's connection to a cluster that has none of the page's roles, and has none of them afterwards."""
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as connection:
        yield connection
        connection.execute("drop database if exists app with (force)")
        for role in (*LOGINS[2:], *GROUPS, *LOGINS[1::-1]):  # who granted goes last
            connection.execute(f"drop role if exists {role}")


def walk(server: Server, dbname: str, *sections: str, owner: str) -> None:
    """Run the blocks of some sections in their order.

    :param owner: who runs statements that do not say who runs them, and whose login the commands use.
    """
    for section in sections:
        for language, text in BLOCK.findall(SECTIONS[section]):
            if language == "sh":
                shell(server, dbname, text, owner)
                continue
            who = re.match(r"-- as (the DBA|\w+)(, on 15)?\n", text)
            if who and who[2] and int(version(server)) >= 16:
                continue
            login = owner if who is None else None if who[1] == "the DBA" else who[1]
            where = "postgres" if "create database" in text else dbname
            psql(server, where, text.replace("'secret'", f"'{PASSWORD}'"), login)


def shell(server: Server, dbname: str, script: str, user: str, code: int = 0) -> str:
    """Run a script of the page with the deployer's and a DBA's URL, and return what it prints."""
    path = ":".join([os.path.dirname(sys.executable), str(BIN), os.environ["PATH"]])
    urls = {"DATABASE_URL": server.url(dbname, user), "DBA_URL": server.conninfo(dbname)}
    process = subprocess.run(
        ["sh", "-ec", script],
        env={**os.environ, "PATH": path, **urls},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert process.returncode == code, process.stdout + process.stderr
    return process.stdout + process.stderr


def version(server: Server) -> str:
    """Return the server's major version."""
    with psycopg.connect(server.conninfo("postgres")) as connection:
        return str(connection.info.server_version // 10000)


def test_a_host_asks_first_and_reads_what_the_page_shows(server: Server, empty: psycopg.Connection) -> None:
    ((_, plan),) = BLOCK.findall(SECTIONS["Ask first"])
    (shown,) = re.findall(r"^\n```\n(.*?)^```$", SECTIONS["Ask first"], re.M | re.S)
    next(host for host in HOSTS if host.name == "companies.pk as bigint").build(empty)
    empty.execute("analyze")
    printed = shell(server, "provenance_empty", plan, DEPLOYER, code=cli.REFUSED)
    assert re.sub(r"^ +", "", shown, flags=re.M) in re.sub(r"^ +", "", printed, flags=re.M), printed


@pytest.mark.parametrize("way", [0, 1], ids=["mistakes", "a connector for each workspace"])
def test_rows_that_span_two_workspaces_are_settled_either_way(
    way: int, server: Server, empty: psycopg.Connection
) -> None:
    MIXED.build(empty)
    assert [each.object for each in preflight(server, "provenance_empty")] == list(MIXED.refused)
    statements = BLOCK.findall(SECTIONS["Rows that span two workspaces"])
    psql(server, "provenance_empty", statements[way][1])
    assert preflight(server, "provenance_empty") == []
    assert scalar(empty, "select count(*) from core_api.company_workspace_connectors") == 2 + way


def test_a_table_that_an_application_uses_is_adopted_and_given_back(
    server: Server, cluster: psycopg.Connection, empty: psycopg.Connection
) -> None:
    for login in LOGINS[1:]:
        empty.execute(f"create role {login} login password '{PASSWORD}'")
    ADOPTED.but("with a view", "create view core_api.active as select pk from TABLE").build(empty)
    empty.execute(f"reassign owned by {DEPLOYER} to app_deployer")
    psql(server, "provenance_empty", "alter view core_api.active set (security_invoker = true)", "app_deployer")
    before = dump(server, "provenance_empty")
    walk(server, "provenance_empty", *ADOPTION, owner="app_deployer")
    assert version_of(empty) is None
    assert dump(server, "provenance_empty") == before


def test_an_empty_database_gets_its_first_row_without_a_superuser(server: Server, cluster: psycopg.Connection) -> None:
    cluster.execute(f"create role app_admin login createrole createdb password '{PASSWORD}'")
    walk(server, "app", "An empty database", owner="app_deployer")
    with psycopg.connect(server.conninfo("app")) as connection:
        assert scalar(connection, "select count(*) from core_api.company_workspace_connectors") == 1


def test_no_block_of_the_page_is_left_out() -> None:
    walked = {"Ask first", "Rows that span two workspaces", *ADOPTION, "An empty database"}
    assert {section for section, text in SECTIONS.items() if BLOCK.search(text)} == walked
