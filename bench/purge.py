"""`make bench-purge`: purge a million rows, of all and of one tenant, while others insert; write PURGE.md."""

import argparse
import os
import platform
import re
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from deployer import upgrade
from helpers import scalar
from psycopg.conninfo import make_conninfo
from servers import DEPLOYER, Server, fresh_server, give_to_deployer, server_of

DATABASE = "purged"
TABLE = "core_api.company_workspace_connectors"
INDEX = "company_workspace_connectors_purge_index"
BATCH = 5000
WRITERS = 2
PAUSE = 0.01  # seconds between two inserts of a writer
RUNS = 7

ROWS = """
-- The first of 100 workspaces has half of the companies, 40 connectors and three rows of ten; a tenth is soft-deleted.
insert into core_api.workspaces (workspace_id)
select lpad(w::text, 32, '0')::uuid from generate_series(1, 100) as w;
insert into core_api.workspace_connectors (workspace_pk)
select case when k <= 40 then 1 else 2 + k % 99 end from generate_series(1, 540) as k;
insert into core_api.companies (workspace_pk)
select case when c <= :companies / 2 then 1 else 2 + c % 99 end from generate_series(1, :companies) as c;
create temporary table of_workspace as
select workspace_pk, array_agg(pk) as connectors from core_api.workspace_connectors group by workspace_pk;
create temporary table fact as
select
    1 + case when r <= :rows * 0.3 then 0 else :companies / 2 end + r % (:companies / 2) as company,
    now() - (abs(hashint4(r)) / 2147483648.0) * interval '300 days' as made,
    case when abs(hashint4(r + 1000000000)) % 10 = 0 then abs(hashint4(r + 500000000)) / 2147483648.0 end as deleted,
    abs(hashint4(-r)) as pick
from generate_series(1, :rows) as r
order by hashint4(r + 2000000000 / 3);
insert into core_api.company_workspace_connectors (
    company_pk, workspace_connector_pk, direction, created_at, updated_at, deleted_at
)
select
    c.pk, w.connectors[1 + f.pick % cardinality(w.connectors)],
    case when f.pick % 10 < 7 then 'input' else 'output' end::core_api.direction_enum,
    f.made, f.made + coalesce(f.deleted, 0) * (now() - f.made), f.made + f.deleted * (now() - f.made)
from fact as f
inner join core_api.companies as c on c.pk = f.company
inner join of_workspace as w on w.workspace_pk = c.workspace_pk
"""
BIG = "00000000-0000-0000-0000-000000000001"
OTHER = "00000000-0000-0000-0000-000000000002"
INSERT = f"insert into {TABLE} (company_pk, workspace_connector_pk, direction) values (%s, %s, 'input')"


@dataclass
class Site:
    """A migrated, filled database, and how to reach it."""

    server: Server
    lines: list[tuple[str, str, str, str]] = field(default_factory=list)
    """What was done: its name, rows, rows a second, and the longest insert meanwhile in milliseconds."""

    def connect(self, login: str | None = None, workspace: str = "") -> psycopg.Connection:
        """Connect in autocommit mode, as the superuser unless a login is named."""
        conninfo = make_conninfo(self.server.conninfo(DATABASE, login), options=f"-c app.workspace_id={workspace}")
        return psycopg.connect(conninfo, autocommit=True)

    def measure(self, name: str, work: Callable[[], int]) -> None:
        """Do some work while others insert, and note it."""
        with self.inserting() as slowest:
            started = time.perf_counter()
            done = work()
            took = time.perf_counter() - started
        figures = (f"{done:,}", f"{done / took:,.0f}") if done else ("", "")
        self.lines.append((name, *figures, f"{max(slowest):.0f}"))
        print("  {:45s} {:>10s} rows {:>8s}/s, longest insert {:>4s} ms".format(*self.lines[-1]), flush=True)

    @contextmanager
    def inserting(self) -> Iterator[list[float]]:
        """Let others insert into another workspace; yield what will be the longest wait of each in milliseconds."""
        slowest = [0.0] * WRITERS
        stop = threading.Event()

        def write(place: int) -> None:
            with self.connect("orchestrator", OTHER) as connection:
                company = scalar(connection, "select min(pk) from core_api.companies")
                connector = scalar(connection, "select min(pk) from core_api.workspace_connectors")
                connection.execute(INSERT, (company, connector))  # what a session does once is not counted
                while not stop.wait(PAUSE):
                    started = time.perf_counter()
                    connection.execute(INSERT, (company, connector))
                    slowest[place] = max(slowest[place], (time.perf_counter() - started) * 1000)

        threads = [threading.Thread(target=write, args=(place,)) for place in range(WRITERS)]
        for thread in threads:
            thread.start()
        try:
            yield slowest
        finally:
            stop.set()
            for thread in threads:
                thread.join()


