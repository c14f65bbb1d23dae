"""The API in SQL: the resource object, retrieve, and create, delete and revoke by public ids, under the policies."""

import json
import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from deployer import upgrade
from helpers import ACME, GLOBEX, UNKNOWN, Connect, become_member_without_use_of, complaint, scalar
from hosts import PARENTS
from psycopg import errors
from psycopg.types.json import Jsonb
from servers import Server, join_groups, new_database

from connector_provenance.migrations.sqlfile import ROOT

TABLE = "core_api.company_workspace_connectors"
COUNT = f"select count(*) from {TABLE}"
RESOURCE = f"select core_api.company_workspace_connector_resource(t)::text from {TABLE} as t"
CREATE = "select * from core_api.create_company_workspace_connector(%s, %s, %s)"
CREATE_BATCH = "select * from core_api.create_company_workspace_connectors(%s)"
DELETE = "select * from core_api.delete_company_workspace_connector(%s)"
DELETE_BATCH = "select * from core_api.delete_company_workspace_connectors(%s)"
REVOKE = "select * from core_api.revoke_company_workspace_connectors(%s, %s)"
RETRIEVE = "select core_api.company_workspace_connector_retrieve(%s)::text"

EXAMPLE = (
    '{"type": "company_workspace_connector", "id": "3f8c2a1d-0e45-4b7f-9c3e-1a2b3c4d5e6f",'
    ' "attributes": {"direction": "input", "created_at": "2026-05-10T14:32:00.000Z",'
    ' "updated_at": "2026-05-10T14:32:00.000Z", "deleted_at": null},'
    ' "relationships": {"company": {"data": {"type": "company", "id": "a1b2c3d4-e5f6-7890-abcd-ef1234567890"}},'
    ' "workspace_connector": {"data": {"type": "workspace_connector", "id": "b2c3d4e5-f6a7-8901-bcde-f12345678901"}}}}'
)
"""The resource object of the contract, byte for byte but for its line breaks."""

EXAMPLE_ID = "3f8c2a1d-0e45-4b7f-9c3e-1a2b3c4d5e6f"
EXAMPLE_COMPANY, EXAMPLE_CONNECTOR = "a1b2c3d4-e5f6-7890-abcd-ef1234567890", "b2c3d4e5-f6a7-8901-bcde-f12345678901"


@pytest.fixture
def company(as_superuser: psycopg.Connection) -> dict[int, str]:
    """Public ids by pk."""
    return {pk: str(public) for pk, public in as_superuser.execute("select pk, company_id from core_api.companies")}


@pytest.fixture
def connector(as_superuser: psycopg.Connection) -> dict[int, str]:
    """Public ids by pk."""
    query = "select pk, workspace_connector_id from core_api.workspace_connectors"
    return {pk: str(public) for pk, public in as_superuser.execute(query)}


@pytest.fixture
def row(as_superuser: psycopg.Connection) -> dict[str, str]:
    """Public ids of an active row of each workspace, of a deleted one of ACME, and one that nobody has."""
    query = f"select id from {TABLE} where company_pk = {{}} and deleted_at is {{}} limit 1"
    found = {
        "own": scalar(as_superuser, query.format(12, "null")),
        "deleted": scalar(as_superuser, query.format(12, "not null")),
        "foreign": scalar(as_superuser, query.format(21, "null")),
        "foreign and deleted": scalar(as_superuser, query.format(22, "not null")),
    }
    return {**{name: str(public) for name, public in found.items()}, "absent": UNKNOWN}


# The resource object, and retrieve


@pytest.fixture(scope="module")
def sample(server: Server) -> Iterator[str]:
    """The name of a database with the sample that `make up` shows, which has the row of the contract's example."""
    with new_database(server, "provenance_sample") as superuser:
        upgrade(server, superuser.info.dbname)
        superuser.execute((ROOT / "demo" / "sample.sql").read_text(encoding="utf-8"))
        join_groups(superuser)
        yield superuser.info.dbname


