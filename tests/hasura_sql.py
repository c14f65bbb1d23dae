"""What Hasura v2 does with metadata: how it reads the directory, and which SQL it makes of a permission.

The translation follows graphql-engine's ``Hasura.Backends.Postgres.Translate.BoolExp``: each relationship in a boolean
expression becomes one more nested ``exists``; a comparison with a session variable reads the session's JSON.
"""

from pathlib import Path
from typing import Any

import psycopg
import yaml

from connector_provenance.migrations.sqlfile import ROOT

METADATA = ROOT / "hasura" / "metadata"
SCALARS = {"integer": "Int", "text": "String", "boolean": "Boolean", "timestamp with time zone": "timestamptz"}
"""GraphQL scalars that are not called like the type in PostgreSQL."""

OPERATORS = {
    "_eq": "{column} = {value}",
    "_neq": "{column} <> {value}",
    "_gt": "{column} > {value}",
    "_lt": "{column} < {value}",
    "_is_null": "{column} is null",
}


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
    """Return the directory as the one object that the CLI sends to the server."""
    return {
        **read(METADATA / "version.yaml"),
        "sources": read(METADATA / "databases" / "databases.yaml"),
        "query_collections": read(METADATA / "query_collections.yaml"),
        "rest_endpoints": read(METADATA / "rest_endpoints.yaml"),
    }


def regclass(entry: dict[str, Any]) -> str:
    """Return the qualified name of a tracked table or function."""
    named = entry.get("table") or entry["function"]
    return f"{named['schema']}.{named['name']}"


def tables(metadata: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the tracked tables by qualified name."""
    return {regclass(entry): entry for entry in metadata["sources"][0]["tables"]}


def permission(metadata: dict[str, Any], table: str, role: str) -> dict[str, Any]:
    """Return a role's select permission on a table."""
    found = [p["permission"] for p in tables(metadata)[table]["select_permissions"] if p["role"] == role]
    assert len(found) == 1
    return found[0]


class Catalog:
    """What Hasura knows of a database."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.columns: dict[str, dict[str, tuple[str, bool]]] = {}
        for table, column, kind, not_null in connection.execute(
            "select c.oid::regclass::text, a.attname, a.atttypid::regtype::text, a.attnotnull"
            " from pg_attribute as a inner join pg_class as c on c.oid = a.attrelid"
            " where c.relnamespace = 'core_api'::regnamespace and c.relkind = 'r' and a.attnum > 0"
            " and not a.attisdropped"
        ):
            self.columns.setdefault(table, {})[column] = (kind, not_null)
        self.foreign_keys: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for table, column, parent, key in connection.execute(
            "select f.conrelid::regclass::text, a.attname, f.confrelid::regclass::text, b.attname"
            " from pg_constraint as f"
            " inner join pg_attribute as a on a.attrelid = f.conrelid and f.conkey = array[a.attnum]"
            " inner join pg_attribute as b on b.attrelid = f.confrelid and f.confkey = array[b.attnum]"
            " where f.contype = 'f'"
        ):
            self.foreign_keys.setdefault((table, column), []).append((parent, key))
        self.functions: dict[str, list[dict[str, Any]]] = {}
        for name, result, returns_set, volatility, arguments, kinds, defaults, oid in connection.execute(
            "select p.pronamespace::regnamespace || '.' || p.proname, p.prorettype::regtype::text, p.proretset,"
            " p.provolatile, p.proargnames, array(select t::regtype::text from unnest(p.proargtypes) as t),"
            " p.pronargdefaults, p.oid"
            " from pg_proc as p where p.pronamespace = 'core_api'::regnamespace"
        ):
            self.functions.setdefault(name, []).append(
                {
                    "oid": oid,
                    "result": result,
                    "set": returns_set,
                    "volatile": volatility == "v",
                    "arguments": dict(zip(arguments or [], kinds, strict=True)),
                    "defaults": defaults,
                }
            )

    def relationship(self, metadata: dict[str, Any], table: str, name: str) -> tuple[str, str, str]:
        """Return a relationship's column, the parent and the parent's column.

        :raises KeyError: there is no such relationship, or not exactly one foreign key under it.
        """
        for entry in tables(metadata)[table].get("object_relationships", []):
            if entry["name"] == name:
                column = entry["using"]["foreign_key_constraint_on"]
                (found,) = self.foreign_keys.get((table, column), []) or [None]
                if found is None:
                    raise KeyError(f"{table}.{column} has no foreign key")
                return (column, *found)
        raise KeyError(f"{table} has no relationship {name}")


def where(metadata: dict[str, Any], catalog: Catalog, table: str, expression: Any, current: str, depth: int = 0) -> str:
    """Return a boolean expression as SQL.

    :param current: the alias of the row it is about.
    :raises KeyError: it names a column, relationship or operator that does not exist.
    :raises TypeError: an operator's value is not of its kind.
    """
    parts = []
    for key, inner in expression.items():
        if key in ("_and", "_or"):
            operator, neutral = (" and ", "true") if key == "_and" else (" or ", "false")
            each = [f"({where(metadata, catalog, table, e, current, depth)})" for e in inner]
            parts.append(operator.join([*each, neutral]))
        elif key == "_not":
            parts.append(f"not ({where(metadata, catalog, table, inner, current, depth)})")
        elif key in catalog.columns[table]:
            parts += [compare(current, key, *catalog.columns[table][key], o, value) for o, value in inner.items()]
        else:
            column, parent, parent_column = catalog.relationship(metadata, table, key)
            alias = f"_be_{depth}_{parent.replace('.', '_')}"
            nested = where(metadata, catalog, parent, inner, alias, depth + 1)
            parts.append(
                f"exists (select 1 from {parent} as {alias}"
                f" where ({alias}.{parent_column} = {current}.{column} and true) and ({nested}))"
            )
    return " and ".join([f"({part})" for part in parts] + ["true"])


def compare(current: str, column: str, kind: str, not_null: bool, operator: str, value: Any) -> str:
    """Return one comparison; a nullable column's ``_eq`` also finds null where the value is null, as Hasura has it."""
    template = OPERATORS[operator]
    name = f"{current}.{column}"
    if operator == "_is_null":
        if not isinstance(value, bool):
            raise TypeError("_is_null takes a boolean")
        return f"{name} is {'' if value else 'not '}null"
    if not (isinstance(value, str) and value.lower().startswith("x-hasura-")):
        raise TypeError(f"{value} is not a session variable")
    text = f"((%(session)s::json) ->> '{value.lower()}')::{kind}"
    compared = template.format(column=name, value=text)
    return compared if not_null else f"({compared}) or ({name} is null and {text} is null)"
