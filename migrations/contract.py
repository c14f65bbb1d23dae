"""The contract: what the catalog says of a database just migrated, read by the checks in ``sql/checks`` and never written by hand."""

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

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

    def text(self) -> str:
        """Return the difference in one line, in the words of ``sql/verify.sql``."""
        return f"{self.object}: found {self.found or 'none'}; the contract says {self.wanted or 'none'}"


def quote(text: str) -> str:
    """Return a literal of SQL, whatever the server's settings say of backslashes."""
    return "'" + text.replace("'", "''") + "'"


def _checks() -> dict[str, str]:
    """Return each check's SELECT by its section; the first, the scope, is common table expressions."""
    paths = sorted((sqlfile.ROOT / CHECKS).glob("*.sql"))
    return {path.stem: path.read_text(encoding="utf-8").rstrip() for path in paths}


def found(facts: Iterable[str]) -> str:
    """Return the common table expressions ``contract`` … ``found``.

    :param facts: rows of ``values``, each of four columns; at least one.
    """
    scope, *checks = _checks().items()
    rows = ",\n".join(facts)
    union = "\nunion all\n".join(
        f"select\n{quote(section)} as section,\nf.*\nfrom (\n{text}\n) as f" for section, text in checks
    )
    return (
        f"contract (section, object, definition, only_with) as (\nvalues\n{rows}\n),\n\n{scope[1]},\n\n"
        f"found as (\n{union}\n)"
    )


DIFFERENCES = """select
coalesce(c.section, f.section) as section,
coalesce(c.object, f.object) as object,
f.definition as found,
c.definition as wanted
from (
    select k.* from contract as k
    where
        k.only_with is null
        or exists (select from managed as m where m.thing = k.only_with and m.created)
        -- The host's own row-level security on an adopted parent would blind the guards without this.
        or exists (
            select from scope as s
            inner join pg_catalog.pg_class as t on s.relation = t.oid and t.relrowsecurity
            where 'policy definer_reads_every_row on ' || s.relation::regclass = k.object
        )
) as c
full join found as f on c.object = f.object
where
    c.definition is distinct from f.definition
    and not (c.object is null and f.lenient)
    and regexp_replace(c.definition, ', body [0-9a-f]{32}$', ', body of an adopted table') is distinct from f.definition
order by 1, 2"""


def query(facts: Iterable[str]) -> str:
    """Return the SELECT of every difference: section, object, found, wanted."""
    return f"with\n{found(facts)}\n\n{DIFFERENCES}"


def compile_verify(facts: Iterable[Fact]) -> str:
    """Return the text of ``sql/verify.sql``, which psql runs without Python.

    :param facts: what :func:`read` found on a database just migrated.
    """
    frame = sqlfile.read(f"{CHECKS}/verify.sql.in")
    begin, end = "-- query\n", "-- end of query\n"
    return frame.replace(begin + end, f"{begin}{query(fact.line() for fact in sorted(facts))}\n{end}")


def read(connection: sa.Connection, functions: Iterable[str]) -> list[Fact]:
    """Read the facts of a migrated database.

    :param functions: the signatures of this package's functions in ``core_api``, as ``regprocedure`` prints them.
    """
    names = [Fact("", f"function {name}", "").line() for name in functions] or [Fact("", "", "").line()]
    _settle(connection)
    rows = connection.exec_driver_sql(
        f"with\n{found(names)}\nselect section, object, definition, thing from found".replace("%", "%%")
    )
    return [Fact(*row) for row in rows]


def differences(connection: sa.Connection) -> list[Difference]:
    """Compare a migrated database with the contract.

    :raises sqlalchemy.exc.DBAPIError: it lacks what the checks themselves refer to; ``sql/verify.sql`` says what.
    """
    text = sqlfile.read("sql/verify.sql")
    select = text[text.index("-- query\n") : text.index("-- end of query\n")]
    _settle(connection)
    return [Difference(*row) for row in connection.exec_driver_sql(select.replace("%", "%%"))]


def _settle(connection: sa.Connection) -> None:
    """Have PostgreSQL print definitions as the contract does, until the transaction ends."""
    connection.exec_driver_sql(
        "select set_config('search_path', '', true), set_config('quote_all_identifiers', 'off', true)"
    )
