"""Hasura's connection: reads every row without naming a tenant, writes nothing unless it holds the sync role too.

The statements below have the shape of those that graphql-engine v2 sends.
"""

import json

import psycopg
import pytest
from helpers import ACME, GLOBEX, UNKNOWN, Connect, scalar
from psycopg import errors

TABLE = "core_api.company_workspace_connectors"
COUNT = f"select count(*) from {TABLE}"


@pytest.fixture
def as_hasura(connect: Connect) -> psycopg.Connection:
    return connect("hasura_login")


def session_of(workspace: str) -> dict[str, str]:
    return {"hasura.user": json.dumps({"x-hasura-role": "connector_sync", "x-hasura-workspace-id": workspace})}


def test_hasura_reads_every_row_without_a_workspace(as_hasura: psycopg.Connection) -> None:
    assert scalar(as_hasura, COUNT) == 7


@pytest.mark.parametrize(("parent", "rows"), [("workspaces", 2), ("companies", 6), ("workspace_connectors", 5)])
def test_hasura_reads_every_parent(parent: str, rows: int, as_hasura: psycopg.Connection) -> None:
    assert scalar(as_hasura, f"select count(*) from core_api.{parent}") == rows


@pytest.mark.parametrize(
    "statement",
    [
        f"insert into {TABLE} (company_pk, workspace_connector_pk, direction) values (11, 101, 'input')",
        f"update {TABLE} set deleted_at = now()",
        f"delete from {TABLE}",
        f"truncate {TABLE}",
        "insert into core_api.companies (workspace_pk) values (1)",
        "update core_api.workspace_connectors set workspace_pk = 2",
        "delete from core_api.workspaces",
        "select tenancy.current_workspace_pk()",
        "set role connector_sync",
        "set role tenancy_definer",
    ],
)
def test_hasura_writes_nothing(statement: str, connect: Connect) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        connect("hasura_login", settings=session_of(ACME)).execute(statement)


def test_with_the_sync_role_hasura_writes_the_workspace_of_its_session(connect: Connect) -> None:
    hasura = connect("hasura_sync_login", settings=session_of(ACME))
    assert scalar(hasura, COUNT) == 7
    assert hasura.execute(f"update {TABLE} set deleted_at = now()").rowcount == 4
    inserted = hasura.execute(
        f"with row as (insert into {TABLE} (company_pk, workspace_connector_pk, direction)"
        " values (11, 101, 'input') returning *) select count(*) from row"
    ).fetchone()
    assert inserted == (1,)


def test_with_the_sync_role_hasura_writes_no_other_workspace(connect: Connect) -> None:
    hasura = connect("hasura_sync_login", settings=session_of(ACME))
    assert hasura.execute(f"update {TABLE} set deleted_at = now() where company_pk > 20").rowcount == 0
    with pytest.raises(errors.InsufficientPrivilege, match="row-level security"):
        hasura.execute(f"insert into {TABLE} (company_pk, workspace_connector_pk, direction) values (21, 201, 'input')")


def test_with_the_sync_role_hasura_writes_nothing_without_a_workspace(connect: Connect) -> None:
    hasura = connect("hasura_sync_login")
    assert scalar(hasura, COUNT) == 7
    assert hasura.execute(f"update {TABLE} set deleted_at = now()").rowcount == 0


def test_a_session_of_two_workspaces_is_refused(connect: Connect) -> None:
    hasura = connect("hasura_sync_login", settings={**session_of(ACME), "app.workspace_id": GLOBEX})
    with pytest.raises(errors.InsufficientPrivilege, match=r"app\.workspace_id, hasura\.user"):
        hasura.execute(f"update {TABLE} set deleted_at = now()")


# Pages, counts and subscriptions: what Hasura sends when it reads


PAGE = "core_api.company_workspace_connectors_session_page"
OF_WORKSPACE = """
    select core_api.{}("_root.base"{}) from core_api.workspaces as "_root.base"
    where "_root.base"."workspace_id" = ((%(session)s::json) ->> 'x-hasura-workspace-id')::uuid
"""
LIST = OF_WORKSPACE.format("workspace_company_workspace_connectors", ", page_limit => %(limit)s, after_id => %(after)s")
COUNTS = OF_WORKSPACE.format("workspace_company_counts", "")


def session(workspace: str | None, key: str = "x-hasura-workspace-id") -> str:
    return json.dumps({"x-hasura-role": "workspace_member", key: workspace})


def page(connection: psycopg.Connection, document: str | None, **arguments: object) -> list[int]:
    """Return the keys of a page, as Hasura calls the function: the session first, the others by name."""
    names = "".join(f", {name} => %({name})s" for name in arguments)
    query = f"select pk from {PAGE}(%(session)s::json{names})"
    return [pk for (pk,) in connection.execute(query, {"session": document, **arguments})]


