"""PostgREST and Supabase: the SQL that PostgREST sends, under its login, against the schema in clients/postgrest.

The server itself is not run: no package registry has it.
"""

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from consumers import CLIENTS, authenticator, client_database
from deployer import command_line
from helpers import ACME, GLOBEX, UNKNOWN, scalar
from psycopg import sql
from servers import Server, psql

MEMBER = {"role": "workspace_member", "workspace_id": ACME}
SYNC = {"role": "connector_sync", "workspace_id": ACME}
OTHER = {"role": "workspace_member", "workspace_id": GLOBEX}
OTHER_SYNC = {"role": "connector_sync", "workspace_id": GLOBEX}

SETTINGS = """
select
    set_config('search_path', '"api"', true), set_config('role', %(role)s, true),
    set_config('request.jwt.claims', %(claims)s, true), set_config('request.method', %(method)s, true)
"""
ANSWER = """
with pgrst_source as ({source})
select coalesce({body}, {none}) as body, nullif(current_setting('response.status', true), '') as status
from (select * from pgrst_source) as _postgrest_t
"""


class Api:
    """PostgREST, as far as the database can tell: one transaction a request, and a status from what comes of it."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection

    def get(self, claims: dict[str, Any], columns: str = "*", where: str = "true") -> tuple[int, Any]:
        """Read the view: ``GET /company_workspace_connectors?select=…``."""
        source = f'select {columns} from "api"."company_workspace_connectors" where {where}'
        return self.request("GET", claims, source, "json_agg(_postgrest_t)", "'[]'")

    def call(self, claims: dict[str, Any], function: str, many: bool = False, **arguments: Any) -> tuple[int, Any]:
        """Call a function of scalars: ``POST /rpc/…`` with a JSON object."""
        names = {name: "jsonb" if name in ("items", "ids") else "text" for name in arguments}
        casts = {"page_limit": "integer", "direction": "core_api.direction_enum"}
        given = ", ".join(
            f'"{name}" := pgrst_body."{name}"::{casts.get(name, "uuid" if kind == "text" else kind)}'
            for name, kind in names.items()
        )
        body = ""
        if names:
            columns = ", ".join(f'"{name}" {kind}' for name, kind in names.items())
            body = (
                f"(select {sql.quote(json.dumps(arguments))}::json as json_data) as pgrst_payload,"
                f" lateral (select * from json_to_record(pgrst_payload.json_data) as _({columns})) as pgrst_body,"
            )
        source = (
            "select pgrst_call.pgrst_scalar from"
            f' {body} lateral (select "api"."{function}"({given}) as pgrst_scalar) as pgrst_call'
        )
        one = "" if many else "->0"
        none = "'[]'" if many else "'null'"
        return self.request("POST", claims, source, f"json_agg(_postgrest_t.pgrst_scalar){one}", none)

    def request(self, method: str, claims: dict[str, Any], source: str, body: str, none: str) -> tuple[int, Any]:
        """Run a request's statements as PostgREST 16 forms them."""
        self.connection.read_only = method == "GET"
        settings = {"role": claims["role"], "claims": json.dumps(claims), "method": method}
        try:
            with self.connection.transaction():
                self.connection.execute(SETTINGS, settings)
                row = self.connection.execute(ANSWER.format(source=source, body=body, none=none)).fetchone()
        except psycopg.Error as error:
            return status_of(error), error.sqlstate
        assert row is not None
        return int(row[1] or 200), row[0]


def status_of(error: psycopg.Error) -> int:
    """Return PostgREST's status for an error of a request that came with a token; it documents a table of them."""
    state = error.sqlstate or ""
    if state == "42501":
        return 403
    if state in ("42883", "42P01"):
        return 404
    if state in ("23503", "23505"):
        return 409
    if state == "25006":
        return 405
    return 500 if state[:2] in ("25", "40", "55", "57", "XX") else 400


@pytest.fixture(scope="module")
def superuser(server: Server, template: str) -> Iterator[psycopg.Connection]:
    """In a database where the deployer has run the files."""
    with (
        authenticator(server, template),
        client_database(server, template, "provenance_postgrest") as connection,
    ):
        for file in ("ground.sql", "company.sql"):
            psql(server, connection.info.dbname, (CLIENTS / "postgrest" / file).read_text(encoding="utf-8"))
        yield connection


