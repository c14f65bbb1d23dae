"""The metadata is well-formed, true to the database, and means the same as the policies."""

import copy
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import psycopg
import pytest
from graphql import GraphQLSchema, build_schema, parse, validate
from hasura_sql import SCALARS, Catalog, load, permission, regclass, tables, where
from helpers import ACME, GLOBEX, UNKNOWN

from connector_provenance.migrations.sqlfile import ROOT

TABLE = "core_api.company_workspace_connectors"
NPM = ["hasura-metadata-types@2.43.0", "typescript-json-schema@0.68.0"]
CACHE = ROOT / ".cache" / "hasura-metadata-types"

Edit = Callable[[dict[str, Any]], Any]


@pytest.fixture
def metadata() -> dict[str, Any]:
    return copy.deepcopy(load())


@pytest.fixture
def catalog(as_superuser: psycopg.Connection) -> Catalog:
    return Catalog(as_superuser)


def junction(metadata: dict[str, Any]) -> dict[str, Any]:
    return tables(metadata)[TABLE]


def function(metadata: dict[str, Any], name: str) -> dict[str, Any]:
    return next(f for f in metadata["sources"][0]["functions"] if f["function"]["name"] == name)


def member(metadata: dict[str, Any]) -> dict[str, Any]:
    return permission(metadata, TABLE, "workspace_member")


# Well-formed: the types that Hasura publishes


@pytest.fixture(scope="session")
def published() -> dict[str, Any]:
    """The JSON schema of v3 metadata, made once from the published TypeScript types and kept in .cache."""
    schema = CACHE / f"{'-'.join(NPM)}.json"
    if not schema.exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("Node is not installed, so the published types of the metadata are not checked")
        CACHE.mkdir(parents=True, exist_ok=True)
        quiet = ["--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--silent"]
        installed = subprocess.run([npm, "install", "--prefix", CACHE, *quiet, *NPM], capture_output=True, text=True)
        if installed.returncode:
            pytest.skip(f"npm could not install {', '.join(NPM)}: {installed.stderr.strip()[:200]}")
        types = CACHE / "node_modules" / "hasura-metadata-types" / "dist" / "index.d.ts"
        program = CACHE / "node_modules" / ".bin" / "typescript-json-schema"
        options = ["--noExtraProps", "--required", "--ignoreErrors", "--out", schema]
        subprocess.run([program, types, "Metadata", *options], check=True, capture_output=True)
    return mended(json.loads(schema.read_text(encoding="utf-8")))


def mended(published: dict[str, Any]) -> dict[str, Any]:
    """Return the schema without two faults of its making.

    ``--noExtraProps`` closes ``Record<string, …>`` too, whose keys are free. And the types know no ``comment`` of a
    function or a computed field, which the metadata API has, and where descriptions come from since v2.51.1.
    """
    text = {"type": "string"}
    column = {"type": "object", "additionalProperties": False, "properties": {"custom_name": text, "comment": text}}
    values = {"string": text, "number": {"type": "number"}, "MetadataTableColumnConfig": column}
    for name, definition in published["definitions"].items():
        if name.startswith("Record<string,"):
            kind = name.removeprefix("Record<string,").removesuffix(">")
            definition["additionalProperties"] = values.get(kind, True)

    def add_comments(node: Any) -> None:
        if isinstance(node, dict):
            for key in ("functions", "computed_fields"):
                items = node.get(key, {}).get("items", {}) if isinstance(node.get(key), dict) else {}
                items.get("properties", {}).setdefault("comment", text)
        for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else []:
            add_comments(inner)

    add_comments(published)
    return published


def validate_types(metadata: dict[str, Any], published: dict[str, Any]) -> None:
    jsonschema.validate({"resource_version": 1, "metadata": metadata}, published)


def test_the_metadata_has_the_published_types(metadata: dict[str, Any], published: dict[str, Any]) -> None:
    validate_types(metadata, published)


MALFORMED: dict[str, Edit] = {
    "a key of the metadata": lambda m: m.update(query_collection=[]),
    "a key of a source": lambda m: m["sources"][0].update(table=[]),
    "a key of a table": lambda m: junction(m).update(object_relationship=[]),
    "a key of a configuration": lambda m: junction(m)["configuration"].update(custom_nam="x"),
    "a key of a column": lambda m: junction(m)["configuration"]["column_config"]["id"].update(coment="x"),
    "a key of a permission": lambda m: member(m).update(allow_aggregation=False),
    "a limit in words": lambda m: member(m).update(limit="many"),
    "a key of a relationship": lambda m: junction(m)["object_relationships"][0].update(using={"column": "company_pk"}),
    "a key of a function": lambda m: m["sources"][0]["functions"][0]["configuration"].update(session="x"),
    "a method of a REST endpoint": lambda m: m["rest_endpoints"][0].update(methods=["FETCH"]),
    "no version": lambda m: m.pop("version"),
}


