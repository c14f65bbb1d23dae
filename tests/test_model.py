"""What tests/model.py says and what the database does are the same, however it is walked and paged.

`make prove STEPS=1_000_000` walks on. A walk that differs is printed as SQL, a line for each statement.
"""

from collections.abc import Iterator
from datetime import timedelta
from random import Random
from uuid import UUID, uuid4

import psycopg
import pytest
from helpers import ACME
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from model import DIRECTIONS, HASURA, MEMBER, SYNC, Filter, Row, age
from servers import Server
from walk import LONG_AGO, OF_WORKSPACE, OPERATIONS, PAGE, TABLE, Difference, Walk, walking

REPEATABLE = settings(derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture
def walk(server: Server, clone: psycopg.Connection) -> Iterator[Walk]:
    with walking(server, clone.info.dbname) as found:
        yield found


def test_no_walk_finds_a_difference(walk: Walk) -> None:
    class Machine(RuleBasedStateMachine):
        """Steps that Hypothesis chooses, and leaves out again where they have no part in a difference."""

        @rule(name=st.sampled_from(list(OPERATIONS)), random=st.randoms())
        def step(self, name: str, random: Random) -> None:
            walk.step(name, random)

        def teardown(self) -> None:
            walk.reset()

    run_state_machine_as_test(Machine, settings=settings(REPEATABLE, max_examples=60, stateful_step_count=50))


OPEN = "do $$ begin execute replace(pg_get_functiondef('tenancy.current_workspace_pk'::regproc), {}, {}); end $$"


@pytest.mark.parametrize(
    "leak",
    [
        f"alter policy member_reads_active_rows on {TABLE} using (deleted_at is null)",
        f"alter policy sync_inserts_rows on {TABLE} with check (true)",
        "drop trigger companies_refuse_workspace_move on core_api.companies",
        OPEN.format("'coalesce(bound_pk, claimed_pk)'", "'coalesce(bound_pk, claimed_pk, 1)'"),
    ],
    ids=[
        "a policy that forgets the tenant",
        "a check that lets all in",
        "no guard of moves",
        "a context that fails open",
    ],
)
def test_a_walk_finds_a_leak(leak: str, walk: Walk) -> None:
    walk.superuser.execute(leak)
    with pytest.raises(Difference):
        list(walk.steps("leak", 3000))


COMPANIES, CONNECTORS = (11, 12), (101, 102)
moments = st.integers(0, 4).map(lambda seconds: LONG_AGO + timedelta(seconds=seconds))
rows = st.lists(
    st.tuples(
        st.sampled_from(COMPANIES),
        st.sampled_from(CONNECTORS),
        st.sampled_from(DIRECTIONS),
        moments,
        st.just(LONG_AGO),
        st.none() | st.just(LONG_AGO),
    ),
    max_size=20,
)
filters = st.builds(
    Filter,
    limit=st.integers(1, 5),
    after=st.none(),
    direction=st.none() | st.sampled_from(DIRECTIONS),
    company=st.none() | st.sampled_from(COMPANIES),
    connector=st.none() | st.sampled_from(CONNECTORS),
    created_from=st.none() | moments,
    created_before=st.none() | moments,
)


@pytest.mark.parametrize("group", [MEMBER, SYNC, HASURA])
def test_pages_are_the_whole_whatever_is_deleted_in_between(group: str, as_superuser: psycopg.Connection) -> None:
    ids: dict[int | None, UUID] = dict(
        as_superuser.execute(
            "select pk, company_id from core_api.companies"
            " union all select pk, workspace_connector_id from core_api.workspace_connectors"
        ).fetchall()
    )
    query = f"select {TABLE}_list({PAGE})"
    if group == HASURA:
        query = f"select core_api.workspace_company_workspace_connectors(w, {PAGE}) {OF_WORKSPACE.replace('%s', '1')}"

    @settings(REPEATABLE, max_examples=100)
    @given(rows=rows, wanted=filters, deletions=st.lists(st.sets(st.integers(0, 19), max_size=4), max_size=8))
    def check(rows: list[tuple], wanted: Filter, deletions: list[set[int]]) -> None:
        with as_superuser.transaction(force_rollback=True):
            as_superuser.execute("set local session_replication_role = replica")  # created_at is as it is sent
            as_superuser.execute(f"delete from {TABLE} where company_pk < 20")
            stored = [Row(pk, uuid4(), *row) for pk, row in enumerate(rows, 1000)]
            with as_superuser.cursor() as cursor:
                cursor.executemany(f"insert into {TABLE} values (%s, %s, %s, %s, %s, %s, %s, %s)", stored)
            as_superuser.execute("select set_config('app.workspace_id', %s, true)", (ACME,))
            always = [row.id for row in stored if wanted.takes(row) and row.deleted is None]
            seen: list[UUID] = []
            for number in range(len(stored) + 1):
                public = (ids.get(pk) for pk in (wanted.company, wanted.connector))
                as_superuser.execute(f"set local role {group}")
                ((document,),) = as_superuser.execute(query, (*wanted[:3], *public, *wanted[5:])).fetchall()
                as_superuser.execute("reset role")
                page, after = wanted.page(stored, with_deleted=group == SYNC)
                assert [UUID(each["id"]) for each in document["data"]] == [row.id for row in page]
                assert document["links"]["next"] == (after and str(after))
                seen += [row.id for row in page]
                wanted = wanted._replace(after=after)
                if after is None:
                    break
                for place in deletions[number] if number < len(deletions) else ():
                    if place < len(stored):
                        stored[place] = row = stored[place]._replace(deleted=LONG_AGO)
                        as_superuser.execute(f"update {TABLE} set deleted_at = %s where pk = %s", (LONG_AGO, row.pk))
            still = {row.id for row in stored if row.deleted is None}
            assert wanted.after is None
            assert len(seen) == len(set(seen))
            assert {each for each in always if each in still} <= set(seen)
            assert seen == [row.id for row in sorted(stored, key=age, reverse=True) if row.id in seen]

    check()