@pytest.fixture
def api(superuser: psycopg.Connection, server: Server) -> Iterator[Api]:
    """As PostgREST's login."""
    with psycopg.connect(server.conninfo(superuser.info.dbname, "authenticator")) as connection:
        yield Api(connection)


@pytest.fixture
def ids(superuser: psycopg.Connection) -> dict[str, str]:
    """The public ids of a company and a connector of each tenant."""
    company = "select company_id::text from core_api.companies where pk = %s"
    connector = "select workspace_connector_id::text from core_api.workspace_connectors where pk = %s"
    return {
        "company": scalar(superuser, company, 19),
        "connector": scalar(superuser, connector, 109),
        "other_company": scalar(superuser, company, 29),
        "other_connector": scalar(superuser, connector, 209),
    }


def test_nothing_in_the_schema_shows_a_key(superuser: psycopg.Connection) -> None:
    shown = superuser.execute(
        "select attname from pg_attribute where attrelid = 'api.company_workspace_connectors'::regclass"
        " union all select unnest(proargnames) from pg_proc where pronamespace = 'api'::regnamespace"
    ).fetchall()
    assert shown
    assert not [name for (name,) in shown if name == "pk" or name.endswith("_pk")]
    returned = superuser.execute(
        "select distinct prorettype::regtype::text from pg_proc where pronamespace = 'api'::regnamespace"
    ).fetchall()
    assert {kind for (kind,) in returned} <= {"json", "record"}


def test_the_schema_is_no_drift(superuser: psycopg.Connection, server: Server) -> None:
    verify = command_line(server, superuser.info.dbname, "verify")
    assert (verify.communicate(timeout=60), verify.returncode)[1] == 0


