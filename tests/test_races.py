"""The same-workspace guards when a row is inserted and its parent moved at the same moment, in both orders.

Each test holds two connections. The first statement stays uncommitted while the second runs in a thread; the test goes
on when PostgreSQL reports that the second waits for the first, so nothing here depends on time.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from helpers import Connect, scalar, wait_until_blocked
from psycopg import IsolationLevel, errors

TABLE = "core_api.company_workspace_connectors"
RR, SERIALIZABLE = IsolationLevel.REPEATABLE_READ, IsolationLevel.SERIALIZABLE

INSERT = f"insert into {TABLE} (company_pk, workspace_connector_pk, direction) values (19, 109, 'input')"
MOVES = {
    "company": "update core_api.companies set workspace_pk = 2 where pk = 19",
    "connector": "update core_api.workspace_connectors set workspace_pk = 2 where pk = 109",
    "company replaced": "with gone as (delete from core_api.companies where pk = 19 returning pk)"
    " insert into core_api.companies (pk, workspace_pk) select pk, 2 from gone",
    "connector replaced": "with gone as (delete from core_api.workspace_connectors where pk = 109 returning pk)"
    " insert into core_api.workspace_connectors (pk, workspace_pk) select pk, 2 from gone",
}

Race = Callable[..., BaseException | None]

each_move = pytest.mark.parametrize("move", MOVES.values(), ids=MOVES.keys())


@pytest.fixture
def race(clone: psycopg.Connection, connect: Connect) -> Race:
    """Run ``first``, start ``second`` until it waits or ends, commit the first, and return how the second ended."""
    clone.autocommit = True

    def _race(first: str, second: str, second_level: IsolationLevel | None = None) -> BaseException | None:
        one, two = connect(dbname=clone.info.dbname), connect(dbname=clone.info.dbname)
        two.isolation_level = second_level
        two.execute("select count(*) from core_api.workspaces")  # a snapshot, where the level keeps one
        one.execute(first)
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(two.execute, second)
            wait_until_blocked(clone, two.info.backend_pid, done=running.done)
            one.commit()
            error = running.exception(timeout=30)
        if error is None:
            two.commit()
        else:
            two.rollback()
        return error

    return _race


def mixed(connection: psycopg.Connection) -> int:
    return scalar(connection, "select count(*) from tenancy.mixed_company_workspace_connectors")


@each_move
def test_a_row_inserted_while_its_parent_moves_is_refused(move: str, race: Race, clone: psycopg.Connection) -> None:
    assert isinstance(race(move, INSERT), errors.CheckViolation | errors.ForeignKeyViolation)
    assert mixed(clone) == 0


@each_move
def test_a_parent_that_moves_while_a_row_is_inserted_is_refused(
    move: str, race: Race, clone: psycopg.Connection
) -> None:
    assert isinstance(race(INSERT, move), errors.CheckViolation)
    assert mixed(clone) == 0


@each_move
@pytest.mark.parametrize("level", [RR, SERIALIZABLE])
def test_an_insert_with_an_older_snapshot_is_refused(
    move: str, level: IsolationLevel, race: Race, clone: psycopg.Connection
) -> None:
    assert isinstance(race(move, INSERT, level), errors.SerializationFailure)
    assert mixed(clone) == 0


@each_move
@pytest.mark.parametrize("level", [RR, SERIALIZABLE])
def test_a_move_with_an_older_snapshot_is_refused(
    move: str, level: IsolationLevel, race: Race, clone: psycopg.Connection
) -> None:
    error = race(INSERT, move, level)
    assert isinstance(error, errors.InvalidTransactionState | errors.SerializationFailure)
    assert mixed(clone) == 0


@pytest.mark.parametrize("parent", ["companies", "workspace_connectors"])
def test_without_the_unique_index_the_race_would_be_lost(parent: str, race: Race, clone: psycopg.Connection) -> None:
    clone.execute(f"drop index core_api.{parent}_workspace_pk_pk_unique")
    move = MOVES["company" if parent == "companies" else "connector"]
    assert race(INSERT, move) is None
    assert mixed(clone) == 1
