"""The contract: what the checks in ``sql/checks`` read from the catalog of a database just migrated."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from psycopg.errors import Diagnostic, RaiseException

from connector_provenance.migrations import sqlfile

CHECKS = "sql/checks"


@dataclass(frozen=True, order=True)
class Fact:
    """One row of the contract: what an object is, and the created object without which it does not apply."""

    section: str
    object: str
    definition: str
    only_with: str | None = None

    def line(self) -> str:
        """Return the fact as a row of SQL's ``values``."""
        cells = (self.section, self.object, self.definition, self.only_with)
        return f"({', '.join('null' if cell is None else quote(cell) for cell in cells)})"


@dataclass(frozen=True)
class Difference:
    """Where a database is not what the contract says; ``found`` or ``wanted`` is None where there is no such object."""

    section: str
    object: str
    found: str | None
    wanted: str | None
    mend: str | None = None
    """What leads to the contract: statements, or advice in comments; who runs them stands in front."""
    severity: str = "drift"
    """``warning`` for what is worth knowing and refuses nothing."""

    def text(self) -> str:
        """Return the difference in one line, in the words of ``sql/verify.sql``."""
        if not self.section:
            return one_line(f"{self.object}: {self.found}" if self.found else self.object)
        return one_line(f"{self.object}: found {self.found or 'none'}; the contract says {self.wanted or 'none'}")


def one_line(text: str) -> str:
    """Return a text without its line ends: what follows one in an object's name would be no comment any more."""
    return re.sub(r"[\r\n]+", " ", text)


def quote(text: str) -> str:
    """Return a literal of SQL, whatever the server's settings say of backslashes."""
    return "'" + text.replace("'", "''") + "'"


def found(rows: str, scope: str = "scope.sql.in", skip: str = "$^") -> str:
    """Return the common table expressions ``contract`` … ``found``.

    :param rows: the contract's, as they stand after ``values``; at least one.
    :param scope: the file that says which tables are looked at.
    :param skip: a regular expression for the names of checks that are left out.
    """
    checks = sorted((sqlfile.ROOT / CHECKS).glob("*.sql"))
    union = "\nunion all\n".join(
        f"select\n{quote(path.stem)} as section,\nf.*\nfrom (\n{path.read_text(encoding='utf-8').rstrip()}\n) as f"
        for path in checks
        if not re.match(skip, path.name)
    )
    return (
        f"contract (section, object, definition, only_with) as (\nvalues\n{rows}\n),\n\n"
        f"{sqlfile.read(f'{CHECKS}/{scope}').rstrip()},\n\nfound as (\n{union}\n)"
    )


DIFFERENCES = """select
coalesce(c.section, f.section) as section,
coalesce(c.object, f.object) as object,
f.definition as found,
c.definition as wanted
from (
    select k.* from contract as k
    where
        (
            k.only_with is null
            or exists (select from managed as m where m.thing = k.only_with and m.created)
            -- The host's own row-level security on an adopted parent would blind the guards without this.
            or exists (
                select from scope as s
                inner join pg_catalog.pg_class as t on s.relation = t.oid and t.relrowsecurity
                where 'policy definer_reads_every_row on ' || s.relation::regclass = k.object
            )
        )
        and k.object not in (select 'comment on ' || m.thing from managed as m where not m.created)
) as c
full join found as f on c.object = f.object
where
    c.definition is distinct from f.definition
    and not (c.object is null and coalesce(f.lenient, false))
    and regexp_replace(c.definition, ', body [0-9a-f]{32}$', ', body of an adopted table') is distinct from f.definition
order by 1, 2"""


def compile_verify(rows: Iterable[Fact]) -> str:
    """Return the text of ``sql/verify.sql``, which psql runs without Python.

    :param rows: what :func:`read` found on a database just migrated.
    """
    frame = sqlfile.read(f"{CHECKS}/verify.sql.in")
    begin, end = "-- query\n", "-- end of query\n"
    lines = ",\n".join(fact.line() for fact in sorted(rows))
    return frame.replace(begin + end, f"{begin}with\n{found(lines)}\n\n{DIFFERENCES}\n{end}")


def read(connection: sa.Connection, skip: str = "$^") -> list[Fact]:
    """Read the facts of a database whose schema ``core_api`` holds no functions but this package's.

    :param skip: a regular expression for the names of checks that are left out.
    """
    functions = _select(
        connection, "select oid::regprocedure::text from pg_proc where pronamespace = to_regnamespace('core_api')"
    )
    names = ",\n".join(Fact("", f"function {name}", "").line() for name in ["", *(row[0] for row in functions)])
    rows = _select(connection, f"with\n{found(names, skip=skip)}\nselect section, object, definition, thing from found")
    return [Fact(*row) for row in rows]


