"""The command line as operators get it wrong: each slip has its exit code, one line on what to do, no password."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg
import pytest
from deployer import REVISIONS, VERSION_TABLE, command_line, locked, upgrade, version_of, wait_until_it_waits
from helpers import scalar, some, wait_until
from hosts import PARENTS, TABLE
from servers import DEPLOYER, Server

from connector_provenance.migrations import cli, contract, sqlfile
from connector_provenance.migrations.database import ADVISORY_LOCK

HEAD = REVISIONS[-1]
COMMANDS = (["upgrade"], ["downgrade", "base"], ["plan"], ["status"], ["verify"])
"""Those that ask a database."""

Run = Callable[..., "Result"]


class Result:
    """What one call of the command line gave."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def document(self) -> Any:
        """The JSON on standard output."""
        return json.loads(self.out)


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call the command line in this process, without a DATABASE_URL unless one is given."""

    def _run(*arguments: str, url: str | None = None) -> Result:
        monkeypatch.delenv("DATABASE_URL", raising=False)
        if url is not None:
            monkeypatch.setenv("DATABASE_URL", url)
        capfd.readouterr()
        code = cli.main(list(arguments))
        return Result(code, *capfd.readouterr())

    return _run


@pytest.fixture
def at_head(server: Server, database: str) -> str:
    """The URL of a migrated database that all tests share, for sessions that can change nothing."""
    return server.url(database) + "&options=-cdefault_transaction_read_only%3Don"


# Slips

SECRET = "s3cr3t"  # noqa: S105

URLS = {
    # what is wrong: (the URL, what the line on standard error says)
    "unset": (None, "set DATABASE_URL"),
    "empty": ("", "set DATABASE_URL"),
    "blank": (" \n", "set DATABASE_URL"),
    "no URL": (SECRET, "not a PostgreSQL URL"),
    "another database's": (f"mysql://u:{SECRET}@h/d", "not a PostgreSQL URL"),
    "libpq's other form": (f"host=h user=u password={SECRET}", "not a PostgreSQL URL"),
    "an @ in the password": (f"postgresql://u:a@{SECRET}@localhost:1/d", "%40 for @"),
    "two @ in the password": (f"postgresql://u:{SECRET}@{SECRET}@{SECRET}@localhost:1/d", "%40 for @"),
    "a / in the password": (f"postgresql://u:a/{SECRET}@localhost:1/d", "%2F for /"),
    "a ? in the password": (f"postgresql://u:a?{SECRET}@localhost:1/d", "%3F for [?]"),
    "a % in the password": (f"postgresql://u:%{SECRET}@localhost:1/d", "%25 for %"),
    "@ and / in the password": (f"postgresql://u:{SECRET}@/{SECRET}@localhost:1/d", "%40 for @"),
    "/ and digits in the password": (f"postgresql://u:1/{SECRET}@localhost:1/d", "%2F for /"),
    "no host after the password": (f"postgresql://u:{SECRET}", "not a PostgreSQL URL"),
    "an @ in a parameter": (f"postgresql://localhost:1?user=u&password=a@{SECRET}", "%40 for @"),
    "an @ in the name": (f"postgresql://u@localhost:1/{SECRET}@d", "%40 for @"),
    "a word for the port": (f"postgresql://u:{SECRET}@localhost:port/d", "not a PostgreSQL URL"),
    "an unknown parameter": (f"postgresql://u:{SECRET}@localhost:1/d?sslmod=require", "not a PostgreSQL URL"),
    "a parameter without a value": (f"postgresql://u:{SECRET}@localhost:1/d?sslmode", "not a PostgreSQL URL"),
    "a blank in the host": (f"postgresql://u:{SECRET}@local host:1/d", "local host:1/d: |not a PostgreSQL URL"),
    "a wrong port": (f"postgresql://u:{SECRET}@localhost:70000/d", "localhost:70000/d: .*70000"),
    "nobody there": (f"postgresql://u:{SECRET}@localhost:1/d", "localhost:1/d: .*refused"),
    "nobody at two places": (
        f"postgresql://u:{SECRET}@localhost:1,127.0.0.1:2/d",
        "localhost:1,127.0.0.1:2/d: .*refused",
    ),
    "a password as a parameter": (f"postgresql://localhost:1/d?user=u&password={SECRET}", "localhost:1/d: .*refused"),
    "a socket that is not there": (f"postgresql://u:{SECRET}@/d?host=/nowhere", "/nowhere:5432/d: .*No such file"),
    "an unknown service": (f"postgresql://u:{SECRET}@/?service=nowhere", 'service nowhere: .*"nowhere" not found'),
    "an unknown database": ("{url}/nowhere", '/nowhere: .*database "nowhere" does not exist'),
    "an unknown setting": ("{url}/postgres&options=-cnowhere%3D1", "nowhere"),
}


@pytest.mark.parametrize(("url", "says"), URLS.values(), ids=URLS.keys())
def test_a_wrong_url_is_one_line_without_a_piece_of_its_password(
    url: str | None, says: str, run: Run, server: Server
) -> None:
    if url is not None:
        place, *parameters = server.url("postgres").split("?")
        host = place.removesuffix("/postgres").replace(":test@", f":{SECRET}@")
        url = re.sub(r"\{url\}/(\w+)&?", lambda found: f"{host}/{found[1]}?{parameters[0]}&", url).rstrip("&")
    for command in COMMANDS:
        ways = [(command, url), ([*command, "--json"], url)]
        if url:
            ways += [([*command, "--database-url", url], None), (["--json", f"--database-url={url}", *command], None)]
        for arguments, variable in ways:
            found = run(*arguments, url=variable)
            assert found.code == cli.FAILED
            assert SECRET not in found.out + found.err
            if "--json" in arguments:
                assert found.document["code"] == cli.FAILED
                assert re.search(
                    says, found.document["databases"][0]["database"] + ": " + found.document["databases"][0]["message"]
                )
                assert found.err == ""
            else:
                assert re.search(says, found.err)
                assert (found.out, found.err.count("\n")) == ("", 1)


LINES = {
    # what is wrong: (the command line, what the line on standard error says)
    "nothing": ([], "COMMAND is one of upgrade, downgrade, plan, status, verify, sql"),
    "a mistyped command": (["upgarde"], "COMMAND is one of upgrade"),
    "a command cut short": (["up"], "COMMAND is one of upgrade"),
    "an empty command": ([""], "COMMAND is one of upgrade"),
    "two commands": (["upgrade", "verify"], "verify"),
    "too much": (["upgrade", "head", "now"], "unrecognized arguments: now"),
    "an unknown option": (["upgrade", "--force"], "unrecognized arguments: --force"),
    "an option cut short": (["upgrade", "--lock", "5"], "unrecognized arguments: --lock"),
    "an option without its value": (["upgrade", "--lock-wait"], "--lock-wait: expected one argument"),
    "an unset variable for REV": (["upgrade", ""], "an argument is empty: is a variable unset?"),
    "an unset variable for a downgrade": (["downgrade", ""], "an argument is empty"),
    "an unset variable for a plan": (["plan", ""], "an argument is empty"),
    "an unset variable for a script": (["sql", ""], "an argument is empty"),
    "an unset FROM": (["sql", ":0003"], "REV is not a revision or FROM:TO"),
    "an unset TO": (["sql", "0003:"], "REV is not a revision or FROM:TO"),
    "an unset variable for the roles": (["sql", "--roles", ""], "an argument is empty"),
    "an unset variable for the URL": (["upgrade", "--database-url", ""], "an argument is empty"),
    "a downgrade to nowhere": (["downgrade"], "downgrade needs REV"),
    "a revision for status": (["status", "head"], "status takes no REV"),
    "a revision for verify": (["verify", "head"], "verify takes no REV"),
    "a revision for the roles": (["sql", "head", "--roles", "x"], "sql takes no REV"),
    "a range online": (["upgrade", "0001:0002"], "REV is not a revision"),
    "three ends": (["sql", "0001:0002:0003"], "REV is not a revision or FROM:TO"),
    "a plan to base": (["plan", "base"], "plan takes a revision that an upgrade leads to"),
    "two revisions in one word": (["upgrade", "0001 0002"], "REV is not a revision"),
    "mend of another command": (["status", "--mend"], "--mend belongs to verify"),
    "live of another command": (["status", "--live"], "--live belongs to verify"),
    "a seed that nothing grows from": (["verify", "--seed", "7"], "--live takes --seed"),
    "live and mend at once": (["verify", "--live", "--mend"], "does not go with --mend"),
    "rows of another command": (["upgrade", "--drop-rows"], "--drop-rows belongs to downgrade"),
    "roles of another command": (["upgrade", "--roles", "x"], "--roles belongs to sql"),
    "a word for seconds": (["upgrade", "--lock-wait", "long"], "--lock-wait: is a number of seconds"),
    "negative seconds": (["upgrade", "--lock-wait", "-1"], "--lock-wait"),
    "seconds without end": (["upgrade", "--lock-wait", "inf"], "--lock-wait: is a number of seconds"),
    "no number of seconds": (["upgrade", "--build-wait", "nan"], "--build-wait: is a number of seconds"),
    "a script to nowhere": (["sql", "nowhere"], "Can't locate revision identified by 'nowhere'"),
    "a script from nowhere": (["sql", "nowhere:head"], "Can't locate revision identified by 'nowhere'"),
    "an ambiguous revision": (["sql", "00"], "00"),
    "a URL for REV": (["upgrade", f"postgresql://u:{SECRET}@h/d"], "REV is not a revision"),
    "a URL for the command": ([f"postgresql://u:{SECRET}@h/d", "upgrade"], "COMMAND is one of"),
    "a URL that is not quoted": (["upgrade", "--database-url", "postgresql://u:a", f"{SECRET}@h/d"], "REV is not"),
    "a URL in three pieces": (["upgrade", "--database-url", "postgresql://u:a", SECRET, SECRET], "is the URL quoted"),
    "a URL in an unknown option": (["upgrade", f"--url=postgresql://u:{SECRET}@h/d"], "is the URL quoted"),
    "a URL as seconds": (["upgrade", "--lock-wait", f"postgresql://u:{SECRET}@h/d"], "is the URL quoted"),
}


@pytest.mark.parametrize("name", some(list(LINES), 12))
def test_a_wrong_command_line_is_one_line_and_changes_nothing(
    name: str, run: Run, server: Server, empty: psycopg.Connection
) -> None:
    line, says = LINES[name]
    url = server.url("provenance_empty")
    found = run(*line, url=url)
    assert found.code == cli.FAILED
    assert says in found.err
    assert (found.out, found.err.count("\n")) == ("", 1)
    as_json = run(*line, "--json", url=url)
    assert (as_json.code, as_json.document["code"], as_json.err) == (cli.FAILED, cli.FAILED, "")
    assert SECRET not in found.err + as_json.out
    assert scalar(empty, "select to_regnamespace('tenancy')") is None


STATES = {
    # what is asked of what: (the command line, the database, the exit code, what is said)
    "status of an empty database": (["status"], "empty", cli.BEHIND, f"behind: at base, not {HEAD}; pending:"),
    "verify of an empty database": (["verify"], "empty", cli.BEHIND, "behind: at base"),
    "plan of an empty database": (["plan"], "empty", cli.DONE, f"{len(REVISIONS)} revisions can be applied"),
    "undo what is not there": (["downgrade", "base"], "empty", cli.DONE, "done"),
    "undo to what is not there": (["downgrade", "0003"], "empty", cli.FAILED, "0003"),
    "further down than there is": (["downgrade", "-1"], "empty", cli.FAILED, "-1"),
    "further up than there is": (["upgrade", "+99"], "empty", cli.FAILED, "99"),
    "an unknown revision": (
        ["upgrade", "nowhere"],
        "empty",
        cli.FAILED,
        "Can't locate revision identified by 'nowhere'",
    ),
    "plan to an unknown revision": (["plan", "nowhere"], "empty", cli.FAILED, "Can't locate revision identified by"),
    "upgrade at head": (["upgrade"], "head", cli.DONE, "done"),
    "upgrade to an older revision": (["upgrade", "0003"], "head", cli.DONE, "done"),
    "plan at head": (["plan"], "head", cli.DONE, "nothing to do"),
    "plan to an older revision": (["plan", "0003"], "head", cli.DONE, "nothing to do"),
    "undo to head": (["downgrade", "head"], "head", cli.DONE, "done"),
    "undo to a newer one by name": (["downgrade", HEAD], "head", cli.DONE, "done"),
    "upgrade of a newer database": (["upgrade"], "ahead", cli.AHEAD, "at 0099_later, which this package does not know"),
    "upgrade to a revision there": (["upgrade", "0003"], "ahead", cli.AHEAD, "at 0099_later"),
    "downgrade of a newer database": (["downgrade", "base"], "ahead", cli.AHEAD, "at 0099_later"),
    "status of a newer database": (["status"], "ahead", cli.AHEAD, "at 0099_later"),
    "verify of a newer database": (["verify"], "ahead", cli.AHEAD, "at 0099_later"),
    "plan of a newer database": (["plan"], "ahead", cli.AHEAD, "at 0099_later"),
    "upgrade without privileges": (["upgrade"], "outsider", cli.REFUSED, "right to create schemas in database"),
    "upgrade of a database that reads": (["upgrade"], "read only", cli.FAILED, "default_transaction_read_only is on"),
    "status under another deployer does not wait": (["status"], "locked", cli.BEHIND, "behind: at base"),
    "upgrade under another deployer": (
        ["upgrade", "--lock-wait", "0"],
        "locked",
        cli.LOCKED,
        "another deployer is at work",
    ),
}


@pytest.fixture
def states(server: Server, empty: psycopg.Connection, at_head: str) -> Iterator[Callable[[str], str]]:
    """Bring a database into a state and return its URL."""

    def _states(state: str) -> str:
        url = server.url("provenance_empty")
        match state:
            case "head":
                return at_head
            case "ahead":
                empty.execute(
                    f"create schema tenancy; create table {VERSION_TABLE} (version_num varchar(32) primary key)"
                )
                empty.execute(f"insert into {VERSION_TABLE} values ('0099_later')")
                empty.execute(
                    f"grant usage on schema tenancy to {DEPLOYER}; grant select on {VERSION_TABLE} to {DEPLOYER}"
                )
            case "outsider":
                return server.url("provenance_empty", "outsider_login")
            case "read only":
                return url + "&options=-cdefault_transaction_read_only%3Don"
            case "locked":
                empty.execute("select pg_advisory_lock(%s)", (ADVISORY_LOCK,))
        return url

    yield _states
    empty.execute("select pg_advisory_unlock_all()")


@pytest.mark.parametrize("name", some(list(STATES), 10))
def test_every_state_has_its_exit_code(
    name: str, run: Run, states: Callable[[str], str], empty: psycopg.Connection
) -> None:
    line, state, code, says = STATES[name]
    url = states(state)
    found = run(*line, url=url)
    assert (found.code, "Traceback" in found.err) == (code, False), found.err
    assert says in (found.err if code else found.out)
    as_json = run(*line, "--json", url=url)
    [outcome] = as_json.document["databases"]
    assert (as_json.code, outcome["code"]) == (code, code)
    assert re.search(r":\d+/provenance_\w+$", outcome["database"])
    assert "\n" not in outcome["message"]
    assert (scalar(empty, "select to_regclass('core_api.workspaces')")) is None, "nothing was changed"


# What went wrong first


def test_the_first_error_is_named_with_its_revision_and_its_file(
    run: Run, server: Server, empty: psycopg.Connection
) -> None:
    empty.execute(
        "create function public.refuse() returns event_trigger language plpgsql as"
        " $$ begin raise exception 'no views here' using detail = 'by order', hint = 'ask'; end $$;"
        "create event trigger refuse on ddl_command_start when tag in ('CREATE VIEW') execute function public.refuse()"
    )
    found = run("upgrade", url=server.url("provenance_empty"))
    assert found.code == cli.FAILED
    said = found.err.strip().rpartition("/provenance_empty: ")[2]
    assert said == "0005_shared (sql/0005_shared.up.sql): no views here; by order; ask"
    assert version_of(empty) == "0004_tenant_context"


def test_a_schema_of_another_owner_is_named(run: Run, server: Server, empty: psycopg.Connection) -> None:
    empty.execute("create schema tenancy")
    found = run("upgrade", url=server.url("provenance_empty"))
    assert found.code == cli.REFUSED
    assert "right to use schema tenancy: found none" in found.err


def test_who_lacks_a_right_is_told_as_whom_to_log_in(run: Run, server: Server, database: str) -> None:
    found = run("status", url=server.url(database, "member_login"))
    assert found.code == cli.FAILED
    assert "permission denied for schema tenancy; log in as the tables' owner; a deployer also needs" in found.err


def test_without_a_right_on_the_database_nothing_is_left(run: Run, server: Server, empty: psycopg.Connection) -> None:
    empty.execute("create table public.before (); create type public.trap as enum ()")
    empty.execute(
        "create function public.refuse() returns event_trigger language plpgsql as"
        " $$ begin raise exception 'no procedures here'; end $$;"
        "create event trigger refuse on ddl_command_start when tag in ('CREATE PROCEDURE')"
        " execute function public.refuse()"
    )
    assert run("upgrade", url=server.url("provenance_empty")).code == cli.FAILED
    assert scalar(empty, "select to_regnamespace('tenancy')") is None


@pytest.mark.parametrize("command", ["status", "verify", "plan", "upgrade"])
def test_a_roles_timeouts_do_not_cut_a_command(
    command: str, run: Run, server: Server, empty: psycopg.Connection, at_head: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    timeouts = []

    def look(connection: Any, *_: object, **__: object) -> list[Any]:
        timeouts.append(connection.exec_driver_sql("show statement_timeout").scalar())
        return []

    monkeypatch.setattr(contract, "verify", look)
    monkeypatch.setattr(contract, "preflight", look)
    url = at_head if command in ("status", "verify") else server.url("provenance_empty")
    hurried = url + ("%20" if "options" in url else "&options=") + "-cstatement_timeout%3D1min"
    assert run(command, *["0001"] * (command == "upgrade"), url=hurried).code == cli.DONE
    assert set(timeouts) == {"0"}


def test_what_nobody_foresaw_is_one_line_too(run: Run, at_head: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> list[Any]:
        raise KeyError(f"postgresql://u:{SECRET}@h/d\nand more")

    monkeypatch.setattr(contract, "verify", fail)
    found = run("verify", url=at_head)
    assert (found.code, found.err.count("\n")) == (cli.FAILED, 1)
    assert "KeyError: 'postgresql://h/d\\nand more'; --debug shows where" in found.err
    assert "Traceback" in run("verify", "--debug", url=at_head).err


# A contract that is not kept


def test_every_difference_is_printed_and_what_mends_it_alone_on_standard_output(
    run: Run, at_head: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = contract.Difference("", "table a", "this", "that")
    warning = contract.Difference("", "server", "15.1", "15.18", severity="warning")
    monkeypatch.setattr(contract, "verify", lambda *_, **__: [found, warning])
    monkeypatch.setattr(cli.mend, "statements", lambda _: "alter table a;\n")
    for command in ("status", "verify"):
        result = run(command, url=at_head)
        assert (result.code, result.out) == (cli.DRIFT, "")
        assert f"drift: the database is not what the contract says\n  {found.text()}\n" in result.err
        assert f"warning: {warning.text()}\n" in result.err
    result = run("verify", "--mend", url=at_head)
    assert (result.code, result.out) == (cli.DRIFT, "alter table a;\n")
    [outcome] = run("verify", "--mend", "--json", url=at_head).document["databases"]
    assert (outcome["differences"][0]["text"], outcome["warnings"]) == (found.text(), [warning.text()])
    assert outcome["answer"]["mend"] == "alter table a;\n"
    monkeypatch.setattr(contract, "verify", lambda *_, **__: [warning])
    assert run("verify", url=at_head).code == cli.DONE


def test_a_refused_preflight_changes_nothing(
    run: Run, server: Server, empty: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = server.url("provenance_empty")
    found = contract.Difference("", "table a", "this", "that")
    monkeypatch.setattr(contract, "preflight", lambda _: [found])
    for command, says in {
        "upgrade": "refused by the preflight; nothing was changed",
        "plan": "would be refused",
    }.items():
        result = run(command, url=url)
        assert result.code == cli.REFUSED
        assert re.search(rf"{says}.*\n  {found.text()}\n", result.err)
        [outcome] = run(command, "--json", url=url).document["databases"]
        assert (outcome["code"], outcome["differences"][0]["text"]) == (cli.REFUSED, found.text())
    assert scalar(empty, "select to_regnamespace('tenancy')") is None
    monkeypatch.setattr(contract, "preflight", lambda _: [contract.Difference("", "a", "", "", severity="warning")])
    assert run("upgrade", "0001", url=url).code == cli.DONE, "a warning refuses nothing"


# Rows that a downgrade would drop


def test_a_downgrade_counts_the_rows_that_it_would_drop_and_refuses(
    run: Run, server: Server, clone: psycopg.Connection
) -> None:
    url = server.url(clone.info.dbname)
    for revision in ("base", "0002", "0001"):
        found = run("downgrade", revision, url=url)
        assert found.code == cli.REFUSED
        assert f"{TABLE} has 7 rows; core_api.companies has 6 rows" in found.err
        assert "nothing was changed: --drop-rows drops them" in found.err
    assert "core_api.workspaces has 2 rows" in run("downgrade", "base", url=url).err
    assert (version_of(clone), scalar(clone, f"select count(*) from {TABLE}")) == (HEAD, 7)
    assert scalar(clone, "select relforcerowsecurity from pg_class where oid = %s::regclass", TABLE)
    clone.commit()
    assert run("downgrade", "0007", url=url).code == cli.DONE, "nothing is dropped before 0006"
    assert run("downgrade", "base", "--drop-rows", url=url).code == cli.DONE
    assert scalar(clone, "select to_regclass('core_api.workspaces')") is None
    clone.commit()


def test_a_table_without_rows_and_a_table_of_the_hosts_are_given_back_without_a_question(
    run: Run, server: Server, empty: psycopg.Connection
) -> None:
    url = server.url("provenance_empty")
    PARENTS.build(empty)
    empty.execute("insert into core_api.workspaces (pk) values (1)")
    upgrade(server, "provenance_empty")
    empty.execute("insert into tenancy.role_bindings (role, workspace_pk) values ('bound_login', 1)")
    assert ": tenancy.role_bindings has 1 rows; nothing was changed" in run("downgrade", "base", url=url).err
    empty.execute("delete from tenancy.role_bindings")
    assert run("downgrade", "base", url=url).code == cli.DONE
    assert scalar(empty, "select count(*) from core_api.workspaces") == 1


def test_rows_that_come_while_a_downgrade_waits_are_kept(run: Run, server: Server, empty: psycopg.Connection) -> None:
    PARENTS.build(empty)
    for table, values in (("workspaces", "1"), ("companies", "11, 1"), ("workspace_connectors", "101, 1")):
        columns = "pk" if table == "workspaces" else "pk, workspace_pk"
        empty.execute(f"insert into core_api.{table} ({columns}) values ({values})")
    upgrade(server, "provenance_empty")
    with locked(server, "provenance_empty", "lock table core_api.companies in row exclusive mode") as behind:
        deployer = command_line(server, "provenance_empty", "downgrade", "base")
        wait_until_it_waits(empty, deployer, behind)
        empty.execute(f"insert into {TABLE} (company_pk, workspace_connector_pk, direction) values (11, 101, 'input')")
        empty.execute("insert into tenancy.role_bindings (role, workspace_pk) values ('bound_login', 1)")
    _, errors = deployer.communicate()
    assert deployer.returncode == cli.FAILED
    assert f"0006_company (sql/0006_company.down.sql): {TABLE} has rows; --drop-rows drops them with their" in errors
    empty.execute(f"alter table {TABLE} no force row level security; delete from {TABLE}")
    assert ": tenancy.role_bindings has 1 rows" in run("downgrade", "base", url=server.url("provenance_empty")).err
    assert run("downgrade", "base", "--drop-rows", url=server.url("provenance_empty")).code == cli.DONE


def test_a_downgrade_is_refused_where_another_alembic_knows_the_version(
    run: Run, server: Server, clone: psycopg.Connection
) -> None:
    clone.execute("delete from tenancy.schema_version")
    clone.commit()
    found = run("downgrade", "base", "--drop-rows", url=server.url(clone.info.dbname))
    assert (found.code, "a host's own Alembic has these revisions here" in found.err) == (cli.REFUSED, True)


def test_alembics_own_downgrade_asks_for_the_same_word(server: Server, clone: psycopg.Connection) -> None:
    def alembic(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "alembic", *arguments],
            cwd=sqlfile.ROOT,
            env={**os.environ, "DATABASE_URL": server.url(clone.info.dbname)},
            capture_output=True,
            text=True,
        )

    refused = alembic("downgrade", "base")
    assert (refused.returncode != 0, f"{TABLE} has 7 rows" in " ".join(refused.stdout.split())) == (True, True)
    assert alembic("-x", "drop-rows=yes", "downgrade", "base").returncode == 0


# Outputs that cannot be written, and interruptions


def test_a_full_disk_is_told_and_stops_no_migration(server: Server, empty: psycopg.Connection) -> None:
    with open("/dev/full", "w") as full:
        for arguments, expected in (
            (["sql"], None),
            (["upgrade"], HEAD),
            (["upgrade", "--json"], HEAD),
            (["--help"], HEAD),
        ):
            process = subprocess.Popen(
                [sys.executable, "-m", "connector_provenance", *arguments],
                env={**os.environ, "DATABASE_URL": server.url("provenance_empty")},
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
            )
            errors = process.communicate(timeout=60)[1]
            assert process.returncode == cli.FAILED
            assert re.fullmatch("connector-provenance: standard output: .*No space left on device\n", errors)
            assert version_of(empty) == expected


def test_a_closed_pipe_is_told_and_a_closed_standard_error_bothers_nobody(run: Run, at_head: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "connector_provenance", "sql"]
    with open(writer, "w") as pipe:
        process = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, text=True)
    assert process.returncode == cli.FAILED
    assert process.stderr == "connector-provenance: standard output: [Errno 32] Broken pipe\n"
    with open("/dev/full", "w") as full:
        assert subprocess.run([*command, "nowhere"], stderr=full, stdout=subprocess.PIPE).returncode == cli.FAILED


@pytest.fixture
def snapshot(server: Server, empty: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """A transaction of another application that is older than what comes, for which CREATE INDEX CONCURRENTLY waits."""
    with psycopg.connect(server.conninfo("provenance_empty"), application_name="billing") as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute("select 1")
        yield connection
        connection.rollback()


UNFINISHED = "select count(*) from pg_index where not indisvalid"
INDEX = "0003_workspace_connectors_index"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_upgrade_leaves_nothing_half_done(
    number: int, run: Run, server: Server, empty: psycopg.Connection, snapshot: psycopg.Connection
) -> None:
    def interrupt() -> None:
        waiting = "select count(*) from pg_stat_activity where %s = any(pg_blocking_pids(pid))"
        wait_until(lambda: scalar(empty, waiting, snapshot.info.backend_pid), "the build never waited")
        assert scalar(empty, UNFINISHED) == 1
        os.kill(os.getpid(), number)

    upgrade(server, "provenance_empty", "0002")
    thread = threading.Thread(target=interrupt)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in a shell's background ignores it
    try:
        thread.start()
        found = run("upgrade", url=server.url("provenance_empty"))
        thread.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert found.code == cli.FAILED, found.err
    assert f"interrupted in {INDEX}; it is undone\n" in found.err
    assert (scalar(empty, UNFINISHED), version_of(empty)) == (0, "0002_ground")


def test_the_wait_for_old_transactions_is_bounded_told_and_leaves_no_index(
    run: Run, server: Server, empty: psycopg.Connection, snapshot: psycopg.Connection
) -> None:
    found = run("upgrade", "--build-wait", "0.3", url=server.url("provenance_empty"))
    assert found.code == cli.LOCKED
    who = f"pid {snapshot.info.backend_pid} (user {server.user}, application billing, query since "
    assert f"{INDEX}: waiting for {who}" in found.err
    assert re.search(rf"{INDEX}: gave up waiting after \d s; nothing is half done. Held by {re.escape(who)}", found.err)
    assert (scalar(empty, UNFINISHED), version_of(empty)) == (0, "0002_ground")
    snapshot.rollback()
    assert run("upgrade", url=server.url("provenance_empty")).code == cli.DONE


def test_an_unfinished_index_that_cannot_be_dropped_is_named(
    run: Run, server: Server, empty: psycopg.Connection
) -> None:
    upgrade(server, "provenance_empty", "0002")
    with psycopg.connect(server.conninfo("provenance_empty")) as writer:
        writer.execute("insert into core_api.workspaces (pk) values (1)")
        writer.execute("insert into core_api.workspace_connectors (workspace_pk) values (1)")
        found = run("upgrade", "--build-wait", "0.3", url=server.url("provenance_empty"))
        assert found.code == cli.LOCKED
        name = "core_api.workspace_connectors_workspace_pk_pk_unique"
        assert f"index {name} is unfinished and locked, so it stays: the next upgrade drops and builds it" in found.err
        assert scalar(empty, UNFINISHED) == 1
    assert run("upgrade", url=server.url("provenance_empty")).code == cli.DONE
    assert scalar(empty, UNFINISHED) == 0


# The ways to say it


def test_options_stand_before_and_after_the_command(run: Run, at_head: str) -> None:
    for line in (["--json", "--database-url", at_head, "status"], ["status", "--json", "--database-url", at_head]):
        assert run(*line).document["databases"][0]["revision"] == HEAD
    both = ["--database-url", at_head, "status", "--json", "--database-url", at_head]
    assert len(run(*both).document["databases"]) == 2


def test_the_readme_says_where_the_files_of_the_package_are() -> None:
    snippet = re.search(r'`python -c "(.*?)"`', (sqlfile.ROOT / "README.md").read_text(encoding="utf-8"))
    assert snippet
    told = subprocess.check_output([sys.executable, "-c", snippet[1]], text=True)
    assert (Path(told.strip()) / "hasura" / "login.sql").is_file()


def test_it_says_its_version_and_how_it_is_used(run: Run) -> None:
    assert run("--version").out == f"connector-provenance {version('connector-provenance')} ({HEAD})\n"
    assert run("sql", "--version").code == cli.DONE
    shown = run("--help")
    assert shown.code == cli.DONE
    assert all(word in shown.out for word in (*cli.COMMANDS, "--mend", "--drop-rows", "6 the database is ahead"))


def test_libpqs_own_ways_to_name_a_database_work_and_the_report_says_which_it_was(
    run: Run, server: Server, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = f"{server.host}:{server.port}/{database}"
    services = tmp_path / "services"
    services.write_text(
        f"[here]\nhost={server.host}\nport={server.port}\ndbname={database}\nuser={DEPLOYER}\npassword=test\n"
    )
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    passwords = tmp_path / "passwords"
    passwords.write_text(f"*:*:*:{DEPLOYER}:test\n")
    passwords.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(passwords))
    for url in (
        "postgresql:///?service=here",
        f"postgresql://{DEPLOYER}@/{database}?host={server.host}&port={server.port}",
        f"postgresql+psycopg://{DEPLOYER}@/{database}?host={server.host}&port={server.port}\n",
        f"postgres://{DEPLOYER}@/{database}?host=/nowhere,{server.host}&port={server.port}",
        f"postgresql://{DEPLOYER}@/{database}?host={server.host}&port={server.port}&options=-crole%3D{DEPLOYER}",
    ):
        found = run("upgrade", url=url)
        assert (found.code, found.out) == (cli.DONE, f"{where}: done\n"), found.err
    for name, value in {"PGHOST": server.host, "PGPORT": str(server.port), "PGUSER": DEPLOYER}.items():
        monkeypatch.setenv(name, value)
    assert run("upgrade", url=f"postgresql:///{database}").out == f"{where}: done\n"


def test_status_lists_what_is_pending_with_its_first_line(run: Run, server: Server, empty: psycopg.Connection) -> None:
    upgrade(server, "provenance_empty", REVISIONS[-3])
    found = run("status", url=server.url("provenance_empty"))
    assert found.code == cli.BEHIND
    assert f"behind: at {REVISIONS[-3]}, not {HEAD}; pending:\n  {REVISIONS[-2]}  " in found.err
    [outcome] = run("status", "--json", url=server.url("provenance_empty")).document["databases"]
    assert [step["revision"] for step in outcome["pending"]] == REVISIONS[-2:]
    assert all(step["summary"].endswith(".") for step in outcome["pending"])
