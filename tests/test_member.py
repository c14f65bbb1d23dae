"""What a member of workspace_member may do: read the active rows of its own workspace, nothing else."""

from typing import Any

import psycopg
import pytest
from helpers import ACME, GLOBEX, UNKNOWN, Connect, force_row, scalar
from psycopg import errors

COUNT = "select count(*) from core_api.company_workspace_connectors"


def test_a_member_sees_only_its_own_workspace(connect: Connect) -> None:
    assert scalar(connect("member_login", ACME), COUNT) == 3
    assert scalar(connect("member_login", GLOBEX), COUNT) == 2


def test_without_a_workspace_nothing_is_visible(connect: Connect) -> None:
    assert scalar(connect("member_login"), COUNT) == 0


def test_an_unknown_workspace_shows_nothing(connect: Connect) -> None:
    assert scalar(connect("member_login", UNKNOWN), COUNT) == 0


def test_a_deleted_row_is_invisible(as_member: psycopg.Connection) -> None:
    assert scalar(as_member, COUNT + " where deleted_at is not null") == 0


def test_a_known_id_of_another_workspace_finds_nothing(connect: Connect, as_superuser: psycopg.Connection) -> None:
    query = "select id from core_api.company_workspace_connectors where company_pk = {} and deleted_at is null"
    foreign, own = scalar(as_superuser, query.format(21)), scalar(as_superuser, query.format(12))
    member = connect("member_login", ACME)
    assert scalar(member, COUNT + " where id = %s", own) == 1
    assert scalar(member, COUNT + " where id = %s", foreign) == 0


@pytest.mark.parametrize("parent", ["workspaces", "companies", "workspace_connectors"])
def test_a_member_sees_the_parents_of_its_workspace_only(parent: str, as_member: psycopg.Connection) -> None:
    column = "pk" if parent == "workspaces" else "workspace_pk"
    assert as_member.execute(f"select distinct {column} from core_api.{parent}").fetchall() == [(1,)]


# Counts

COUNTS = "select * from core_api.company_workspace_connectors_counts"
BY_HAND = """
    select k.workspace_connector_id, j.direction::text, count(*)
    from core_api.company_workspace_connectors as j
    inner join core_api.workspace_connectors as k on k.pk = j.workspace_connector_pk
    where j.deleted_at is null and {}
    group by k.workspace_connector_id, j.direction
    order by k.workspace_connector_id, j.direction
"""


@pytest.mark.parametrize("login", ["member_login", "sync_login", "hasura_sync_login"])
@pytest.mark.parametrize(("workspace", "rows"), [(ACME, 3), (GLOBEX, 2), ("", 0), (UNKNOWN, 0)])
def test_the_counts_are_those_of_the_workspaces_active_rows(
    workspace: str, rows: int, login: str, connect: Connect, as_superuser: psycopg.Connection
) -> None:
    first, last = {ACME: (11, 19), GLOBEX: (21, 29)}.get(workspace, (0, 0))
    found = connect(login, workspace).execute(f"{COUNTS}()").fetchall()
    assert found == as_superuser.execute(BY_HAND.format(f"j.company_pk between {first} and {last}")).fetchall()
    assert sum(count for *_, count in found) == rows


@pytest.mark.parametrize("login", ["member_login", "hasura_sync_login"])
def test_a_mixed_row_is_counted_by_nobody(login: str, clone: psycopg.Connection, connect: Connect) -> None:
    def counted() -> list[tuple[object, ...]]:
        clone.commit()
        workspaces = [connect(login, workspace, dbname=clone.info.dbname) for workspace in (ACME, GLOBEX)]
        return [row for connection in workspaces for row in connection.execute(f"{COUNTS}()")]

    before = counted()
    assert before
    force_row(clone, 21, 101)
    force_row(clone, 11, 201)
    assert counted() == before


