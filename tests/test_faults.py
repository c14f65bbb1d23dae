"""What fails beside a deployer: a server dies, a disk is full, a connection is cut; the next run completes it."""

import shutil
import socket
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from deployer import REVISIONS, command_line, locked, upgrade, version_of, wait_until_gone, wait_until_it_waits
from helpers import EVERY, purge, scalar, some, wait_until_blocked
from hosts import ADOPTED, FILLED, MORE_ROWS, TABLE, WITHOUT_IDS, Host, Uninterrupted
from servers import Crashing, Server, dump, join_groups, standby_of, wait_until_replayed

from connector_provenance.migrations import cli

DATABASE = "provenance_empty"
BEFORE = "0006_company"
"""The revision before ids are given and indexes are built."""
COLUMNS = "pk, company_pk, workspace_connector_pk, direction, created_at, updated_at, deleted_at"
FACTS = f"select {COLUMNS} from {TABLE} order by pk"
UNFINISHED = "select count(*) from pg_index where not indisvalid"
SECRET = "not-to-be-told"  # noqa: S105


@pytest.fixture
def server(crashing: Crashing) -> Server:
    """The module's own server, for what conftest makes on one."""
    return crashing.server


def ask(server: Server, query: str) -> list[tuple[Any, ...]]:
    """Return what the superuser sees, in a session of its own."""
    with psycopg.connect(server.conninfo(DATABASE)) as connection:
        return connection.execute(query).fetchall()


def upgrade_of(server: Server, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Upgrade as a pipeline does and return the exit code and what was printed, which is fit for everybody's eyes."""
    code = cli.main(["--database-url", server.url(DATABASE).replace(":test@", f":{SECRET}@"), "upgrade"])
    printed = "".join(capsys.readouterr())
    assert "Traceback" not in printed
    assert "--debug" not in printed, "nobody expected it"
    assert SECRET not in printed
    return code, printed


# A server that dies

WORK = {
    "index": "lock table core_api.companies in row exclusive mode",
    "ids": f"select from {TABLE} where pk in (2, 7000) for update",
}
"""What an upgrade is doing, and which locks keep it at that."""


@pytest.mark.parametrize(
    ("work", "promoted"), some([("index", False), ("index", True), ("ids", False), ("ids", True)], 1)
)
def test_an_upgrade_is_completed_after_a_restart_or_on_the_standby_that_was_promoted(
    work: str,
    promoted: bool,
    crashing: Crashing,
    server: Server,
    empty: psycopg.Connection,
    uninterrupted: Uninterrupted,
    directory: Path,
) -> None:
    expected = uninterrupted(FILLED)
    FILLED.build(empty)
    upgrade(server, DATABASE, BEFORE)
    facts = ask(server, FACTS)
    with ExitStack() as stack:
        stack.callback(crashing.start)
        heir = stack.enter_context(standby_of(server, directory / "standby")) if promoted else server
        with locked(server, DATABASE, WORK[work]) as behind:
            deployer = command_line(server, DATABASE, "upgrade")
            wait_until_it_waits(empty, deployer, behind)
            if promoted:
                with psycopg.connect(heir.conninfo(DATABASE), autocommit=True) as standby:
                    wait_until_replayed(empty, standby)
            crashing.stop()
        output, errors = deployer.communicate()
        assert deployer.returncode == cli.FAILED
        assert "Traceback" not in output + errors, errors
        if promoted:
            assert ask(heir, "select pg_promote()") == [(True,)]
        else:
            crashing.start()
        given = f"select pk, id from {TABLE} where id is not null"
        ids = set(ask(heir, given))
        assert len(ids) == len(facts) - 2 * (work == "ids")
        assert ask(heir, UNFINISHED) == [(int(work == "index"),)]
        upgrade(heir, DATABASE)
        assert ids <= set(ask(heir, given)), "an id that was given stays"
        assert ask(heir, FACTS) == facts
        assert dump(heir, DATABASE) == expected


def test_a_purge_goes_on_after_a_restart_and_removes_no_active_row(
    crashing: Crashing, server: Server, empty: psycopg.Connection
) -> None:
    FILLED.build(empty)
    upgrade(server, DATABASE)
    join_groups(empty)
    empty.execute(f"update {TABLE} set deleted_at = now() where pk % 2 = 0")
    active = [fact for fact in ask(server, FACTS) if fact[-1] is None]
    with (
        locked(server, DATABASE, f"select from {TABLE} where pk = 9000 for update"),
        psycopg.connect(server.conninfo(DATABASE, "retention_login"), autocommit=True) as job,
        ThreadPoolExecutor(1) as pool,
    ):
        running = pool.submit(purge, job)
        wait_until_blocked(empty, job.info.backend_pid, done=running.done)
        crashing.stop()
        with pytest.raises(psycopg.OperationalError):
            running.result(timeout=30)
    crashing.start()
    [(left,)] = ask(server, f"select count(*) from {TABLE} where deleted_at is not null")
    assert left % 1000 == 1, "whole batches are gone"
    assert 1000 < left < 6000
    with psycopg.connect(server.conninfo(DATABASE, "retention_login"), autocommit=True) as job:
        assert purge(job) == left
    assert ask(server, FACTS) == active


# A full disk


@contextmanager
def full(crashing: Crashing, size: int) -> Iterator[None]:
    """Let no new session make a file longer than that: PostgreSQL is refused room, as it is on a full disk."""
    command, user = ["prlimit", f"--pid={crashing.pid}"], crashing.embedded.pgdata.owner()
    subprocess.run([*command, f"--fsize={size}:"], check=True, user=user)
    try:
        yield
    finally:
        subprocess.run([*command, "--fsize=unlimited:"], check=True, user=user)


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="prlimit is not installed")
@pytest.mark.parametrize(
    ("host", "room"),
    some([(ADOPTED.having("20,000 rows", MORE_ROWS % 20_000), 128 * 8192), (FILLED, 153 * 8192)], 1),
    ids=str,
)
def test_an_upgrade_that_finds_no_room_says_so_and_is_completed_when_there_is(
    host: Host,
    room: int,
    crashing: Crashing,
    server: Server,
    empty: psycopg.Connection,
    uninterrupted: Uninterrupted,
    capsys: pytest.CaptureFixture[str],
) -> None:
    host.build(empty)
    facts = ask(server, FACTS)
    with full(crashing, room):
        for _ in range(2):
            code, printed = upgrade_of(server, capsys)
            assert code == cli.FAILED
            assert "could not extend file" in printed
            assert "Check free disk space" in printed
            assert version_of(empty) == BEFORE
            assert scalar(empty, UNFINISHED) == 0
    without = scalar(empty, f"select count(*) from {TABLE} where id is null")
    assert (0 < without < len(facts)) is (host is FILLED)
    upgrade(server, DATABASE)
    assert dump(server, DATABASE) == uninterrupted(host)
    assert ask(server, FACTS) == facts


