"""Page and list: the caller's visible rows, newest first, page after page."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest
from helpers import ACME, GLOBEX, UNKNOWN, Connect, become_member_without_use_of, force_row, scalar
from psycopg import errors

PAGES = range(1000)
"""More than any walk needs."""

PAGE = "core_api.company_workspace_connectors_page"
LIST = "core_api.company_workspace_connectors_list"
TABLE = "core_api.company_workspace_connectors"
NEWEST_FIRST = f"select id from {TABLE} order by created_at desc, pk desc"

READERS = pytest.mark.parametrize("login", ["member_login", "sync_login"])


def page(connection: psycopg.Connection, **arguments: Any) -> list[UUID]:
    """Return the ids of one page."""
    names = ", ".join(f"{name} => %({name})s" for name in arguments)
    return [row[0] for row in connection.execute(f"select id from {PAGE}({names})", arguments)]


def document(connection: psycopg.Connection, **arguments: Any) -> tuple[list[UUID], str | None]:
    """Return the ids of a list's document and its cursor."""
    names = ", ".join(f"{name} => %({name})s" for name in arguments)
    row = connection.execute(f"select {LIST}({names})", arguments).fetchone()
    assert row is not None
    found: dict[str, Any] = row[0]
    assert list(found) == ["data", "links"]
    assert list(found["links"]) == ["next"]
    return [UUID(resource["id"]) for resource in found["data"]], found["links"]["next"]


def walk(
    connection: psycopg.Connection, between: Callable[[list[UUID]], object] = lambda seen: None, **arguments: Any
) -> list[UUID]:
    """Return the ids of all pages; ``between`` is called after each with those so far."""
    seen: list[UUID] = []
    for _ in PAGES:
        found = page(connection, after_id=seen[-1] if seen else None, **arguments)
        if not found:
            return seen
        seen += found
        between(seen)
    pytest.fail("there was always another page")


def ids(connection: psycopg.Connection, query: str = NEWEST_FIRST, *parameters: Any) -> list[UUID]:
    return [row[0] for row in connection.execute(query, parameters)]


def fill(superuser: psycopg.Connection) -> None:
    """Add 300 rows to each workspace in batches of one time each, every fifth row deleted, and leave them scattered."""
    superuser.execute(f"alter table {TABLE} disable trigger user")
    superuser.execute(
        f"""
        insert into {TABLE} (company_pk, workspace_connector_pk, direction, created_at, deleted_at)
        select
            case when n % 2 = 0 then 11 + n % 3 / 2 else 21 + n % 3 / 2 end,
            case when n % 2 = 0 then 101 + n % 5 / 3 else 201 end,
            (array['input', 'output'])[1 + n % 3 % 2]::core_api.direction_enum,
            now() - interval '1 hour' * (n * 7 % 20),
            case when n % 5 = 0 then now() end
        from generate_series(1, 600) as n
        """
    )
    superuser.execute(f"alter table {TABLE} enable trigger user")


@pytest.fixture
def filled(clone: psycopg.Connection, connect: Connect) -> Callable[..., psycopg.Connection]:
    """Open committing connections to a database of the test's own that has enough rows for many pages."""
    fill(clone)
    clone.commit()

    def _filled(login: str, workspace: str | None = ACME) -> psycopg.Connection:
        connection = connect(login, dbname=clone.info.dbname)
        connection.rollback()
        connection.autocommit = True
        connection.execute("select set_config('app.workspace_id', %s, false)", (workspace or "",))
        return connection

    return _filled


@READERS
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_all_pages_together_are_the_visible_rows_newest_first(
    filled: Callable[..., psycopg.Connection], login: str, size: int
) -> None:
    reader = filled(login)
    visible = ids(reader)
    assert len(visible) > 200
    assert walk(reader, page_limit=size) == visible


