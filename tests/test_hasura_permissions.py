"""What Hasura's permissions show a role is what the policies show it: rows, relationships, counts and functions."""

import copy
import json
from typing import Any

import psycopg
import pytest
from helpers import ACME, UNKNOWN, scalar

from connector_provenance.hasura import check
from connector_provenance.hasura.model import Model, load

TABLE = "core_api.company_workspace_connectors"
COMPANIES, CONNECTORS, WORKSPACES = (f"core_api.{name}" for name in ("companies", "workspace_connectors", "workspaces"))
ROLES = {
    "workspace_member": "workspace_member",
    "connector_sync": "connector_sync",
    "workspace_member_and_sync": "both_login",
}
"""Hasura's roles, and which role of the database sees the same."""


@pytest.fixture
def generated(as_superuser: psycopg.Connection) -> psycopg.Connection:
    """Three workspaces, and rows of every pair of a company and a connector, mixed ones too, deleted and not."""
    as_superuser.execute(f"alter table {TABLE} disable trigger user")
    as_superuser.execute("insert into core_api.workspaces (pk) values (3)")
    for parent in (COMPANIES, CONNECTORS):
        as_superuser.execute(
            f"insert into {parent} (pk, workspace_pk) select 1000 + g, 1 + g % 3 from generate_series(1, 30) as g"
        )
    as_superuser.execute(
        f"insert into {TABLE} (company_pk, workspace_connector_pk, direction, deleted_at)"
        " select c.pk, k.pk, 'input', case when d then now() end"
        f" from {COMPANIES} as c cross join {CONNECTORS} as k"
        " cross join (values (true), (false)) as deleted (d) where (c.pk * 7 + k.pk * 3) % 5 < 2"
    )
    return as_superuser


@pytest.fixture
def model(generated: psycopg.Connection) -> Model:
    return Model(copy.deepcopy(load()), generated)


def workspaces(connection: psycopg.Connection) -> list[str]:
    """Return the id of each workspace, and one that nobody has."""
    return [*(str(found) for (found,) in connection.execute(f"select workspace_id from {WORKSPACES}")), UNKNOWN]


def by_policy(connection: psycopg.Connection, query: str, role: str, workspace: str) -> set[tuple[Any, ...]]:
    """Return what the policies show a role."""
    with connection.transaction(force_rollback=True):
        connection.execute("select set_config('app.workspace_id', %s, true)", (workspace,))
        connection.execute(f"set local role {ROLES[role]}")
        return set(connection.execute(query))


def by_permission(connection: psycopg.Connection, query: str, role: str, workspace: str) -> set[tuple[Any, ...]]:
    """Return what Hasura, which may read every row, shows a role by conditions that the query has."""
    session = json.dumps({"x-hasura-role": role, "x-hasura-workspace-id": workspace})
    with connection.transaction(force_rollback=True):
        connection.execute("set local role hasura_service")
        return set(connection.execute(query, {"session": session}))


def condition(model: Model, table: str, role: str, alias: str) -> str:
    """Return a role's permission as SQL."""
    permission = model.permission(table, role)
    assert permission is not None
    return model.where(table, permission["filter"], alias)


def same_rows(connection: psycopg.Connection, model: Model, table: str, role: str) -> bool:
    query = f"select pk from {table} as shown"
    permitted = f"{query} where {condition(model, table, role, 'shown')}"
    return all(
        by_policy(connection, query, role, workspace) == by_permission(connection, permitted, role, workspace)
        for workspace in workspaces(connection)
    )


def test_the_generated_rows_are_of_every_kind(generated: psycopg.Connection) -> None:
    kinds = generated.execute(
        f"select distinct c.workspace_pk = k.workspace_pk, j.deleted_at is null, c.workspace_pk from {TABLE} as j"
        f" inner join {COMPANIES} as c on c.pk = j.company_pk"
        f" inner join {CONNECTORS} as k on k.pk = j.workspace_connector_pk"
    ).fetchall()
    assert len(kinds) == 12
    query = f"select pk from {TABLE}"
    shown = {role: len(by_policy(generated, query, role, ACME)) for role in ROLES}
    assert 10 < shown["workspace_member"] < shown["connector_sync"] == shown["workspace_member_and_sync"]
    assert by_policy(generated, query, "workspace_member", UNKNOWN) == set()


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("table", [TABLE, COMPANIES, CONNECTORS, WORKSPACES])
def test_a_permission_shows_exactly_what_the_policies_show(
    table: str, role: str, generated: psycopg.Connection, model: Model
) -> None:
    assert same_rows(generated, model, table, role)


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_weaker_permission_is_not_the_same(part: int, generated: psycopg.Connection, model: Model) -> None:
    permission = model.permission(TABLE, "workspace_member")
    assert permission is not None
    del permission["filter"]["_and"][part]
    assert not same_rows(generated, model, TABLE, "workspace_member")


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_weaker_policy_is_not_the_same(part: int, generated: psycopg.Connection, model: Model) -> None:
    qualification = scalar(
        generated,
        "select qual from pg_policies where tablename = 'company_workspace_connectors'"
        " and policyname = 'member_reads_active_rows'",
    )
    parts = qualification.removeprefix("(").removesuffix(")").split(" AND ")
    assert len(parts) == 3
    del parts[part]
    generated.execute(f"alter policy member_reads_active_rows on {TABLE} using ({' AND '.join(parts)})")
    assert not same_rows(generated, model, TABLE, "workspace_member")


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("table", "name"),
    [
        (COMPANIES, "company_workspace_connectors"),
        (CONNECTORS, "company_workspace_connectors"),
        (TABLE, "company"),
        (TABLE, "workspace_connector"),
        (COMPANIES, "workspace"),
        (CONNECTORS, "workspace"),
    ],
)
def test_a_relationship_leads_exactly_where_the_policies_let_it(
    table: str, name: str, role: str, generated: psycopg.Connection, model: Model
) -> None:
    found = model.relationships(table)[name]
    query = (
        f"select one.pk, other.pk from {table} as one inner join {found.target} as other"
        f" on one.{found.column} = other.{found.key}"
    )
    permitted = (
        f"{query} where {condition(model, table, role, 'one')} and {condition(model, found.target, role, 'other')}"
    )
    for workspace in workspaces(generated):
        shown = by_policy(generated, query, role, workspace)
        assert shown == by_permission(generated, permitted, role, workspace)
        assert (shown == set()) == (workspace == UNKNOWN)