@pytest.mark.parametrize("edit", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_key_is_caught(edit: Edit, metadata: dict[str, Any], published: dict[str, Any]) -> None:
    edit(metadata)
    with pytest.raises(jsonschema.ValidationError):
        validate_types(metadata, published)


# True to the database


def inconsistencies(metadata: dict[str, Any], connection: psycopg.Connection) -> list[str]:
    """Return what ``hasura metadata inconsistency list`` would say, and what this package adds to it.

    Hasura's: every table, column, relationship, function, argument and operator exists and is of the right kind.
    Ours: roles are the database's; who calls a function may; descriptions are the SQL comments; keys stay hidden.
    """
    catalog, tracked, found = Catalog(connection), tables(metadata), []
    roles = {name for (name,) in connection.execute("select rolname from pg_roles")}

    def comment(query: str, *parameters: Any) -> str | None:
        row = connection.execute(query, parameters).fetchone()
        return row[0] if row else None

    def may(kind: str, role: str, thing: Any, privilege: str) -> bool:
        row = connection.execute(f"select has_{kind}_privilege(%s, %s, %s)", (role, thing, privilege)).fetchone()
        return bool(row and row[0])

    names = [t["configuration"]["custom_name"] for t in tracked.values()]
    names += [f["configuration"]["custom_name"] for f in metadata["sources"][0]["functions"]]
    found += [f"{name} is not a name, or twice" for name in names if names.count(name) > 1 or not name.isidentifier()]

    for table, entry in tracked.items():
        if table not in catalog.columns:
            found.append(f"{table} does not exist")
            continue
        columns, configuration = catalog.columns[table], entry["configuration"]
        if configuration["comment"] != comment("select obj_description(%s::regclass)", table):
            found.append(f"{table} is described in other words than its comment")
        for column, config in configuration.get("column_config", {}).items():
            if column not in columns:
                found.append(f"{table}.{column} does not exist")
                continue
            query = (
                "select col_description(attrelid, attnum) from pg_attribute"
                " where attrelid = %s::regclass and attname = %s"
            )
            if config["comment"] != comment(query, table, column):
                found.append(f"{table}.{column} is described in other words than its comment")
        for relationship in entry.get("object_relationships", []):
            try:
                _, parent, _ = catalog.relationship(metadata, table, relationship["name"])
            except (KeyError, ValueError) as error:
                found.append(str(error))
                continue
            if parent not in tracked:
                found.append(f"{parent} is not tracked")
            if relationship["name"] in columns:
                found.append(f"{table}.{relationship['name']} is a column")
        computed = {}
        for field in entry.get("computed_fields", []):
            name = regclass(field["definition"])
            candidates = catalog.functions.get(name, [])
            computed[field["name"]] = candidates
            if len(candidates) != 1:
                found.append(f"{name} does not exist once")
                continue
            (one,) = candidates
            if one["volatile"] or one["result"] in catalog.columns or next(iter(one["arguments"].values())) != table:
                found.append(f"{name} cannot be a computed field of {table}")
            if not may("function", "hasura_service", one["oid"], "execute"):
                found.append(f"hasura_service may not call {name}")
            if field["comment"] != comment("select obj_description(%s, 'pg_proc')", one["oid"]):
                found.append(f"{name} is described in other words than its comment")
        if any(entry.get(f"{command}_permissions") for command in ("insert", "update", "delete")):
            found.append(f"{table} is written without a function")
        for each in entry["select_permissions"]:
            granted = each["permission"]
            if each["role"] not in roles:
                found.append(f"role {each['role']} does not exist")
            found += [f"{table}.{c} does not exist" for c in granted["columns"] if c not in columns]
            found += [f"{table}.{c} is exposed" for c in granted["columns"] if c == "pk" or c.endswith("_pk")]
            found += [f"{table}.{c} does not exist" for c in granted.get("computed_fields", []) if c not in computed]
            if granted["allow_aggregations"] or not granted.get("limit"):
                found.append(f"{table} is shown to {each['role']} without a limit")
            if not may("table", "hasura_service", table, "select"):
                found.append(f"hasura_service may not read {table}")
            try:
                where(metadata, catalog, table, granted["filter"], "root")
            except (KeyError, TypeError, ValueError) as error:
                found.append(f"filter of {each['role']} on {table}: {error}")

    for entry in metadata["sources"][0]["functions"]:
        name, configuration = regclass(entry), entry["configuration"]
        candidates = catalog.functions.get(name, [])
        if len(candidates) != 1:
            found.append(f"{name} does not exist once")
            continue
        (one,) = candidates
        if one["result"] not in tracked:
            found.append(f"{name} does not return a tracked table")
        session = configuration.get("session_argument")
        if session and one["arguments"].get(session) != "json":
            found.append(f"{name} has no argument {session} of type json")
        if one["volatile"] != (configuration["exposed_as"] == "mutation"):
            found.append(f"{name} is not a {configuration['exposed_as']}")
        if entry["comment"] != comment("select obj_description(%s, 'pg_proc')", one["oid"]):
            found.append(f"{name} is described in other words than its comment")
        for each in entry["permissions"]:
            visible = [p["role"] for p in tracked.get(one["result"], {}).get("select_permissions", [])]
            if each["role"] not in visible:
                found.append(f"{each['role']} may call {name} but not see its rows")
            caller = "connector_sync" if one["volatile"] else "hasura_service"
            if each["role"] not in roles or not may("function", caller, one["oid"], "execute"):
                found.append(f"{caller} may not call {name}")
            if one["volatile"] and each["role"] != "connector_sync":
                found.append(f"{each['role']} writes")

    queries = {(c["name"], q["name"]) for c in metadata["query_collections"] for q in c["definition"]["queries"]}
    for endpoint in metadata["rest_endpoints"]:
        query = endpoint["definition"]["query"]
        if (query["collection_name"], query["query_name"]) not in queries:
            found.append(f"{endpoint['url']} has no query")
    return found


def test_the_metadata_is_consistent_with_the_database(
    metadata: dict[str, Any], as_superuser: psycopg.Connection
) -> None:
    assert inconsistencies(metadata, as_superuser) == []


FAULTS: dict[str, Edit] = {
    "a table": lambda m: junction(m)["table"].update(name="company_connectors"),
    "a column of a permission": lambda m: member(m)["columns"].append("external_id"),
    "pk exposed": lambda m: member(m)["columns"].append("pk"),
    "a foreign key column exposed": lambda m: member(m)["columns"].append("company_pk"),
    "a described column": lambda m: junction(m)["configuration"]["column_config"].update(kind={"comment": "x"}),
    "a description": lambda m: junction(m)["configuration"].update(comment="x"),
    "a relationship's column": lambda m: junction(m)["object_relationships"][0]["using"].update(
        foreign_key_constraint_on="company_id"
    ),
    "a relationship's name": lambda m: junction(m)["object_relationships"][0].update(name="firm"),
    "a parent": lambda m: m["sources"][0]["tables"].remove(tables(m)["core_api.companies"]),
    "an operator": lambda m: member(m).update(filter={"deleted_at": {"_isnull": True}}),
    "a session variable": lambda m: member(m).update(filter={"id": {"_eq": "Workspace-Id"}}),
    "a filtered column": lambda m: member(m).update(filter={"removed_at": {"_is_null": True}}),
    "a role": lambda m: junction(m)["select_permissions"][1].update(role="workspace_members"),
    "aggregates": lambda m: member(m).update(allow_aggregations=True),
    "no limit": lambda m: member(m).pop("limit"),
    "no filter": lambda m: member(m).pop("filter"),
    "a computed field": lambda m: member(m)["computed_fields"].append("json"),
    "a computed field's function": lambda m: junction(m)["computed_fields"][0]["definition"]["function"].update(
        name="document"
    ),
    "a volatile computed field": lambda m: junction(m)["computed_fields"][0]["definition"]["function"].update(
        name="create_company_workspace_connector"
    ),
    "a function": lambda m: m["sources"][0]["functions"][0]["function"].update(name="page"),
    "a function that Hasura may not call": lambda m: m["sources"][0]["functions"][0]["function"].update(
        name="company_workspace_connectors_page"
    ),
    "a function of no table": lambda m: m["sources"][0]["functions"][0]["function"].update(
        name="revoke_workspace_connector"
    ),
    "a session argument": lambda m: m["sources"][0]["functions"][0]["configuration"].update(session_argument="session"),
    "a mutation as a query": lambda m: m["sources"][0]["functions"][1]["configuration"].update(exposed_as="query"),
    "a member that writes": lambda m: m["sources"][0]["functions"][1].update(
        permissions=[{"role": "workspace_member"}]
    ),
    "a table that members insert into": lambda m: junction(m).update(
        insert_permissions=[{"role": "workspace_member", "permission": {"check": {}, "columns": "*"}}]
    ),
    "two root fields of one name": lambda m: m["sources"][0]["functions"][0]["configuration"].update(
        custom_name="company_workspace_connectors"
    ),
    "a REST endpoint's query": lambda m: m["rest_endpoints"][0]["definition"]["query"].update(query_name="list"),
}


@pytest.mark.parametrize("edit", FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_in_the_metadata_is_caught(
    edit: Edit, metadata: dict[str, Any], as_superuser: psycopg.Connection
) -> None:
    edit(metadata)
    assert inconsistencies(metadata, as_superuser) != []


# The same as the policies


@pytest.fixture
def generated(as_superuser: psycopg.Connection) -> psycopg.Connection:
    """Three workspaces, and rows of every pair of a company and a connector, mixed ones too, deleted and not."""
    as_superuser.execute(f"alter table {TABLE} disable trigger user")
    as_superuser.execute("insert into core_api.workspaces (pk) values (3)")
    for parent in ("companies", "workspace_connectors"):
        as_superuser.execute(
            f"insert into core_api.{parent} (pk, workspace_pk)"
            " select 1000 + g, 1 + g %% 3 from generate_series(1, 30) as g",
            (),
        )
    as_superuser.execute(
        f"insert into {TABLE} (company_pk, workspace_connector_pk, direction, deleted_at)"
        " select c.pk, k.pk, 'input', case when d then now() end"
        " from core_api.companies as c cross join core_api.workspace_connectors as k"
        " cross join (values (true), (false)) as deleted (d) where (c.pk * 7 + k.pk * 3) %% 5 < 2",
        (),
    )
    return as_superuser


def by_policy(connection: psycopg.Connection, table: str, role: str, workspace: str) -> set[int]:
    """Return the keys that the policies show a role."""
    with connection.transaction(force_rollback=True):
        connection.execute("select set_config('app.workspace_id', %s, true)", (workspace,))
        connection.execute(f"set local role {role}")
        return {pk for (pk,) in connection.execute(f"select pk from {table}")}


def by_permission(
    connection: psycopg.Connection, metadata: dict[str, Any], table: str, role: str, workspace: str
) -> set[int]:
    """Return the keys that Hasura, which may read every row, shows a role."""
    condition = where(metadata, Catalog(connection), table, permission(metadata, table, role)["filter"], "root")
    with connection.transaction(force_rollback=True):
        connection.execute("set local role hasura_service")
        rows = connection.execute(
            f"select pk from {table} as root where {condition}",
            {"session": json.dumps({"x-hasura-role": role, "x-hasura-workspace-id": workspace})},
        )
        return {pk for (pk,) in rows}


def same(connection: psycopg.Connection, metadata: dict[str, Any], table: str, role: str) -> bool:
    workspaces = [str(w) for (w,) in connection.execute("select workspace_id from core_api.workspaces")]
    return all(
        by_policy(connection, table, role, workspace) == by_permission(connection, metadata, table, role, workspace)
        for workspace in [*workspaces, UNKNOWN]
    )


def test_the_generated_rows_are_of_every_kind(generated: psycopg.Connection) -> None:
    kinds = generated.execute(
        f"select distinct c.workspace_pk = k.workspace_pk, j.deleted_at is null, c.workspace_pk from {TABLE} as j"
        " inner join core_api.companies as c on c.pk = j.company_pk"
        " inner join core_api.workspace_connectors as k on k.pk = j.workspace_connector_pk"
    ).fetchall()
    assert len(kinds) == 12
    assert len(by_policy(generated, TABLE, "workspace_member", ACME)) > 10
    assert by_policy(generated, TABLE, "workspace_member", UNKNOWN) == set()


@pytest.mark.parametrize(
    ("table", "role"),
    [
        (TABLE, "workspace_member"),
        (TABLE, "connector_sync"),
        ("core_api.companies", "workspace_member"),
        ("core_api.workspace_connectors", "workspace_member"),
        ("core_api.workspaces", "workspace_member"),
    ],
)
def test_a_permission_shows_exactly_what_the_policies_show(
    table: str, role: str, generated: psycopg.Connection, metadata: dict[str, Any]
) -> None:
    assert same(generated, metadata, table, role)


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_weaker_permission_is_not_the_same(
    part: int, generated: psycopg.Connection, metadata: dict[str, Any]
) -> None:
    del member(metadata)["filter"]["_and"][part]
    assert not same(generated, metadata, TABLE, "workspace_member")


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_weaker_policy_is_not_the_same(part: int, generated: psycopg.Connection, metadata: dict[str, Any]) -> None:
    row = generated.execute(
        "select qual from pg_policies where tablename = 'company_workspace_connectors'"
        " and policyname = 'member_reads_active_rows'"
    ).fetchone()
    assert row is not None
    parts = row[0].removeprefix("(").removesuffix(")").split(" AND ")
    assert len(parts) == 3
    del parts[part]
    generated.execute(f"alter policy member_reads_active_rows on {TABLE} using ({' AND '.join(parts)})")
    assert not same(generated, metadata, TABLE, "workspace_member")


# The documents


def schema_of(metadata: dict[str, Any], catalog: Catalog, role: str) -> GraphQLSchema:
    """Return the part of a role's GraphQL schema that Hasura builds from these tables and functions."""
    scalars, types, query, mutation = set(), [], [], []

    def scalar(kind: str) -> str:
        name = SCALARS.get(kind, kind.rsplit(".")[-1])
        name = f"_{name.removesuffix('[]')}" if name.endswith("[]") else name
        scalars.add(name)
        return name

    def visible(table: str) -> dict[str, Any] | None:
        found = [p["permission"] for p in tables(metadata)[table]["select_permissions"] if p["role"] == role]
        return found[0] if found else None

    def options(name: str) -> str:
        return f"where: {name}_bool_exp, order_by: [{name}_order_by!], limit: Int, offset: Int"

    for table, entry in tables(metadata).items():
        granted = visible(table)
        if granted is None:
            continue
        name = entry["configuration"]["custom_name"]
        fields, conditions, orders = (
            [],
            [f"_and: [{name}_bool_exp!], _or: [{name}_bool_exp!], _not: {name}_bool_exp"],
            [],
        )
        for column in granted["columns"]:
            kind, not_null = catalog.columns[table][column]
            fields.append(f"{column}: {scalar(kind)}{'!' * not_null}")
            conditions.append(f"{column}: {scalar(kind)}_comparison_exp")
            orders.append(f"{column}: order_by")
        for relationship in entry.get("object_relationships", []):
            _, parent, _ = catalog.relationship(metadata, table, relationship["name"])
            if visible(parent):
                remote = tables(metadata)[parent]["configuration"]["custom_name"]
                fields.append(f"{relationship['name']}: {remote}!")
                conditions.append(f"{relationship['name']}: {remote}_bool_exp")
                orders.append(f"{relationship['name']}: {remote}_order_by")
        for field in granted.get("computed_fields", []):
            definition = next(f["definition"] for f in entry["computed_fields"] if f["name"] == field)
            one = catalog.functions[regclass(definition)][0]
            own = [f"{argument}: {scalar(kind)}" for argument, kind in list(one["arguments"].items())[1:]]
            if own:
                types.append(f"input {field}_{name}_args {{ {' '.join(own)} }}")
            arguments = f"(args: {field}_{name}_args)" * bool(own)
            fields.append(f"{field}{arguments}: {scalar(one['result'])}")
        types.append(f"type {name} {{ {' '.join(fields)} }}")
        types.append(f"input {name}_bool_exp {{ {' '.join(conditions)} }}")
        types.append(f"input {name}_order_by {{ {' '.join(orders)} }}")
        query.append(f"{name}({options(name)}): [{name}!]!")

    for entry in metadata["sources"][0]["functions"]:
        if role not in [p["role"] for p in entry["permissions"]]:
            continue
        configuration, (one,) = entry["configuration"], catalog.functions[regclass(entry)]
        session, required = configuration.get("session_argument"), len(one["arguments"]) - one["defaults"]
        arguments = [
            f"{argument}: {scalar(kind)}" for argument, kind in one["arguments"].items() if argument != session
        ]
        name, result = configuration["custom_name"], tables(metadata)[one["result"]]["configuration"]["custom_name"]
        mandatory = "!" * (required > bool(session))
        types.append(f"input {name}_args {{ {' '.join(arguments)} }}")
        returned = f"[{result}!]!" if one["set"] else result
        field = f"{name}(args: {name}_args{mandatory}, {options(result)}): {returned}"
        (mutation if configuration["exposed_as"] == "mutation" else query).append(field)

    text = [f"scalar {name}" for name in scalars - {"Int", "String", "Boolean"}]
    text += [
        f"input {s}_comparison_exp {{ _eq: {s} _in: [{s}!] _gt: {s} _lt: {s} _is_null: Boolean }}" for s in scalars
    ]
    text += ["enum order_by { asc desc }", *types, f"type Query {{ {' '.join(query)} }}"]
    text += [f"type Mutation {{ {' '.join(mutation)} }}"] * bool(mutation)
    return build_schema("\n".join(text))


def documents() -> dict[str, str]:
    """Return every query of the collections, and those of the guide."""
    found = {q["name"]: q["query"] for c in load()["query_collections"] for q in c["definition"]["queries"]}
    guide = (ROOT / "docs" / "hasura.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```graphql\n(.*?)^```", guide, re.M | re.S)
    assert len(examples) >= 2
    return {**found, **{f"docs/hasura.md {place}": text for place, text in enumerate(examples)}}


@pytest.mark.parametrize("name", documents())
def test_every_document_is_valid(name: str, metadata: dict[str, Any], catalog: Catalog) -> None:
    document = parse(documents()[name])
    role = "connector_sync" if documents()[name].startswith("mutation") else "workspace_member"
    assert validate(schema_of(metadata, catalog, role), document) == []


@pytest.mark.parametrize(
    "text",
    [
        "{ company_workspace_connectors { pk } }",
        "{ company_workspace_connectors { company_pk } }",
        "{ company_workspace_connectors { company { workspace_pk } } }",
        "{ company_workspace_connectors_by_pk(pk: 1) { id } }",
        "{ company_workspace_connectors_aggregate { aggregate { count } } }",
        "{ core_api_company_workspace_connectors { id } }",
        "{ company_workspace_connectors_page(args: {hasura_session: {}}) { id } }",
        "mutation { insert_company_workspace_connectors(objects: []) { affected_rows } }",
        'mutation { delete_company_workspace_connector(args: {id: "x"}) { id } }',
    ],
)
def test_what_a_member_may_not_say_is_not_in_its_schema(text: str, metadata: dict[str, Any], catalog: Catalog) -> None:
    assert validate(schema_of(metadata, catalog, "workspace_member"), parse(text)) != []


def test_a_rest_endpoints_path_names_a_variable_of_its_query(metadata: dict[str, Any]) -> None:
    for endpoint in metadata["rest_endpoints"]:
        query = documents()[endpoint["definition"]["query"]["query_name"]]
        for variable in re.findall(r":(\w+)", endpoint["url"]):
            assert f"${variable}: " in query


# The fragment


def fragment(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the calls of the metadata API that add all of this to a host's metadata."""
    calls: list[dict[str, Any]] = []

    def call(kind: str, **arguments: Any) -> None:
        calls.append({"type": kind, "args": arguments})

    entries = tables(metadata).values()
    for entry in entries:
        call("pg_track_table", source="default", table=entry["table"], configuration=entry["configuration"])
    for entry in entries:
        for relationship in entry.get("object_relationships", []):
            call("pg_create_object_relationship", source="default", table=entry["table"], **relationship)
        for field in entry.get("computed_fields", []):
            call("pg_add_computed_field", source="default", table=entry["table"], **field)
    for entry in entries:
        for each in entry["select_permissions"]:
            call("pg_create_select_permission", source="default", table=entry["table"], **each)
    for entry in metadata["sources"][0]["functions"]:
        shared = {"source": "default", "function": entry["function"]}
        call("pg_track_function", **shared, configuration=entry["configuration"], comment=entry["comment"])
        for each in entry["permissions"]:
            call("pg_create_function_permission", **shared, **each)
    for collection in metadata["query_collections"]:
        call("create_query_collection", **collection)
    for endpoint in metadata["rest_endpoints"]:
        call("create_rest_endpoint", **endpoint)
    return {"type": "bulk_keep_going", "args": calls}


def test_the_fragment_says_what_the_directory_says(metadata: dict[str, Any]) -> None:
    file: Path = ROOT / "hasura" / "fragment.json"
    text = json.dumps(fragment(metadata), indent=1) + "\n"
    if os.environ.get("REGENERATE"):
        file.write_text(text, encoding="utf-8")
    assert file.read_text(encoding="utf-8") == text, "hasura/fragment.json is out of date: run `make generate`"
    assert GLOBEX not in text
