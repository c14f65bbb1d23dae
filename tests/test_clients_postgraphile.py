"""PostGraphile 5 with the configuration in clients/postgraphile: no key leaves, tenants and errors are told apart."""

import base64
import hashlib
import hmac
import json
import os
import re
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from consumers import authenticator, client_database, installed, program, url
from graphql import build_client_schema, get_introspection_query, print_schema
from helpers import ACME, GLOBEX, UNKNOWN, scalar, wait_until
from servers import Server

SECRET = "the application's"  # noqa: S105
MEMBER = {"role": "workspace_member", "workspace_id": ACME}
SYNC = {"role": "connector_sync", "workspace_id": ACME}
OTHER = {"role": "workspace_member", "workspace_id": GLOBEX}

Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def superuser(server: Server, template: str) -> Iterator[psycopg.Connection]:
    with (
        authenticator(server, template),
        client_database(server, template, "provenance_postgraphile") as connection,
    ):
        yield connection


@pytest.fixture(scope="module")
def address(superuser: psycopg.Connection, server: Server) -> Iterator[str]:
    """Where the server that the configuration describes listens."""
    folder = installed("postgraphile")
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    environment = {
        "DATABASE_URL": url(server, superuser.info.dbname, "authenticator"),
        "JWT_SECRET": SECRET,
        "PORT": str(port),
        "GRAPHILE_ENV": "production",
    }
    command = [program("node"), "--import", "./node-20.mjs", "node_modules/postgraphile/dist/cli-run.js"]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(command, cwd=folder, env={**os.environ, **environment}, stdout=log, stderr=log) as process,
    ):
        there = f"http://127.0.0.1:{port}/graphql"

        def answers() -> bool:
            assert process.poll() is None, (folder / "log").read_text()
            try:
                return "data" in post(there, "{__typename}")
            except urllib.error.URLError:
                return False

        try:
            wait_until(answers, "PostGraphile did not start")
            yield there
        finally:
            process.terminate()