@pytest.mark.parametrize("login", ["member_login", "sync_login", "hasura_login"])
def test_the_resource_is_the_contracts_byte_for_byte(login: str, sample: str, connect: Connect) -> None:
    workspace = None if login == "hasura_login" else ACME
    reader = connect(login, workspace, {"timezone": "Asia/Kolkata", "datestyle": "German"}, sample)
    assert scalar(reader, RESOURCE + " where id = %s", EXAMPLE_ID) == EXAMPLE


@pytest.mark.parametrize("login", ["member_login", "sync_login"])
def test_retrieve_is_the_contracts_document_byte_for_byte(login: str, sample: str, connect: Connect) -> None:
    reader = connect(login, ACME, {"timezone": "Asia/Kolkata", "datestyle": "German"}, sample)
    assert scalar(reader, RETRIEVE, EXAMPLE_ID) == f'{{"data": {EXAMPLE}}}'
    assert scalar(connect(login, GLOBEX, dbname=sample), RETRIEVE, EXAMPLE_ID) is None


def test_retrieve_finds_an_active_row_of_the_workspace_and_nothing_else(connect: Connect, row: dict[str, str]) -> None:
    found = {name: scalar(connect("member_login", ACME), RETRIEVE, public) for name, public in row.items()}
    assert json.loads(found.pop("own"))["data"]["id"] == row["own"]
    assert set(found.values()) == {None}


def test_retrieve_shows_the_sync_role_a_deleted_row_of_its_workspace_too(connect: Connect, row: dict[str, str]) -> None:
    for login in ("sync_login", "hasura_sync_login"):
        found = {name for name, public in row.items() if scalar(connect(login, ACME), RETRIEVE, public)}
        assert found == {"own", "deleted"}


@pytest.mark.parametrize("workspace", [None, "", UNKNOWN])
def test_retrieve_finds_nothing_without_a_workspace(
    workspace: str | None, connect: Connect, row: dict[str, str]
) -> None:
    for login in ("member_login", "sync_login"):
        assert scalar(connect(login, workspace), RETRIEVE, row["own"]) is None


@pytest.mark.parametrize("login", ["hasura_login", "retention_login", "outsider_login"])
def test_others_retrieve_nothing(login: str, connect: Connect, row: dict[str, str]) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        connect(login, ACME).execute(RETRIEVE, (row["own"],))


def test_each_visible_row_has_its_resource(connect: Connect) -> None:
    for login, workspace, rows in [("member_login", ACME, 3), ("sync_login", GLOBEX, 3), ("hasura_login", None, 7)]:
        resources = [json.loads(text) for (text,) in connect(login, workspace).execute(RESOURCE)]
        assert len({resource["id"] for resource in resources}) == rows


def test_the_resource_of_a_deleted_row_says_when(as_sync: psycopg.Connection) -> None:
    text = scalar(as_sync, RESOURCE + " where deleted_at is not null")
    written = scalar(as_sync, f"select deleted_at at time zone 'UTC' from {TABLE} where deleted_at is not null")
    assert json.loads(text)["attributes"]["deleted_at"] == written.isoformat(timespec="milliseconds") + "Z"
    assert not written.isoformat(timespec="microseconds").endswith("000"), "cut to milliseconds, not by chance"


def test_a_row_deleted_at_infinity_is_not_shown_as_active(as_sync: psycopg.Connection) -> None:
    as_sync.execute(f"update {TABLE} set deleted_at = 'infinity' where company_pk = 11")
    text = scalar(as_sync, RESOURCE + " where company_pk = 11 limit 1")
    assert json.loads(text)["attributes"]["deleted_at"] == "infinity"


