"""The metadata is well-formed, true to the database, and what the fragment and the guide say."""

import copy
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema
import psycopg
import pytest
import yaml
from graphql import OperationDefinitionNode, parse
from helpers import check_generated

from connector_provenance.hasura.model import HERE, Model, fragment, load, name_of
from connector_provenance.migrations.sqlfile import ROOT

TABLE = "core_api.company_workspace_connectors"

Metadata = dict[str, Any]
Edit = Callable[[Metadata], Any]


@pytest.fixture
def metadata() -> Metadata:
    return copy.deepcopy(load())


def table(metadata: Metadata, name: str = TABLE) -> Metadata:
    return next(t for t in metadata["sources"][0]["tables"] if name_of(t) == name)


def member(metadata: Metadata) -> Metadata:
    return next(p["permission"] for p in table(metadata)["select_permissions"] if p["role"] == "workspace_member")


def function(metadata: Metadata, name: str) -> Metadata:
    return next(f for f in metadata["sources"][0]["functions"] if f["function"]["name"] == name)


def page(metadata: Metadata) -> Metadata:
    return function(metadata, "company_workspace_connectors_session_page")


# Well-formed: the types that Hasura publishes


def validate_types(metadata: Metadata) -> None:
    published = json.loads((HERE / "metadata.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate({"resource_version": 1, "metadata": metadata}, published)


def test_the_metadata_has_the_published_types(metadata: Metadata) -> None:
    validate_types(metadata)


MALFORMED: dict[str, Edit] = {
    "a key of the metadata": lambda m: m.update(query_collection=[]),
    "a key of a source": lambda m: m["sources"][0].update(table=[]),
    "a key of a table": lambda m: table(m).update(object_relationship=[]),
    "a key of a configuration": lambda m: table(m)["configuration"].update(custom_nam="x"),
    "a key of a column": lambda m: table(m)["configuration"]["column_config"]["id"].update(coment="x"),
    "a key of a permission": lambda m: member(m).update(allow_aggregation=False),
    "a limit in words": lambda m: member(m).update(limit="many"),
    "a key of a relationship": lambda m: table(m)["object_relationships"][0].update(using={"column": "company_pk"}),
    "a key of a function": lambda m: page(m)["configuration"].update(session="x"),
    "a method of a REST endpoint": lambda m: m["rest_endpoints"][0].update(methods=["FETCH"]),
    "a scope of the allow list": lambda m: m["allowlist"][0].update(scope={"global": "yes"}),
    "a key of an inherited role": lambda m: m["inherited_roles"][0].update(roles=[]),
    "no version": lambda m: m.pop("version"),
}


@pytest.mark.parametrize("edit", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_key_is_caught(edit: Edit, metadata: Metadata) -> None:
    edit(metadata)
    with pytest.raises(jsonschema.ValidationError):
        validate_types(metadata)


# True to the database


class Inspection:
    """What ``hasura metadata inconsistency list`` would say, and what this package adds to it.

    Hasura's: every table, column, relationship, function, argument and operator exists and is of the right kind.
    Ours: roles are the database's; who calls a function may; descriptions are the SQL comments; keys stay hidden.
    """

    def __init__(self, metadata: Metadata, connection: psycopg.Connection) -> None:
        self.metadata, self.connection, self.model = metadata, connection, Model(metadata, connection)
        self.explicit = Model(metadata, connection, infer_function_permissions=False)
        self.roles = {name for (name,) in connection.execute("select rolname from pg_roles")}

    def _asked(self, query: str, *parameters: Any) -> Any:
        row = self.connection.execute(query, parameters).fetchone()
        return row[0] if row else None

    def found(self) -> Iterator[str]:
        """Yield each inconsistency."""
        entries = [*self.metadata["sources"][0]["tables"], *self.model.functions]
        names = [entry["configuration"]["custom_name"] for entry in entries]
        yield from (f"{n} is not a name, or twice" for n in names if names.count(n) > 1 or not n.isidentifier())
        for entry in entries:
            yield from self._of_table(entry) if "table" in entry else self._of_function(entry)
        for role in [each["role_name"] for each in self.metadata["inherited_roles"]]:
            if role in self.roles or not self.roles.issuperset(self.model.parents(role)):
                yield f"{role} does not inherit from roles, or is one itself"
            for name in self.model.tables:
                try:
                    self.model.permission(name, role)
                except ValueError as error:
                    yield str(error)
        collections = self.metadata["query_collections"]
        queries = {(c["name"], q["name"]) for c in collections for q in c["definition"]["queries"]}
        for endpoint in self.metadata["rest_endpoints"]:
            query = endpoint["definition"]["query"]
            if (query["collection_name"], query["query_name"]) not in queries:
                yield f"{endpoint['url']} has no query"
        if {each["collection"] for each in self.metadata["allowlist"]} != {each["name"] for each in collections}:
            yield "the allow list is not the query collections"

    def _of_table(self, entry: Metadata) -> Iterator[str]:
        name, configuration = name_of(entry), entry["configuration"]
        columns = self.model.catalog.columns.get(name)
        if columns is None:
            yield f"{name} does not exist"
            return
        if configuration["comment"] != self._asked("select obj_description(%s::regclass)", name):
            yield f"{name} is described in other words than its comment"
        described = (
            "select col_description(attrelid, attnum) from pg_attribute where attrelid = %s::regclass and attname = %s"
        )
        for column, config in configuration.get("column_config", {}).items():
            if column not in columns or config["comment"] != self._asked(described, name, column):
                yield f"{name}.{column} does not exist, or is described in other words than its comment"
        try:
            for key, relationship in self.model.relationships(name).items():
                if relationship.target not in self.model.tables or key in columns:
                    yield f"{name}.{key} leads to no tracked table, or is a column"
        except KeyError as error:
            yield f"{name} has a relationship without a foreign key: {error}"
        computed = {field["name"]: name_of(field["definition"]) for field in entry.get("computed_fields", [])}
        for field in entry.get("computed_fields", []):
            yield from self._of_computed_field(name, computed[field["name"]], field["comment"])
        if any(entry.get(f"{command}_permissions") for command in ("insert", "update", "delete")):
            yield f"{name} is written without a function"
        for each in entry["select_permissions"]:
            granted = each["permission"]
            if each["role"] not in self.roles:
                yield f"role {each['role']} does not exist"
            if not {*granted["columns"]} <= {*columns} or not {*granted.get("computed_fields", [])} <= {*computed}:
                yield f"{name} has not all columns that {each['role']} may see"
            yield from (f"{name}.{c} is exposed" for c in granted["columns"] if c == "pk" or c.endswith("_pk"))
            if granted["allow_aggregations"] or not granted.get("limit"):
                yield f"{name} is shown to {each['role']} without a limit"
            if granted.get("query_root_fields") != ["select"] or granted.get("subscription_root_fields") != ["select"]:
                yield f"{name} has other root fields for {each['role']} than its rows"
            if not self._asked("select has_table_privilege('hasura_service', %s, 'select')", name):
                yield f"hasura_service may not read {name}"
            try:
                self.model.where(name, granted["filter"], "shown")
            except (KeyError, TypeError) as error:
                yield f"filter of {each['role']} on {name}: {error}"

    def _of_computed_field(self, table_name: str, name: str, comment: str) -> Iterator[str]:
        candidates = self.model.catalog.functions.get(name, [])
        if len(candidates) != 1:
            yield f"{name} does not exist once"
            return
        (found,) = candidates
        first = next(iter(found.arguments.values()), None)
        if found.volatile or found.returns_set or found.result != "json" or first != table_name:
            yield f"{name} cannot be a computed field of {table_name}"
        yield from self._of_any_function(name, found.oid, "hasura_service", comment)
        if name in [name_of(each) for each in self.model.functions]:
            yield f"{name} is tracked as well, which breaks Hasura's schema"

    def _of_function(self, entry: Metadata) -> Iterator[str]:
        name, configuration = name_of(entry), entry["configuration"]
        candidates = self.model.catalog.functions.get(name, [])
        if len(candidates) != 1 or candidates[0].result not in self.model.tables:
            yield f"{name} does not exist once, or does not return a tracked table"
            return
        (found,) = candidates
        session = configuration.get("session_argument")
        if session and found.arguments.get(session) != "json":
            yield f"{name} has no argument {session} of type json"
        yield from (
            f"{name} takes the array {a}, which GraphQL cannot" for a, k in found.arguments.items() if "[]" in k
        )
        if found.volatile != (configuration["exposed_as"] == "mutation"):
            yield f"{name} is not a {configuration['exposed_as']}"
        yield from self._of_any_function(
            name, found.oid, "connector_sync" if found.volatile else "hasura_service", entry["comment"]
        )
        for role in [each["role"] for each in entry["permissions"]]:
            if role not in self.roles or self.model.permission(found.result, role) is None:
                yield f"{role} may call {name} but not see its rows"
            if found.volatile and role != "connector_sync":
                yield f"{role} writes"
        for role in self.roles:
            if self.model.may_call(entry, role) != self.explicit.may_call(entry, role):
                yield f"whether {role} may call {name} depends on the server's settings"

    def _of_any_function(self, name: str, oid: int, caller: str, comment: str) -> Iterator[str]:
        if not self._asked("select has_function_privilege(%s, %s::oid, 'execute')", caller, oid):
            yield f"{caller} may not call {name}"
        if comment != self._asked("select obj_description(%s, 'pg_proc')", oid):
            yield f"{name} is described in other words than its comment"


def test_the_metadata_is_consistent_with_the_database(metadata: Metadata, as_superuser: psycopg.Connection) -> None:
    assert list(Inspection(metadata, as_superuser).found()) == []


def resource(metadata: Metadata) -> Metadata:
    return table(metadata)["computed_fields"][0]["definition"]["function"]


def create(metadata: Metadata) -> Metadata:
    return function(metadata, "create_company_workspace_connector")


FAULTS: dict[str, tuple[Edit, str]] = {
    "a table": (lambda m: table(m)["table"].update(name="company_connectors"), "connectors does not exist"),
    "a column of a permission": (lambda m: member(m)["columns"].append("external_id"), "not all columns"),
    "pk exposed": (lambda m: member(m)["columns"].append("pk"), "pk is exposed"),
    "a foreign key exposed": (lambda m: member(m)["columns"].append("company_pk"), "company_pk is exposed"),
    "a described column": (
        lambda m: table(m)["configuration"]["column_config"].update(kind={"comment": "x"}),
        "kind does not exist",
    ),
    "a description": (lambda m: table(m)["configuration"].update(comment="x"), "in other words"),
    "a relationship's column": (
        lambda m: table(m)["object_relationships"][0]["using"].update(foreign_key_constraint_on="company_id"),
        "without a foreign key",
    ),
    "an array relationship's table": (
        lambda m: table(m, "core_api.companies")["array_relationships"][0]["using"]["foreign_key_constraint_on"][
            "table"
        ].update(name="workspaces"),
        "without a foreign key",
    ),
    "a relationship's name": (lambda m: table(m)["object_relationships"][0].update(name="direction"), "or is a column"),
    "a parent": (
        lambda m: m["sources"][0]["tables"].remove(table(m, "core_api.companies")),
        "company leads to no tracked table",
    ),
    "an operator": (lambda m: member(m).update(filter={"deleted_at": {"_isnull": True}}), "_isnull"),
    "an operator's value": (lambda m: member(m).update(filter={"deleted_at": {"_is_null": 1}}), "takes a boolean"),
    "a session variable": (
        lambda m: member(m).update(filter={"id": {"_eq": "Workspace-Id"}}),
        "not a session variable",
    ),
    "a filtered column": (lambda m: member(m).update(filter={"removed_at": {"_is_null": True}}), "removed_at"),
    "a role": (lambda m: table(m)["select_permissions"][1].update(role="members"), "role members does not exist"),
    "aggregates": (lambda m: member(m).update(allow_aggregations=True), "without a limit"),
    "no limit": (lambda m: member(m).pop("limit"), "without a limit"),
    "a stream by a column that is not unique": (
        lambda m: member(m).pop("subscription_root_fields"),
        "other root fields",
    ),
    "a computed field": (lambda m: member(m)["computed_fields"].append("json"), "not all columns"),
    "a computed field's function": (lambda m: resource(m).update(name="resource"), "resource does not exist once"),
    "a volatile computed field": (
        lambda m: resource(m).update(name="create_company_workspace_connector"),
        "cannot be a computed field",
    ),
    "a computed field of another table": (
        lambda m: resource(m).update(name="workspace_company_counts"),
        "cannot be a computed field",
    ),
    "a computed field that is tracked": (
        lambda m: page(m)["function"].update(name="company_workspace_connector_resource"),
        "is tracked as well",
    ),
    "a function": (lambda m: page(m)["function"].update(name="page"), "page does not exist once"),
    "a function that Hasura may not call": (
        lambda m: page(m)["function"].update(name="company_workspace_connectors_page"),
        "hasura_service may not call",
    ),
    "a function of no table": (
        lambda m: page(m)["function"].update(name="purge_company_workspace_connectors"),
        "does not return a tracked table",
    ),
    "a session argument": (lambda m: page(m)["configuration"].update(session_argument="x"), "has no argument x"),
    "a mutation as a query": (lambda m: create(m)["configuration"].update(exposed_as="query"), "is not a query"),
    "a member that writes": (lambda m: create(m).update(permissions=[{"role": "workspace_member"}]), "member writes"),
    "a permission left to inference": (
        lambda m: page(m).update(permissions=[{"role": "workspace_member"}]),
        "whether connector_sync may call",
    ),
    "a table that members insert into": (
        lambda m: table(m).update(insert_permissions=[{"role": "workspace_member", "permission": {"check": {}}}]),
        "written without a function",
    ),
    "two root fields of one name": (
        lambda m: page(m)["configuration"].update(custom_name="company_workspace_connectors"),
        "is not a name, or twice",
    ),
    "parents of a role that show different things": (
        lambda m: member(m)["columns"].remove("deleted_at"),
        "do not show the same",
    ),
    "an inherited role's parent": (lambda m: m["inherited_roles"][0]["role_set"].append("x"), "does not inherit"),
    "an inherited role that is a role": (
        lambda m: m["inherited_roles"][0].update(role_name="hasura_service"),
        "or is one itself",
    ),
    "a REST endpoint's query": (
        lambda m: m["rest_endpoints"][0]["definition"]["query"].update(query_name="list"),
        "has no query",
    ),
    "an empty allow list": (lambda m: m.update(allowlist=[]), "allow list"),
}


@pytest.mark.parametrize(("edit", "words"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_in_the_metadata_is_caught(
    edit: Edit, words: str, metadata: Metadata, as_superuser: psycopg.Connection
) -> None:
    edit(metadata)
    assert words in "\n".join(Inspection(metadata, as_superuser).found())


def test_an_array_argument_is_caught(metadata: Metadata, as_superuser: psycopg.Connection) -> None:
    as_superuser.execute("drop function core_api.delete_company_workspace_connector")
    as_superuser.execute(
        "create function core_api.delete_company_workspace_connector(id uuid[])"
        f" returns {TABLE} language sql return null::{TABLE}"
    )
    assert "takes the array id" in "\n".join(Inspection(metadata, as_superuser).found())


# What is generated, and what the guide shows


def test_the_fragment_says_what_the_directory_says(metadata: Metadata) -> None:
    check_generated("hasura/fragment.json", fragment(metadata))


def snippets(language: str) -> list[str]:
    guide = (ROOT / "docs" / "hasura.md").read_text(encoding="utf-8")
    found = re.findall(rf"^```{language}\n(.*?)^```", guide, re.M | re.S)
    assert found
    return found


def test_the_guides_sql_and_yaml_are_files_that_tests_run() -> None:
    for language, suffix in (("sql", "sql"), ("yaml", "yaml")):
        files = [path.read_text(encoding="utf-8") for path in HERE.glob(f"*.{suffix}")]
        for snippet in snippets(language):
            assert any(snippet in text for text in files), snippet


def test_the_guides_operations_are_those_of_the_collection(metadata: Metadata) -> None:
    texts = {query["query"] for each in metadata["query_collections"] for query in each["definition"]["queries"]}
    assert {*snippets("graphql")} <= texts


def test_each_operation_is_called_like_its_query(metadata: Metadata) -> None:
    for query in (query for each in metadata["query_collections"] for query in each["definition"]["queries"]):
        (operation,) = parse(query["query"]).definitions
        assert isinstance(operation, OperationDefinitionNode)
        assert operation.name
        assert operation.name.value == query["name"]


def test_the_guides_event_trigger_sends_columns_and_no_key(
    metadata: Metadata, as_superuser: psycopg.Connection
) -> None:
    text = (HERE / "company_event_trigger.yaml").read_text(encoding="utf-8")
    (trigger,) = yaml.safe_load(text)["event_triggers"]  # the published types know none
    shown = {*member(metadata)["columns"]}
    assert shown < {*Model(metadata, as_superuser).catalog.columns[TABLE]}
    for operation in trigger["definition"].values():
        assert {*operation["payload"]} <= shown