def as_member(connect: Connect, workspace: str, **arguments: object) -> list[int]:
    """Return the keys of the same page as a member has it from the database."""
    names = ", ".join(f"{name} => %({name})s" for name in arguments)
    query = f"select pk from core_api.company_workspace_connectors_page({names})"
    return [pk for (pk,) in connect("member_login", workspace).execute(query, arguments)]


@pytest.mark.parametrize("workspace", [ACME, GLOBEX])
@pytest.mark.parametrize("arguments", [{}, {"page_limit": 1}, {"direction": "input"}, {"direction": "output"}])
def test_the_page_of_a_session_is_the_page_of_a_member(
    workspace: str, arguments: dict[str, object], as_hasura: psycopg.Connection, connect: Connect
) -> None:
    found = page(as_hasura, session(workspace), **arguments)
    assert found == as_member(connect, workspace, **arguments)
    assert found != []


def test_a_page_continues_after_a_row_of_the_session_only(
    as_hasura: psycopg.Connection, as_superuser: psycopg.Connection
) -> None:
    newest, *others = page(as_hasura, session(ACME))
    cursor = scalar(as_superuser, f"select id from {TABLE} where pk = %s", newest)
    assert page(as_hasura, session(ACME), after_id=cursor) == others
    for foreign in (cursor, UNKNOWN):
        with pytest.raises(errors.InvalidParameterValue, match="after_id"), as_hasura.transaction():
            page(as_hasura, session(GLOBEX), after_id=foreign)


@pytest.mark.parametrize(
    "document", ["{}", session(""), session(None), session(ACME, "X-Hasura-Workspace-Id"), session(UNKNOWN)]
)
def test_a_session_without_a_workspace_has_an_empty_page(document: str, as_hasura: psycopg.Connection) -> None:
    assert page(as_hasura, document) == []
    assert page(as_hasura, session(ACME)) != []


@pytest.mark.parametrize("document", ["{}", session(""), session(None)])
def test_a_session_without_a_workspace_borrows_none_from_a_setting(document: str, connect: Connect) -> None:
    assert page(connect("hasura_login", ACME), document) == []


@pytest.mark.parametrize(
    "document", [session("acme"), session(ACME + " or true"), session(ACME + "\n"), "[]", '"text"', "null", None]
)
def test_a_malformed_session_is_refused_by_name(document: str | None, as_hasura: psycopg.Connection) -> None:
    with pytest.raises(errors.InvalidParameterValue, match="hasura_session") as refusal:
        page(as_hasura, document)
    assert "acme" not in str(refusal.value)


def test_a_session_that_is_not_json_is_refused(as_hasura: psycopg.Connection) -> None:
    with pytest.raises(errors.InvalidTextRepresentation):
        page(as_hasura, "{x-hasura-workspace-id}")


def test_a_page_leaves_the_workspace_of_its_caller_as_it_was(connect: Connect) -> None:
    hasura = connect("hasura_login")
    page(hasura, session(ACME))
    assert scalar(hasura, "select current_setting('app.workspace_id')") == ""
    hasura.execute("select set_config('app.workspace_id', %s, true)", (GLOBEX,))
    page(hasura, session(ACME))
    assert scalar(hasura, "select current_setting('app.workspace_id')") == GLOBEX
    with pytest.raises(errors.InvalidParameterValue), hasura.transaction():
        page(hasura, session(ACME), page_limit=0)
    assert scalar(hasura, "select current_setting('app.workspace_id')") == GLOBEX


def test_a_page_of_another_workspace_than_the_mutations_is_refused(connect: Connect) -> None:
    hasura = connect("hasura_login", settings=session_of(ACME))
    assert page(hasura, session(ACME)) != []
    with pytest.raises(errors.InsufficientPrivilege, match=r"app\.workspace_id, hasura\.user"):
        page(hasura, session(GLOBEX))


@pytest.mark.parametrize("login", ["member_login", "sync_login", "outsider_login"])
def test_the_page_of_a_session_is_for_hasura_alone(login: str, connect: Connect) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        page(connect(login, ACME), session(ACME))


