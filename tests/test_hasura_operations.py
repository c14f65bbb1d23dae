"""What a role may say in GraphQL, and what it is answered: the questions that `hasura/check.py` asks a real engine."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg
import pytest
import yaml
from graphql import parse, validate
from servers import Server

from connector_provenance.hasura import check
from connector_provenance.hasura.model import HERE, Model, load
from connector_provenance.hasura.operations import allowed, ask, rest, schema

READERS = ("workspace_member", "connector_sync", "workspace_member_and_sync")
WRITERS = READERS[1:]
OPERATIONS = check.operations()


# What may be said


@pytest.fixture
def model(as_superuser: psycopg.Connection) -> Model:
    return Model(load(), as_superuser)


def problems(model: Model, role: str, text: str) -> list[str]:
    return [problem.message for problem in validate(schema(model, role), parse(text))]


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_in_the_schema_of_those_who_may(name: str, model: Model) -> None:
    may = WRITERS if OPERATIONS[name].startswith("mutation") else READERS
    for role in READERS:
        assert (problems(model, role, OPERATIONS[name]) == []) == (role in may)


@pytest.mark.parametrize(
    "text",
    [
        "{ company_workspace_connectors { pk } }",
        "{ company_workspace_connectors { company_pk } }",
        "{ company_workspace_connectors { company { workspace_pk } } }",
        "{ company_workspace_connectors_by_pk(pk: 1) { id } }",
        "{ company_workspace_connectors_aggregate { aggregate { count } } }",
        "{ companies { company_workspace_connectors_aggregate { aggregate { count } } } }",
        "{ core_api_company_workspace_connectors { id } }",
        "{ company_workspace_connectors_page(args: {hasura_session: {}}) { id } }",
        "{ company_workspace_connectors_page(args: {}) { pk } }",
        "subscription { company_workspace_connectors_stream(batch_size: 10) { id } }",
        "mutation { insert_company_workspace_connectors(objects: []) { affected_rows } }",
        "mutation { purge_company_workspace_connectors(args: {}) { id } }",
    ],
)
def test_what_nobody_may_say_is_in_no_schema(text: str, model: Model) -> None:
    for role in READERS:
        assert problems(model, role, text) != []


def test_the_allow_list_knows_an_operation_however_it_is_laid_out(model: Model) -> None:
    text = OPERATIONS["retrieve_company_workspace_connector"]
    assert allowed(model, " ".join(text.split()))
    assert not allowed(model, text.replace("resource", "id"))


def test_a_rest_path_is_an_operation_and_its_variables(model: Model) -> None:
    text, variables = rest(model, "v1/company-workspace-connectors/3f8c2a1d")
    assert (text, variables) == (OPERATIONS["retrieve_company_workspace_connector"], {"id": "3f8c2a1d"})
    text, variables = rest(model, "v1/company-workspace-connectors?direction=input")
    assert (text, variables) == (OPERATIONS["list_company_workspace_connectors"], {"direction": "input"})
    for path in ("v1/company-workspace-connectors/3f8c2a1d/more", "v2/company-workspace-connectors"):
        with pytest.raises(LookupError):
            rest(model, path)


# What is answered


@pytest.fixture
def engine(clone: psycopg.Connection, server: Server) -> Iterator[Callable[[bool], check.Ask]]:
    """An engine's stand-in over the database of the check, as Hasura's login, for either setting of inference."""
    models = {infer: Model(load(), clone, infer_function_permissions=infer) for infer in (True, False)}
    clone.commit()
    with psycopg.connect(
        server.conninfo(clone.info.dbname, "hasura_sync_login"),
        autocommit=True,
        options="-c search_path=core_api,public -c timezone=UTC",
    ) as hasura:
        yield lambda infer: lambda case: ask(models[infer], hasura, case)


@pytest.mark.parametrize("infer", [True, False])
def test_every_question_of_the_check_is_answered_as_it_expects(
    infer: bool, clone: psycopg.Connection, engine: Callable[[bool], check.Ask]
) -> None:
    for entity in check.entities():
        clone.execute((HERE / f"{entity}_check.sql").read_text(encoding="utf-8"))
        clone.commit()
        assert list(check.differences(entity, engine(infer))) == []


def test_the_check_asks_every_operation_that_needs_no_socket_and_every_rest_path() -> None:
    cases = [case for entity in check.entities() for case in check.cases(entity)]
    assert {case["query"] for case in cases if "query" in case} == {*OPERATIONS} - {
        f"watch_{entity}_workspace_connectors" for entity in check.entities()
    }
    asked = {case["get"].partition("?")[0].count("/") for case in cases if "get" in case}
    assert asked == {endpoint["url"].count("/") for endpoint in load()["rest_endpoints"]}


def test_the_check_asks_each_role_and_beside_each_mutation_its_refusal() -> None:
    cases = [case for entity in check.entities() for case in check.cases(entity)]
    assert {case["role"] for case in cases} == {*READERS}
    for name, text in OPERATIONS.items():
        if text.startswith("mutation"):
            kinds = {("error" in case) for case in cases if case.get("query") == name}
            assert kinds == {True, False}


@pytest.mark.parametrize(
    ("expected", "found", "agree"),
    [
        ({"a": ["*", 1]}, {"a": [{"b": 2}, 1]}, True),
        ({"a": ["*", 1]}, {"a": [{"b": 2}, 2]}, False),
        ({"a": ["*"]}, {"a": []}, False),
        ({"a": []}, {"a": None}, False),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": None}, {}, False),
        (1, "1", False),
    ],
)
def test_an_answer_agrees_only_where_nothing_is_missing_or_added(expected: Any, found: Any, agree: bool) -> None:
    assert check.agrees(expected, found) is agree


@pytest.mark.parametrize("broken", [False, True])
def test_the_check_itself_runs_but_for_docker(
    broken: bool,
    engine: Callable[[bool], check.Ask],
    clone: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = []

    def run(*command: str, text: str | None = None, **environment: str) -> None:
        if setting := environment.get("INFER_FUNCTION_PERMISSIONS"):
            settings.append(setting)
        if text and "truncate" in text:
            clone.execute(text)
            clone.commit()

    class Engine(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply({} if self.path == "/healthz" else self.ask(get=self.path.removeprefix("/api/rest/")))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path == "/v1/metadata":
                succeeded = [{"message": "success"} for _ in body["args"]]
                self.reply({"inconsistent_objects": []} if body["args"] == {} else succeeded)
            else:
                self.reply(self.ask(text=body["query"], variables=body["variables"]))

        def ask(self, **case: Any) -> Any:
            session = {"role": self.headers["X-Hasura-Role"], "workspace": self.headers["X-Hasura-Workspace-Id"]}
            return {} if broken else engine(settings[-1] == "true")({**case, **session})

        def reply(self, found: Any) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(found).encode())

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Engine) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        monkeypatch.setattr(check, "run", run)
        monkeypatch.setattr(check, "ENGINE", f"http://127.0.0.1:{listening.server_port}")
        assert check.main() == broken
        listening.shutdown()
    assert settings == ["true", "false"]
    asked = sum(len(check.cases(entity)) for entity in check.entities())
    assert f"{asked} questions asked twice, {asked * 2 if broken else 0} differences" in capsys.readouterr().out


def test_the_containers_use_the_login_of_the_guide() -> None:
    services = yaml.safe_load((HERE / "docker-compose.yaml").read_text(encoding="utf-8"))["services"]
    settings = services["engine"]["environment"]
    assert {"HASURA_GRAPHQL_ENABLE_ALLOWLIST", "HASURA_GRAPHQL_INFER_FUNCTION_PERMISSIONS"} <= {*settings}
    login = (HERE / "login.sql").read_text(encoding="utf-8")
    for name, database in (("DATABASE_URL", "postgres"), ("METADATA_DATABASE_URL", "hasura_metadata")):
        url = settings[f"HASURA_GRAPHQL_{name}"]
        assert url == f"postgresql://hasura:check@database/{database}"
    assert "create role hasura login;" in login
    assert "create database hasura_metadata " in login
    assert check.DATABASE.endswith("@127.0.0.1:54318/postgres")
    assert services["database"]["ports"] == ["127.0.0.1:54318:5432"]
    assert [f"{check.ENGINE.removeprefix('http://')}:8080"] == services["engine"]["ports"]