@READERS
def test_nothing_is_shown_twice_or_missed_while_rows_arrive(
    filled: Callable[..., psycopg.Connection], login: str
) -> None:
    reader, sync = filled(login), filled("sync_login")
    old = ids(reader)

    def arrive(seen: list[UUID]) -> None:
        sync.execute(
            f"insert into {TABLE} (company_pk, workspace_connector_pk, direction)"
            " select 11, 100 + k, 'input' from generate_series(1, 2) k, generate_series(1, 5)"
        )

    seen = walk(reader, between=arrive, page_limit=20)
    assert len(ids(reader)) > len(old)
    assert seen == old


@READERS
def test_a_walk_goes_on_though_rows_it_showed_are_deleted(
    filled: Callable[..., psycopg.Connection], login: str
) -> None:
    reader, sync = filled(login), filled("sync_login")
    old = ids(reader)

    def vanish(seen: list[UUID]) -> None:
        sync.execute(f"update {TABLE} set deleted_at = now() where id = any(%s)", (seen[-3:],))

    assert walk(reader, between=vanish, page_limit=20) == old


@pytest.mark.parametrize(
    ("filters", "condition"),
    [
        ({"direction": "output"}, "direction = 'output'"),
        ({"company_id": 12}, "company_pk = 12"),
        ({"workspace_connector_id": 102}, "workspace_connector_pk = 102"),
        ({"direction": "input", "workspace_connector_id": 101}, "direction = 'input' and workspace_connector_pk = 101"),
        ({"direction": "input", "company_id": 11}, "direction = 'input' and company_pk = 11"),
        (
            {"company_id": 11, "workspace_connector_id": 101, "direction": "output"},
            "company_pk = 11 and workspace_connector_pk = 101 and direction = 'output'",
        ),
    ],
)
def test_a_filtered_walk_shows_what_the_same_condition_shows(
    filled: Callable[..., psycopg.Connection], filters: dict[str, Any], condition: str
) -> None:
    member = filled("member_login")
    arguments = {name: public_id(member, name, value) for name, value in filters.items()}
    expected = ids(member, f"select id from {TABLE} where {condition} order by created_at desc, pk desc")
    assert 7 < len(expected) < len(ids(member))
    assert walk(member, page_limit=7, **arguments) == expected


MOMENT = f"(select distinct created_at from {TABLE} order by 1 offset %s limit 1)"

RANGES: list[dict[str, int]] = [
    {"created_from": 3},
    {"created_before": 8},
    {"created_from": 3, "created_before": 8},
    {"created_from": 8, "created_before": 3},
    {"created_from": 3, "created_before": 8, "workspace_connector_id": 102},
    {"created_from": 3, "created_before": 8, "company_id": 11},
]


@READERS
@pytest.mark.parametrize("arguments", RANGES)
def test_a_range_begins_with_its_first_moment_and_ends_before_its_last(
    filled: Callable[..., psycopg.Connection], arguments: dict[str, int], login: str
) -> None:
    reader = filled(login)
    wanted: dict[str, Any] = {
        name: scalar(reader, f"select {MOMENT}", value)
        if name.startswith("created_")
        else public_id(reader, name, value)
        for name, value in arguments.items()
    }
    condition = (
        "created_at >= coalesce(%s::timestamptz, '-infinity') and created_at < coalesce(%s::timestamptz, 'infinity')"
        " and company_pk = coalesce(%s, company_pk) and workspace_connector_pk = coalesce(%s, workspace_connector_pk)"
    )
    expected = ids(
        reader,
        f"select id from {TABLE} where {condition} order by created_at desc, pk desc",
        *map(wanted.get, ("created_from", "created_before")),
        *map(arguments.get, ("company_id", "workspace_connector_id")),
    )
    assert len(expected) < len(ids(reader))
    assert (expected == []) is (arguments == RANGES[3])
    assert walk(reader, page_limit=7, **wanted) == expected


