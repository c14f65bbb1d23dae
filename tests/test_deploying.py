"""Deployers among others: many at once, an application's locks, a pooler, several databases."""

import json
import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from alembic import op
from deployer import REVISIONS, command_line, downgrade, upgrade, version_of, wait_until_it_waits
from helpers import scalar, some, wait_until
from hosts import ADOPTED, WITHOUT_IDS
from servers import DEPLOYER, Server, dump, pgbouncer

from connector_provenance.migrations import cli, sqlfile
from connector_provenance.migrations.database import ADVISORY_LOCK, Run

HEAD = REVISIONS[-1]
GUARDS = "0009_company_guards"
BEFORE_GUARDS = REVISIONS[REVISIONS.index(GUARDS) - 1]
WRITE = "insert into core_api.workspace_connectors (workspace_pk) values (1)"
MIXED = (
    "insert into core_api.company_workspace_connectors (company_pk, workspace_connector_pk, direction)"
    " values (11, 201, 'input')"
)


@pytest.fixture
def url(server: Server) -> list[str]:
    """The command line's option for the empty database."""
    return ["--database-url", server.url("provenance_empty")]


@pytest.fixture
def adopted(server: Server, empty: psycopg.Connection) -> psycopg.Connection:
    """A host with rows, at the revision before the guards."""
    ADOPTED.build(empty)
    upgrade(server, "provenance_empty", BEFORE_GUARDS)
    return empty


