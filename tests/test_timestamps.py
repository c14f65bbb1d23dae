"""The database's clock is the only one that counts: what a client sends never sticks."""

from datetime import UTC, datetime

import psycopg
import pytest
from helpers import ACME, Connect, scalar

TABLE = "core_api.company_workspace_connectors"
LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)


@pytest.fixture
def inserted(as_sync: psycopg.Connection) -> tuple:
    row = as_sync.execute(
        f"insert into {TABLE} (company_pk, workspace_connector_pk, direction, created_at, updated_at)"
        " values (11, 101, 'input', %s, %s) returning created_at, updated_at, now()",
        (LONG_AGO, LONG_AGO),
    ).fetchone()
    assert row is not None
    return row


def test_an_insert_is_stamped_with_the_time_of_its_transaction(inserted: tuple) -> None:
    created_at, updated_at, now = inserted
    assert created_at == updated_at == now


def test_a_null_sent_for_a_timestamp_is_stamped_too(as_sync: psycopg.Connection) -> None:
    row = as_sync.execute(
        f"insert into {TABLE} (company_pk, workspace_connector_pk, direction, created_at, updated_at)"
        " values (11, 101, 'input', null, null) returning created_at = now(), updated_at = now()"
    ).fetchone()
    assert row == (True, True)


def test_a_deletion_is_kept_as_sent(as_sync: psycopg.Connection) -> None:
    row = as_sync.execute(
        f"update {TABLE} set deleted_at = %s, updated_at = %s where company_pk = 11"
        " returning deleted_at, updated_at = now()",
        (LONG_AGO, LONG_AGO),
    ).fetchone()
    assert row == (LONG_AGO, True)


def test_an_update_refreshes_updated_at_and_nothing_else(clone: psycopg.Connection) -> None:
    columns = "pk, id, company_pk, created_at"
    query = f"select {columns}, updated_at from {TABLE} order by pk"
    before = clone.execute(query).fetchall()
    clone.commit()
    clone.execute(f"update {TABLE} set deleted_at = now()")
    clone.commit()
    after = clone.execute(query).fetchall()
    assert [row[:-1] for row in before] == [row[:-1] for row in after]
    assert all(was[-1] < now[-1] for was, now in zip(before, after, strict=True))


def test_identity_and_creation_never_change_not_even_by_a_superuser(as_superuser: psycopg.Connection) -> None:
    query = f"select pk, id, created_at from {TABLE} order by pk"
    before = as_superuser.execute(query).fetchall()
    changed = as_superuser.execute(
        f"update {TABLE} set pk = pk + 1000, id = gen_random_uuid(), created_at = %s, updated_at = %s", (LONG_AGO,) * 2
    )
    assert changed.rowcount == len(before)
    assert as_superuser.execute(query).fetchall() == before
    assert scalar(as_superuser, f"select bool_and(updated_at = now()) from {TABLE}") is True


@pytest.mark.parametrize(
    ("parent", "column", "pk"),
    [("companies", "company_pk", 11), ("workspace_connectors", "workspace_connector_pk", 101)],
)
def test_a_renumbered_parent_takes_its_rows_along_under_forced_row_level_security(
    parent: str, column: str, pk: int, clone: psycopg.Connection, connect: Connect
) -> None:
    rows = scalar(clone, f"select count(*) from {TABLE} where {column} = %s", pk)
    stamped = scalar(clone, f"select max(updated_at) from {TABLE}")
    clone.execute(f"grant update on core_api.{parent} to outsider_login")
    clone.execute(
        f"grant usage on schema core_api to outsider_login; grant select on core_api.{parent} to outsider_login"
    )
    clone.execute(f"create policy application on core_api.{parent} to outsider_login using (true)")
    clone.commit()
    with connect("outsider_login", dbname=clone.info.dbname) as application:
        application.execute(f"update core_api.{parent} set pk = 999 where pk = %s", (pk,))
    assert scalar(clone, f"select count(*) from {TABLE} where {column} = 999 and updated_at > %s", stamped) == rows > 0
    assert scalar(connect("member_login", ACME, dbname=clone.info.dbname), f"select count(*) from {TABLE}") == 3


def test_functions_of_the_caller_do_not_reach_the_stamp(as_superuser: psycopg.Connection) -> None:
    as_superuser.execute(
        "create function public.now() returns timestamptz language sql as $$ select timestamptz '2001-01-01' $$"
    )
    as_superuser.execute("set local search_path = public, pg_catalog, core_api")
    assert scalar(as_superuser, "select now()") == LONG_AGO
    row = as_superuser.execute(
        f"insert into {TABLE} (company_pk, workspace_connector_pk, direction) values (11, 101, 'input')"
        " returning created_at = pg_catalog.now(), updated_at = pg_catalog.now()"
    ).fetchone()
    assert row == (True, True)
