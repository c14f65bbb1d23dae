"""The rules of tenancy, as tests/model.py has them, and a database that is walked at random do not differ.

`make prove STEPS=1_000_000` walks on. A walk that differs is printed as SQL, one line a statement.
"""

from collections.abc import Iterator
from random import Random

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from servers import Server
from walk import OPERATIONS, Difference, Walk, walking

WALKS = settings(
    max_examples=60,
    stateful_step_count=50,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def walk(server: Server, clone: psycopg.Connection) -> Iterator[Walk]:
    with walking(server, clone.info.dbname) as found:
        yield found


def walk_with_hypothesis(walk: Walk, profile: settings) -> None:
    class Machine(RuleBasedStateMachine):
        """Steps that Hypothesis chooses, and shortens where they find a difference."""

        @rule(operation=st.sampled_from(list(OPERATIONS)), random=st.randoms())
        def step(self, operation: str, random: Random) -> None:
            walk.step(operation, random)

        def teardown(self) -> None:
            walk.reset()

    run_state_machine_as_test(Machine, settings=profile)


def test_no_walk_finds_a_difference(walk: Walk) -> None:
    walk_with_hypothesis(walk, WALKS)


@pytest.mark.parametrize(
    "leak",
    [
        "alter policy member_reads_active_rows on {table} using (deleted_at is null)",
        "alter policy sync_inserts_rows on {table} with check (true)",
        "drop trigger companies_refuse_workspace_move on core_api.companies",
        "do $$ begin execute replace(pg_get_functiondef('tenancy.current_workspace_pk'::regproc),"
        " 'coalesce(bound_pk, claimed_pk)', 'coalesce(bound_pk, claimed_pk, 1)'); end $$",
    ],
)
def test_a_walk_finds_a_leak(leak: str, walk: Walk) -> None:
    walk.superuser.execute(leak.format(table="core_api.company_workspace_connectors"))
    with pytest.raises(Difference):
        list(walk.steps("leak", 3000))