@READERS
@pytest.mark.parametrize("filters", [{}, {"direction": "output"}, {"company_id": 12}, {"workspace_connector_id": 102}])
def test_a_list_has_the_rows_of_the_page_and_a_cursor_until_exactly_the_last(
    filled: Callable[..., psycopg.Connection], filters: dict[str, Any], login: str
) -> None:
    reader = filled(login)
    arguments = {name: public_id(reader, name, value) for name, value in filters.items()}
    visible = walk(reader, page_limit=100, **arguments)
    for size in (7, len(visible) - 1, len(visible), len(visible) + 1):
        seen: list[UUID] = []
        cursor = None
        for _ in PAGES:
            expected = page(reader, page_limit=size, after_id=cursor, **arguments)
            found, cursor = document(reader, page_limit=size, after_id=cursor, **arguments)
            assert found == expected
            seen += found
            assert (cursor is None) is (seen == visible)
            if cursor is None:
                break
        assert seen == visible


@READERS
def test_a_list_holds_the_resource_object_of_each_row(login: str, connect: Connect) -> None:
    reader = connect(login, ACME)
    resources = reader.execute(
        f"select core_api.company_workspace_connector_resource(j) from {TABLE} as j order by created_at desc, pk desc"
    )
    assert scalar(reader, f"select {LIST}()")["data"] == [resource for (resource,) in resources]


@READERS
@pytest.mark.parametrize("workspace", [None, "", UNKNOWN])
def test_without_a_workspace_a_list_is_empty(connect: Connect, login: str, workspace: str | None) -> None:
    assert document(connect(login, workspace)) == ([], None)


@READERS
def test_a_list_refuses_what_a_page_refuses(connect: Connect, as_superuser: psycopg.Connection, login: str) -> None:
    foreign = scalar(as_superuser, f"select max(id::text) from {TABLE} where company_pk = 22")
    for arguments in ({"page_limit": 0}, {"page_limit": 1001}, {"after_id": foreign}, {"after_id": UNKNOWN}):
        messages = set()
        for ask in (page, document):
            with pytest.raises(errors.InvalidParameterValue) as refusal:
                ask(connect(login, ACME), **arguments)
            messages.add(refusal.value.diag.message_primary)
        assert len(messages) == 1


def public_id(connection: psycopg.Connection, column: str, pk: Any) -> Any:
    """Return the public id of a company or connector, and any other value as it is."""
    if not column.endswith("_id"):
        return pk
    parent = {"company_id": "companies", "workspace_connector_id": "workspace_connectors"}[column]
    return scalar(connection, f"select {column} from core_api.{parent} where pk = %s", pk)


@pytest.mark.parametrize(("column", "foreign"), [("company_id", 21), ("workspace_connector_id", 201)])
def test_a_filter_on_another_workspaces_parent_shows_nothing(
    as_superuser: psycopg.Connection, as_member: psycopg.Connection, column: str, foreign: int
) -> None:
    assert page(as_member, **{column: public_id(as_superuser, column, foreign)}) == []
    assert page(as_member, **{column: UNKNOWN}) == []


@pytest.mark.parametrize("function", [PAGE, LIST])
def test_a_refused_workspace_is_refused_whosever_connector_is_named(
    function: str, connect: Connect, as_superuser: psycopg.Connection
) -> None:
    for connector in (UNKNOWN, public_id(as_superuser, "workspace_connector_id", 201)):
        with pytest.raises(errors.InsufficientPrivilege, match="no binding"):
            connect("unbound_login", ACME).execute(f"select {function}(workspace_connector_id => %s)", (connector,))
        with pytest.raises(errors.InvalidParameterValue, match=r"app\.workspace_id"):
            connect("member_login", "acme").execute(f"select {function}(workspace_connector_id => %s)", (connector,))


def test_a_page_has_fifty_rows_where_no_limit_is_given(filled: Callable[..., psycopg.Connection]) -> None:
    member = filled("member_login")
    assert page(member) == page(member, page_limit=None) == page(member, page_limit=50) == ids(member)[:50]


@pytest.mark.parametrize("size", [0, -1, 1001])
def test_a_bad_limit_is_refused(as_member: psycopg.Connection, size: int) -> None:
    with pytest.raises(errors.InvalidParameterValue, match="page_limit must be between 1 and 1000"):
        page(as_member, page_limit=size)


