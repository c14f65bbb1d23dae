"""A tenant that types SQL: its login has the workspace it is bound to in this database, or none at all.

Roles that only one test needs are made in its transaction and taken on by ``set session authorization``, which changes
``session_user`` as a login would; those of conftest log in.
"""

import json
from collections.abc import Callable

import psycopg
import pytest
from deployer import upgrade
from helpers import ACME, GLOBEX, UNKNOWN, Connect, scalar
from psycopg import errors
from psycopg.sql import SQL, Identifier
from servers import PASSWORD, Server

COUNT = "select count(*) from core_api.company_workspace_connectors"
INSERT = (
    "insert into core_api.company_workspace_connectors (company_pk, workspace_connector_pk, direction)"
    " values ({}, {}, 'input')"
)
NO_BINDING = "is in workspace_tenant and has no binding in this database"

SETTINGS = {
    "nothing": {},
    "a workspace": {"app.workspace_id": ACME},
    "an unknown workspace": {"app.workspace_id": UNKNOWN},
    "Hasura's setting": {"hasura.user": json.dumps({"x-hasura-workspace-id": ACME})},
    "claims": {"request.jwt.claims": json.dumps({"workspace_id": GLOBEX})},
    "sources that disagree": {"app.workspace_id": ACME, "request.jwt.claims": json.dumps({"workspace_id": GLOBEX})},
}

Login = Callable[..., psycopg.Connection]


@pytest.fixture
def login(as_superuser: psycopg.Connection) -> Login:
    """Make a login from statements in which ``{}`` is its name, and become it."""

    def _login(*statements: str, name: str = "acme", workspace: str | None = ACME) -> psycopg.Connection:
        as_superuser.execute(SQL("create role {} login").format(Identifier(name)))
        for statement in statements:
            as_superuser.execute(SQL(statement).format(Identifier(name)))
        return become(as_superuser, name, workspace)

    return _login


def become(superuser: psycopg.Connection, name: str, workspace: str | None = ACME) -> psycopg.Connection:
    """Turn the superuser's connection into the login's."""
    superuser.execute(SQL("set session authorization {}").format(Identifier(name)))
    superuser.execute("select set_config('app.workspace_id', %s, true)", (workspace or "",))
    return superuser


def bind(superuser: psycopg.Connection, name: str, workspace_pk: int | None = 1) -> None:
    superuser.execute(
        "insert into tenancy.role_bindings (role, workspace_pk) values (quote_ident(%s)::regrole, %s)",
        (name, workspace_pk),
    )


def assert_no_workspace(connection: psycopg.Connection) -> None:
    for statement in (COUNT, "select * from core_api.company_workspace_connectors_page()"):
        with pytest.raises(errors.InsufficientPrivilege, match=NO_BINDING), connection.transaction():
            connection.execute(statement)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_without_a_binding_there_is_no_workspace_whatever_is_set(settings: dict[str, str], connect: Connect) -> None:
    assert_no_workspace(connect("unbound_login", settings=settings))


def test_something_malformed_is_still_refused_as_such(connect: Connect) -> None:
    with pytest.raises(errors.InvalidParameterValue, match=r"app\.workspace_id"):
        connect("unbound_login", "acme").execute(COUNT)


def test_another_role_neither_adds_nor_removes_a_workspace(connect: Connect) -> None:
    unbound = connect("unbound_login", ACME)
    for role in ("workspace_tenant", "workspace_member", "none"):
        unbound.execute(f"set role {role}")
        assert_no_workspace(unbound)
    bound = connect("bound_login")
    for role in ("workspace_tenant", "workspace_member"):
        bound.execute(f"set role {role}")
        assert scalar(bound, COUNT) == 3


def test_a_renamed_login_keeps_its_binding_and_the_freed_name_inherits_nothing(
    as_superuser: psycopg.Connection,
) -> None:
    as_superuser.execute("alter role bound_login rename to renamed_login")
    as_superuser.execute("create role bound_login login in role workspace_tenant")
    renamed = become(as_superuser, "renamed_login", None)
    assert scalar(renamed, COUNT) == 4
    renamed.execute("select set_config('app.workspace_id', %s, true)", (GLOBEX,))
    with pytest.raises(errors.InsufficientPrivilege, match="binding of role renamed_login"), renamed.transaction():
        renamed.execute(COUNT)
    renamed.execute("reset session authorization")
    assert_no_workspace(become(as_superuser, "bound_login"))


def test_a_name_that_was_dropped_and_made_again_is_not_bound(as_superuser: psycopg.Connection) -> None:
    as_superuser.execute("drop owned by bound_login; drop role bound_login")
    as_superuser.execute("create role bound_login login in role workspace_tenant")
    assert_no_workspace(become(as_superuser, "bound_login"))


def test_a_login_whose_binding_is_deleted_has_no_workspace(connect: Connect, as_superuser: psycopg.Connection) -> None:
    as_superuser.execute("delete from tenancy.role_bindings")
    assert_no_workspace(become(as_superuser, "bound_login"))


def test_a_binding_names_a_workspace(as_superuser: psycopg.Connection) -> None:
    with pytest.raises(errors.NotNullViolation):
        bind(as_superuser, "unbound_login", None)


