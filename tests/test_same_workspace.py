"""A row's company and connector share one workspace: refused for everyone, one session at a time."""

import psycopg
import pytest
from helpers import ACME, GLOBEX, Connect, force_row, scalar
from psycopg import errors
from servers import DEPLOYER

TABLE = "core_api.company_workspace_connectors"
MIXED = f"insert into {TABLE} (company_pk, workspace_connector_pk, direction) values (11, 201, 'input')"
PARENTS = [("companies", 11, 19), ("workspace_connectors", 101, 109)]
"""Each parent with a row that has provenance rows and one that has none."""


def test_a_mixed_row_is_refused_even_to_a_superuser(as_superuser: psycopg.Connection) -> None:
    with pytest.raises(errors.CheckViolation) as refusal:
        as_superuser.execute(MIXED)
    assert refusal.value.diag.constraint_name == "company_workspace_connectors_same_workspace"


def test_one_mixed_row_spoils_its_batch(as_superuser: psycopg.Connection) -> None:
    batch = (
        f"insert into {TABLE} (company_pk, workspace_connector_pk, direction)"
        " select company, 101, 'input' from unnest(%s) as company"
    )
    assert as_superuser.execute(batch, ([11, 12, 11],)).rowcount == 3
    with pytest.raises(errors.CheckViolation):
        as_superuser.execute(batch, ([11, 12, 21, 11],))


def test_copy_is_checked_like_insert(as_superuser: psycopg.Connection) -> None:
    copying = f"copy {TABLE} (company_pk, workspace_connector_pk, direction) from stdin"
    with pytest.raises(errors.CheckViolation), as_superuser.cursor().copy(copying) as copy:
        copy.write_row((11, 201, "input"))


def test_the_guard_is_what_refuses(as_superuser: psycopg.Connection) -> None:
    as_superuser.execute(f"alter table {TABLE} disable trigger company_workspace_connectors_refuse_mixed_inserts")
    assert as_superuser.execute(MIXED).rowcount == 1


@pytest.mark.parametrize(
    "change", ["company_pk = 21", "workspace_connector_pk = 201"], ids=["another company", "another connector"]
)
def test_a_row_is_not_pointed_at_another_workspace(change: str, as_superuser: psycopg.Connection) -> None:
    with pytest.raises(errors.CheckViolation):
        as_superuser.execute(f"update {TABLE} set {change} where company_pk = 11")


def test_a_row_may_be_pointed_within_its_workspace(as_superuser: psycopg.Connection) -> None:
    assert as_superuser.execute(f"update {TABLE} set company_pk = 19 where company_pk = 11").rowcount == 2


def test_a_mixed_row_forced_in_is_seen_by_no_tenant_but_by_the_view(
    clone: psycopg.Connection, connect: Connect
) -> None:
    force_row(clone, 11, 201)
    clone.commit()
    for workspace, rows in ((ACME, 3), (GLOBEX, 2)):
        assert (
            scalar(connect("member_login", workspace, dbname=clone.info.dbname), f"select count(*) from {TABLE}")
            == rows
        )
    found = clone.execute(
        "select company_workspace_pk, workspace_connector_workspace_pk from tenancy.mixed_company_workspace_connectors"
    ).fetchall()
    assert found == [(1, 2)]


@pytest.mark.parametrize(("parent", "used", "unused"), PARENTS)
def test_a_parent_with_rows_stays_in_its_workspace(
    parent: str, used: int, unused: int, as_superuser: psycopg.Connection
) -> None:
    move = f"update core_api.{parent} set workspace_pk = 2 where pk = %s"
    assert as_superuser.execute(move, (unused,)).rowcount == 1
    with pytest.raises(errors.CheckViolation, match=f"core_api.{parent}") as refusal:
        as_superuser.execute(move, (used,))
    assert refusal.value.diag.constraint_name == "company_workspace_connectors_same_workspace"


@pytest.mark.parametrize(("parent", "used", "unused"), PARENTS)
def test_a_parent_that_stays_may_change_otherwise(
    parent: str, used: int, unused: int, as_superuser: psycopg.Connection
) -> None:
    assert as_superuser.execute(f"update core_api.{parent} set workspace_pk = 1 where pk = %s", (used,)).rowcount == 1


@pytest.mark.parametrize(("parent", "used", "unused"), PARENTS)
def test_a_parent_with_only_deleted_rows_stays_too(
    parent: str, used: int, unused: int, as_superuser: psycopg.Connection
) -> None:
    as_superuser.execute(f"update {TABLE} set deleted_at = now()")
    with pytest.raises(errors.CheckViolation):
        as_superuser.execute(f"update core_api.{parent} set workspace_pk = 2 where pk = %s", (used,))