def test_a_relationship_over_another_tables_key_is_refused(model: Model) -> None:
    (array,) = model.tables[COMPANIES]["array_relationships"]
    array["using"]["foreign_key_constraint_on"]["column"] = "workspace_connector_pk"
    with pytest.raises(KeyError, match="refers to"):
        model.relationships(COMPANIES)


@pytest.mark.parametrize(
    "restriction",
    [
        None,
        f"company_id => (select company_id from {COMPANIES} where pk = 1003)",
        f"workspace_connector_id => (select workspace_connector_id from {CONNECTORS} where pk = 1003)",
        "created_from => current_date",
        "created_before => current_date",
    ],
)
def test_the_counts_of_a_workspace_are_its_members(restriction: str | None, generated: psycopg.Connection) -> None:
    generated.execute(f"update {TABLE} set created_at = current_date - 1 where company_pk % 2 = 0")
    argument = None
    if restriction:  # looked up by whoever sees it, so that another workspace's is asked for too
        name, _, value = restriction.partition(" => ")
        argument = f"{name} => '{scalar(generated, f'select {value}')}'"
    members = f"select * from core_api.company_workspace_connectors_counts({argument or ''})"
    hasuras = (
        f"select c.* from {WORKSPACES} as w cross join lateral"
        f" json_to_recordset(core_api.workspace_company_counts({', '.join(filter(None, ('w', argument)))}))"
        " as c (workspace_connector_id uuid, direction core_api.direction_enum, active_rows bigint)"
        " where w.workspace_id = ((%(session)s::json) ->> 'x-hasura-workspace-id')::uuid"
    )
    counted = 0
    for workspace in workspaces(generated):
        shown = by_permission(generated, hasuras, "workspace_member", workspace)
        assert shown == by_policy(generated, members, "workspace_member", workspace)
        counted += sum(rows for _, _, rows in shown)
    assert counted > 0


# Functions


PAGES = {f"{entity}_workspace_connectors_page" for entity in check.entities()}
WRITES = {
    f"{verb}_{entity}_workspace_{connector}"
    for entity in check.entities()
    for verb, connector in (
        ("create", "connector"),
        ("create", "connectors"),
        ("delete", "connector"),
        ("delete", "connectors"),
        ("revoke", "connectors"),
    )
}


def callable_by(model: Model, role: str) -> set[str]:
    return {f["configuration"]["custom_name"] for f in model.functions if model.may_call(f, role)}


@pytest.mark.parametrize("infer", [True, False])
@pytest.mark.parametrize(
    ("role", "names"),
    [
        ("workspace_member", PAGES),
        ("connector_sync", PAGES | WRITES),
        ("workspace_member_and_sync", PAGES | WRITES),
        ("nobody", set()),
    ],
)
def test_a_role_calls_the_same_functions_whether_hasura_infers_permissions_or_not(
    role: str, names: set[str], infer: bool, as_superuser: psycopg.Connection
) -> None:
    model = Model(load(), as_superuser, infer_function_permissions=infer)
    assert callable_by(model, role) == names


def test_a_permission_left_to_inference_depends_on_the_setting(as_superuser: psycopg.Connection) -> None:
    metadata = copy.deepcopy(load())
    for entry in metadata["sources"][0]["functions"]:
        entry["permissions"] = [each for each in entry["permissions"] if each["role"] != "connector_sync"]
    inferred, explicit = (Model(metadata, as_superuser, infer_function_permissions=infer) for infer in (True, False))
    assert callable_by(inferred, "connector_sync") == PAGES
    assert callable_by(explicit, "connector_sync") == set()


def test_a_role_whose_parents_show_different_columns_is_not_modelled(model: Model) -> None:
    permission = model.permission(TABLE, "workspace_member")
    assert permission is not None
    permission["columns"].remove("deleted_at")
    with pytest.raises(ValueError, match="do not show the same"):
        model.permission(TABLE, "workspace_member_and_sync")