@pytest.mark.parametrize(
    ("arguments", "condition"),
    [
        ({"company_id": 11}, "j.company_pk = 11"),
        ({"workspace_connector_id": 101}, "j.workspace_connector_pk = 101"),
        ({"company_id": 12, "workspace_connector_id": 101}, "false"),
        ({"company_id": 19}, "false"),
        ({"company_id": 21}, "false"),
        ({"workspace_connector_id": 201}, "false"),
        ({"created_from": "2001-01-01Z"}, "j.company_pk < 20"),
        ({"created_before": "2001-01-01Z"}, "false"),
        ({"created_from": "2001-01-01Z", "created_before": "3001-01-01Z"}, "j.company_pk < 20"),
    ],
)
def test_counts_are_narrowed_to_a_company_a_connector_or_a_range(
    arguments: dict[str, Any], condition: str, as_member: psycopg.Connection, as_superuser: psycopg.Connection
) -> None:
    parents = {"company_id": "companies", "workspace_connector_id": "workspace_connectors"}
    values = {
        name: scalar(as_superuser, f"select {name} from core_api.{parents[name]} where pk = %s", value)
        if name in parents
        else value
        for name, value in arguments.items()
    }
    names = ", ".join(f"{name} => %({name})s" for name in values)
    found = as_member.execute(f"{COUNTS}({names})", values).fetchall()
    assert found == as_superuser.execute(BY_HAND.format(condition)).fetchall()


def test_a_counted_range_begins_with_its_first_moment_and_ends_before_its_last(as_member: psycopg.Connection) -> None:
    moment = scalar(as_member, "select max(created_at) from core_api.company_workspace_connectors")
    at, before = (
        as_member.execute(f"{COUNTS}({name} => %s)", (moment,)).fetchall()
        for name in ("created_from", "created_before")
    )
    assert (len(at), before) == (2, [])


@pytest.mark.parametrize("login", ["hasura_login", "retention_login", "outsider_login"])
def test_others_count_nothing(login: str, connect: Connect) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        connect(login, ACME).execute(f"{COUNTS}()")


# What a member may not


@pytest.mark.parametrize(
    "statement",
    [
        "insert into core_api.company_workspace_connectors (company_pk, workspace_connector_pk, direction)"
        " values (11, 101, 'input')",
        "update core_api.company_workspace_connectors set deleted_at = now()",
        "update core_api.company_workspace_connectors set direction = 'output'",
        "delete from core_api.company_workspace_connectors",
        "truncate core_api.company_workspace_connectors",
        "select * from core_api.company_workspace_connectors for update",
        "insert into core_api.companies (workspace_pk) values (1)",
        "update core_api.companies set workspace_pk = 1",
        "delete from core_api.workspaces",
        "select nextval('core_api.company_workspace_connectors_pk_seq')",
        "select core_api.purge_company_workspace_connectors(now())",
    ],
)
def test_a_member_writes_nothing(statement: str, as_member: psycopg.Connection) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        as_member.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "select tenancy.current_workspace_pk()",
        "select * from tenancy.current_workspace_companies",
        "select * from tenancy.role_bindings",
        "insert into tenancy.role_bindings values ('member_login', 2)",
        "set role tenancy_definer",
        "create table core_api.mine ()",
    ],
)
def test_a_member_cannot_reach_the_machinery(statement: str, as_member: psycopg.Connection) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        as_member.execute(statement)


def test_what_reads_is_not_volatile(as_superuser: psycopg.Connection) -> None:
    """PostgREST, PostGraphile, Hasura and the planner take a function for a reading one by its volatility."""
    found = as_superuser.execute(
        "select proname from pg_proc"
        " where pronamespace in ('core_api'::regnamespace, 'tenancy'::regnamespace)"
        " and provolatile = 'v' and prokind = 'f' and prorettype <> 'trigger'::regtype"
        " and proname !~ '(create|delete|revoke|purge|refuse)'"
    )
    assert found.fetchall() == []
