"""Hasura's connection: reads every row without naming a tenant, writes nothing unless it holds the sync role too."""

import json

import psycopg
import pytest
from conftest import ACME, GLOBEX, Connect, scalar
from psycopg import errors

TABLE = "core_api.company_workspace_connectors"
COUNT = f"select count(*) from {TABLE}"


@pytest.fixture
def as_hasura(connect: Connect) -> psycopg.Connection:
    return connect("hasura_login")


def session_of(workspace: str) -> dict[str, str]:
    return {"hasura.user": json.dumps({"x-hasura-role": "connector_sync", "x-hasura-workspace-id": workspace})}


def test_hasura_reads_every_row_without_a_workspace(as_hasura: psycopg.Connection) -> None:
    assert scalar(as_hasura, COUNT) == 7


@pytest.mark.parametrize(("parent", "rows"), [("workspaces", 2), ("companies", 6), ("workspace_connectors", 5)])
def test_hasura_reads_every_parent(parent: str, rows: int, as_hasura: psycopg.Connection) -> None:
    assert scalar(as_hasura, f"select count(*) from core_api.{parent}") == rows


@pytest.mark.parametrize(
    "statement",
    [
        f"insert into {TABLE} (company_pk, workspace_connector_pk, direction) values (11, 101, 'input')",
        f"update {TABLE} set deleted_at = now()",
        f"delete from {TABLE}",
        f"truncate {TABLE}",
        "insert into core_api.companies (workspace_pk) values (1)",
        "update core_api.workspace_connectors set workspace_pk = 2",
        "delete from core_api.workspaces",
        "select tenancy.current_workspace_pk()",
        "set role connector_sync",
        "set role tenancy_definer",
    ],
)
def test_hasura_writes_nothing(statement: str, connect: Connect) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        connect("hasura_login", settings=session_of(ACME)).execute(statement)


def test_with_the_sync_role_hasura_writes_the_workspace_of_its_session(connect: Connect) -> None:
    hasura = connect("hasura_sync_login", settings=session_of(ACME))
    assert scalar(hasura, COUNT) == 7
    assert hasura.execute(f"update {TABLE} set deleted_at = now()").rowcount == 4
    inserted = hasura.execute(
        f"with row as (insert into {TABLE} (company_pk, workspace_connector_pk, direction)"
        " values (11, 101, 'input') returning *) select count(*) from row"
    ).fetchone()
    assert inserted == (1,)


def test_with_the_sync_role_hasura_writes_no_other_workspace(connect: Connect) -> None:
    hasura = connect("hasura_sync_login", settings=session_of(ACME))
    assert hasura.execute(f"update {TABLE} set deleted_at = now() where company_pk > 20").rowcount == 0
    with pytest.raises(errors.InsufficientPrivilege, match="row-level security"):
        hasura.execute(f"insert into {TABLE} (company_pk, workspace_connector_pk, direction) values (21, 201, 'input')")


def test_with_the_sync_role_hasura_writes_nothing_without_a_workspace(connect: Connect) -> None:
    hasura = connect("hasura_sync_login")
    assert scalar(hasura, COUNT) == 7
    assert hasura.execute(f"update {TABLE} set deleted_at = now()").rowcount == 0


def test_a_session_of_two_workspaces_is_refused(connect: Connect) -> None:
    hasura = connect("hasura_sync_login", settings={**session_of(ACME), "app.workspace_id": GLOBEX})
    with pytest.raises(errors.InsufficientPrivilege, match=r"app\.workspace_id, hasura\.user"):
        hasura.execute(f"update {TABLE} set deleted_at = now()")
