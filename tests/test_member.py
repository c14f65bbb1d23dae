"""What a member of workspace_member may do: read the active rows of its own workspace, nothing else."""

import psycopg
import pytest
from helpers import ACME, GLOBEX, UNKNOWN, Connect, scalar
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
