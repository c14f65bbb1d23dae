"""A model of Hasura v2: what it reads from a metadata directory, what a role may ask, and the SQL of a permission.

No engine runs where this package is tested. Tests and benchmarks ask this model, which does as graphql-engine does:

- each relationship in a boolean expression is one more nested ``exists``; a session variable is read from JSON;
- the permission of a role that inherits others is the union of theirs;
- a function that reads needs a permission of its own only where HASURA_GRAPHQL_INFER_FUNCTION_PERMISSIONS is false;
  one that writes always needs it.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import yaml

HERE = Path(__file__).resolve().parent
OPERATORS = {"_eq": "=", "_neq": "<>", "_gt": ">", "_gte": ">=", "_lt": "<", "_lte": "<="}


def read(path: Path) -> Any:
    """Return a YAML file with the files that it includes, each relative to the file that names it."""

    def resolve(value: Any) -> Any:
        match value:
            case str() if value.startswith("!include "):
                return read(path.parent / value.removeprefix("!include "))
            case dict():
                return {key: resolve(inner) for key, inner in value.items()}
            case list():
                return [resolve(inner) for inner in value]
        return value

    return resolve(yaml.safe_load(path.read_text(encoding="utf-8")))


def load() -> dict[str, Any]:
    """Return the metadata directory as the one object that the CLI sends to the server."""
    files = {
        "sources": "databases/databases",
        "inherited_roles": "inherited_roles",
        "query_collections": "query_collections",
        "allowlist": "allow_list",
        "rest_endpoints": "rest_endpoints",
    }
    metadata = HERE / "metadata"
    return {
        **read(metadata / "version.yaml"),
        **{key: read(metadata / f"{name}.yaml") for key, name in files.items()},
    }


def fragment(metadata: dict[str, Any]) -> str:
    """Return the calls of the metadata API that add all of this to a host's metadata, one a line, as JSON."""
    calls: list[str] = []

    def call(kind: str, **arguments: Any) -> None:
        calls.append(json.dumps({"type": kind, "args": arguments}))

    source = metadata["sources"][0]
    for entry in source["tables"]:
        call("pg_track_table", source="default", table=entry["table"], configuration=entry["configuration"])
    for part, kind in (
        ("object_relationships", "pg_create_object_relationship"),
        ("array_relationships", "pg_create_array_relationship"),
        ("computed_fields", "pg_add_computed_field"),
        ("select_permissions", "pg_create_select_permission"),
    ):
        for entry in source["tables"]:
            for each in entry.get(part, []):
                call(kind, source="default", table=entry["table"], **each)
    for entry in source["functions"]:
        shared = {"source": "default", "function": entry["function"]}
        call("pg_track_function", **shared, configuration=entry["configuration"], comment=entry["comment"])
        for each in entry["permissions"]:
            call("pg_create_function_permission", **shared, **each)
    for key, kind in (
        ("inherited_roles", "add_inherited_role"),
        ("query_collections", "create_query_collection"),
        ("allowlist", "add_collection_to_allowlist"),
        ("rest_endpoints", "create_rest_endpoint"),
    ):
        for each in metadata[key]:
            call(kind, **each)
    return '{"type": "bulk_keep_going", "args": [\n' + ",\n".join(calls) + "\n]}\n"


def name_of(entry: dict[str, Any]) -> str:
    """Return the qualified name of a tracked table or function, or of a computed field's function."""
    named = entry.get("table") or entry["function"]
    return f"{named['schema']}.{named['name']}"


@dataclass(frozen=True)
class Function:
    """What Hasura knows of a function: its arguments' types by name, and how many of them have defaults."""

    oid: int
    result: str
    returns_set: bool
    volatile: bool
    arguments: dict[str, str]
    defaults: int


class Catalog:
    """What Hasura knows of a database."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.columns: dict[str, dict[str, tuple[str, bool]]] = {}
        """Type of each column by table and name, and whether it is never null."""
        for table, column, kind, not_null in connection.execute(
            "select c.oid::regclass::text, a.attname, a.atttypid::regtype::text, a.attnotnull"
            " from pg_attribute as a inner join pg_class as c on c.oid = a.attrelid"
            " where c.relnamespace = 'core_api'::regnamespace and c.relkind = 'r' and a.attnum > 0"
            " and not a.attisdropped"
        ):
            self.columns.setdefault(table, {})[column] = (kind, not_null)
        self.foreign_keys: dict[tuple[str, str], tuple[str, str]] = {}
        """Table and column that each foreign key of one column refers to."""
        for table, column, parent, key in connection.execute(
            "select f.conrelid::regclass::text, a.attname, f.confrelid::regclass::text, b.attname"
            " from pg_constraint as f"
            " inner join pg_attribute as a on a.attrelid = f.conrelid and f.conkey = array[a.attnum]"
            " inner join pg_attribute as b on b.attrelid = f.confrelid and f.confkey = array[b.attnum]"
            " where f.contype = 'f'"
        ):
            self.foreign_keys[table, column] = (parent, key)
        self.functions: dict[str, list[Function]] = {}
        for name, names, kinds, *facts in connection.execute(
            "select p.pronamespace::regnamespace || '.' || p.proname, p.proargnames,"
            " array(select t::regtype::text from unnest(p.proargtypes) as t),"
            " p.oid, p.prorettype::regtype::text, p.proretset, p.provolatile = 'v', p.pronargdefaults"
            " from pg_proc as p where p.pronamespace = 'core_api'::regnamespace"
        ):
            oid, result, returns_set, volatile, defaults = facts
            arguments = dict(zip(names or [], kinds, strict=False))
            found = Function(oid, result, returns_set, volatile, arguments, defaults)
            self.functions.setdefault(name, []).append(found)


@dataclass(frozen=True)
class Relationship:
    """Rows of ``target`` whose ``key`` is this table's ``column``: one, or many."""

    column: str
    target: str
    key: str
    many: bool


