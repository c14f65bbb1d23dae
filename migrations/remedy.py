"""What to print for a difference of the preflight: statements for a filled, live database, or advice where SQL cannot know.

Each statement waits for locks as briefly as its work allows. A comment in front says who runs it, where that is not the
tables' owner, and what rewrites a table, locks it for long, narrows something or changes values.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import sqlalchemy as sa

from connector_provenance.migrations import mend
from connector_provenance.migrations.contract import Difference, facts

THERE = sa.text(
    "select 'table ' || c.oid::regclass, format('%s rows, %s', case when c.reltuples < 0 then 'uncounted' else"
    " 'about ' || c.reltuples::bigint end, pg_size_pretty(pg_relation_size(c.oid))) from pg_catalog.pg_class as c"
    " where c.relnamespace = to_regnamespace('core_api') and c.relkind = 'r' union all"
    " select format('constraint %I on %s', k.conname, k.conrelid::regclass), '' from pg_catalog.pg_constraint as k"
    " where k.connamespace = to_regnamespace('core_api') union all"
    " select 'type ' || t.oid::regtype, '' from pg_catalog.pg_type as t where t.typnamespace = to_regnamespace('core_api')"
)

COLUMN = re.compile(
    r"(?P<type>.*?)(?P<null> not null)?(?: default (?P<default>.*?))?(?P<key> primary key| unique)?"
    r"(?: references (?P<parent>[^\s,]+)(?:, not valid: (?P<invalid>.*))?)?"
)

USING = (
    ("uuid", r"text|character.*", "uuid", "fails, and changes nothing, at a value that is no uuid"),
    ("integer", r"bigint|smallint", "integer", "fails, and changes nothing, at a value beyond 2147483647"),
    ("core_api.direction_enum", r"text|character.*|[^ ]+\.[^ ]+", "text::core_api.direction_enum",
     "fails, and changes nothing, at a value that is not input or output"),
    ("timestamp with time zone", r"timestamp\(\d\) with time zone", None, ""),
)  # fmt: skip
"""Type wanted, types that can be converted to it, how, and what to say; a type without time zone has lost its zone."""


def add(connection: sa.Connection, differences: Sequence[Difference]) -> list[Difference]:
    """Return the differences with what mends each.

    :param connection: set up as for the preflight's own query, so that names are printed as there.
    """
    there = {thing: size for thing, size in connection.execute(THERE)}
    found = {(each.object.partition(" on ")[2], each.found) for each in differences if each.wanted is None}
    # A key that is there under another name is renamed, so it is not missing.
    renamed = (each.found is None and (each.object.partition(" on ")[2], each.wanted) in found for each in differences)
    return [
        replace(each, mend="\n".join(mend.safe(_lines(each, there))) or None)
        for each, skip in zip(differences, renamed, strict=True)
        if not skip
    ]


def _lines(difference: Difference, there: Mapping[str, str]) -> Iterator[str]:
    kind, _, name = difference.object.partition(" ")
    found, wanted = difference.found or "", difference.wanted or ""
    table = re.sub(r"^.* on ", "", name)
    match kind:
        case "column":
            yield from _column(name, found, wanted, there)
        case "constraint" if difference.severity != "warning":
            yield from _constraint(name.removesuffix(f" on {table}"), table, found, wanted, there)
        case "index":
            if not wanted and " USING btree (workspace_connector_pk" in found:  # ours first, so that reads have one
                ours = f"index {found.split(' ON ')[1].split()[0]}_page_index"
                page = next(fact.definition for fact in facts() if fact.object == ours)
                yield page.replace("CREATE INDEX", "create index concurrently if not exists") + ";"
            yield f"drop index concurrently {name};"
        case "policy" if "hides rows from tenancy_definer" in found:
            yield f"-- limit it to the roles that it is meant for: alter policy {name} to …;"
        case "policy" | "rule" | "trigger" | "grant" if difference.severity != "warning":
            yield from ["-- as a role administrator:"] * (difference.section == "90_roles")
            yield from mend.mend(replace(difference, wanted=None))
        case "grant":
            yield "-- a downgrade revokes it: grant it again then"
        case "role":
            lost = re.findall(r"superuser|bypassrls|createrole|createdb|replication|login", found)
            yield "-- as a role administrator, or a superuser:"
            yield f"alter role {name} {' '.join(f'no{attribute}' for attribute in lost)};"
        case "right":
            yield from _right(name.removeprefix("to "), wanted.removeprefix("held by "))
        case "table" if found.startswith("unlogged"):
            yield f"-- rewrites {name} ({there[difference.object]}) under ACCESS EXCLUSIVE"
            yield f"alter table {name} set logged;"
        case "table" if " inherits from " in name:
            yield "-- detach the one from the other: rows of a child or a partition go past policies and guards"
        case "table" if found:
            yield f"-- rename it, with whatever uses it, or use another database: the table {name} needs this name"
        case "table":
            yield f"-- this package would create an empty {name}: give yours this name first, or make it, with its rows"
        case "name":
            yield "-- whatever calls it by its name has to follow"
            yield f"alter {'index' if ' INDEX ' in found else found} {name} rename to {name.partition('.')[2]}_old;"
        case "function":
            yield "-- rename it, or move it to another schema, with whatever calls it: its name is needed"
        case "schema":
            yield "-- rename it, or use another database: the name is needed, and what is in it is not touched"
        case "type":
            yield "-- only you know what other labels stand for: make a new enum with input and output, in this order, alter"
            yield f"-- the columns to it, and give it the name {name}"
        case "sequence":
            yield f"alter sequence {name} {wanted.partition(', owner')[0].replace(', ', ' no cycle ')};"
        case "row" if difference.severity != "warning":
            yield f"alter table {name.removeprefix('level security of ')} no force row level security;"
        case "row":
            yield "-- rows that span two workspaces are found by the upgrade itself then, which stops before the guards"
        case "rows":
            yield f"-- list them: {difference.mend}"
            if "differ" in found:
                yield "-- A row belongs to one workspace. If a connector of yours serves several, give each of them a connector of its own"
                yield "-- and point the rows at it; a row that is a mistake, correct or delete. Nobody but you knows which is which."
            else:
                yield "-- make what they refer to, or delete them"
        case "view":
            yield from ["-- as its owner:"] * name.startswith("of ")
            yield f"alter view {name.removeprefix('of ')} set (security_invoker = true); -- it then shows what its reader may see"
        case "materialized" if difference.severity == "warning":
            yield "-- have it owned, and refreshed, by a member of hasura_service, or drop it"
        case "materialized" | "definer":
            users = found.rpartition(" to ")[2]
            yield f"-- as its owner: {users} can use it no longer"
            what = name.removeprefix("view of ").replace("function of ", "function ")
            yield f"revoke all on {what} from {users};"


def _right(name: str, deployer: str) -> Iterator[str]:
    if name.startswith("create schemas in "):
        yield "-- as the owner of the database:"
        yield f"grant create on database {name.split()[-1]} to {deployer};"
    elif name == "use schema tenancy":
        yield "-- rename it, or use another database: the name is needed"
    elif name.startswith(("create in schema ", "use schema ")):
        yield "-- as the owner of the schema:"
        yield f"grant usage, create on schema core_api to {deployer} with grant option;"
    elif name.startswith("change "):
        yield "-- as a role administrator:"
        yield f"grant {name.split(' belongs to ')[1]} to {deployer};"
    elif name.startswith("use "):
        yield "-- as the owner of the type:"
        yield f"grant usage on {name.removeprefix('use ')} to {deployer};"
    else:
        yield "-- as a role administrator, what this prints:"
        yield f"-- connector-provenance sql --roles {deployer}"


def _column(name: str, found: str, wanted: str, there: Mapping[str, str]) -> Iterator[str]:
    table, _, column = name.rpartition(".")
    size = there.get(f"table {table}", "")
    after = COLUMN.fullmatch(wanted)
    if found == "not null":
        yield f"alter table {table} alter column {column} drop not null; -- or give it a default"
        return
    assert after
    if not found:
        if after["null"] or after["key"] or after["parent"]:
            yield f"-- only you know the {column} of each row: add it, fill it, and make it {wanted}"
        else:
            yield f"alter table {table} add column {column} {wanted};"
        return
    before = COLUMN.fullmatch(found)
    assert before
    default = before["default"]
    if before["type"] != after["type"]:
        how = next((each for each in USING if each[0] == after["type"] and re.fullmatch(each[1], before["type"])), None)
        if how is None:
            yield f"-- only you know what a {before['type']} would be as {after['type']}: convert the column yourself"
            return
        _, _, cast, warning = how
        if cast and f"type {after['type']}" not in there and "." in after["type"]:
            yield f"create type {after['type']} as enum ('input', 'output');"
        yield (
            f"-- rewrites {table} ({size}) under ACCESS EXCLUSIVE; {warning}"
            if cast
            else "-- ACCESS EXCLUSIVE, for milliseconds"
        )
        change = f"type {after['type']}" + (f" using {column}::{cast}" if cast else "")
        clauses = [f"alter column {column} {change}"]
        if default and "nextval" not in default:
            clauses.insert(0, f"alter column {column} drop default")
            default = None
        yield f"alter table {table} {', '.join(clauses)};"
    if not before["parent"] and after["default"] != default:
        yield from _default(table, column, default, after["default"])
    if after["null"] and not before["null"]:
        yield from _not_null(table, column, size)
    elif before["null"] and not after["null"]:
        yield f"alter table {table} alter column {column} drop not null;"
    if after["key"] and before["key"] != after["key"]:
        primary = after["key"] == " primary key"
        constraint = f"{table.partition('.')[2]}_{'pkey' if primary else f'{column}_unique'}"
        yield from _unique(table, constraint, f"{after['key'].strip()} ({column})", size)
    if after["parent"] and before["invalid"]:
        yield f"alter table {table} validate constraint {before['invalid']}; -- reads {size}, and blocks nobody"
    elif after["parent"] and not before["parent"]:
        constraint = f"{table.partition('.')[2]}_{column}_foreign"
        yield (
            f"alter table {table} add constraint {constraint} foreign key ({column}) references {after['parent']} (pk)"
            " not valid;"
        )
        yield f"alter table {table} validate constraint {constraint}; -- reads {size}, and blocks nobody"


def _default(table: str, column: str, found: str | None, wanted: str | None) -> Iterator[str]:
    sequence = re.fullmatch(r"nextval\('(.+)'::regclass\)", wanted or "")
    if sequence is None:
        yield f"alter table {table} alter column {column} {f'set default {wanted}' if wanted else 'drop default'};"
    elif other := re.fullmatch(r"nextval\('(.+)'::regclass\)", found or ""):
        schema, _, bare = other[1].rpartition(".")
        if schema != "core_api":
            yield f"alter sequence {other[1]} set schema core_api;"
        if bare != sequence[1].partition(".")[2]:
            yield f"alter sequence core_api.{bare} rename to {sequence[1].partition('.')[2]};"
        yield f"alter sequence {sequence[1]} as integer owned by {table}.{column};"
    else:
        yield "-- ACCESS EXCLUSIVE, for milliseconds; numbers go on after the highest that is stored"
        yield "begin;"
        yield f"alter table {table} alter column {column} drop identity if exists;"
        yield f"create sequence {sequence[1]} as integer owned by {table}.{column};"
        yield f"select setval('{sequence[1]}', coalesce(max({column}), 0) + 1, false) from {table};"
        yield f"alter table {table} alter column {column} set default nextval('{sequence[1]}');"
        yield "commit;"


def _not_null(table: str, column: str, size: str) -> Iterator[str]:
    constraint = f"{column}_is_there"
    yield f"alter table {table} add constraint {constraint} check ({column} is not null) not valid;"
    yield f"-- reads {size}, and blocks nobody; fails at a row without a value, which only you know"
    yield f"alter table {table} validate constraint {constraint};"
    yield f"alter table {table} alter column {column} set not null; -- reads no row, as the constraint is proof enough"
    yield f"alter table {table} drop constraint {constraint};"


def _unique(table: str, constraint: str, definition: str, size: str, *, instead: bool = False) -> Iterator[str]:
    kind, _, columns = definition.rpartition(" ")
    index = f"{constraint}_new" if instead else constraint
    yield f"-- reads {size}, and blocks nobody; fails where a value repeats: then drop index concurrently, and settle it"
    yield f"create unique index concurrently {index} on {table} {columns};"
    dropped = f"drop constraint {constraint}, " if instead else ""
    yield f"alter table {table} {dropped}add constraint {constraint} {kind} using index {index};"


def _constraint(name: str, table: str, found: str, wanted: str, there: Mapping[str, str]) -> Iterator[str]:
    size = there[f"table {table}"]
    if found.endswith(" NOT VALID") and (wanted or not found.startswith("FOREIGN")):
        yield f"alter table {table} validate constraint {name}; -- reads {size}, and blocks nobody"
    elif wanted.startswith(("PRIMARY", "UNIQUE")):
        yield from _unique(table, name, wanted.lower(), size, instead=bool(found))
    elif ours := [
        each
        for each in facts()
        if each.definition == found and each.object.endswith(f" on {table}") and each.object not in there
    ]:
        yield f"alter table {table} rename constraint {name} to {ours[0].object.split()[1]};"
    else:
        foreign = found.startswith("FOREIGN")
        yield "-- the upgrade adds the one that is needed" if foreign else "-- what it forbids may be stored then"
        yield f"alter table {table} drop constraint {name};"
