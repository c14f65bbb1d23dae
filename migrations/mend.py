"""The SQL that leads a database back to the contract, for a DBA to read and to run."""

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

import sqlalchemy as sa

from connector_provenance.migrations import sqlfile
from connector_provenance.migrations.contract import Difference, differences, facts, one_line

DEFINERS = re.compile(r"^\('\w+', '(function|view) (tenancy\.[^']*)', '[^\n]*owner tenancy_definer", re.M)
"""What the contract has tenancy_definer own, functions with their signature."""
NAME = re.compile(r'the deployer|"(?:[^"]|"")*"|[^\s"]+')
"""A role as the checks print it: quoted where it has to be, and then with whatever in it."""


def statements(connection: sa.Connection) -> str:
    """Return a script: what each difference is, and what mends it. What SQL cannot bring back is a comment.

    :param connection: to a migrated database; nothing is written.
    """
    found = differences(connection)
    found += _collateral(found)
    deployer = connection.exec_driver_sql(
        "select quote_ident(pg_get_userbyid(nspowner)) from pg_namespace where nspname = 'tenancy'"
    ).scalar_one()
    # Who owns a function or view decides who may grant on it, comment on it, or make a trigger of it.
    owned = [
        f"'{kind} {name}'"
        for kind, name in DEFINERS.findall(sqlfile.read("sql/verify.sql"))
        if any(re.search(rf"{name.partition('(')[0]}\b", f"{d.object} {d.wanted}") for d in found)
    ]
    lines = [
        "\\set ON_ERROR_STOP on",
        "begin;",
        "set local search_path = pg_catalog, pg_temp;",
        "set local lock_timeout = '500ms';",
    ]
    # What belongs to others and the roles themselves first; then, as the deployer, functions before what calls them.
    as_deployer = False
    for difference in sorted(found, key=_order):
        if not as_deployer and _order(difference)[0] > 0:
            as_deployer = True
            lines.append(f"\nset local role {deployer};")
            lines += [f"call tenancy.take_back({', '.join(owned)});"] if owned else []
        lines.append(f"\n-- {difference.text()}")
        lines += [line.replace("the deployer", str(deployer)) for line in safe(mend(difference))]
    if owned:
        lines.append(f"\ncall tenancy.hand_to_definer({', '.join(owned)});")
    return "\n".join([*lines, "commit;", ""])


def _order(difference: Difference) -> tuple[int, str]:
    foreign = " owner " in f" {difference.found}" and _owner(difference.found) != _owner(difference.wanted)
    if (
        difference.section in ("90_roles", "91_members")
        or difference.object.startswith("owner of")
        or (foreign and difference.wanted and "tenancy_definer" not in difference.wanted)
    ):
        return 0, difference.section
    return (1 if difference.object.startswith("function tenancy.") else 2), difference.section


def _collateral(found: list[Difference]) -> list[Difference]:
    """Return the facts that fall with what is dropped and made again: comments, and grants on the same table."""
    known = {difference.object for difference in found}
    lost = []
    for difference in found:
        extra = (
            re.fullmatch(r"grant (\w+) on (table \S+) to (.+)", difference.object) if not difference.wanted else None
        )
        for fact in facts():
            falls = fact.object == f"comment on {difference.object}" or (
                difference.found is None
                and difference.object.startswith("view ")
                and f" on table {difference.object.removeprefix('view ')} to " in fact.object
            )
            if extra and re.fullmatch(rf"grant {extra[1]} \(\w+\) on {re.escape(extra[2])} to {extra[3]}", fact.object):
                falls = True
            if falls and fact.object not in known:
                lost.append(Difference(fact.section, fact.object, None, fact.definition))
    return lost


def safe(lines: Iterable[str]) -> Iterator[str]:
    """Keep comments what they are, whatever is in the names of others' objects."""
    return (one_line(line) if line.lstrip().startswith("--") else line for line in lines)