@pytest.mark.parametrize("size", [1, 1000])
def test_the_limits_themselves_are_allowed(as_member: psycopg.Connection, size: int) -> None:
    assert len(page(as_member, page_limit=size)) == min(size, 3)


@READERS
def test_a_cursor_of_another_workspace_is_refused_like_one_of_no_row(
    connect: Connect, as_superuser: psycopg.Connection, login: str
) -> None:
    messages = set()
    foreign = scalar(as_superuser, f"select max(id::text) from {TABLE} where company_pk = 22 and deleted_at is null")
    for cursor in (foreign, UNKNOWN):
        with pytest.raises(errors.InvalidParameterValue) as error:
            page(connect(login, ACME), after_id=cursor)
        messages.add(str(error.value))
    assert len(messages) == 1
    assert page(connect(login, GLOBEX), after_id=foreign)


@READERS
def test_each_tenant_pages_through_its_own_rows(connect: Connect, login: str) -> None:
    acme, globex = connect(login, ACME), connect(login, GLOBEX)
    assert page(acme) == ids(acme)
    assert page(globex) == ids(globex)
    assert not set(page(acme)) & set(page(globex))


@READERS
@pytest.mark.parametrize("workspace", [None, "", UNKNOWN])
def test_without_a_workspace_there_are_no_pages(connect: Connect, login: str, workspace: str | None) -> None:
    assert page(connect(login, workspace)) == []


def test_a_member_never_sees_a_deleted_row_and_the_sync_role_does(connect: Connect) -> None:
    query = f"select count(*), count(deleted_at) from {PAGE}()"
    assert connect("member_login", ACME).execute(query).fetchone() == (3, 0)
    assert connect("sync_login", ACME).execute(query).fetchone() == (4, 1)


def test_deleted_rows_take_no_place_on_the_page_of_who_does_not_use_the_sync_role(
    as_superuser: psycopg.Connection,
) -> None:
    become_member_without_use_of(as_superuser, "connector_sync")
    assert scalar(as_superuser, "select pg_has_role('connector_sync', 'member')")
    visible = ids(as_superuser)
    assert len(visible) == 3
    assert page(as_superuser, page_limit=3) == visible


@READERS
@pytest.mark.parametrize(("company", "connector"), [(21, 101), (11, 201)])
@pytest.mark.parametrize("workspace", [ACME, GLOBEX])
def test_a_mixed_row_that_was_forced_in_is_on_nobodys_page(
    clone: psycopg.Connection, connect: Connect, login: str, company: int, connector: int, workspace: str
) -> None:
    mixed = [force_row(clone, company, connector, "now() + interval '1 day'") for _ in range(5)]
    clone.commit()
    reader = connect(login, workspace, dbname=clone.info.dbname)
    visible = ids(reader)
    assert visible
    assert not set(mixed) & set(visible)
    assert walk(reader, page_limit=2) == visible
    for size in range(1, len(visible) + 1):
        assert page(reader, page_limit=size) == visible[:size], "a page is full, however many mixed rows lie between"
    with pytest.raises(errors.InvalidParameterValue):
        page(reader, after_id=mixed[0])


@pytest.mark.parametrize("login", ["outsider_login", "hasura_login", "retention_login"])
def test_others_may_not_call_it(connect: Connect, login: str) -> None:
    for ask in (page, document):
        with pytest.raises(errors.InsufficientPrivilege):
            ask(connect(login, ACME))


@READERS
@pytest.mark.parametrize(
    "statement", ["select tenancy.company_page_keys(1, null, null, null, null, null, null, true, true)"]
)
def test_nobody_reaches_its_parts(connect: Connect, login: str, statement: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        connect(login, ACME).execute(statement)


@READERS
def test_a_tables_impostor_in_the_search_path_changes_nothing(connect: Connect, login: str) -> None:
    reader = connect(login, ACME)
    expected = page(reader)
    reader.execute("create temporary table company_workspace_connectors (id uuid)")
    reader.execute("create temporary table current_workspace_connectors (pk integer)")
    reader.execute("set local search_path = pg_temp, core_api, public")
    assert page(reader) == expected
