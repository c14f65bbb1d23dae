"""The rest of the model: the GraphQL schema that a role sees, and what its operations answer."""

import functools
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import psycopg
from graphql import (
    FieldNode,
    GraphQLSchema,
    ObjectValueNode,
    OperationDefinitionNode,
    ValueNode,
    build_schema,
    parse,
    print_ast,
    validate,
)
from graphql.utilities import value_from_ast_untyped

from connector_provenance.hasura.model import Function, Model, name_of

SCALARS = {"integer": "Int", "text": "String", "boolean": "Boolean", "timestamp with time zone": "timestamptz"}
"""GraphQL scalars that are not called like the type in PostgreSQL."""


def scalar(kind: str) -> str:
    """Return the GraphQL scalar of a type; an array's begins with ``_`` and takes no list."""
    name = SCALARS.get(kind, kind.rsplit(".")[-1])
    return f"_{name.removesuffix('[]')}" if name.endswith("[]") else name


@functools.cache
def schema(model: Model, role: str) -> GraphQLSchema:
    """Return the part of a role's GraphQL schema that Hasura builds from these tables and functions, made once."""
    scalars: set[str] = set()
    types: list[str] = []
    roots: dict[str, list[str]] = {"Query": [], "Mutation": [], "Subscription": []}

    def typed(kind: str) -> str:
        scalars.add(scalar(kind))
        return scalar(kind)

    def arguments(name: str, found: Function, given: int | str | None) -> str:
        """Return the field's argument ``args``, without the one that is given: the row (its place) or the session."""
        names = list(found.arguments)
        own = [n for place, n in enumerate(names) if given not in (place, n)]
        if not own:
            return ""
        types.append(f"input {name}_args {{ {' '.join(f'{n}: {typed(found.arguments[n])}' for n in own)} }}")
        return f"args: {name}_args{'!' * (len(own) > found.defaults)}"

    for table, entry in model.tables.items():
        permission = model.permission(table, role)
        if permission is None:
            continue
        name = entry["configuration"]["custom_name"]
        fields, conditions, orders = [], [f"{key}: [{name}_bool_exp!]" for key in ("_and", "_or")], []
        for column in permission["columns"]:
            kind, not_null = model.catalog.columns[table][column]
            fields.append(f"{column}: {typed(kind)}{'!' * not_null}")
            conditions.append(f"{column}: {typed(kind)}_comparison_exp")
            orders.append(f"{column}: order_by")
        for key, relationship in model.relationships(table).items():
            if model.permission(relationship.target, role):
                remote = model.tables[relationship.target]["configuration"]["custom_name"]
                fields.append(f"{key}{options(remote)}: [{remote}!]!" if relationship.many else f"{key}: {remote}!")
                conditions.append(f"{key}: {remote}_bool_exp")
        for key in permission.get("computed_fields", []):
            (found,) = model.catalog.functions[computed_field(model, table, key)]
            own = arguments(f"{key}_{name}", found, 0)
            fields.append(f"{key}{f'({own})' if own else ''}: {typed(found.result)}")
        types.append(f"type {name} {{ {' '.join(fields)} }}")
        types.append(f"input {name}_bool_exp {{ {' '.join(conditions)} }}")
        types.append(f"input {name}_order_by {{ {' '.join(orders)} }}")
        for root, key in (("Query", "query_root_fields"), ("Subscription", "subscription_root_fields")):
            shown = permission.get(key, ["select", "select_stream"])
            roots[root] += [f"{name}{options(name)}: [{name}!]!"] * ("select" in shown)
            if root == "Subscription" and "select_stream" in shown:
                roots[root].append(f"{name}_stream(batch_size: Int!): [{name}!]!")

    for entry in model.functions:
        if model.may_call(entry, role):
            (found,), configuration = model.catalog.functions[name_of(entry)], entry["configuration"]
            name, result = configuration["custom_name"], model.tables[found.result]["configuration"]["custom_name"]
            own = arguments(name, found, configuration.get("session_argument"))
            field = f"{name}{options(result, own)}: {f'[{result}!]!' if found.returns_set else result}"
            for root in ("Mutation",) if configuration["exposed_as"] == "mutation" else ("Query", "Subscription"):
                roots[root].append(field)

    text = [f"scalar {name}" for name in scalars - {"Int", "String", "Boolean"}]
    operators = "_eq: {0} _in: [{0}!] _gte: {0} _lt: {0} _is_null: Boolean"
    text += [f"input {name}_comparison_exp {{ {operators.format(name)} }}" for name in scalars]
    text += ["enum order_by { asc desc }", *types]
    text += [f"type {root} {{ {' '.join(fields)} }}" for root, fields in roots.items() if fields]
    return build_schema("\n".join(text))