def test_the_login_has_no_right_of_its_own(superuser: psycopg.Connection, server: Server) -> None:
    with psycopg.connect(server.conninfo(superuser.info.dbname, "authenticator")) as connection:
        for relation in ("api.company_workspace_connectors", "core_api.company_workspace_connectors"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute(f"select from {relation}")


@pytest.mark.parametrize("role", ["hasura_service", "tenancy_definer", "deployer"])
def test_a_token_names_no_role_beyond_the_logins(api: Api, role: str) -> None:
    assert api.get({**MEMBER, "role": role}) == (403, "42501")


# Reading


def test_a_member_reads_its_active_rows(api: Api) -> None:
    status, rows = api.get(MEMBER)
    assert status == 200
    assert len(rows) == 3
    assert set(rows[0]) == {
        *("id", "company_id", "workspace_connector_id", "direction", "created_at", "updated_at", "deleted_at")
    }


def test_tenants_are_apart(api: Api) -> None:
    one, other = ({row["id"] for row in api.get(claims, "id")[1]} for claims in (MEMBER, OTHER))
    assert len(one) == 3
    assert len(other) == 2
    assert not one & other


def test_a_filter_on_another_tenants_company_finds_nothing(api: Api) -> None:
    theirs = api.get(OTHER, "company_id")[1][0]["company_id"]
    assert api.get(MEMBER, where=f"company_id = '{theirs}'") == (200, [])
    assert api.get(OTHER, "direction", f"company_id = '{theirs}'")[1]


@pytest.mark.parametrize("barrier", [True, False])
def test_a_leaking_condition_is_shown_nobody_elses_ids(superuser: psycopg.Connection, api: Api, barrier: bool) -> None:
    theirs = {row["workspace_connector_id"] for row in api.get(OTHER)[1]}
    with superuser.transaction(force_rollback=True):
        superuser.execute(f"alter view api.company_workspace_connectors set (security_barrier = {barrier})")
        superuser.execute("alter table core_api.workspace_connectors disable row level security")
        superuser.execute("select set_config('request.jwt.claims', %s, true)", (json.dumps(MEMBER),))
        superuser.execute("set local session authorization authenticator; set local role workspace_member")
        superuser.execute(
            "create function pg_temp.leak(value uuid) returns boolean language plpgsql cost 0.0000001"
            " as $$begin raise notice '%', value; return true; end$$"
        )
        leaked: list[str] = []
        superuser.add_notice_handler(lambda notice: leaked.append(str(notice.message_primary)))
        superuser.execute("set local enable_nestloop = off")
        for column in ("id", "company_id", "workspace_connector_id"):
            superuser.execute(f"select from api.company_workspace_connectors where pg_temp.leak({column})")
    assert leaked
    assert bool(theirs & {*leaked}) == (not barrier)


def test_the_view_serves_an_adopted_host_too(superuser: psycopg.Connection, api: Api) -> None:
    members = "workspace_member, connector_sync"
    parents = "select on core_api.companies, core_api.workspace_connectors"
    superuser.execute(f"revoke {parents} from {members}")
    try:
        assert len(api.get(MEMBER)[1]) == 3
        assert len(api.call(MEMBER, "company_workspace_connectors_list")[1]["data"]) == 3
    finally:
        superuser.execute(f"grant {parents} to {members}")


def test_a_list_goes_on_where_its_link_says(api: Api) -> None:
    status, first = api.call(MEMBER, "company_workspace_connectors_list", page_limit=2)
    assert status == 200
    second = api.call(MEMBER, "company_workspace_connectors_list", page_limit=2, after_id=first["links"]["next"])[1]
    assert [len(page["data"]) for page in (first, second)] == [2, 1]
    assert second["links"]["next"] is None


def test_a_bad_limit_is_400(api: Api) -> None:
    assert api.call(MEMBER, "company_workspace_connectors_list", page_limit=0) == (400, "22023")


def test_counts_are_rows_by_connector_and_direction(api: Api) -> None:
    source = 'select pgrst_call.* from "api"."company_workspace_connectors_counts"() as pgrst_call'
    status, rows = api.request("POST", MEMBER, source, "json_agg(_postgrest_t)", "'[]'")
    assert status == 200
    assert sum(row["active_rows"] for row in rows) == 3


def test_a_row_that_is_not_there_and_one_that_is_anothers_are_404(api: Api) -> None:
    mine, theirs = (api.get(claims, "id")[1][0]["id"] for claims in (MEMBER, OTHER))
    status, document = api.call(MEMBER, "company_workspace_connector_retrieve", id=mine)
    assert (status, document["data"]["id"]) == (200, mine)
    for id_ in (theirs, UNKNOWN):
        assert api.call(MEMBER, "company_workspace_connector_retrieve", id=id_) == (404, None)


@pytest.mark.parametrize(
    "claims", [{"role": "workspace_member"}, {"role": "workspace_member", "workspace_id": UNKNOWN}]
)
def test_a_token_without_a_workspace_sees_nothing(api: Api, claims: dict[str, Any]) -> None:
    assert api.get(claims) == (200, [])


def test_a_malformed_workspace_is_400(api: Api) -> None:
    assert api.get({**MEMBER, "workspace_id": "acme"}) == (400, "22023")


# Writing


def item(company: str, connector: str) -> dict[str, str]:
    return {"company_id": company, "workspace_connector_id": connector, "direction": "input"}


def test_the_orchestrator_creates_deletes_and_revokes(api: Api, ids: dict[str, str]) -> None:
    items = [item(ids["company"], ids["connector"])] * 3
    status, made = api.call(SYNC, "create_company_workspace_connectors", many=True, items=items)
    assert status == 200
    assert [row["relationships"]["company"]["data"]["id"] for row in made] == [ids["company"]] * 3
    named = [made[0]["id"]]
    status, deleted = api.call(SYNC, "delete_company_workspace_connectors", many=True, ids=named)
    assert (status, [row["id"] for row in deleted]) == (200, named)
    assert deleted[0]["attributes"]["deleted_at"]
    assert api.call(SYNC, "delete_company_workspace_connectors", many=True, ids=named) == (400, "23000")
    connector = ids["connector"]
    status, revoked = api.call(SYNC, "revoke_company_workspace_connectors", many=True, workspace_connector_id=connector)
    assert (status, {row["id"] for row in revoked}) == (200, {row["id"] for row in made[1:]})


def test_another_tenants_ids_and_unknown_ones_are_400_alike(api: Api, ids: dict[str, str]) -> None:
    theirs = api.get(OTHER, "id")[1][0]["id"]
    for company in (ids["other_company"], UNKNOWN):
        items = [item(company, ids["connector"])]
        assert api.call(SYNC, "create_company_workspace_connectors", many=True, items=items) == (400, "22023")
    for connector in (ids["other_connector"], UNKNOWN):
        arguments = {"workspace_connector_id": connector}
        assert api.call(SYNC, "revoke_company_workspace_connectors", many=True, **arguments) == (400, "22023")
    for id_ in (theirs, UNKNOWN):
        assert api.call(SYNC, "delete_company_workspace_connectors", many=True, ids=[id_]) == (400, "22023")
    assert api.call(OTHER_SYNC, "delete_company_workspace_connectors", many=True, ids=[theirs])[0] == 200


def test_malformed_arguments_are_400(api: Api) -> None:
    assert api.call(SYNC, "create_company_workspace_connectors", many=True, items=[item("x", "y")]) == (400, "22P02")


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("create_company_workspace_connectors", {"items": []}),
        ("delete_company_workspace_connectors", {"ids": []}),
        ("revoke_company_workspace_connectors", {"company_id": UNKNOWN}),
    ],
)
def test_a_member_writes_nothing(api: Api, function: str, arguments: dict[str, Any]) -> None:
    assert api.call(MEMBER, function, many=True, **arguments) == (403, "42501")