@pytest.mark.parametrize("name", ["Acme-Co", 'a"b', "acme co", "select"])
def test_the_binding_is_found_whatever_the_name_looks_like(
    name: str, login: Login, as_superuser: psycopg.Connection
) -> None:
    session = login("grant workspace_tenant to {}", name=name)
    assert_no_workspace(session)
    session.execute("reset session authorization")
    bind(as_superuser, name)
    assert scalar(become(as_superuser, name, None), COUNT) == 3


def test_the_binding_of_a_group_binds_none_of_its_logins(login: Login) -> None:
    assert_no_workspace(
        login(
            "create role acme_group in role workspace_tenant",
            "grant acme_group to {}",
            "insert into tenancy.role_bindings (role, workspace_pk) values ('acme_group', 1)",
        )
    )


def test_a_bound_sync_login_writes_in_its_workspace_alone(connect: Connect) -> None:
    bound = connect("bound_login")
    assert bound.execute(INSERT.format(11, 101)).rowcount == 1
    with pytest.raises(errors.InsufficientPrivilege):
        bound.execute(INSERT.format(21, 201))


def test_in_a_second_database_of_the_cluster_a_bound_login_has_no_workspace(
    server: Server, database: str, second: psycopg.Connection
) -> None:
    upgrade(server, second.info.dbname)
    second.execute("insert into core_api.workspaces (pk, workspace_id) values (1, %s)", (ACME,))
    with psycopg.connect(server.conninfo(second.info.dbname, "bound_login")) as bound:
        bound.execute("select set_config('app.workspace_id', %s, true)", (ACME,))
        assert_no_workspace(bound)


MEMBERSHIPS = {
    "directly": ["grant workspace_tenant to {}"],
    "without inheriting": ["alter role {} noinherit", "grant workspace_tenant to {}"],
    "through a group": ["create role acme_group in role workspace_tenant", "grant acme_group to {}"],
    "through a group, as sync": [
        "create role acme_group in role workspace_tenant, connector_sync",
        "grant acme_group to {}",
    ],
    "by taking on a tenant's login": ["grant bound_login to {}", "alter role {} noinherit"],
}

OPTIONS = {
    "inheriting only": ["grant workspace_tenant to {} with inherit true, set false"],
    "setting only": ["grant workspace_tenant to {} with inherit false, set true"],
    "setting to a role that inherits": [
        "create role acme_group",
        "grant workspace_tenant to acme_group with inherit true, set false",
        "grant acme_group to {} with inherit false, set true",
    ],
}
"""What only version 16 and later can say."""


@pytest.mark.parametrize("statements", (MEMBERSHIPS | OPTIONS).values(), ids=(MEMBERSHIPS | OPTIONS).keys())
def test_a_tenant_is_one_by_whichever_way_it_is_a_member(
    statements: list[str], login: Login, as_superuser: psycopg.Connection
) -> None:
    if statements in OPTIONS.values() and as_superuser.info.server_version < 160000:
        pytest.skip("membership has options from 16 on")
    assert scalar(login(*statements, "grant workspace_member to {}"), "select session_user") == "acme"
    as_superuser.execute("set role workspace_member")
    assert_no_workspace(as_superuser)


def test_the_creator_of_a_tenants_login_is_no_tenant(login: Login, as_superuser: psycopg.Connection) -> None:
    session = login(
        "alter role {} createrole", "grant workspace_member to {}", "grant workspace_tenant to {} with admin option"
    )
    assert_no_workspace(session)
    session.execute("reset session authorization")
    if as_superuser.info.server_version < 160000:
        as_superuser.execute("revoke workspace_tenant from acme")
    else:
        as_superuser.execute("grant workspace_tenant to acme with admin true, inherit false, set false")
    session = become(as_superuser, "acme")
    session.execute("create role acme_sql login")
    session.execute("grant workspace_tenant to acme_sql")
    assert scalar(session, COUNT) == 3


def test_a_superuser_is_not_locked_out(login: Login) -> None:
    superuser = login("alter role {} superuser", "grant workspace_tenant to {}")
    superuser.execute("set role workspace_member")
    assert scalar(superuser, COUNT) == 3


def test_a_real_login_is_judged_by_its_session_and_not_by_the_password_it_knows(server: Server, database: str) -> None:
    with psycopg.connect(server.conninfo(database, "unbound_login"), password=PASSWORD) as unbound:
        with pytest.raises(errors.InsufficientPrivilege, match="permission denied to set session authorization"):
            unbound.execute("set session authorization bound_login")
        unbound.rollback()
        assert_no_workspace(unbound)


def test_a_login_is_bound_once_and_follows_its_workspace(as_superuser: psycopg.Connection) -> None:
    bind = "insert into tenancy.role_bindings (role, workspace_pk) values ('unbound_login', 3)"
    as_superuser.execute("insert into core_api.workspaces (pk) values (3)")
    as_superuser.execute(bind)
    as_superuser.execute("update core_api.workspaces set pk = 4 where pk = 3")
    bound = "select workspace_pk from tenancy.role_bindings where role = 'unbound_login'::regrole"
    assert scalar(as_superuser, bound) == 4
    with pytest.raises(errors.UniqueViolation):
        as_superuser.execute(bind.replace("3)", "1)"))