def options(table: str, own: str = "") -> str:
    """Return the arguments of a field that shows rows of a table, after those of its own."""
    return f"({own} where: {table}_bool_exp, order_by: [{table}_order_by!], limit: Int, offset: Int)"


def computed_field(model: Model, table: str, name: str) -> str:
    """Return the function of a computed field."""
    return next(name_of(f["definition"]) for f in model.tables[table]["computed_fields"] if f["name"] == name)


def allowed(model: Model, text: str) -> bool:
    """Say whether an operation is in a collection of the allow list, however it is laid out."""
    listed = [each["collection"] for each in model.metadata["allowlist"]]
    texts = [text for (collection, _), text in collected(model).items() if collection in listed]
    return laid_out(text) in map(laid_out, texts)


@functools.cache
def laid_out(text: str) -> str:
    """Return an operation in the one layout."""
    return print_ast(parse(text))


def collected(model: Model) -> dict[tuple[str, str], str]:
    """Return the operations of the query collections by collection and name."""
    return {
        (collection["name"], query["name"]): query["query"]
        for collection in model.metadata["query_collections"]
        for query in collection["definition"]["queries"]
    }


def rest(model: Model, path: str) -> tuple[str, dict[str, Any]]:
    """Return the operation and the variables that a REST path stands for.

    :raises LookupError: there is no such endpoint.
    """
    url = urlsplit(path)
    parts = url.path.split("/")
    for endpoint in model.metadata["rest_endpoints"]:
        wanted = endpoint["url"].split("/")
        if len(wanted) != len(parts) or any(w not in (p, f":{w[1:]}") for w, p in zip(wanted, parts, strict=True)):
            continue
        variables = dict(parse_qsl(url.query))
        variables |= {w[1:]: p for w, p in zip(wanted, parts, strict=True) if w.startswith(":")}
        query = endpoint["definition"]["query"]
        return collected(model)[query["collection_name"], query["query_name"]], variables
    raise LookupError(path)


def ask(model: Model, connection: psycopg.Connection, case: dict[str, Any]) -> Any:
    """Return what the server answers to a question of ``check.py``.

    :param connection: as for :func:`answer`.
    """
    if "get" in case:
        text, variables = rest(model, case["get"])
    else:
        texts = {name: text for (_, name), text in collected(model).items()}
        text, variables = case.get("text") or texts[case["query"]], case.get("variables", {})
    if not allowed(model, text):
        return {"errors": [{"message": "query is not allowed"}]}
    found = answer(model, connection, case["role"], case["workspace"], text, variables)
    return found["data"] if "get" in case else found