def mend(difference: Difference) -> Iterator[str]:
    """Yield the statements that mend one difference, or a comment that says why none can."""
    kind, _, name = difference.object.partition(" ")
    wanted, found = difference.wanted, difference.found
    table = re.sub(r"^.* on ", "", name)
    match kind, difference.section:
        case ("policy" | "rule", _) | ("trigger", _):
            if found and found == f"{wanted}, disabled":
                yield f"alter table {table} enable trigger {name.removesuffix(f' on {table}')};"
                return
            if found:
                yield f"drop {kind} {name};"
            if wanted:
                yield f"create {kind} {_trigger(name, wanted) if kind == 'trigger' else f'{name} {wanted}'};"
        case "constraint", _:
            constraint = name.removesuffix(f" on {table}")
            if found:
                yield f"alter table {table} drop constraint {constraint};"
            if wanted:
                yield f"alter table {table} add constraint {constraint} {wanted};"
        case "index", _:
            if found:
                yield f"drop index {name};"
            if wanted:
                yield f"{wanted}; -- on a big table outside this transaction, concurrently"
        case "grant", "80_privileges" | "90_roles" | "91_members":
            if own := re.fullmatch(r"grant (\w+) on table (\S+) to its owner", difference.object):
                yield (
                    f"do $$ begin execute format('revoke {own[1]} on {own[2]} from %I', "  # noqa: S608
                    f"(select relowner::regrole from pg_class where oid = '{own[2]}'::regclass)); end $$;"
                )
            elif wanted and not found:
                yield f"{difference.object};"
            else:
                yield re.sub(r"^grant (.*) to (.+)$", r"revoke \1 from \2;", difference.object, flags=re.DOTALL)
                if wanted:
                    yield f"{difference.object};"
        case "comment", _:
            yield f"{difference.object} is {wanted or 'null'};"
        case "function", _:
            yield from _function(name, found, wanted)
        case "schema" | "table" | "view" | "sequence" | "materialized", "10_objects":
            yield from _object(difference)
        case "owner", _:
            yield f"alter {difference.object.removeprefix('owner of ')} owner to {wanted};"
        case "column", _ if wanted and found and re.match(r"core_api\.\w+_workspace_connectors\.", name):
            yield from _column(name, found, wanted)
        case "column", _ if wanted and found and name.startswith("tenancy."):
            yield from _column(name, found, wanted)
        case "role", "90_roles" if wanted:
            attributes = "nologin nosuperuser nobypassrls nocreaterole nocreatedb noreplication"
            yield f"alter role {name} {attributes}; -- as a role administrator; what only a superuser may, as one"
        case "role", _:
            member = NAME.findall(name)[0]
            yield f"revoke {name.removeprefix(f'{member} in ')} from {member};"
        case "right", _ if name.startswith("of the deployer"):
            yield "-- as a superuser, or who administers the role:"
            yield "grant tenancy_definer to the deployer with admin true, inherit false, set false;"
        case "right", _:
            yield f"revoke tenancy_definer from {NAME.findall(name.removeprefix('of role '))[0]};"
        case "binding", _ if found == "no such role":
            yield f"delete from tenancy.role_bindings where role = {name.split()[1]};"  # noqa: S608
        case "setting", _:
            setting, _, of = name.removesuffix(" of the server").partition(" of ")
            yield (
                f'alter {of.replace(" of database ", " in database ")} reset "{setting}";'
                if of
                else (f"-- reset {setting} where it is set for all")
            )
        case _:
            yield "-- no statement of ours can mend this: see what changed it, and decide"


def _trigger(name: str, wanted: str) -> str:
    trigger = name.split(" on ")[0]
    return f"{trigger} {wanted}"


