"""What the sync orchestrator may do: read, insert and soft-delete the rows of the workspace it works in."""

import psycopg
import pytest
from helpers import ACME, GLOBEX, Connect, force_row, scalar
from psycopg import errors

TABLE = "core_api.company_workspace_connectors"
COUNT = f"select count(*) from {TABLE}"


def insert(connection: psycopg.Connection, company: int, connector: int) -> int:
    return connection.execute(
        f"insert into {TABLE} (company_pk, workspace_connector_pk, direction) values (%s, %s, 'input')",
        (company, connector),
    ).rowcount


def test_the_sync_role_sees_deleted_rows_of_its_workspace_too(connect: Connect) -> None:
    assert scalar(connect("sync_login", ACME), COUNT) == 4
    assert scalar(connect("sync_login", GLOBEX), COUNT) == 3
    assert scalar(connect("sync_login", GLOBEX), COUNT + " where deleted_at is not null") == 1


def test_the_sync_role_records_a_fact_of_its_workspace(as_sync: psycopg.Connection) -> None:
    assert insert(as_sync, 11, 101) == 1


def test_a_fact_may_be_recorded_again(as_sync: psycopg.Connection) -> None:
    assert insert(as_sync, 12, 102) == insert(as_sync, 12, 102) == 1


@pytest.mark.parametrize(
    ("company", "connector"),
    [(21, 201), (11, 201), (21, 101)],
    ids=["a foreign row", "another workspace's connector", "another workspace's company"],
)
def test_the_sync_role_records_nothing_of_another_workspace(
    company: int, connector: int, as_sync: psycopg.Connection
) -> None:
    with pytest.raises(errors.InsufficientPrivilege, match="row-level security"):
        insert(as_sync, company, connector)


def test_a_foreign_parent_and_an_absent_one_are_refused_alike(connect: Connect) -> None:
    messages = []
    for company in (21, 999):
        with pytest.raises(errors.InsufficientPrivilege) as refusal:
            insert(connect("sync_login", ACME), company, 101)
        messages.append(str(refusal.value))
    assert messages[0] == messages[1]


def test_a_batch_is_inserted_from_a_staging_table(as_sync: psycopg.Connection) -> None:
    as_sync.execute("create temporary table staged (company_pk integer, workspace_connector_pk integer)")
    with as_sync.cursor().copy("copy staged from stdin") as copy:
        for _ in range(100):
            copy.write_row((11, 102))
    staged = f"insert into {TABLE} (company_pk, workspace_connector_pk, direction) select *, 'output' from staged"
    assert as_sync.execute(staged).rowcount == 100
    as_sync.execute("insert into staged values (21, 102)")
    with pytest.raises(errors.InsufficientPrivilege, match="row-level security"):
        as_sync.execute(staged)


def test_copy_straight_into_the_table_is_refused(as_sync: psycopg.Connection) -> None:
    with (
        pytest.raises(errors.FeatureNotSupported, match="row-level security"),
        as_sync.cursor().copy(f"copy {TABLE} (company_pk, workspace_connector_pk, direction) from stdin") as copy,
    ):
        copy.write_row((11, 101, "input"))


def test_the_sync_role_deletes_and_restores_rows_of_its_workspace_only(as_sync: psycopg.Connection) -> None:
    assert as_sync.execute(f"update {TABLE} set deleted_at = now()").rowcount == 4
    assert as_sync.execute(f"update {TABLE} set deleted_at = null").rowcount == 4
    assert as_sync.execute(f"update {TABLE} set deleted_at = now() where company_pk = 21").rowcount == 0


@pytest.mark.parametrize("login", ["sync_login", "hasura_sync_login"])
@pytest.mark.parametrize(
    ("company", "connector"), [(11, 201), (21, 101)], ids=["another's connector", "another's company"]
)
def test_a_mixed_row_is_nobodys_to_delete_or_restore(
    company: int, connector: int, login: str, clone: psycopg.Connection, connect: Connect
) -> None:
    force_row(clone, company, connector)
    clone.commit()
    for workspace, rows in ((ACME, 4), (GLOBEX, 3)):
        # Without a condition: that would need the policies for select as well, and those are not the subject.
        sync = connect(login, workspace, dbname=clone.info.dbname)
        assert sync.execute(f"update {TABLE} set deleted_at = now()").rowcount == rows
        assert sync.execute(f"update {TABLE} set deleted_at = null").rowcount == rows
        sync.rollback()


