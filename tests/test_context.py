"""Which workspace is current: the resolution table of the contract, row by row, for reads and for writes."""

import json

import psycopg
import pytest
from helpers import ACME, GLOBEX, UNKNOWN, Connect, scalar
from psycopg import errors

COUNT = "select count(*) from core_api.company_workspace_connectors"
INSERT = (
    "insert into core_api.company_workspace_connectors (company_pk, workspace_connector_pk, direction)"
    " values (11, 101, 'input')"
)
APP, HASURA, JWT = "app.workspace_id", "hasura.user", "request.jwt.claims"


def hasura(workspace: str | None, key: str = "x-hasura-workspace-id") -> dict[str, str]:
    return {HASURA: json.dumps({"x-hasura-role": "workspace_member", key: workspace})}


def jwt(workspace: str | None) -> dict[str, str]:
    return {JWT: json.dumps({"sub": "1", "workspace_id": workspace})}


NO_WORKSPACE = {
    "nothing is set": {},
    "every setting is empty": {APP: "", HASURA: "", JWT: ""},
    "hasura.user has no workspace": {HASURA: '{"x-hasura-role": "workspace_member"}'},
    "hasura.user has the key in another case": hasura(ACME, key="X-Hasura-Workspace-Id"),
    "hasura.user has an empty workspace": hasura(""),
    "hasura.user has a null workspace": hasura(None),
    "the claims have no workspace": {JWT: "{}"},
    "the workspace is unknown": {APP: UNKNOWN},
    "the workspace is unknown to hasura.user": hasura(UNKNOWN),
}

ONE_WORKSPACE = {
    "app.workspace_id": {APP: ACME},
    "app.workspace_id in upper case": {APP: ACME.upper()},
    "hasura.user": hasura(ACME),
    "request.jwt.claims": jwt(ACME),
    "all agree": {APP: ACME, **hasura(ACME), **jwt(ACME)},
    "all agree but for case": {APP: ACME.upper(), **hasura(ACME), **jwt(ACME.upper())},
    "one names it and the others are empty": {APP: "", HASURA: "", **jwt(ACME)},
    "one names it and the others have no such key": {APP: ACME, HASURA: "{}", JWT: "{}"},
}

DISAGREEING = {
    "app and hasura": ({APP: ACME, **hasura(GLOBEX)}, [APP, HASURA]),
    "app and jwt": ({APP: ACME, **jwt(GLOBEX)}, [APP, JWT]),
    "hasura and jwt": ({**hasura(ACME), **jwt(GLOBEX)}, [HASURA, JWT]),
    "two agree and the third does not": ({APP: ACME, **hasura(ACME), **jwt(GLOBEX)}, [APP, HASURA, JWT]),
    "one is of no workspace": ({APP: ACME, **jwt(UNKNOWN)}, [APP, JWT]),
}

MALFORMED = {
    "not a uuid": ({APP: "acme"}, APP),
    "a uuid and more": ({APP: ACME + " or true"}, APP),
    "a uuid and a line break": ({APP: ACME + "\n"}, APP),
    "a uuid without hyphens": ({APP: ACME.replace("-", "")}, APP),
    "blanks": ({APP: "  "}, APP),
    "hasura.user is not JSON": ({HASURA: "{x-hasura-workspace-id}"}, HASURA),
    "hasura.user is not an object": ({HASURA: json.dumps([ACME])}, HASURA),
    "hasura.user is a JSON string": ({HASURA: json.dumps(ACME)}, HASURA),
    "hasura.user is JSON null": ({HASURA: "null"}, HASURA),
    "hasura.user holds no uuid": (hasura("acme"), HASURA),
    "hasura.user holds a NUL escape": ({HASURA: '{"x-hasura-workspace-id": "\\u0000"}'}, HASURA),
    "hasura.user is nested without end": ({HASURA: "[" * 100_000}, HASURA),
    "the claims are not JSON": ({JWT: "eyJhbGciOi"}, JWT),
    "the claims hold a number": ({JWT: '{"workspace_id": 1}'}, JWT),
    "one is right and one malformed": ({APP: ACME, **jwt("acme")}, JWT),
}


def cases(table: dict) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", table.values(), ids=table.keys())


@cases(NO_WORKSPACE)
@pytest.mark.parametrize("login", ["member_login", "sync_login"])
def test_without_a_workspace_nothing_is_visible(login: str, case: dict[str, str], connect: Connect) -> None:
    assert scalar(connect(login, settings=case), COUNT) == 0


@cases(NO_WORKSPACE)
def test_without_a_workspace_nothing_is_written(case: dict[str, str], connect: Connect) -> None:
    with pytest.raises(errors.InsufficientPrivilege, match="row-level security"):
        connect("sync_login", settings=case).execute(INSERT)