def _column(name: str, found: str, wanted: str) -> Iterator[str]:
    table, _, column = name.rpartition(".")
    kind = re.compile(r"^(.*?)( not null)?(?: default (.*))?$")
    before, after = kind.match(found), kind.match(wanted)
    if not before or not after or before[1] != after[1]:
        yield f"-- {column}: SQL does not know what its values would become as {wanted}"
        return
    if before[2] != after[2]:
        yield f"alter table {table} alter column {column} {'set' if after[2] else 'drop'} not null;"
    if before[3] != after[3]:
        default = f"set default {after[3]}" if after[3] else "drop default"
        yield f"alter table {table} alter column {column} {default};"


def _object(difference: Difference) -> Iterator[str]:
    found, wanted, thing = difference.found, difference.wanted, difference.object
    if wanted is None:
        yield f"-- not this package's: drop {thing}; if nobody needs it"
        return
    if found is None:
        if (view := re.search(r"\bas (SELECT.*)$", wanted, re.S)) is None:
            yield f"-- {thing} is gone, and its rows with it: restore them from a backup"
            return
        yield f"create {thing} as {view[1]}"
        return
    if " as SELECT" in f" {wanted}" and found.partition("as SELECT")[2] != wanted.partition("as SELECT")[2]:
        yield f"create or replace {thing} as SELECT{wanted.partition('as SELECT')[2]}"
    for word, change in {"row level security": ("disable", "enable"), "forced": ("no force", "force")}.items():
        if (word in wanted) != (word in found):
            yield f"alter {thing} {change[word in wanted]} row level security;"
    if "unlogged" in found:
        yield f"alter {thing} set logged;"
    if options := re.search(r"with \((.*?)\)", found):
        yield f"alter {thing} reset ({', '.join(o.split('=')[0] for o in options[1].split(', '))});"
    if _owner(found) != (owner := _owner(wanted)) and owner != "tenancy_definer":
        yield f"alter {thing} owner to {owner};"


def _function(name: str, found: str | None, wanted: str | None) -> Iterator[str]:
    if found and wanted and OWNER.sub("", found) == OWNER.sub("", wanted):
        if not wanted.count(" owner tenancy_definer"):
            yield f"alter routine {name} owner to the deployer;"
        return  # else it is handed over at the end
    if wanted is None:
        yield f"drop routine {name}; -- not this package's: first see who made it"
        return
    text = source(name)
    if text is None:
        yield f"-- {name} has no file in this package"
        return
    created = re.sub(r"^create (function|procedure) ", r"create or replace \1 ", text, flags=re.M)
    yield from (line for line in created.splitlines() if not line.startswith(("--", "call tenancy.hand_to_definer")))


OWNER = re.compile(r"\bowner (the deployer|[^,]+)")


def _owner(definition: str | None) -> str | None:
    return match[1] if (match := OWNER.search(definition or "")) else None


def source(name: str) -> str | None:
    """Return the newest file of a function.

    :param name: with schema and signature, as ``regprocedure`` prints it.
    """
    bare = name.partition("(")[0].partition(".")[2]
    files = sorted((sqlfile.ROOT / "sql/functions").glob(f"{bare}_v[0-9][0-9].sql"))
    return files[-1].read_text(encoding="utf-8") if files else None


def explained(connection: sa.Connection, difference: Difference) -> Difference:
    """Return the difference, of a function's body with the lines that differ."""
    if not (difference.found and difference.wanted and difference.object.startswith("function ")):
        return difference
    return replace(difference, mend=body_diff(connection, difference.object.removeprefix("function ")) or None)


def body_diff(connection: sa.Connection, name: str) -> str:
    """Return how the body of a plpgsql function differs from its file, as a unified diff; empty for other functions."""
    text = source(name)
    live = connection.exec_driver_sql(
        "select prosrc from pg_proc where oid = to_regprocedure(%(name)s) and prosqlbody is null", {"name": name}
    ).scalar()
    if text is None or live is None or (body := re.search(r"\bas \$\$(.*?)\$\$;", text, re.S)) is None:
        return ""
    lines = difflib.unified_diff(body[1].splitlines(), str(live).splitlines(), "contract", "database", lineterm="")
    return "\n".join(lines)