@pytest.mark.parametrize("claims", [MEMBER, SYNC])
def test_nobody_writes_through_the_view(api: Api, claims: dict[str, Any]) -> None:
    source = 'delete from "api"."company_workspace_connectors" returning id'
    assert api.request("DELETE", claims, source, "json_agg(_postgrest_t)", "'[]'") == (500, "55000")


# Supabase

USER = {"role": "authenticated", "app_metadata": {"workspace_id": ACME}, "user_metadata": {"workspace_id": GLOBEX}}


@pytest.fixture
def supabase(superuser: psycopg.Connection, server: Server) -> Iterator[psycopg.Connection]:
    """A superuser where Supabase's roles are too, and the deployer has run its file."""
    superuser.execute(
        "create role authenticated; create role supabase_auth_admin; grant authenticated to authenticator"
    )
    try:
        psql(server, superuser.info.dbname, (CLIENTS / "postgrest" / "supabase.sql").read_text(encoding="utf-8"))
        yield superuser
    finally:
        superuser.execute("drop function if exists api.workspace_claim")
        superuser.execute("drop owned by authenticated, supabase_auth_admin")
        superuser.execute("drop role authenticated, supabase_auth_admin")


def issued(superuser: psycopg.Connection, claims: dict[str, Any]) -> dict[str, Any]:
    """Return the claims of the token that Supabase issues."""
    with superuser.transaction():
        superuser.execute("set local role supabase_auth_admin")
        event = json.dumps({"user_id": UNKNOWN, "claims": claims, "authentication_method": "password"})
        return scalar(superuser, "select api.workspace_claim(%s)", event)["claims"]


def test_a_user_of_supabase_reads_the_workspace_of_its_app_metadata(supabase: psycopg.Connection, api: Api) -> None:
    assert api.get(USER) == (200, [])
    claims = issued(supabase, USER)
    assert claims == {**USER, "workspace_id": ACME}
    assert api.get(claims) == api.get(MEMBER)
    assert len(api.get(claims)[1]) == 3


def test_a_user_of_supabase_without_a_workspace_reads_nothing(supabase: psycopg.Connection, api: Api) -> None:
    claims = issued(supabase, {"role": "authenticated", "app_metadata": {}})
    assert api.get(claims) == (200, [])


def test_a_user_of_supabase_writes_nothing_and_issues_no_claims(supabase: psycopg.Connection, api: Api) -> None:
    claims = issued(supabase, USER)
    assert api.call(claims, "create_company_workspace_connectors", many=True, items=[]) == (403, "42501")
    source = (
        'select pgrst_call.pgrst_scalar from (select "api"."workspace_claim"(\'{}\') as pgrst_scalar) as pgrst_call'
    )
    assert api.request("POST", claims, source, "json_agg(_postgrest_t)", "'[]'") == (403, "42501")
