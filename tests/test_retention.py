"""What the job that purges may do: remove rows that are soft-deleted, through one function, and nothing else."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from helpers import ACME, GLOBEX, SOON, UNKNOWN, Connect, force_row, purge, scalar, wait_until_blocked
from psycopg import errors

TABLE = "core_api.company_workspace_connectors"
ROWS = f"select pk from {TABLE}"
DELETED = f"{ROWS} where deleted_at is not null"


def pks(connection: psycopg.Connection, query: str = ROWS) -> set[int]:
    return {pk for (pk,) in connection.execute(query)}


def retention(clone: psycopg.Connection, connect: Connect) -> psycopg.Connection:
    """Return the job's connection to a database of the test's own, in autocommit mode."""
    connection = connect("retention_login", dbname=clone.info.dbname)
    connection.rollback()
    connection.autocommit = True
    return connection


def test_the_purge_removes_what_is_soft_deleted_in_every_workspace_and_no_active_row(
    clone: psycopg.Connection, connect: Connect
) -> None:
    active = pks(clone) - pks(clone, DELETED)
    clone.commit()
    assert scalar(retention(clone, connect), f"select core_api.purge_company_workspace_connectors({SOON})") == 2
    assert pks(clone) == active


@pytest.mark.parametrize("size", [1, 3, 100_000])
def test_a_purge_goes_on_batch_by_batch_until_nothing_is_left(
    size: int, clone: psycopg.Connection, connect: Connect
) -> None:
    clone.execute(f"update {TABLE} set deleted_at = now()")
    clone.commit()
    assert purge(retention(clone, connect), batch_size=size) == 7
    assert pks(clone) == set()


def test_what_was_written_later_stays_though_its_deletion_is_backdated(
    clone: psycopg.Connection, connect: Connect
) -> None:
    before = pks(clone)
    moment = scalar(clone, "select clock_timestamp()::text")
    clone.commit()
    sync = connect("sync_login", ACME, dbname=clone.info.dbname)
    sync.execute(f"update {TABLE} set deleted_at = '2001-01-01'")
    sync.commit()
    deleted = pks(clone, f"{DELETED} and company_pk < 20")
    clone.commit()
    assert purge(retention(clone, connect), f"'{moment}'") == 1
    gone = before - pks(clone)
    assert len(deleted) == 4
    assert not gone & deleted


@pytest.mark.parametrize(
    ("arguments", "gone"),
    [
        ({"workspace_id": ACME}, {12}),
        ({"workspace_id": GLOBEX}, {22}),
        ({"company": 22}, {22}),
        ({"company": 11}, set()),
        ({"company": 12, "workspace_id": ACME}, {12}),
    ],
)
def test_the_purge_of_a_workspace_or_a_company_leaves_what_others_keep(
    arguments: dict[str, Any], gone: set[int], clone: psycopg.Connection, connect: Connect
) -> None:
    of_company = f"select company_pk from {TABLE} where deleted_at is not null"
    before = pks(clone, of_company)
    company = arguments.pop("company", None)
    if company:
        arguments["company_id"] = scalar(clone, "select company_id from core_api.companies where pk = %s", company)
    clone.commit()
    assert purge(retention(clone, connect), **arguments) == len(gone)
    assert before - pks(clone, of_company) == gone


@pytest.mark.parametrize(("scope", "rows"), [(None, 7), ("workspace", 4), ("company", 2)])
def test_what_was_written_at_the_very_moment_stays_and_no_batch_is_larger_than_asked(
    scope: str | None, rows: int, clone: psycopg.Connection, connect: Connect
) -> None:
    arguments: dict[str, Any] = {"workspace_id": ACME} if scope == "workspace" else {}
    if scope == "company":
        arguments["company_id"] = scalar(clone, "select company_id from core_api.companies where pk = 11")
    clone.execute(f"update {TABLE} set deleted_at = now()")
    moment = scalar(clone, "select now()::text")
    clone.commit()
    job = retention(clone, connect)
    assert purge(job, f"'{moment}'", **arguments) == 0
    assert purge(job, batch_size=1, **arguments) == rows


def test_rows_that_a_hosts_trigger_keeps_are_an_error_and_no_endless_loop(
    clone: psycopg.Connection, connect: Connect
) -> None:
    clone.execute("create function public.keep() returns trigger language plpgsql as 'begin return null; end'")
    clone.execute(f"create trigger keep before delete on {TABLE} for each row execute function public.keep()")
    clone.commit()
    job = retention(clone, connect)
    job.execute("set statement_timeout = '30s'")
    with pytest.raises(errors.ObjectNotInPrerequisiteState, match="a policy or a trigger keeps them"):
        purge(job)


def test_a_company_is_erased_by_revoking_purging_and_deleting_it(clone: psycopg.Connection, connect: Connect) -> None:
    company = scalar(clone, "select company_id from core_api.companies where pk = 11")
    clone.commit()
    sync = connect("sync_login", ACME, dbname=clone.info.dbname)
    sync.execute("select * from core_api.revoke_company_workspace_connectors(company_id => %s)", (company,))
    sync.commit()
    assert purge(retention(clone, connect), company_id=company) == 2
    assert clone.execute("delete from core_api.companies where pk = 11").rowcount == 1


def test_a_mixed_row_is_no_workspaces_to_purge(clone: psycopg.Connection, connect: Connect) -> None:
    mixed = force_row(clone, 11, 201), force_row(clone, 21, 101)
    clone.execute(f"update {TABLE} set deleted_at = now() where id = any(%s)", (list(mixed),))
    clone.commit()
    job = retention(clone, connect)
    assert [purge(job, workspace_id=workspace) for workspace in (ACME, GLOBEX)] == [1, 1]
    assert len(pks(clone, DELETED)) == 2
    clone.commit()
    assert purge(job) == 2


@pytest.mark.parametrize("size", [0, -1, 100_001, None])
def test_a_bad_batch_size_is_refused(size: int | None, as_retention: psycopg.Connection) -> None:
    with pytest.raises(errors.InvalidParameterValue, match="batch_size must be between 1 and 100000"):
        purge(as_retention, batch_size=size)


def test_without_a_moment_nothing_is_purged(as_retention: psycopg.Connection) -> None:
    with pytest.raises(errors.InvalidParameterValue, match="deleted_before must not be null"):
        purge(as_retention, "null")


@pytest.mark.parametrize("name", ["workspace_id", "company_id"])
def test_an_unknown_id_is_refused_and_not_read_as_all(name: str, as_retention: psycopg.Connection) -> None:
    with pytest.raises(errors.InvalidParameterValue, match=f"{name} is not the id of a"):
        as_retention.execute(f"select core_api.purge_company_workspace_connectors(now(), {name} => %s)", (UNKNOWN,))


def test_a_company_of_another_workspace_is_refused(
    as_retention: psycopg.Connection, as_superuser: psycopg.Connection
) -> None:
    company = scalar(as_superuser, "select company_id from core_api.companies where pk = 22")
    with pytest.raises(errors.InvalidParameterValue, match="company_id is not the id of a company there"):
        purge(as_retention, workspace_id=ACME, company_id=company)


def test_two_purgers_at_once_leave_nothing_behind(clone: psycopg.Connection, connect: Connect) -> None:
    clone.autocommit = True
    clone.execute(f"update {TABLE} set deleted_at = now()")
    first, second = connect("retention_login", dbname=clone.info.dbname), retention(clone, connect)
    one_batch = f"select core_api.purge_company_workspace_connectors({SOON}, 4)"
    assert scalar(first, one_batch) == 4
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(scalar, second, one_batch)
        wait_until_blocked(clone, second.info.backend_pid, done=running.done)
        first.commit()
        assert running.result(timeout=30) == 3, "the batch that the other took is not taken for the end"
    assert pks(clone) == set()


def test_a_row_that_is_restored_while_it_is_purged_stays(clone: psycopg.Connection, connect: Connect) -> None:
    clone.autocommit = True
    deleted = pks(clone, f"{DELETED} and company_pk = 12")
    sync, job = connect("sync_login", ACME, dbname=clone.info.dbname), retention(clone, connect)
    assert sync.execute(f"update {TABLE} set deleted_at = null where deleted_at is not null").rowcount == 1
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(purge, job, workspace_id=ACME)
        wait_until_blocked(clone, job.info.backend_pid, done=running.done)
        sync.commit()
        assert running.result(timeout=30) == 0
    assert deleted <= pks(clone, f"{ROWS} where deleted_at is null")


@pytest.mark.parametrize("settings", [{}, {"app.workspace_id": ACME}, {"app.workspace_id": GLOBEX}])
@pytest.mark.parametrize(
    "statement",
    [
        f"select from {TABLE}",
        f"insert into {TABLE} (company_pk, workspace_connector_pk, direction) values (11, 101, 'input')",
        f"update {TABLE} set deleted_at = now()",
        f"delete from {TABLE} where deleted_at is not null",
        f"truncate {TABLE}",
        "select from core_api.companies",
        "select from core_api.workspaces",
        "select core_api.company_workspace_connectors_list()",
        "select tenancy.current_workspace_pk()",
        f"select tenancy.company_purge({SOON}, 1, null, null)",
        "set role tenancy_definer",
    ],
)
def test_the_job_does_nothing_else(statement: str, settings: dict[str, str], connect: Connect) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        connect("retention_login", settings=settings).execute(statement)


@pytest.mark.parametrize("login", ["member_login", "both_login", "hasura_sync_login", "bound_login", "outsider_login"])
def test_nobody_else_purges(login: str, connect: Connect) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        purge(connect(login, ACME))


def test_the_definer_itself_cannot_remove_an_active_row(as_superuser: psycopg.Connection) -> None:
    deleted = pks(as_superuser, DELETED)
    as_superuser.execute("set local role tenancy_definer")
    assert as_superuser.execute(f"delete from {TABLE}").rowcount == len(deleted)