def test_a_deletion_can_return_the_row(as_sync: psycopg.Connection) -> None:
    deleted = f"update {TABLE} set deleted_at = now(), updated_at = now() where company_pk = 12 returning pk, id"
    assert len(as_sync.execute(deleted).fetchall()) == 2


def test_an_insert_can_return_what_the_database_filled_in(as_sync: psycopg.Connection) -> None:
    row = as_sync.execute(
        f"insert into {TABLE} (company_pk, workspace_connector_pk, direction, created_at, updated_at, deleted_at)"
        " values (11, 101, 'output', now(), now(), null) returning pk, id, created_at, updated_at"
    ).fetchone()
    assert row is not None
    assert all(row)


@pytest.mark.parametrize("column", ["pk", "id", "company_pk", "workspace_connector_pk", "direction", "created_at"])
def test_no_column_but_deleted_at_and_updated_at_is_updated(column: str, as_sync: psycopg.Connection) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        as_sync.execute(f"update {TABLE} set {column} = {column}")


@pytest.mark.parametrize(("column", "value"), [("pk", "1000000"), ("id", "gen_random_uuid()")])
def test_an_identifier_is_not_sent(column: str, value: str, as_sync: psycopg.Connection) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        as_sync.execute(
            f"insert into {TABLE} (company_pk, workspace_connector_pk, direction, {column})"
            f" values (11, 101, 'input', {value})"
        )


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("'both'", errors.InvalidTextRepresentation),
        ("null", errors.NotNullViolation),
        ("default", errors.NotNullViolation),
    ],
)
def test_a_direction_is_input_or_output(value: str, error: type[Exception], as_sync: psycopg.Connection) -> None:
    with pytest.raises(error):
        as_sync.execute(
            f"insert into {TABLE} (company_pk, workspace_connector_pk, direction) values (11, 101, {value})"
        )


@pytest.mark.parametrize(
    "statement",
    [
        f"delete from {TABLE}",
        f"truncate {TABLE}",
        "truncate core_api.companies cascade",
        "insert into core_api.companies (workspace_pk) values (1)",
        "update core_api.companies set workspace_pk = 1",
        "update core_api.workspace_connectors set workspace_pk = 1",
        "delete from core_api.companies",
        "select setval('core_api.company_workspace_connectors_pk_seq', 1)",
        f"alter table {TABLE} disable trigger all",
        f"alter table {TABLE} disable row level security",
        "set session_replication_role = replica",
        "select core_api.purge_company_workspace_connectors(now())",
        "select tenancy.current_workspace_pk()",
        "set role tenancy_definer",
    ],
)
def test_the_sync_role_does_nothing_else(statement: str, as_sync: psycopg.Connection) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        as_sync.execute(statement)


def test_holding_both_groups_gains_no_other_tenant(connect: Connect) -> None:
    both = connect("both_login", ACME)
    assert scalar(both, COUNT) == 4
    assert scalar(both, COUNT + " where company_pk > 20") == 0
    assert both.execute(f"update {TABLE} set deleted_at = now() where company_pk > 20").rowcount == 0
    with pytest.raises(errors.InsufficientPrivilege, match="row-level security"):
        insert(both, 21, 201)


@pytest.mark.parametrize("parent", ["workspaces", "companies", "workspace_connectors"])
def test_the_sync_role_resolves_the_parents_of_its_workspace_only(parent: str, as_sync: psycopg.Connection) -> None:
    column = "pk" if parent == "workspaces" else "workspace_pk"
    assert as_sync.execute(f"select distinct {column} from core_api.{parent}").fetchall() == [(1,)]
