"""The two tenants of every test, and what several test modules ask, wait for and compare."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

import psycopg
import pytest

from connector_provenance.migrations.sqlfile import ROOT

T = TypeVar("T")

ACME = "a0000000-0000-4000-8000-000000000001"
GLOBEX = "b0000000-0000-4000-8000-000000000002"
UNKNOWN = "c0000000-0000-4000-8000-000000000003"

SEED = f"""
insert into core_api.workspaces (pk, workspace_id) values (1, '{ACME}'), (2, '{GLOBEX}');
insert into core_api.companies (pk, workspace_pk) values (11, 1), (12, 1), (19, 1), (21, 2), (22, 2), (29, 2);
insert into core_api.workspace_connectors (pk, workspace_pk) values (101, 1), (102, 1), (109, 1), (201, 2), (209, 2);
insert into core_api.company_workspace_connectors (company_pk, workspace_connector_pk, direction, deleted_at) values
(11, 101, 'input', null), (11, 101, 'input', null), (12, 102, 'output', null), (12, 101, 'input', now()),
(21, 201, 'input', null), (22, 201, 'output', null), (22, 201, 'input', now());
"""
"""Two workspaces; companies 19 and 29 and connectors 109 and 209 have no rows, so they may move.

ACME has three active rows, two of them the same fact, and a deleted one; GLOBEX has two and a deleted one.
"""

FLOOR = {15: 150020, 16: 160016, 17: 170012, 18: 180007}
"""The oldest server of each version that `verify` does not warn of: SECURITY.md."""

EVERY = bool(os.environ.get("FULL"))
"""Whether everything is tried, as in .ci/run."""

Connect = Callable[..., psycopg.Connection]
"""The fixture ``connect``."""


# Asking


def scalar(connection: psycopg.Connection, query: str, *parameters: Any) -> Any:
    """Return the first column of the first row."""
    row = connection.execute(query, parameters).fetchone()
    assert row is not None
    return row[0]


def complaint(error: psycopg.Error) -> tuple[Any, ...]:
    """Return everything that an error tells a client."""
    diag = error.diag
    fields = ("sqlstate", "message_primary", "message_detail", "message_hint", "schema_name", "table_name")
    return (*(getattr(diag, field) for field in fields), diag.constraint_name, diag.context, str(error))


def force_row(superuser: psycopg.Connection, company_pk: int, connector_pk: int, created_at: str = "now()") -> UUID:
    """Store a row behind the back of every guard and return its public id."""
    with superuser.transaction():
        superuser.execute("set local session_replication_role = replica")
        public = scalar(
            superuser,
            "insert into core_api.company_workspace_connectors"
            " (company_pk, workspace_connector_pk, direction, created_at, updated_at)"
            f" values (%s, %s, 'input', {created_at}, now()) returning id",
            company_pk,
            connector_pk,
        )
        superuser.execute("set local session_replication_role = origin")
    return public


def become_member_without_use_of(superuser: psycopg.Connection, group: str) -> None:
    """Become, in this transaction, a member of ACME that may ``set role`` to the group but does not use its rights."""
    superuser.execute(f"create role go_between noinherit in role {group}")
    superuser.execute("create role reader in role workspace_member, go_between")
    superuser.execute("set local role reader")
    superuser.execute("select set_config('app.workspace_id', %s, true)", (ACME,))


SOON = "now() + interval '1 hour'"


def purge(
    connection: psycopg.Connection,
    moment: str = SOON,
    batch_size: int | None = 1000,
    workspace_id: str | None = None,
    company_id: str | None = None,
) -> int:
    """Call the function until it returns 0, as the job does, and return how many rows are gone."""
    query = f"select core_api.purge_company_workspace_connectors({moment}, %s, %s, %s)"
    purged = 0
    for _ in range(1000):
        gone = scalar(connection, query, batch_size, workspace_id, company_id)
        if not gone:
            return purged
        assert batch_size is not None
        assert gone <= batch_size
        purged += gone
    pytest.fail("there was always more to purge")


# Waiting


def wait_until(condition: Callable[[], T | None], failure: str, seconds: float = 60) -> T:
    """Return what the condition returns as soon as that is something; fail after so many seconds."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()  # not time.sleep, which some tests replace
    while not (found := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"{failure} in {seconds:.0f} s")
        pause.wait(0.002)
    return found


def wait_until_blocked(observer: psycopg.Connection, pid: int, *, done: Callable[[], bool] = lambda: False) -> None:
    """Return as soon as the backend waits for another session, or ``done`` says that it will not.

    :param observer: a connection in autocommit mode, since a transaction would go on seeing what it saw first.
    """
    blocked = "select cardinality(pg_blocking_pids(%s)) > 0"
    wait_until(lambda: scalar(observer, blocked, pid) or done(), f"session {pid} neither waited nor ended")


# Comparing


def some(points: Sequence[T], count: int = 3) -> list[T]:
    """Return a few points of many, the first and the last among them; all of them where FULL is set, as in .ci/run."""
    if EVERY or len(points) <= count:
        return list(points)
    return [points[place * (len(points) - 1) // max(1, count - 1)] for place in range(count)]


def check_generated(path: str, text: str) -> None:
    """Compare a generated file with what it should be, or rewrite it when REGENERATE is set."""
    file = ROOT / path
    if os.environ.get("REGENERATE"):
        file.write_text(text, encoding="utf-8")
    assert file.read_text(encoding="utf-8") == text, f"{path} is out of date: run `make generate` and commit it"