def build(server: Server, rows: int) -> Site:
    """Migrate a database as no superuser, make the logins, and fill it."""
    site = Site(server)
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as superuser:
        superuser.execute("alter system set max_wal_size = '8GB'")
        superuser.execute("select pg_reload_conf()")
        superuser.execute(f"create role {DEPLOYER} login createrole")
        superuser.execute(f"create database {DATABASE}")
    with site.connect() as superuser:
        give_to_deployer(superuser)
        upgrade(server, DATABASE)
        superuser.execute("create role orchestrator login in role connector_sync")
        superuser.execute("create role nightly login in role connector_retention")
        superuser.execute("set session_replication_role = replica")
        superuser.execute(ROWS.replace(":rows", str(rows)).replace(":companies", str(rows // 5)))
        superuser.execute("vacuum (analyze)")
    return site


def purge(site: Site, arguments: str) -> int:
    """Call the function until it returns 0, as the runbook's loop does, in one session; return how many rows went."""
    purged = 0
    with site.connect("nightly") as job:
        while gone := scalar(
            job, f"select core_api.purge_company_workspace_connectors({arguments}, batch_size => {BATCH})"
        ):
            purged += gone
    return purged


def revoke(site: Site) -> int:
    """Revoke the big tenant's connectors, one after the other."""
    revoked = 0
    with site.connect("orchestrator", BIG) as sync:
        for (connector,) in sync.execute("select workspace_connector_id from core_api.workspace_connectors").fetchall():
            query = "select count(*) from core_api.revoke_company_workspace_connectors(%s)"
            revoked += scalar(sync, query, connector)
    return revoked


def load(site: Site, rows: int) -> int:
    """Load rows the way that the runbook says: by way of a temporary table."""
    with site.connect("orchestrator", BIG) as sync:
        companies = [row[0] for row in sync.execute("select company_id from core_api.companies limit %s", (rows,))]
        connectors = [
            row[0] for row in sync.execute("select workspace_connector_id from core_api.workspace_connectors")
        ]
        with sync.transaction():
            sync.execute(
                "create temporary table incoming (company_id uuid, workspace_connector_id uuid, direction text)"
                " on commit drop"
            )
            with sync.cursor().copy("copy incoming from stdin") as copy:
                for place in range(rows):
                    company = companies[place % len(companies)]
                    copy.write_row((company, connectors[place % len(connectors)], "output"))
            sync.execute("analyze incoming")
            return sync.execute(
                f"insert into {TABLE} (company_pk, workspace_connector_pk, direction)"
                " select c.pk, k.pk, i.direction::core_api.direction_enum from incoming as i"
                " left join core_api.companies as c on i.company_id = c.company_id"
                " left join core_api.workspace_connectors as k on i.workspace_connector_id = k.workspace_connector_id"
            ).rowcount


def plans(site: Site) -> dict[str, str]:
    """Return, for each kind of purge, how its batches find their rows; end if one reads the whole table.

    Eight calls each: after five, a session may settle for a plan that suits any arguments.
    """
    found = {}
    with site.connect() as superuser:
        company = scalar(superuser, "select company_id from core_api.companies limit 1")
        for name, of in {
            "of all": "",
            "of a workspace": f", workspace_id => '{BIG}'",
            "of a company": f", company_id => '{company}'",
        }.items():
            said: list[str] = []
            with site.connect() as job:

                def note(notice: psycopg.errors.Diagnostic, said: list[str] = said) -> None:
                    said.append(notice.message_primary or "")

                job.add_notice_handler(note)
                job.execute("load 'auto_explain'")
                for setting in ("log_min_duration = 0", "log_nested_statements = on"):
                    job.execute(f"set auto_explain.{setting}")
                job.execute("set client_min_messages = log; set session authorization nightly; begin")
                for _ in range(8):
                    job.execute(f"select core_api.purge_company_workspace_connectors(now(), 1000{of})")
                job.execute("rollback")
            text = "\n".join(said)
            if re.search(r"Seq Scan on (\w+\.)?company_workspace_connectors", text):
                raise SystemExit(f"a purge {of} reads the whole table:\n{text}")
            indexes = re.findall(r"(?:Scan|Backward) (?:using|on) company_workspace_connectors_(\w+)", text)
            found[name] = ", ".join(sorted(set(indexes)))
    return found


def index_costs(site: Site, rows: int) -> dict[str, tuple[float, float]]:
    """Return what a writer's statements take with and without the index: medians of interleaved runs, rolled back."""
    work = {
        f"insert of {rows:,} rows": f"insert into {TABLE} (company_pk, workspace_connector_pk, direction) select c.pk,"
        f" (select min(pk) from core_api.workspace_connectors), 'input' from core_api.companies as c limit {rows}",
        f"revocation of {rows:,} rows": f"update {TABLE} set deleted_at = now() where pk in"
        f" (select pk from {TABLE} where deleted_at is null limit {rows})",
    }
    times: dict[tuple[str, bool], list[float]] = {}
    with site.connect(workspace=BIG) as connection:
        for _ in range(RUNS):
            for name, statement in work.items():
                for indexed in (True, False):
                    with connection.transaction(force_rollback=True):
                        if not indexed:
                            connection.execute(f"drop index core_api.{INDEX}")
                        connection.execute("set local role orchestrator")
                        started = time.perf_counter()
                        connection.execute(statement)
                        times.setdefault((name, indexed), []).append((time.perf_counter() - started) * 1000)
                    connection.execute(f"vacuum {TABLE}")
    return {name: (statistics.median(times[name, True]), statistics.median(times[name, False])) for name in work}


def run(rows: int) -> str:
    """Measure, and return the report."""
    with fresh_server() as embedded:
        print(f"filling a table of {rows:,} rows", flush=True)
        site = build(server_of(embedded), rows)
        with site.connect() as superuser:
            version = scalar(superuser, "select current_setting('server_version')")
            deleted = scalar(superuser, f"select count(*) from {TABLE} where deleted_at is not null")
            size, index = (
                scalar(superuser, f"select pg_size_pretty(pg_relation_size('core_api.{name}'))")
                for name in ("company_workspace_connectors", INDEX)
            )
        access = plans(site)
        print("the index's cost", flush=True)
        costs = index_costs(site, rows // 100)
        print("purging while others insert", flush=True)
        site.measure("nothing: ten seconds of inserts alone", wait_ten_seconds)
        site.measure("all, deleted 30 days ago", lambda: purge(site, "now() - interval '30 days'"))
        site.measure("a load, by way of a temporary table", lambda: load(site, rows // 10))
        site.measure(f"a tenant of {rows // 10:,} companies is revoked", lambda: revoke(site))
        site.measure("and purged", lambda: purge(site, f"now(), workspace_id => '{BIG}'"))
    return report(rows, version, deleted, size, index, access, costs, site.lines)


def wait_ten_seconds() -> int:
    """Let the inserts run alone."""
    time.sleep(10)
    return 0


def report(
    rows: int,
    version: str,
    deleted: int,
    size: str,
    index: str,
    access: dict[str, str],
    costs: dict[str, tuple[float, float]],
    lines: list[tuple[str, str, str, str]],
) -> str:
    """Return the figures as a page."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    text = f"""<!-- GENERATED by `make bench-purge ROWS={rows}` -->
# Purging a table of {rows:,} rows

PostgreSQL {version} with its own settings but max_wal_size (8GB), {os.cpu_count()} cores ({platform.machine()}),
{memory:.0f} GB of memory; server and load share the machine. The table has {size}; {deleted:,} rows are soft-deleted.
One tenant of 100 has half of the {rows // 5:,} companies and three rows of ten.

Batches of {BATCH:,}, each a transaction of its own, while {WRITERS} sessions of the orchestrator insert up to
{1 / PAUSE:.0f} rows a second each:

| what | rows | rows a second | longest insert meanwhile, ms |
|---|---|---|---|
"""
    text += "".join(f"| {' | '.join(line)} |\n" for line in lines)
    text += """
No batch reads the whole table. Of eight calls in a row, so that a session's settled plan is among them:

| a purge | finds and removes its rows by |
|---|---|
"""
    text += "".join(f"| {name} | {by} |\n" for name, by in access.items())
    text += f"""
What the purge index, {index}, costs the writers of the big tenant; medians of {RUNS} interleaved runs:

| | with it, ms | without, ms |
|---|---|---|
"""
    return text + "".join(f"| {name} | {with_it:.0f} | {without:.0f} |\n" for name, (with_it, without) in costs.items())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("PURGE.md"))
    options = parser.parse_args()
    options.output.write_text(run(options.rows), encoding="utf-8")
    print(options.output.read_text(encoding="utf-8"))
