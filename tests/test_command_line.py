"""The command line as operators get it wrong: every slip has its exit code, one line that says what to do, no password."""

import io
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
from deployer import REVISIONS, VERSION_TABLE, command_line, upgrade, version_of, wait_until_gone, wait_until_it_waits
from helpers import scalar, wait_until
from hosts import PARENTS, TABLE
from servers import DEPLOYER, Server, psql

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
    "nobody at two places": (f"postgresql://u:{SECRET}@localhost:1,127.0.0.1:2/d", "localhost:1,127.0.0.1:2/d: .*refused"),
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
                assert re.search(says, found.document["databases"][0]["database"] + ": " + found.document["databases"][0]["message"])
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
    "two revisions in one word": (["upgrade", "0001 0002"], "REV is not a revision"),
    "mend of another command": (["status", "--mend"], "--mend belongs to verify"),
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


@pytest.mark.parametrize(("line", "says"), LINES.values(), ids=LINES.keys())
def test_a_wrong_command_line_is_one_line_and_changes_nothing(
    line: list[str], says: str, run: Run, server: Server, empty: psycopg.Connection
) -> None:
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
    "an unknown revision": (["upgrade", "nowhere"], "empty", cli.FAILED, "Can't locate revision identified by 'nowhere'"),
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
    "upgrade without privileges": (["upgrade"], "outsider", cli.FAILED, "permission denied for database"),
    "upgrade of a database that reads": (["upgrade"], "read only", cli.FAILED, "default_transaction_read_only is on"),
    "upgrade under another deployer": (["upgrade", "--lock-wait", "0"], "locked", cli.LOCKED, "another deployer is at work"),
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
                empty.execute(f"create schema tenancy; create table {VERSION_TABLE} (version_num varchar(32) primary key)")
                empty.execute(f"insert into {VERSION_TABLE} values ('0099_later')")
                empty.execute(f"grant usage on schema tenancy to {DEPLOYER}; grant select on {VERSION_TABLE} to {DEPLOYER}")
            case "outsider":
                return server.url("provenance_empty", "outsider_login")
            case "read only":
                return url + "&options=-cdefault_transaction_read_only%3Don"
            case "locked":
                empty.execute("select pg_advisory_lock(%s)", (ADVISORY_LOCK,))
        return url

    yield _states
    empty.execute("select pg_advisory_unlock_all()")


@pytest.mark.parametrize(("line", "state", "code", "says"), STATES.values(), ids=STATES.keys())
def test_every_state_has_its_exit_code(
    line: list[str], state: str, code: int, says: str, run: Run, states: Callable[[str], str], empty: psycopg.Connection
) -> None:
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
