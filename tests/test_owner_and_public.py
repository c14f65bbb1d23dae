"""Those who have nothing: the table's owner under forced row-level security, a login without a group, and PUBLIC."""

import psycopg
import pytest
from helpers import ACME, Connect, scalar
from psycopg import errors
from servers import DEPLOYER

TABLE = "core_api.company_workspace_connectors"


def test_the_owner_sees_no_rows(connect: Connect) -> None:
    owner = connect(DEPLOYER, ACME)
    owns = "select tableowner from pg_tables where schemaname || '.' || tablename = %s"
    assert scalar(owner, owns, TABLE) == DEPLOYER
    assert scalar(owner, f"select count(*) from {TABLE}") == 0


def test_the_owner_adds_and_sees_workspaces_companies_and_connectors(connect: Connect) -> None:
    owner = connect(DEPLOYER)
    pk = scalar(owner, "insert into core_api.workspaces (pk) values (3) returning pk")
    for parent in ("companies", "workspace_connectors"):
        owner.execute(f"insert into core_api.{parent} (workspace_pk) values (%s)", (pk,))
        assert scalar(owner, f"select count(*) from core_api.{parent} where workspace_pk = %s", pk) == 1
    assert owner.execute("delete from core_api.companies where workspace_pk = %s", (pk,)).rowcount == 1
    with pytest.raises(errors.ForeignKeyViolation):
        owner.execute("delete from core_api.companies where workspace_pk = 1")


def test_the_owner_stores_no_rows(connect: Connect) -> None:
    with pytest.raises(errors.InsufficientPrivilege, match="row-level security"):
        connect(DEPLOYER, ACME).execute(
            f"insert into {TABLE} (company_pk, workspace_connector_pk, direction) values (11, 101, 'input')"
        )
    assert connect(DEPLOYER, ACME).execute(f"update {TABLE} set deleted_at = now()").rowcount == 0


@pytest.mark.parametrize(
    "statement", [f"delete from {TABLE}", f"truncate {TABLE}", "truncate core_api.companies cascade"]
)
def test_not_even_the_owner_deletes_or_truncates(statement: str, connect: Connect) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        connect(DEPLOYER, ACME).execute(statement)


@pytest.mark.parametrize("login", ["member_login", "sync_login", "hasura_login"])
@pytest.mark.parametrize("table", [TABLE, "core_api.companies", "core_api.workspace_connectors", "core_api.workspaces"])
def test_a_right_to_delete_that_was_lent_by_mistake_removes_nothing(
    table: str, login: str, as_superuser: psycopg.Connection
) -> None:
    as_superuser.execute(f"grant select, delete on {table} to {login}")
    as_superuser.execute(f"set local session authorization {login}")
    as_superuser.execute("select set_config('app.workspace_id', %s, true)", (ACME,))
    assert scalar(as_superuser, f"select count(*) from {table}") > 0
    assert as_superuser.execute(f"delete from {table}").rowcount == 0


def test_the_owner_alone_writes_the_bindings(connect: Connect) -> None:
    bind = "insert into tenancy.role_bindings (role, workspace_pk) values ('member_login', 1)"
    assert connect(DEPLOYER).execute(bind).rowcount == 1
    for login in ("member_login", "sync_login", "hasura_login", "outsider_login"):
        with pytest.raises(errors.InsufficientPrivilege):
            connect(login).execute(bind)


def test_the_owner_does_not_inherit_the_definer(connect: Connect) -> None:
    assert scalar(connect(DEPLOYER), "select pg_has_role('tenancy_definer', 'usage')") is False


@pytest.mark.parametrize("schema", ["core_api", "tenancy"])
def test_the_definer_creates_nothing(schema: str, as_superuser: psycopg.Connection) -> None:
    as_superuser.execute("set local role tenancy_definer")
    with pytest.raises(errors.InsufficientPrivilege, match=f"permission denied for schema {schema}"):
        as_superuser.execute(f"create table {schema}.mine ()")


@pytest.mark.parametrize(
    "statement",
    [
        f"select * from {TABLE}",
        f"insert into {TABLE} (company_pk, workspace_connector_pk, direction) values (11, 101, 'input')",
        f"update {TABLE} set deleted_at = now()",
        f"delete from {TABLE}",
        "select * from core_api.workspaces",
        "select * from core_api.companies",
        "select * from core_api.workspace_connectors",
        "select * from tenancy.role_bindings",
        "select tenancy.current_workspace_pk()",
        "select 'input'::core_api.direction_enum",
    ],
)
def test_a_login_without_a_group_can_do_nothing(statement: str, connect: Connect) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        connect("outsider_login", ACME).execute(statement)


@pytest.mark.parametrize("table", [TABLE, "core_api.companies", "core_api.workspace_connectors", "core_api.workspaces"])
def test_a_right_to_read_that_was_lent_by_mistake_shows_nothing(table: str, as_superuser: psycopg.Connection) -> None:
    as_superuser.execute(f"grant select on {table} to outsider_login")
    as_superuser.execute("grant usage on schema core_api, tenancy to outsider_login")
    as_superuser.execute("grant execute on all functions in schema tenancy to outsider_login")
    as_superuser.execute("grant select on all tables in schema tenancy to outsider_login")
    as_superuser.execute("set local session authorization outsider_login")
    as_superuser.execute("select set_config('app.workspace_id', %s, true)", (ACME,))
    assert scalar(as_superuser, f"select count(*) from {table}") == 0


def test_public_holds_no_privilege(as_superuser: psycopg.Connection) -> None:
    found = as_superuser.execute(
        """
        with ours (oid) as (values ('core_api'::regnamespace), ('tenancy'::regnamespace)),
        objects (name, acl) as (
            select c.oid::regclass::text, coalesce(c.relacl, acldefault(k.kind, c.relowner))
            from pg_class as c, lateral (select case c.relkind when 'S' then 's' else 'r' end::"char") as k (kind)
            where c.relnamespace in (select oid from ours) and c.relkind in ('r', 'v', 'S')
            union all
            select a.attrelid::regclass || '.' || a.attname, a.attacl
            from pg_attribute as a inner join pg_class as c on c.oid = a.attrelid
            where c.relnamespace in (select oid from ours)
            union all
            select oid::regprocedure::text, coalesce(proacl, acldefault('f', proowner))
            from pg_proc where pronamespace in (select oid from ours)
            union all
            select nspname, coalesce(nspacl, acldefault('n', nspowner))
            from pg_namespace where oid in (select oid from ours)
            union all
            select oid::regtype::text, coalesce(typacl, acldefault('T', typowner))
            from pg_type where oid = 'core_api.direction_enum'::regtype
        )
        select name, privilege_type from objects, aclexplode(acl) where grantee = 0
        """
    ).fetchall()
    assert found == []