@cases(ONE_WORKSPACE)
def test_one_workspace_is_read_and_written(case: dict[str, str], connect: Connect) -> None:
    assert scalar(connect("member_login", settings=case), COUNT) == 3
    sync = connect("sync_login", settings=case)
    assert sync.execute(INSERT).rowcount == 1
    assert scalar(sync, COUNT) == 5


@cases(DISAGREEING)
@pytest.mark.parametrize("statement", [COUNT, INSERT])
def test_sources_that_disagree_are_refused_by_name(
    statement: str, case: tuple[dict[str, str], list[str]], connect: Connect
) -> None:
    settings, sources = case
    with pytest.raises(errors.InsufficientPrivilege) as refusal:
        connect("sync_login", settings=settings).execute(statement)
    message = str(refusal.value)
    assert all(source in message for source in sources)
    assert not any(workspace in message.lower() for workspace in (ACME, GLOBEX, UNKNOWN))


@cases(MALFORMED)
@pytest.mark.parametrize("statement", [COUNT, INSERT])
def test_a_malformed_workspace_is_refused_by_the_name_of_its_setting(
    statement: str, case: tuple[dict[str, str], str], connect: Connect
) -> None:
    settings, setting = case
    with pytest.raises(errors.InvalidParameterValue, match=setting) as refusal:
        connect("sync_login", settings=settings).execute(statement)
    assert "acme" not in str(refusal.value)


def test_the_workspace_ends_with_the_transaction(connect: Connect) -> None:
    member = connect("member_login", ACME)
    assert scalar(member, COUNT) == 3
    member.rollback()
    assert scalar(member, "select current_setting('app.workspace_id')") == ""
    assert scalar(member, COUNT) == 0


def test_one_session_changes_workspace_from_one_transaction_to_the_next_even_with_prepared_plans(
    connect: Connect,
) -> None:
    member = connect("member_login")
    member.prepare_threshold = 0
    for workspace, rows in [(ACME, 3), (GLOBEX, 2)] * 6:
        with member.transaction():
            member.execute("select set_config('app.workspace_id', %s, true)", (workspace,))
            assert scalar(member, COUNT) == rows


@pytest.mark.parametrize("case", [{}, {APP: ""}, {APP: ACME}, hasura(ACME), jwt(ACME.upper())])
def test_a_bound_login_has_its_workspace_and_no_other(case: dict[str, str], connect: Connect) -> None:
    bound = connect("bound_login", settings=case)
    assert scalar(bound, COUNT) == 4
    assert scalar(bound, COUNT + " where company_pk > 20") == 0


@pytest.mark.parametrize("case", [{APP: GLOBEX}, {APP: UNKNOWN}, hasura(GLOBEX), jwt(GLOBEX)])
@pytest.mark.parametrize("statement", [COUNT, INSERT])
def test_a_bound_login_that_names_another_workspace_is_refused(
    statement: str, case: dict[str, str], connect: Connect
) -> None:
    with pytest.raises(errors.InsufficientPrivilege, match="binding of role bound_login") as refusal:
        connect("bound_login", settings=case).execute(statement)
    assert GLOBEX not in str(refusal.value)


def test_a_bound_login_stays_bound_in_another_role(connect: Connect) -> None:
    for group in ("workspace_member", "connector_sync"):
        bound = connect("bound_login", GLOBEX)
        bound.execute(f"set local role {group}")
        with pytest.raises(errors.InsufficientPrivilege, match="binding of role bound_login"):
            bound.execute(COUNT)


def test_a_bound_login_cannot_shed_its_binding(connect: Connect) -> None:
    for statement in ("delete from tenancy.role_bindings", "set session authorization member_login"):
        with pytest.raises(errors.InsufficientPrivilege):
            connect("bound_login").execute(statement)


def test_a_bound_workspace_cannot_be_deleted_from_under_its_binding(as_superuser: psycopg.Connection) -> None:
    as_superuser.execute("delete from core_api.company_workspace_connectors")
    as_superuser.execute("delete from core_api.companies")
    as_superuser.execute("delete from core_api.workspace_connectors")
    with pytest.raises(errors.ForeignKeyViolation, match="role_bindings"):
        as_superuser.execute("delete from core_api.workspaces where pk = 1")


@pytest.mark.parametrize("shadow", ["current_setting(text, boolean)", "format(text, text)"])
def test_functions_of_the_caller_do_not_reach_the_context(shadow: str, connect: Connect) -> None:
    name = shadow.split("(")[0]
    superuser = connect()
    superuser.execute("set local search_path = public, pg_catalog")
    superuser.execute(
        f"create function public.{shadow} returns text language sql as $$ select '{GLOBEX}' $$;"
        f"grant execute on function public.{shadow} to public"
    )
    assert (
        scalar(superuser, f"select {name}('app.workspace_id', {'true' if 'bool' in shadow else repr('x')})") == GLOBEX
    )
    superuser.execute("set local role workspace_member")
    superuser.execute("select pg_catalog.set_config('app.workspace_id', %s, true)", (ACME,))
    assert scalar(superuser, COUNT) == 3