@pytest.mark.parametrize(("company_pk", "connector_pk"), [(21, 201), (11, 201), (21, 101), (999, 101)])
@pytest.mark.parametrize("login", ["member_login", "sync_login"])
def test_a_made_up_row_reveals_no_other_workspaces_ids(
    login: str, company_pk: int, connector_pk: int, connect: Connect
) -> None:
    made_up = f"(1, gen_random_uuid(), {company_pk}, {connector_pk}, 'input', now(), now(), null)"
    query = f"select core_api.company_workspace_connector_resource(row{made_up}::{TABLE})"
    assert scalar(connect(login, ACME), query) is None
    assert scalar(connect(login, ACME), query.replace(f"{company_pk}, {connector_pk}", "11, 101")) is not None
    assert scalar(connect(login), query.replace(f"{company_pk}, {connector_pk}", "11, 101")) is None


def test_who_does_not_use_hasuras_role_learns_no_other_workspaces_ids_from_it(as_superuser: psycopg.Connection) -> None:
    become_member_without_use_of(as_superuser, "hasura_service")
    assert scalar(as_superuser, "select pg_has_role('hasura_service', 'member')")
    for company_pk, connector_pk, known in ((11, 101, True), (21, 201, False)):
        made_up = f"row(1, '{UNKNOWN}', {company_pk}, {connector_pk}, 'input', now(), now(), null)::{TABLE}"
        found = scalar(as_superuser, f"select core_api.company_workspace_connector_resource({made_up})")
        assert (found is not None) is known


def test_on_adopted_parents_a_member_has_resources_without_a_privilege_on_them(
    server: Server, empty: psycopg.Connection
) -> None:
    PARENTS.build(empty)
    upgrade(server, "provenance_empty")
    empty.execute(f"insert into core_api.workspaces values (1, '{ACME}')")
    empty.execute(f"insert into core_api.companies values (11, '{EXAMPLE_COMPANY}', 1)")
    empty.execute(f"insert into core_api.workspace_connectors values (101, '{EXAMPLE_CONNECTOR}', 1)")
    for group in ("workspace_member", "connector_sync"):
        with empty.transaction(force_rollback=True):
            empty.execute(f"set local role {group}")
            empty.execute("select set_config('app.workspace_id', %s, true)", (ACME,))
            if group == "connector_sync":
                empty.execute(CREATE, (EXAMPLE_COMPANY, EXAMPLE_CONNECTOR, "input"))
                assert EXAMPLE_COMPANY in scalar(empty, RESOURCE)
            made_up = f"row(1, '{UNKNOWN}', 11, 101, 'input', now(), now(), null)::{TABLE}"
            assert EXAMPLE_CONNECTOR in scalar(
                empty, f"select core_api.company_workspace_connector_resource({made_up})::text"
            )
            with pytest.raises(errors.InsufficientPrivilege):
                empty.execute("select company_id from core_api.companies")


def test_a_login_without_a_group_has_no_resources(connect: Connect) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        connect("outsider_login", ACME).execute(RESOURCE)


# Create


def test_the_sync_role_records_a_fact_by_public_ids(
    as_sync: psycopg.Connection, company: dict[int, str], connector: dict[int, str]
) -> None:
    created = as_sync.execute(CREATE, (company[12], connector[102], "output")).fetchone()
    assert created is not None
    assert created[2:5] == (12, 102, "output")
    assert created[7] is None
    assert scalar(as_sync, COUNT) == 5


def test_a_batch_is_recorded_in_its_order(
    as_sync: psycopg.Connection, company: dict[int, str], connector: dict[int, str]
) -> None:
    wanted = [(11, 102, "input"), (12, 101, "output"), (11, 102, "input"), (19, 109, "output")] * 25
    items = [
        {"company_id": company[c], "workspace_connector_id": connector[k], "direction": direction}
        for c, k, direction in wanted
    ]
    created = as_sync.execute(CREATE_BATCH, (Jsonb(items),)).fetchall()
    assert [found[2:5] for found in created] == wanted
    assert [found[0] for found in created] == sorted(found[0] for found in created)