@pytest.mark.parametrize(("parent", "used", "unused"), PARENTS)
def test_a_parent_does_not_move_while_it_is_renumbered(
    parent: str, used: int, unused: int, as_superuser: psycopg.Connection
) -> None:
    renumber = f"update core_api.{parent} set pk = 999, workspace_pk = %s where pk = %s"
    assert as_superuser.execute(renumber, (2, unused)).rowcount == 1
    with pytest.raises(errors.CheckViolation):
        as_superuser.execute(renumber.replace("999", "998"), (2, used))


@pytest.mark.parametrize(("parent", "used", "unused"), PARENTS)
def test_a_hosts_trigger_that_moves_a_parent_is_caught(
    parent: str, used: int, unused: int, as_superuser: psycopg.Connection
) -> None:
    as_superuser.execute(
        "create function public.move() returns trigger language plpgsql as"
        " $$ begin new.workspace_pk := 2; return new; end $$"
    )
    as_superuser.execute(
        f"create trigger host before update on core_api.{parent} for each row execute function public.move()"
    )
    with pytest.raises(errors.CheckViolation):
        as_superuser.execute(f"update core_api.{parent} set pk = pk where pk = %s", (used,))


@pytest.mark.parametrize(("parent", "used", "unused"), PARENTS)
def test_a_parent_is_not_replaced_by_another_workspaces_in_one_statement(
    parent: str, used: int, unused: int, as_superuser: psycopg.Connection
) -> None:
    replace = (
        f"with gone as (delete from core_api.{parent} where pk = %s returning pk)"
        f" insert into core_api.{parent} (pk, workspace_pk) select pk, %s from gone"
    )
    assert as_superuser.execute(replace, (used, 1)).rowcount == 1
    assert as_superuser.execute(replace, (unused, 2)).rowcount == 1
    with pytest.raises(errors.CheckViolation):
        as_superuser.execute(replace, (used, 2))


@pytest.mark.parametrize("level", ["read committed", "repeatable read", "serializable"])
@pytest.mark.parametrize(("parent", "used", "unused"), PARENTS)
def test_a_parent_without_rows_is_deleted_in_every_isolation_level(
    parent: str, used: int, unused: int, level: str, connect: Connect
) -> None:
    superuser = connect()
    superuser.execute(f"set transaction isolation level {level}")
    assert superuser.execute(f"delete from core_api.{parent} where pk = %s", (unused,)).rowcount == 1


@pytest.mark.parametrize(("parent", "used", "unused"), PARENTS)
def test_a_renumbered_parent_takes_its_rows_along_though_their_owner_sees_neither_parent(
    parent: str, used: int, unused: int, as_superuser: psycopg.Connection
) -> None:
    for each, *_ in PARENTS:
        as_superuser.execute(f"alter table core_api.{each} force row level security")
    assert as_superuser.execute(f"update core_api.{parent} set pk = 999 where pk = %s", (used,)).rowcount == 1


@pytest.mark.parametrize(("parent", "used", "unused"), PARENTS)
def test_the_foreign_key_alone_would_allow_the_replacement(
    parent: str, used: int, unused: int, as_superuser: psycopg.Connection
) -> None:
    guard = {
        "companies": "companies_refuse_workspace_replacement",
        "workspace_connectors": "workspace_connectors_with_companies_refuse_replacement",
    }[parent]
    as_superuser.execute(f"alter table core_api.{parent} disable trigger {guard}")
    as_superuser.execute(
        f"with gone as (delete from core_api.{parent} where pk = %s returning pk)"
        f" insert into core_api.{parent} (pk, workspace_pk) select pk, 2 from gone",
        (used,),
    )
    assert scalar(as_superuser, "select count(*) from tenancy.mixed_company_workspace_connectors") > 0


@pytest.mark.parametrize(("parent", "used", "unused"), PARENTS)
def test_a_parents_owner_is_refused_by_rows_that_it_cannot_see(
    parent: str, used: int, unused: int, as_superuser: psycopg.Connection
) -> None:
    as_superuser.execute(f"set local role {DEPLOYER}")
    assert scalar(as_superuser, f"select count(*) from {TABLE}") == 0
    move = f"update core_api.{parent} set workspace_pk = 2 where pk = %s"
    assert as_superuser.execute(move, (unused,)).rowcount == 1
    with pytest.raises(errors.CheckViolation, match=f"core_api.{parent}"):
        as_superuser.execute(move, (used,))


def test_a_parent_that_the_definer_cannot_see_refuses_new_rows(as_superuser: psycopg.Connection) -> None:
    as_superuser.execute("drop policy definer_reads_every_row on core_api.companies")
    with pytest.raises(errors.CheckViolation):
        as_superuser.execute(MIXED.replace("201", "101"))