def differences(connection: sa.Connection) -> list[Difference]:
    """Compare a migrated database with the contract.

    :raises sqlalchemy.exc.DBAPIError: it lacks what the checks themselves refer to; ``sql/verify.sql`` says what.
    """
    text = sqlfile.read("sql/verify.sql")
    select = text[text.index("-- query\n") : text.index("-- end of query\n")]
    return [Difference(*row) for row in _select(connection, select)]


def verify(connection: sa.Connection, *, rows: bool) -> list[Difference]:
    """Run ``sql/verify.sql``, as psql does, and return what it found and warned of one by one.

    :param rows: read every row too, for one that spans two workspaces.
    :raises sqlalchemy.exc.DBAPIError: the login may not read what is compared.
    """
    warnings: list[Difference] = []

    def hear(notice: Diagnostic) -> None:
        if notice.severity_nonlocalized == "WARNING":
            warnings.append(Difference("", str(notice.message_primary), None, None, severity="warning"))

    session: Any = connection.connection.driver_connection
    session.add_notice_handler(hear)
    settings = {"connector_provenance.skip_rows": "off" if rows else "on", "client_min_messages": "warning"}
    connection.execute(sa.select(*(sa.func.set_config(name, value, True) for name, value in settings.items())))
    try:
        with connection.begin_nested():
            connection.execute(sqlfile.ddl("sql/verify.sql"))
    except sa.exc.DBAPIError as error:
        if not isinstance(error.orig, RaiseException):
            raise
        message = str(error.orig.diag.message_primary)
        if message.endswith("is missing") or not (found := differences(connection)):
            # What the checks themselves refer to, or rows: the detail says more.
            found = [Difference("", message, error.orig.diag.message_detail or "", None, error.orig.diag.message_hint)]
        return found
    finally:
        session.remove_notice_handler(hear)
    return warnings


def plan(revisions: Iterable[str]) -> list[dict[str, Any]]:
    """Return what the revisions add, change, remove, lock and read, as measured."""
    told = json.loads(sqlfile.read("sql/revisions.json"))
    return [{"revision": revision, **told.get(revision, {})} for revision in revisions]


PREFLIGHT = r"""select
coalesce(c.section, f.section) as section,
coalesce(c.object, f.object) as object,
f.definition as found,
c.definition as wanted,
-- Of those a downgrade takes away what was there before.
case when f.object like 'grant usage on schema %' then 'warning' else 'drift' end as severity
from (
    -- Of triggers, policies and grants none may be there, not even ours.
    select k.* from contract as k
    where k.only_with is null and k.section not in ('50_triggers', '60_policies', '80_privileges')
) as c
full join found as f on c.object = f.object
where
    -- Row-level security is to come, and owners are looked at below.
    regexp_replace(c.definition, '(row level security|forced|owner [^,]+)(, |$)', '', 'g')
    is distinct from regexp_replace(f.definition, '(row level security|forced|owner [^,]+)(, |$)', '', 'g')
    and case
        when f.object is not null then
            (c.object is not null or not coalesce(f.lenient, false) or f.object in (select k.object from contract as k))
            and (
                f.thing is not null or f.section not in ('10_objects', '80_privileges') or f.object ~ ' inherits from '
            )
            and f.object !~ '^(schema |grant (delete|truncate) on .* to its owner$)'
        when c.object like 'sequence %' then
            to_regclass(substr(c.object, 10)) is not null and exists (select from scope as s where s.part = 'junction')
        -- What is missing from a table that exists, and that no revision adds.
        else exists (
            select from scope as s
            where
                (
                    'column ' || s.relation::regclass = regexp_replace(c.object, '\.\w+$', '')
                    and not (s.lacks_id and c.object ~ '\.id$')
                )
                or (
                    c.section = '30_constraints' and c.object ~ (' on ' || s.relation::regclass || '$')
                    and c.definition !~ '^FOREIGN KEY' and not (s.lacks_id and c.definition = 'UNIQUE (id)')
                )
        )
    end
union all
"""