def test_an_empty_batch_records_nothing(as_sync: psycopg.Connection) -> None:
    assert as_sync.execute(CREATE_BATCH, (Jsonb([]),)).fetchall() == []


def test_a_foreign_parent_and_an_absent_one_are_refused_with_the_same_words(
    connect: Connect, company: dict[int, str], connector: dict[int, str]
) -> None:
    for name, pairs in {
        "company_id is not a company": [(company[21], connector[101]), (UNKNOWN, connector[101])],
        "workspace_connector_id is not a connector": [(company[11], connector[201]), (company[11], UNKNOWN)],
    }.items():
        complaints = set()
        for pair in pairs:
            with pytest.raises(errors.InvalidParameterValue, match=f"{name} of the current workspace") as refusal:
                connect("sync_login", ACME).execute(CREATE, (*pair, "input"))
            complaints.add(complaint(refusal.value))
        assert len(complaints) == 1


def test_a_batch_with_one_foreign_id_is_refused_and_nothing_stored(
    as_sync: psycopg.Connection, company: dict[int, str], connector: dict[int, str]
) -> None:
    items = [
        {"company_id": company[pk], "workspace_connector_id": connector[101], "direction": "input"}
        for pk in (11, 12, 21, 11, 22)
    ]
    with pytest.raises(errors.InvalidParameterValue) as refusal, as_sync.transaction():
        as_sync.execute(CREATE_BATCH, (Jsonb(items),))
    assert refusal.value.diag.message_detail == "Item 3."
    assert scalar(as_sync, COUNT) == 4
    assert len(as_sync.execute(CREATE_BATCH, (Jsonb(items[:2]),)).fetchall()) == 2


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"direction": "both"}, errors.InvalidTextRepresentation),
        ({"direction": "INPUT"}, errors.InvalidTextRepresentation),
        ({"direction": None}, errors.NotNullViolation),
        ({"company_id": "acme"}, errors.InvalidTextRepresentation),
        ({"company_id": None}, errors.InvalidParameterValue),
        ({"workspace_connector_id": None}, errors.InvalidParameterValue),
    ],
)
def test_a_malformed_fact_is_refused(
    change: dict[str, str | None],
    error: type[Exception],
    connect: Connect,
    company: dict[int, str],
    connector: dict[int, str],
) -> None:
    item = {"company_id": company[11], "workspace_connector_id": connector[101], "direction": "input", **change}
    with pytest.raises(error):
        connect("sync_login", ACME).execute(CREATE_BATCH, (Jsonb([item]),))
    with pytest.raises(error):
        connect("sync_login", ACME).execute(CREATE, tuple(item.values()))


@pytest.mark.parametrize("items", [{}, "text", 1])
def test_a_batch_is_an_array(items: Any, as_sync: psycopg.Connection) -> None:
    with pytest.raises(errors.InvalidParameterValue):
        as_sync.execute(CREATE_BATCH, (Jsonb(items),))


# Delete


def test_the_sync_role_deletes_a_row_by_its_id(as_sync: psycopg.Connection, row: dict[str, str]) -> None:
    deleted = as_sync.execute(DELETE, (row["own"],)).fetchone()
    assert deleted is not None
    assert str(deleted[1]) == row["own"]
    assert deleted[7] is not None
    assert scalar(as_sync, COUNT + " where deleted_at is null") == 2
    assert scalar(as_sync, COUNT) == 4


def test_a_batch_is_deleted_in_its_order(as_sync: psycopg.Connection) -> None:
    wanted = [public for (public,) in as_sync.execute(f"select id from {TABLE} where deleted_at is null order by id")]
    assert [found[1] for found in as_sync.execute(DELETE_BATCH, (Jsonb([str(public) for public in wanted]),))] == wanted
    assert scalar(as_sync, COUNT + " where deleted_at is null") == 0