def test_the_resources_of_a_workspace_come_page_by_page_in_their_order(
    clone: psycopg.Connection, connect: Connect
) -> None:
    clone.execute(
        f"insert into {TABLE} (company_pk, workspace_connector_pk, direction)"
        " select c.pk, k.pk, 'input' from core_api.companies as c inner join core_api.workspace_connectors as k"
        " using (workspace_pk) cross join generate_series(1, 20)"
    )
    clone.commit()
    hasura = connect("hasura_login", dbname=clone.info.dbname)
    member = connect("member_login", ACME, dbname=clone.info.dbname)
    wanted = [str(public) for (public,) in member.execute(f"select id from {TABLE} order by created_at desc, pk desc")]
    assert len(wanted) == 183
    seen: list[str] = []
    after = None
    for left in (133, 83, 33, 0):
        page = hasura.execute(LIST, {"session": session(ACME), "limit": 50, "after": after}).fetchone()
        assert page is not None
        seen += [resource["id"] for resource in page[0]["data"]]
        after = page[0]["links"]["next"]
        assert (len(wanted) - len(seen), after is None) == (left, left == 0)
    assert seen == wanted


@pytest.mark.parametrize("query", [LIST, COUNTS])
@pytest.mark.parametrize("workspace", [None, UNKNOWN])
def test_a_session_without_a_workspace_has_neither_list_nor_counts(
    query: str, workspace: str | None, as_hasura: psycopg.Connection
) -> None:
    arguments = {"limit": 50, "after": None}
    assert as_hasura.execute(query, {"session": session(workspace), **arguments}).fetchone() is None
    assert as_hasura.execute(query, {"session": session(ACME), **arguments}).fetchone() is not None


@pytest.mark.parametrize("login", ["member_login", "sync_login", "outsider_login"])
@pytest.mark.parametrize("name", ["workspace_company_workspace_connectors", "workspace_company_counts"])
def test_a_workspaces_list_and_counts_are_for_hasura_alone(name: str, login: str, connect: Connect) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        connect(login, ACME).execute(OF_WORKSPACE.format(name, ""), {"session": session(ACME)})


def test_batched_subscriptions_keep_their_sessions_apart(as_hasura: psycopg.Connection, connect: Connect) -> None:
    multiplexed = f"""
        select "_subs"."result_id", "_fld_resp"."root" as "result"
        from unnest(%s::uuid[], %s::json[]) as "_subs" ("result_id", "result_vars")
        left outer join lateral (
            select json_build_object('pages', "pages"."root") as "root"
            from (
                select coalesce(json_agg("row"."pk"), '[]') as "root"
                from (
                    select "base"."pk"
                    from {PAGE}((("_subs"."result_vars" #>> array['session']))::json) as "base"
                    where "base"."deleted_at" is null
                ) as "row"
            ) as "pages"
        ) as "_fld_resp" on ('true')
    """
    sessions = [ACME, GLOBEX, UNKNOWN, ACME]
    cohorts = [f"00000000-0000-4000-8000-{number:012}" for number in range(len(sessions))]
    variables = [json.dumps({"session": json.loads(session(workspace)), "query": {}}) for workspace in sessions]
    found = {str(cohort): result["pages"] for cohort, result in as_hasura.execute(multiplexed, (cohorts, variables))}
    acme, globex = as_member(connect, ACME), as_member(connect, GLOBEX)
    assert [found[cohort] for cohort in cohorts] == [acme, globex, [], acme]


# Mutations


def test_a_mutations_rows_are_judged_by_the_policies(connect: Connect) -> None:
    insert = f"""
        with "m" as (
            insert into {TABLE} ("company_pk", "workspace_connector_pk", "direction")
            values (%s, %s, 'output') returning *, true as "check"
        )
        select json_build_object('affected_rows', (select count(*) from "m")) from "m"
    """
    hasura = connect("hasura_sync_login", settings=session_of(ACME))
    assert scalar(hasura, insert, 11, 101) == {"affected_rows": 1}
    with pytest.raises(errors.InsufficientPrivilege, match="row-level security"):
        hasura.execute(insert, (21, 201))


@pytest.mark.parametrize(
    ("user", "error"),
    [
        ("{}", errors.InsufficientPrivilege),
        (session(""), errors.InsufficientPrivilege),
        (session(ACME, "X-Hasura-Workspace-Id"), errors.InsufficientPrivilege),
        ("", errors.InsufficientPrivilege),
        ("garbage", errors.InvalidParameterValue),
        (session("garbage"), errors.InvalidParameterValue),
    ],
)
def test_a_mutation_without_a_proper_session_writes_nothing(
    user: str, error: type[Exception], connect: Connect, as_superuser: psycopg.Connection
) -> None:
    connector = scalar(as_superuser, "select workspace_connector_id from core_api.workspace_connectors where pk = 101")
    for statement in (
        f"insert into {TABLE} (company_pk, workspace_connector_pk, direction) values (11, 101, 'input')",
        f"select core_api.revoke_company_workspace_connectors('{connector}')",
        "select core_api.delete_company_workspace_connectors('[]'::jsonb || to_jsonb(gen_random_uuid()))",
    ):
        with pytest.raises(error):
            connect("hasura_sync_login", settings={"hasura.user": user}).execute(statement)