# A connection that is cut


class Proxy(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Stands between clients and a server, and cuts all when a new statement is done, before its answer."""

    def __init__(self, server: Server, directory: Path, every: int) -> None:
        super().__init__(f"{directory}/.s.PGSQL.{server.port}", Session)
        self.here = replace(server, host=str(directory))
        self.there = f"{server.host}/.s.PGSQL.{server.port}"
        self.every = every
        """At which of the new statements to cut: 1 is at each."""
        self.said: set[tuple[bytes, bytes]] = set()
        """Each statement, with the one before it in its session: what is said again is not new."""
        self.cuts = 0
        self.open: list[socket.socket] = []

    def is_due(self, said: tuple[bytes, bytes]) -> bool:
        """Say whether to cut at this statement."""
        known = len(self.said)
        self.said.add(said)
        return known < len(self.said) and known % self.every == self.every - 1

    def cut(self) -> None:
        """Cut every connection."""
        self.cuts += 1
        while self.open:
            with suppress(OSError):
                self.open.pop().shutdown(socket.SHUT_RDWR)


class Session(socketserver.StreamRequestHandler):
    """One client's way through it."""

    server: Proxy
    cutting = False

    def handle(self) -> None:
        """Pass on what the client says, message by message."""
        with socket.socket(socket.AF_UNIX) as there, suppress(OSError):
            there.connect(self.server.there)
            self.server.open += [there, self.connection]
            answers = threading.Thread(target=self.answer, args=(there,))
            answers.start()
            before, statement, kind = b"", b"", 0  # the first message has no kind
            while head := self.rfile.read(kind + 4):
                message = head + self.rfile.read(int.from_bytes(head[kind:], "big") - 4)
                statement += message
                if kind and head[:1] in b"QS":  # a query, or the end of a prepared one
                    self.cutting = self.server.is_due((before, statement))
                    before, statement = statement, b""
                there.sendall(message)
                kind = 1
            there.shutdown(socket.SHUT_RDWR)
            answers.join()

    def answer(self, there: socket.socket) -> None:
        """Pass on what the server says."""
        with suppress(OSError):
            while data := there.recv(1 << 16):
                if self.cutting:
                    self.server.cut()
                self.connection.sendall(data)


@pytest.fixture
def proxy(server: Server, directory: Path) -> Iterator[Proxy]:
    with Proxy(server, directory, every=1 if EVERY else 40) as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.01,))
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def test_an_upgrade_that_is_cut_off_at_any_statement_is_completed(
    proxy: Proxy,
    server: Server,
    empty: psycopg.Connection,
    uninterrupted: Uninterrupted,
    capsys: pytest.CaptureFixture[str],
) -> None:
    WITHOUT_IDS.build(empty)
    facts = ask(server, FACTS)
    before = -1
    while before < proxy.cuts:
        before = proxy.cuts
        code, printed = upgrade_of(proxy.here, capsys)
        wait_until_gone(empty)
        assert before < 1000, "there was always something new to say"
        assert code == cli.FAILED or (code == cli.DONE and version_of(empty) == REVISIONS[-1]), printed
    assert code == cli.DONE
    assert proxy.cuts >= 200 // proxy.every
    assert dump(server, DATABASE) == uninterrupted(WITHOUT_IDS)
    assert ask(server, FACTS) == facts