def test_a_row_is_deleted_once(connect: Connect, row: dict[str, str]) -> None:
    sync = connect("sync_login", ACME)
    sync.execute(DELETE, (row["own"],))
    for public in (row["own"], row["deleted"]):
        with pytest.raises(errors.IntegrityConstraintViolation, match="deleted already"), sync.transaction():
            sync.execute(DELETE, (public,))


def test_a_row_deleted_meanwhile_by_another_transaction_is_refused_too(
    clone: psycopg.Connection, connect: Connect
) -> None:
    public = scalar(clone, f"select id from {TABLE} where company_pk = 12 and deleted_at is null")
    clone.commit()
    late = connect("sync_login", ACME, dbname=clone.info.dbname)
    late.rollback()
    late.execute("set transaction isolation level repeatable read")
    late.execute("select set_config('app.workspace_id', %s, true)", (ACME,))
    assert scalar(late, COUNT + " where deleted_at is null") == 3
    early = connect("sync_login", ACME, dbname=clone.info.dbname)
    early.execute(DELETE, (public,))
    early.commit()
    with pytest.raises(errors.SerializationFailure):
        late.execute(DELETE, (public,))
    late.rollback()
    late.execute("select set_config('app.workspace_id', %s, true)", (ACME,))
    with pytest.raises(errors.IntegrityConstraintViolation, match="deleted already"):
        late.execute(DELETE, (public,))


def test_a_foreign_row_and_an_absent_one_are_refused_with_the_same_words(connect: Connect, row: dict[str, str]) -> None:
    complaints = set()
    for name in ("foreign", "foreign and deleted", "absent"):
        with pytest.raises(
            errors.InvalidParameterValue, match="not the id of a row of the current workspace"
        ) as refusal:
            connect("sync_login", ACME).execute(DELETE, (row[name],))
        complaints.add(complaint(refusal.value))
    assert len(complaints) == 1


@pytest.mark.parametrize("name", ["foreign", "absent", "deleted"])
def test_a_batch_with_one_row_that_cannot_be_deleted_deletes_none(
    name: str, as_sync: psycopg.Connection, row: dict[str, str]
) -> None:
    with pytest.raises(psycopg.Error) as refusal, as_sync.transaction():
        as_sync.execute(DELETE_BATCH, (Jsonb([row["own"], row[name]]),))
    assert refusal.value.diag.message_detail == "Item 2."
    assert scalar(as_sync, COUNT + " where deleted_at is null") == 3


# Revoke


@pytest.mark.parametrize(
    ("connector_pk", "company_pk", "revoked"),
    [(101, None, 2), (None, 11, 2), (None, 12, 1), (101, 11, 2), (102, 11, 0), (109, None, 0), (None, 19, 0)],
)
def test_revoking_deletes_the_active_rows_of_a_connector_a_company_or_both_and_returns_them(
    connector_pk: int | None,
    company_pk: int | None,
    revoked: int,
    as_sync: psycopg.Connection,
    company: dict[int | None, str],
    connector: dict[int | None, str],
) -> None:
    named = "workspace_connector_pk = coalesce(%s, workspace_connector_pk) and company_pk = coalesce(%s, company_pk)"
    active = f"select pk from {TABLE} where deleted_at is null"
    wanted = set(as_sync.execute(f"{active} and {named}", (connector_pk, company_pk)).fetchall())
    others = set(as_sync.execute(active).fetchall()) - wanted
    found = as_sync.execute(REVOKE, (connector.get(connector_pk), company.get(company_pk))).fetchall()
    assert {(pk,) for pk, *_ in found} == wanted
    assert len(found) == revoked
    assert all(found_row[7] for found_row in found)
    assert set(as_sync.execute(active).fetchall()) == others
    assert as_sync.execute(REVOKE, (connector.get(connector_pk), company.get(company_pk))).fetchall() == []