def answer(
    model: Model,
    connection: psycopg.Connection,
    role: str,
    workspace: str,
    text: str,
    variables: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what the server answers to an operation.

    :param connection: of Hasura's login, in autocommit mode, with its ``search_path``.
    """
    document = parse(text)
    if problems := validate(schema(model, role), document):
        return {"errors": [{"message": problem.message} for problem in problems]}
    (operation,) = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    session = json.dumps({"x-hasura-role": role, "x-hasura-workspace-id": workspace})
    statement = Statement(model, role, session, variables or {})
    data = {}
    try:
        with connection.transaction():
            if operation.operation.value == "mutation":
                connection.execute("select set_config('hasura.user', %s, true)", (session,))
            for field in operation.selection_set.selections:
                assert isinstance(field, FieldNode)
                row = connection.execute(statement.root(field), statement.parameters).fetchone()
                assert row is not None
                data[key_of(field)] = row[0]
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        return {"errors": [{"message": error.diag.message_primary}]}
    except psycopg.Error:
        return {"errors": [{"message": "database query error"}]}
    return {"data": data}


def key_of(field: FieldNode) -> str:
    """Return the key of a field in the answer."""
    return (field.alias or field.name).value


class Statement:
    """Turns the fields of an operation into SQL that means what the server's means; the server's plan is another."""

    def __init__(self, model: Model, role: str, session: str, variables: dict[str, Any]) -> None:
        self.model, self.role, self.variables = model, role, variables
        self.parameters: dict[str, Any] = {"session": session}
        self.aliases = 0

    def value(self, value: Any, kind: str) -> str:
        """Return a value as a parameter of a type."""
        name = f"value_{len(self.parameters)}"
        as_json = kind in ("json", "jsonb") and value is not None
        self.parameters[name] = json.dumps(value) if as_json else value if value is None else str(value)
        return f"(%({name})s)::{kind.rsplit('.')[-1]}"

    def literal(self, node: ValueNode) -> Any:
        """Return the value of a literal or a variable; a variable that is not given is null to Hasura."""
        if isinstance(node, ObjectValueNode):
            return {field.name.value: self.literal(field.value) for field in node.fields}
        found = value_from_ast_untyped(node, self.variables)
        return found if isinstance(found, str | int | float | bool | list | dict) else None

    def arguments(self, field: FieldNode) -> dict[str, Any]:
        """Return the arguments of a field."""
        return {argument.name.value: self.literal(argument.value) for argument in field.arguments or ()}

    def call(self, function: str, field: FieldNode, *first: str) -> str:
        """Return the call of a function, after its row or session with what the field's ``args`` name."""
        (found,) = self.model.catalog.functions[function]
        given = self.arguments(field).get("args", {})
        named = [f"{name} => {self.value(value, found.arguments[name])}" for name, value in given.items()]
        return f"{function}({', '.join([*first, *named])})"

    def root(self, field: FieldNode) -> str:
        """Return the statement of a root field."""
        name = field.name.value
        for table, entry in self.model.tables.items():
            if entry["configuration"]["custom_name"] == name:
                return f"select {self.rows(table, table, field)}"
        (entry,) = [f for f in self.model.functions if f["configuration"]["custom_name"] == name]
        (found,), session = (
            self.model.catalog.functions[name_of(entry)],
            entry["configuration"].get("session_argument"),
        )
        first = [f"{session} => (%(session)s)::json"] if session else []
        rows = self.rows(found.result, self.call(name_of(entry), field, *first), field)
        return f"select {rows}" if found.returns_set else f"select {rows} -> 0"

    def rows(self, table: str, source: str, field: FieldNode, join: str = "true") -> str:
        """Return the rows of a table or function that the role sees and the field asks for, as one JSON array.

        :param join: a condition in which ``{alias}`` is the row.
        """
        self.aliases += 1
        alias, permission, given = f"row_{self.aliases}", self.model.permission(table, self.role), self.arguments(field)
        assert permission is not None
        conditions = [
            join.format(alias=alias),
            self.model.where(table, permission["filter"], alias),
            self.model.where(table, given.get("where") or {}, alias, self.value),
        ]
        orders = given.get("order_by") or []
        orders = orders if isinstance(orders, list) else [orders]
        order = ", ".join(f"{alias}.{column} {way}" for each in orders for column, way in each.items())
        return (
            f"(select coalesce(json_agg(shown.row), '[]') from ("
            f"select {self.fields(table, field, alias)} as row from {source} as {alias}"
            f" where {' and '.join(f'({each})' for each in conditions)} {order and 'order by'} {order}"
            f" limit {min(given.get('limit') or permission['limit'], permission['limit'])}"
            f" offset {given.get('offset') or 0}) as shown)"
        )

    def fields(self, table: str, field: FieldNode, alias: str) -> str:
        """Return the JSON object of one row."""
        parts, relationships = [], self.model.relationships(table)
        for inner in field.selection_set.selections if field.selection_set else ():
            assert isinstance(inner, FieldNode)
            name = inner.name.value
            if name in self.model.catalog.columns[table]:
                shown = f"{alias}.{name}"
            elif relationship := relationships.get(name):
                join = f"{{alias}}.{relationship.key} = {alias}.{relationship.column}"
                shown = self.rows(relationship.target, relationship.target, inner, join)
                shown = shown if relationship.many else f"{shown} -> 0"
            else:
                shown = self.call(computed_field(self.model, table, name), inner, alias)
            parts.append(f"'{key_of(inner)}', {shown}")
        return f"json_build_object({', '.join(parts)})"