@pytest.fixture
def blocker(server: Server, adopted: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """An application in the middle of a transaction, which wrote to a parent."""
    with psycopg.connect(server.conninfo("provenance_empty", DEPLOYER), application_name="billing") as connection:
        connection.execute(WRITE)
        yield connection
        connection.rollback()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between attempts; nobody really waits."""
    recorded: list[float] = []
    monkeypatch.setattr(time, "sleep", recorded.append)
    return recorded


# Many at once


def test_of_many_deployers_at_once_one_applies_and_the_others_find_it_done(
    server: Server, empty: psycopg.Connection
) -> None:
    deployers = [command_line(server, "provenance_empty", "--json", "upgrade") for _ in some(range(20), 5)]
    outputs = [process.communicate(timeout=120) for process in deployers]
    assert {process.returncode for process in deployers} == {cli.DONE}, outputs
    applied = [len(json.loads(output)["databases"][0]["applied"]) for output, _ in outputs]
    assert sorted(applied) == [0] * (len(deployers) - 1) + [len(REVISIONS)]
    assert cli.main(["--database-url", server.url("provenance_empty"), "status"]) == cli.DONE


# An application that holds a lock


def test_a_lock_that_is_never_given_up_ends_the_attempts_and_its_holder_is_named(
    blocker: psycopg.Connection, pauses: list[float], url: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*url, "upgrade"]) == cli.LOCKED
    assert pauses == [1, 2, 4, 8]
    errors = capsys.readouterr().err
    assert errors.count(f"{GUARDS}: trying again in ") == 4
    who = f"pid {blocker.info.backend_pid} (user {DEPLOYER}, application billing, query since 2"
    assert f"{GUARDS}: waiting for {who}" in errors
    assert re.search(rf"{GUARDS}: gave up waiting after \d s; nothing is half done. Held by {re.escape(who)}", errors)


def test_what_the_server_hides_of_another_users_session_is_said(
    server: Server, adopted: psycopg.Connection, pauses: list[float], url: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with psycopg.connect(server.conninfo("provenance_empty"), application_name="billing") as other:
        other.execute(WRITE)
        pid = other.info.backend_pid
        assert cli.main([*url, "upgrade", "+1"]) == cli.LOCKED
    shown = f"pid {pid} (user {server.user}, application billing, query since unknown without pg_read_all_stats)"
    assert shown in capsys.readouterr().err


def test_a_revision_is_tried_again_and_succeeds_when_the_lock_is_free(
    blocker: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, url: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    waited = []

    def leave(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 2:
            blocker.commit()

    monkeypatch.setattr(time, "sleep", leave)
    assert cli.main(["--json", *url, "upgrade"]) == cli.DONE
    assert waited == [1, 2]
    [outcome] = json.loads(capsys.readouterr().out)["databases"]
    assert [step["revision"] for step in outcome["applied"]] == REVISIONS[REVISIONS.index(GUARDS) :]
    assert cli.main([*url, "verify"]) == cli.DONE


@pytest.mark.parametrize(("command", "revision"), [("upgrade", "+1"), ("downgrade", "-1")])
def test_a_relative_revision_that_is_tried_again_goes_no_further(
    command: str,
    revision: str,
    server: Server,
    blocker: psycopg.Connection,
    adopted: psycopg.Connection,
    url: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: blocker.rollback())
    if command == "downgrade":
        blocker.rollback()
        upgrade(server, "provenance_empty", GUARDS)
        blocker.execute(WRITE)
    assert cli.main([*url, command, revision]) == cli.DONE
    assert version_of(adopted) == (GUARDS if command == "upgrade" else BEFORE_GUARDS)


def test_a_downgrade_that_waits_to_count_rows_is_tried_again(
    server: Server, empty: psycopg.Connection, url: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade(server, "provenance_empty")
    with psycopg.connect(server.conninfo("provenance_empty")) as application:
        application.execute("select from core_api.company_workspace_connectors")
        monkeypatch.setattr(time, "sleep", lambda _: application.rollback())
        assert cli.main([*url, "downgrade", "base"]) == cli.DONE
    assert version_of(empty) is None


def test_whoever_waits_for_a_table_is_told_for_whom_while_it_waits(
    blocker: psycopg.Connection, url: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []

    def hear(_: Run, text: str) -> None:
        told.append(text)
        blocker.rollback()

    monkeypatch.setattr(Run, "say", hear)
    assert cli.main([*url, "upgrade"]) == cli.DONE
    assert told == [told[0]], "the lock was given up while the first attempt waited"
    assert told[0].startswith(f"{GUARDS}: waiting for pid {blocker.info.backend_pid} (user {DEPLOYER}, application bil")


def test_whoever_waits_for_another_deployer_is_told_for_whom_while_it_waits(
    server: Server, empty: psycopg.Connection, url: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told, idle = [], "select count(*) from pg_stat_activity where usename = %s and state = 'idle in transaction'"

    def hear(_: Run, text: str) -> None:
        told.append(text)
        assert scalar(empty, idle, DEPLOYER) == 0, "a role's timeout for that would end it"
        empty.execute("select pg_advisory_unlock(%s)", (ADVISORY_LOCK,))

    monkeypatch.setattr(Run, "say", hear)
    empty.execute("select pg_advisory_lock(%s)", (ADVISORY_LOCK,))
    empty.execute("set application_name = 'curious'")
    assert cli.main([*url, "upgrade", "0001"]) == cli.DONE
    assert len(told) == 1
    assert told[0].startswith(
        f"waiting for pid {empty.info.backend_pid} (user {server.user}, application curious, query"
    )


def test_a_deployer_that_waits_holds_up_no_index_build(
    server: Server, empty: psycopg.Connection, url: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that waited in pg_advisory_lock() would hold a snapshot, for which the build of 0003 would wait."""
    upgrade(server, "provenance_empty", "0002")
    empty.execute("select pg_advisory_lock(%s)", (ADVISORY_LOCK,))
    waiting = threading.Event()
    monkeypatch.setattr(Run, "say", lambda *_: waiting.set())
    with ThreadPoolExecutor(1) as pool:
        deployer = pool.submit(cli.main, [*url, "upgrade"])
        assert waiting.wait(60)
        empty.execute("set lock_timeout = '5s'")
        empty.execute("create index concurrently by_hand on core_api.workspace_connectors (workspace_connector_id)")
        empty.execute("drop index core_api.by_hand")
        empty.execute("select pg_advisory_unlock(%s)", (ADVISORY_LOCK,))
        assert deployer.result() == cli.DONE


QUEUES = {
    "writes": (BEFORE_GUARDS, WRITE, WRITE),
    "reads": (
        "0007_company_indexes",
        "select from core_api.company_workspace_connectors",
        "select from core_api.company_workspace_connectors",
    ),
}


@pytest.mark.parametrize(("revision", "held", "queued"), QUEUES.values(), ids=QUEUES.keys())
def test_what_queues_behind_a_waiting_migration_goes_on_before_the_lock_is_free(
    revision: str,
    held: str,
    queued: str,
    server: Server,
    empty: psycopg.Connection,
    pauses: list[float],
    url: list[str],
) -> None:
    ADOPTED.build(empty)
    upgrade(server, "provenance_empty", revision)
    with (
        psycopg.connect(server.conninfo("provenance_empty")) as holder,
        psycopg.connect(server.conninfo("provenance_empty")) as application,
        ThreadPoolExecutor(2) as pool,
    ):
        holder.execute(held)
        application.execute("set lock_timeout = '5s'")  # ten times what the migration waits
        application.commit()
        migration = pool.submit(cli.main, [*url, "upgrade", "+1"])
        query = "select pid from pg_stat_activity where usename = %s and %s = any(pg_blocking_pids(pid))"
        found = (DEPLOYER, holder.info.backend_pid)
        [waiting] = wait_until(lambda: empty.execute(query, found).fetchone(), "the migration did not wait")
        statement = pool.submit(application.execute, queued)
        behind: set[int] = set()

        def is_done() -> bool:
            behind.update(scalar(empty, "select pg_blocking_pids(%s)", application.info.backend_pid))
            return statement.done()

        wait_until(is_done, "what queued behind the migration did not go on")
        statement.result()
        assert waiting in behind, "the statement came too late to queue"
        assert migration.result() == cli.LOCKED
        assert holder.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS


def test_only_what_lets_others_read_and_write_waits_longer_than_half_a_second(
    server: Server, empty: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute, waits = sqlfile._execute, defaultdict(list)

    def note(path: str, text: str) -> None:
        waits[op.get_bind().exec_driver_sql("show lock_timeout").scalar()].append(text)
        execute(path, text)

    monkeypatch.setattr(sqlfile, "_execute", note)
    WITHOUT_IDS.build(empty)
    upgrade(server, "provenance_empty")
    downgrade(server, "provenance_empty")
    patient = re.compile("index concurrently|validate constraint|^set lock_timeout = '500ms'")
    assert [text for text in waits.pop("10min") if not patient.search(text)] == []
    assert [text for text in waits.pop("500ms") if patient.search(text)] == []
    assert not waits


def test_in_a_deadlock_the_migration_gives_way(server: Server, adopted: psycopg.Connection) -> None:
    with psycopg.connect(server.conninfo("provenance_empty")) as application:
        application.execute("update core_api.company_workspace_connectors set deleted_at = now()")
        migration = command_line(server, "provenance_empty", "upgrade")
        wait_until_it_waits(adopted, migration, behind=application.info.backend_pid)
        # the migration has locked the parents and waits for the table
        application.execute(WRITE)
        application.commit()
        output = migration.communicate()
    assert migration.returncode == cli.DONE, output
    assert "trying again in 1 s" in output[1]


def test_a_mixed_row_that_is_stored_while_the_guards_come_is_found(
    server: Server, adopted: psycopg.Connection, capsys: pytest.CaptureFixture[str], url: list[str]
) -> None:
    with psycopg.connect(server.conninfo("provenance_empty")) as application:
        application.execute(MIXED)
        migration = command_line(server, "provenance_empty", "upgrade")
        wait_until_it_waits(adopted, migration, behind=application.info.backend_pid)
        application.commit()
    _, errors = migration.communicate()
    assert migration.returncode == cli.FAILED
    assert "1 rows have a company and a connector of different workspaces; they are older than the guards" in errors
    with pytest.raises(psycopg.errors.CheckViolation):
        adopted.execute(MIXED)
    adopted.execute(
        "delete from core_api.company_workspace_connectors where pk in"
        " (select pk from tenancy.mixed_company_workspace_connectors)"
    )
    assert cli.main([*url, "upgrade"]) == cli.DONE


# A pooler


def test_a_pooler_is_refused_before_anything_changes(
    server: Server, empty: psycopg.Connection, directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = dump(server, "provenance_empty")
    with pgbouncer(server, "provenance_empty", directory) as pooler:
        pooled = pooler.url("provenance_empty")
        with psycopg.connect(pooled) as connection:
            assert scalar(connection, "select current_user") == "deployer", "it does pool"
        assert cli.main(["--database-url", pooled, "upgrade"]) == cli.FAILED
    assert "migrations need a direct connection" in capsys.readouterr().err
    assert dump(server, "provenance_empty") == before


# Several databases, and machines that read


SECRET = "p@ss/word s3cr3t"  # noqa: S105


def with_password(url: str) -> str:
    """Return the URL with a password that is easy to find again."""
    return url.replace(":test@", f":{quote(SECRET, safe='')}@")


def test_all_databases_are_attempted_and_the_summary_names_those_that_failed(
    server: Server, empty: psycopg.Connection, second: psycopg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["provenance_empty", "provenance_nowhere", "provenance_second"]
    urls = [option for name in names for option in ("--database-url", with_password(server.url(name)))]
    assert cli.main([*urls, "upgrade"]) == cli.FAILED
    output, errors = capsys.readouterr()
    assert f"2 of 3 databases done; not done: {server.host}:{server.port}/provenance_nowhere" in output
    assert 'database "provenance_nowhere" does not exist' in errors
    assert version_of(empty) == version_of(second) == HEAD

    assert cli.main(["--json", *urls, "upgrade"]) == cli.FAILED
    document = json.loads(capsys.readouterr().out)
    assert document["code"] == cli.FAILED
    assert [(found["database"], found["code"], found["revision"]) for found in document["databases"]] == [
        (f"{server.host}:{server.port}/provenance_empty", cli.DONE, HEAD),
        (f"{server.host}:{server.port}/provenance_nowhere", cli.FAILED, None),
        (f"{server.host}:{server.port}/provenance_second", cli.DONE, HEAD),
    ]
    assert [found["applied"] for found in document["databases"]] == [[], [], []], "what is done is skipped"