Value = Callable[[Any, str], str]
"""Turns a value of a boolean expression into SQL of a type."""


def session_variable(value: Any, kind: str) -> str:
    """Return a permission's value as SQL, which reads it from the parameter ``session``.

    :raises TypeError: it is no session variable.
    """
    if not (isinstance(value, str) and value.lower().startswith("x-hasura-")):
        raise TypeError(f"{value} is not a session variable")
    return f"((%(session)s::json) ->> '{value.lower()}')::{kind}"


class Model:
    """Metadata over a database, as the server understands it.

    :param infer_function_permissions: the server's setting of that name, true unless it is set.
    """

    def __init__(
        self, metadata: dict[str, Any], connection: psycopg.Connection, *, infer_function_permissions: bool = True
    ) -> None:
        self.metadata = metadata
        self.catalog = Catalog(connection)
        self.infer_function_permissions = infer_function_permissions

    @property
    def tables(self) -> dict[str, dict[str, Any]]:
        """The tracked tables by qualified name."""
        return {name_of(entry): entry for entry in self.metadata["sources"][0]["tables"]}

    @property
    def functions(self) -> list[dict[str, Any]]:
        """The tracked functions."""
        return self.metadata["sources"][0]["functions"]

    def parents(self, role: str) -> list[str]:
        """Return the roles that a role inherits from."""
        return [r for each in self.metadata["inherited_roles"] if each["role_name"] == role for r in each["role_set"]]

    def permission(self, table: str, role: str) -> dict[str, Any] | None:
        """Return what a role may select from a table.

        :raises ValueError: parents show different columns; what Hasura then makes null, cell by cell, is not modelled.
        """
        for each in self.tables[table]["select_permissions"]:
            if each["role"] == role:
                return each["permission"]
        inherited = [found for parent in self.parents(role) if (found := self.permission(table, parent))]
        if not inherited:
            return None
        merged = {**inherited[0], "filter": {"_or": [each["filter"] for each in inherited]}}
        if any({**each, "filter": merged["filter"]} != merged for each in inherited):
            raise ValueError(f"the parents of {role} do not show the same of {table}")
        return merged

    def may_call(self, function: dict[str, Any], role: str) -> bool:
        """Say whether a tracked function is in a role's schema."""
        (found,) = self.catalog.functions[name_of(function)]
        if self.permission(found.result, role) is None:
            return False
        if self.infer_function_permissions and function["configuration"]["exposed_as"] == "query":
            return True
        roles = [each["role"] for each in function["permissions"]]
        return role in roles or any(self.may_call(function, parent) for parent in self.parents(role))

    def relationships(self, table: str) -> dict[str, Relationship]:
        """Return a table's relationships by name.

        :raises KeyError: there is no foreign key under one of them.
        """
        found, entry = {}, self.tables[table]
        for each in entry.get("object_relationships", []):
            column = each["using"]["foreign_key_constraint_on"]
            found[each["name"]] = Relationship(column, *self.catalog.foreign_keys[table, column], many=False)
        for each in entry.get("array_relationships", []):
            using = each["using"]["foreign_key_constraint_on"]
            target, key = name_of(using), using["column"]
            parent, column = self.catalog.foreign_keys[target, key]
            if parent != table:
                raise KeyError(f"{target}.{key} refers to {parent}, not {table}")
            found[each["name"]] = Relationship(column, target, key, many=True)
        return found

    def where(self, table: str, expression: dict[str, Any], alias: str, value: Value = session_variable) -> str:
        """Return a boolean expression about a row of ``alias`` as SQL.

        :raises KeyError: it names a column, relationship or operator that does not exist.
        :raises TypeError: an operator's value is not of its kind.
        """
        parts = ["true"]
        for key, inner in expression.items():
            if key in ("_and", "_or"):
                operator, neutral = (" and ", "true") if key == "_and" else (" or ", "false")
                parts.append(operator.join([*(f"({self.where(table, e, alias, value)})" for e in inner), neutral]))
            elif key == "_not":
                parts.append(f"not ({self.where(table, inner, alias, value)})")
            elif key in self.catalog.columns[table]:
                parts += [self.compare(table, key, alias, operator, each, value) for operator, each in inner.items()]
            else:
                relationship = self.relationships(table)[key]
                nested = f"in_{alias}"
                parts.append(
                    f"exists (select 1 from {relationship.target} as {nested}"
                    f" where ({nested}.{relationship.key} = {alias}.{relationship.column})"
                    f" and ({self.where(relationship.target, inner, nested, value)}))"
                )
        return " and ".join(f"({part})" for part in parts)

    def compare(self, table: str, column: str, alias: str, operator: str, value: Any, render: Value) -> str:
        """Return one comparison; on a nullable column, ``_eq`` also finds null where the value is null."""
        kind, not_null = self.catalog.columns[table][column]
        name = f"{alias}.{column}"
        if operator == "_is_null":
            if not isinstance(value, bool):
                raise TypeError("_is_null takes a boolean")
            return f"{name} is {'' if value else 'not '}null"
        # Hasura casts to the bare name of the type: where that is an enum's, its search_path has to hold the schema.
        sign, text = OPERATORS[operator], render(value, kind.rsplit(".")[-1])
        compared = f"{name} {sign} {text}"
        if operator == "_eq" and not not_null:
            return f"({compared}) or ({name} is null and {text} is null)"
        return compared