def preflight(connection: sa.Connection) -> list[Difference]:
    """Compare what a database has before this package manages it with the contract.

    Reads the catalog and, where that is as it should be, the rows of an adopted table; writes nothing, so that a
    standby can be asked too.

    :return: what differs, with what mends it; a difference whose severity is ``warning`` refuses nothing.
    """
    from connector_provenance.migrations import remedy  # which knows differences

    closed = _select(
        connection,
        "select nspname, quote_ident(current_user) from pg_namespace where nspname in ('core_api', 'tenancy')"
        " and not has_schema_privilege(oid, 'usage')",
    )
    if closed:  # in which nothing can even be looked up
        rights = [
            Difference("10_objects", f"right to use schema {name}", None, f"held by {user}") for name, user in closed
        ]
        return remedy.add(connection, rights)
    managed = "select name from tenancy.managed_objects" if _has_tenancy(connection) else "select null where false"
    known = [row[0] for row in _select(connection, managed)]
    needed = [fact for fact in facts() if not any(_is_of(fact.object, name) for name in known)]
    if not needed:
        return []
    lines = ",\n".join(fact.line() for fact in needed)
    checks = found(lines, "preflight_scope.sql.in", "7|91|92|97")
    query = f"with\n{checks}\n\n{PREFLIGHT}{sqlfile.read('sql/preflight.sql')}order by 1, 2"
    rows = _select(connection, query)
    differences = [Difference(row[0], row[1], row[2], row[3], severity=row[4]) for row in rows]
    if all(each.severity == "warning" for each in differences):
        hidden = " ".join(each.object for each in differences)
        differences += [each for fact in needed for each in _rows(connection, fact, needed, hidden)]
    return remedy.add(connection, differences)


def _rows(connection: sa.Connection, fact: Fact, needed: list[Fact], hidden: str) -> Iterator[Difference]:
    """Look at the rows of a table that is to be adopted.

    :param fact: yields something if it is that of a junction.
    :param hidden: names the parents whose rows are not all in the deployer's sight.
    """
    junction = re.fullmatch(r"table (core_api\.\w+_workspace_connectors)", fact.object)
    if junction is None or not _select(connection, f"select to_regclass('{junction[1]}')")[0][0]:
        return
    keys = (
        re.match(r"FOREIGN KEY \((\w+)\) REFERENCES (\S+)\(", each.definition)
        for each in needed
        if junction[1] in each.object
    )
    (first, parent), (second, other) = (key.groups() for key in keys if key)
    rows = (
        f"from {junction[1]} as j left join {parent} as a on a.pk = j.{first}"
        f" left join {other} as b on b.pk = j.{second}"
    )
    for what, where in (
        (f"without a row of {parent} or {other}", "a.pk is null or b.pk is null"),
        ("whose two parents differ in workspace", "a.workspace_pk <> b.workspace_pk"),
    ):
        count = _select(connection, f"select count(*) {rows} where {where}")[0][0]
        if count and not ("null" in where and (parent in hidden or other in hidden)):
            query = f"select j.pk, j.{first}, a.workspace_pk, j.{second}, b.workspace_pk {rows} where {where};"
            yield Difference("rows", f"rows of {junction[1]}", f"{count} {what}", None, query)


def _is_of(thing: str, name: str) -> bool:
    """Return whether an object of the contract is, or belongs to, one that is managed, functions too."""
    if (
        name.endswith("_workspace_connectors")
        and thing.startswith("function ")
        and name.partition(".")[2][:-1] in thing
    ):
        return True
    itself = "" if "." in name else r"(?!\.)"  # not every name in the schema
    return re.search(rf"\b{re.escape(name)}(_pk_seq)?\b{itself}", thing) is not None


def facts() -> list[Fact]:
    """Return the contract."""
    text = sqlfile.read("sql/verify.sql")
    start = text.index("values\n", text.index("-- query\n")) + len("values\n")
    cell = r"(?:'((?:[^']|'')*)'|null)"
    rows = re.findall(rf"^\({cell}, {cell}, {cell}, {cell}\),?$", text[start : text.index("\n),\n", start)], re.M)
    cells = ([value.replace("''", "'") for value in row] for row in rows)
    return [Fact(section, name, definition, thing or None) for section, name, definition, thing in cells]


def _has_tenancy(connection: sa.Connection) -> bool:
    return bool(connection.exec_driver_sql("select to_regclass('tenancy.managed_objects') is not null").scalar())


def _select(connection: sa.Connection, text: str) -> list[sa.Row]:
    """Run a SELECT with PostgreSQL printing definitions as the contract does, until the transaction ends."""
    connection.exec_driver_sql(
        "select set_config('search_path', '', true), set_config('quote_all_identifiers', 'off', true),"
        " set_config('jit', 'off', true)"  # compiling what runs once takes longer than running it
    )
    return list(connection.exec_driver_sql(text.replace("%", "%%")))


def status(connection: sa.Connection) -> dict[str, Any]:
    """Return what a dashboard wants of each junction: rows, bytes, the share of its numbers that is used."""
    text = sqlfile.read("sql/status.sql").rstrip().rstrip(";")
    rows = [dict(row._mapping) for row in _select(connection, text)]
    return {"junctions": [{**row, "sequence_share": float(row["sequence_share"])} for row in rows]}