@pytest.mark.parametrize(
    ("message", "named"),
    [
        ("workspace_connector_id is not a connector", [(201, None), ("absent", None), (201, 11), ("absent", 11)]),
        ("company_id is not a company", [(None, 21), (None, "absent"), (101, 21), (101, "absent")]),
        ("workspace_connector_id is not a connector", [(None, None)]),
    ],
)
def test_revoking_for_a_foreign_parent_an_absent_one_or_none_is_refused(
    message: str,
    named: list[tuple[Any, Any]],
    connect: Connect,
    company: dict[Any, str],
    connector: dict[Any, str],
) -> None:
    complaints = set()
    for connector_pk, company_pk in named:
        ids = ((connector | {"absent": UNKNOWN}).get(connector_pk), (company | {"absent": UNKNOWN}).get(company_pk))
        sync = connect("sync_login", ACME)
        with pytest.raises(errors.InvalidParameterValue, match=f"{message} of the current workspace") as refusal:
            sync.execute(REVOKE, ids)
        complaints.add(complaint(refusal.value))
    assert len(complaints) == 1


# Who and where


def calls(company: str, connector: str, row: str) -> list[tuple[str, tuple[Any, ...]]]:
    """Return one call of each writing function, each of which would succeed for who may."""
    item = {"company_id": company, "workspace_connector_id": connector, "direction": "input"}
    return [
        (CREATE, (company, connector, "input")),
        (CREATE_BATCH, (Jsonb([item]),)),
        (DELETE, (row,)),
        (DELETE_BATCH, (Jsonb([row]),)),
        (REVOKE, (connector, None)),
        (REVOKE, (None, company)),
    ]


def test_the_sync_role_may_call_each(
    connect: Connect, company: dict[int, str], connector: dict[int, str], row: dict[str, str]
) -> None:
    sync = connect("sync_login", ACME)
    for query, arguments in calls(company[12], connector[102], row["own"]):
        with sync.transaction(force_rollback=True):
            assert len(sync.execute(query, arguments).fetchall()) == 1


@pytest.mark.parametrize("login", ["member_login", "hasura_login"])
def test_nobody_else_may_call_one(
    login: str, connect: Connect, company: dict[int, str], connector: dict[int, str], row: dict[str, str]
) -> None:
    for query, arguments in calls(company[12], connector[102], row["own"]):
        function = re.search(r"core_api\.(\w+)", query)
        assert function
        with pytest.raises(errors.InsufficientPrivilege, match=f"permission denied for function {function[1]}$"):
            connect(login, ACME).execute(query, arguments)


@pytest.mark.parametrize("login", ["outsider_login", "deployer"])
def test_who_is_in_no_group_may_not_even_try(
    login: str, connect: Connect, company: dict[int, str], connector: dict[int, str], row: dict[str, str]
) -> None:
    for query, arguments in calls(company[12], connector[102], row["own"]):
        with pytest.raises(errors.InsufficientPrivilege):
            connect(login, ACME).execute(query, arguments)


@pytest.mark.parametrize("workspace", [None, "", UNKNOWN])
def test_without_a_workspace_each_is_refused(
    workspace: str | None,
    connect: Connect,
    company: dict[int, str],
    connector: dict[int, str],
    row: dict[str, str],
) -> None:
    for query, arguments in calls(company[12], connector[102], row["own"]):
        with pytest.raises(errors.InsufficientPrivilege, match="there is no current workspace to write in"):
            connect("sync_login", workspace).execute(query, arguments)


def test_in_another_workspace_each_is_refused(
    connect: Connect, company: dict[int, str], connector: dict[int, str], row: dict[str, str]
) -> None:
    for query, arguments in calls(company[12], connector[102], row["own"]):
        with pytest.raises(errors.InvalidParameterValue):
            connect("sync_login", GLOBEX).execute(query, arguments)


def test_none_of_them_runs_with_other_rights_than_the_callers(as_superuser: psycopg.Connection) -> None:
    found = as_superuser.execute(
        "select proname, prosecdef from pg_proc where pronamespace = 'core_api'::regnamespace"
    ).fetchall()
    assert len(found) >= 6
    assert not any(definer for _, definer in found)