def token(claims: dict[str, str], secret: str = SECRET) -> str:
    """Return what the application's authentication would issue."""

    def encoded(part: bytes) -> str:
        return base64.urlsafe_b64encode(part).rstrip(b"=").decode()

    signed = ".".join(encoded(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return f"{signed}.{encoded(hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest())}"


def post(address: str, query: str, bearer: str | None = None, **variables: Any) -> dict[str, Any]:
    """Send a GraphQL request and return the answer."""
    headers = {"content-type": "application/json", **({"authorization": f"Bearer {bearer}"} if bearer else {})}
    body = json.dumps({"query": query, "variables": variables}).encode()
    with urllib.request.urlopen(urllib.request.Request(address, body, headers), timeout=30) as response:  # noqa: S310
        return json.load(response)


@pytest.fixture
def ask(address: str) -> Ask:
    def _ask(claims: dict[str, str], query: str, **variables: Any) -> dict[str, Any]:
        return post(address, query, token(claims), **variables)

    return _ask


def code(answer: dict[str, Any]) -> str | None:
    """Return the SQLSTATE of the one error."""
    (error,) = answer["errors"]
    return error["extensions"].get("code")


# The schema


@pytest.fixture(scope="module")
def sdl(address: str) -> str:
    return print_schema(build_client_schema(post(address, get_introspection_query(descriptions=False))["data"]))


def test_no_pk_no_node_id_and_no_cursor_is_in_the_schema(sdl: str) -> None:
    assert "workspaceConnector: WorkspaceConnector" in sdl
    for word in ("pk", "nodeid", "cursor", "edge"):
        assert word not in sdl.lower().replace("primary_key", "")


@pytest.mark.parametrize(
    "field",
    [
        "companyWorkspaceConnectorsPage(",
        "companyWorkspaceConnectorsList(",
        "companyWorkspaceConnectorsCounts(",
        "companyWorkspaceConnectorRetrieve(",
        "companyWorkspaceConnectorResource:",
        "createCompanyWorkspaceConnector(",
        "createCompanyWorkspaceConnectors(",
        "deleteCompanyWorkspaceConnector(",
        "deleteCompanyWorkspaceConnectors(",
        "revokeCompanyWorkspaceConnectors(",
    ],
)
def test_a_function_of_the_api_is_in_the_schema(sdl: str, field: str) -> None:
    assert sdl.count(f" {field}") == 1


@pytest.mark.parametrize("word", ["session", "purge", "workspaceCompany", "updateCompany", "updateWorkspace"])
def test_what_is_not_for_these_roles_is_not_in_the_schema(sdl: str, word: str) -> None:
    assert word not in sdl


# Reading


def test_a_member_pages_its_rows_with_their_parents(ask: Ask) -> None:
    fields = "rowId direction company { companyId } workspaceConnector { workspaceConnectorId }"
    page = f"query ($after: UUID) {{ companyWorkspaceConnectorsPage(pageLimit: 2, afterId: $after) {{ {fields} }} }}"
    first = ask(MEMBER, page)["data"]["companyWorkspaceConnectorsPage"]
    second = ask(MEMBER, page, after=first[-1]["rowId"])["data"]["companyWorkspaceConnectorsPage"]
    assert (len(first), len(second)) == (2, 1)
    assert len({row["rowId"] for row in first + second}) == 3
    assert all(row["company"] and row["workspaceConnector"] for row in first + second)


def test_a_resource_object_is_what_the_list_holds(ask: Ask) -> None:
    data = ask(
        MEMBER,
        "{ companyWorkspaceConnectorsList companyWorkspaceConnectorsPage { companyWorkspaceConnectorResource } }",
    )["data"]
    resources = [row["companyWorkspaceConnectorResource"] for row in data["companyWorkspaceConnectorsPage"]]
    assert data["companyWorkspaceConnectorsList"] == {"data": resources, "links": {"next": None}}


def test_tenants_are_apart(ask: Ask) -> None:
    every = (
        "{ allCompanyWorkspaceConnectors { rowId } allCompanies { companyId companyWorkspaceConnectors { rowId } } }"
    )
    one, other = (set(re.findall(r"[0-9a-f-]{36}", str(ask(claims, every)["data"]))) for claims in (MEMBER, OTHER))
    assert one
    assert other
    assert not one & other


def test_another_tenants_row_is_null(ask: Ask) -> None:
    theirs = ask(OTHER, "{ companyWorkspaceConnectorsPage { rowId } }")["data"]["companyWorkspaceConnectorsPage"][0]
    by_id = "companyWorkspaceConnectorRetrieve(id: $id) companyWorkspaceConnectorByRowId(rowId: $id) { rowId }"
    assert set(ask(MEMBER, f"query ($id: UUID!) {{ {by_id} }}", id=theirs["rowId"])["data"].values()) == {None}


def test_without_a_token_there_are_no_rows(address: str) -> None:
    assert post(address, "{ companyWorkspaceConnectorsPage { rowId } allCompanies { companyId } }")["data"] == {
        "companyWorkspaceConnectorsPage": [],
        "allCompanies": [],
    }


def test_a_forged_token_is_refused(address: str) -> None:
    with pytest.raises(urllib.error.HTTPError, match="401"):
        post(address, "{ allCompanies { companyId } }", token(MEMBER, "somebody else's"))


@pytest.mark.parametrize("role", ["hasura_service", "tenancy_definer", "deployer", "postgres"])
def test_a_token_names_no_role_beyond_the_logins(ask: Ask, role: str) -> None:
    assert code(ask({**MEMBER, "role": role}, "{ allCompanies { companyId } }")) == "42501"


# Writing

CREATE = """
mutation ($company: UUID!, $connector: UUID!) {
  createCompanyWorkspaceConnector(input: {companyId: $company, workspaceConnectorId: $connector, direction: input}) {
    result { rowId company { companyId } }
  }
}
"""
DELETE = "mutation ($id: UUID!) { deleteCompanyWorkspaceConnector(input: {id: $id}) { result { rowId deletedAt } } }"
DELETE_MANY = "mutation ($ids: JSON!) { deleteCompanyWorkspaceConnectors(input: {ids: $ids}) { result { rowId } } }"


@pytest.fixture
def ids(superuser: psycopg.Connection) -> dict[str, str]:
    """The public ids of a company and a connector of each tenant."""
    company = "select company_id::text from core_api.companies where pk = %s"
    connector = "select workspace_connector_id::text from core_api.workspace_connectors where pk = %s"
    return {
        "company": scalar(superuser, company, 19),
        "connector": scalar(superuser, connector, 109),
        "other_company": scalar(superuser, company, 29),
    }


def test_the_orchestrator_creates_and_deletes(ask: Ask, ids: dict[str, str]) -> None:
    facts = [
        ask(SYNC, CREATE, company=ids["company"], connector=ids["connector"])["data"]["createCompanyWorkspaceConnector"]
        for _ in range(2)
    ]
    first, second = (fact["result"]["rowId"] for fact in facts)
    assert facts[0]["result"]["company"]["companyId"] == ids["company"]
    assert ask(SYNC, DELETE, id=first)["data"]["deleteCompanyWorkspaceConnector"]["result"]["deletedAt"]
    many = ask(SYNC, DELETE_MANY, ids=[second])["data"]["deleteCompanyWorkspaceConnectors"]["result"]
    assert many == [{"rowId": second}]
    assert code(ask(SYNC, DELETE, id=first)) == "23000"


def test_a_member_writes_nothing(ask: Ask, ids: dict[str, str]) -> None:
    assert code(ask(MEMBER, CREATE, company=ids["company"], connector=ids["connector"])) == "42501"


def test_another_tenants_company_and_an_unknown_one_are_refused_alike(ask: Ask, ids: dict[str, str]) -> None:
    theirs, nobodys = (
        ask(SYNC, CREATE, company=company, connector=ids["connector"]) for company in (ids["other_company"], UNKNOWN)
    )
    assert code(theirs) == "22023"
    assert theirs == nobodys


def test_an_error_that_is_no_callers_mistake_stays_hidden(ask: Ask) -> None:
    answer = ask(MEMBER, "{ allCompanies(offset: -1) { companyId } }")
    assert code(answer) is None
    assert answer["errors"][0]["message"] == "An error occurred"
