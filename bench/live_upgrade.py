"""`make bench-upgrade`: adopt a host of millions of rows while an application writes, and write LIVE_UPGRADE.md."""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psycopg
from helpers import scalar
from hosts import LIVE, TABLE, Host
from pgbench import WORKSPACE, Load, Transaction, machine
from psycopg.conninfo import make_conninfo
from servers import fresh_server

from connector_provenance.migrations.sqlfile import read

DATABASE = "live"
WORKSPACES = 2_000
CONNECTORS = 12_500
CLIENTS = 8
RATE = 400  # transactions a second, well below what the server could do, so that a stall shows and a backlog drains
MARGIN = 15  # seconds of load before and after the upgrade

ROWS = f"""
insert into core_api.workspaces (workspace_id)
select lpad(pk::text, 32, '0')::uuid from generate_series(1, {WORKSPACES}) as pk;
insert into core_api.workspace_connectors (workspace_pk)
select 1 + (pk - 1) % {WORKSPACES} from generate_series(1, {CONNECTORS}) as pk;
insert into core_api.companies (workspace_pk) select 1 + (pk - 1) % {WORKSPACES} from generate_series(1, :rows) as pk;
insert into core_api.company_workspace_connectors (company_pk, workspace_connector_pk, direction)
select pk, 1 + (pk - 1) % {WORKSPACES}, (array['input', 'output'])[1 + pk % 2]::core_api.direction_enum
from generate_series(1, :rows) as pk;
"""

SCRIPTS = {
    # \\gset fails unless there is exactly one row: a row that is invisible for a moment ends the run
    "read": (
        6,
        f"\\set pk random(1, :rows)\n\\set w 1 + (:pk - 1) % {WORKSPACES}\nbegin;\n{WORKSPACE}\n"
        "select company_pk from core_api.company_workspace_connectors where pk = :pk \\gset\ncommit;\n",
    ),
    "insert": (
        3,
        f"\\set w random(1, {WORKSPACES})\nbegin;\n{WORKSPACE}\n"
        "insert into core_api.companies (workspace_pk) values (:w) returning pk \\gset\n"
        "insert into core_api.company_workspace_connectors (company_pk, workspace_connector_pk, direction)"
        " values (:pk, :w, 'input') returning pk;\ncommit;\n",
    ),
    "update": (
        1,
        f"\\set pk random(1, :rows)\n\\set w random(1, {WORKSPACES})\n"
        "update core_api.companies set column_4 = 'y' where pk = :pk;\n"
        "insert into core_api.workspace_connectors (workspace_pk) values (:w);\n",
    ),
}
"""What the application does, and how often: reads of the table, inserts into both, other writes of the parents."""


def longest(transactions: Iterable[Transaction], start: float, end: float, scripts: Iterable[str]) -> float:
    """Return the longest of the transactions that ran between two moments, in milliseconds."""
    return max(
        (t.milliseconds for t in transactions if t.start < end and t.end > start and t.script in scripts), default=0
    )


def migrate(host: str, command: str, revision: str) -> list[tuple[str, float, float, int]]:
    """Run the command; return each revision with its beginning, its end and how often it was tried again."""
    url = f"postgresql://deployer@/{DATABASE}?host={host}"
    steps, begun, again = [], time.time(), 0
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "connector_provenance.migrations.cli", "--database-url", url, command, revision],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        print(line, end="", flush=True)
        if ": trying again in " in line:
            again += 1
        elif line.startswith(command):
            steps.append((line.split()[1], begun, time.time(), again))
            begun, again = time.time(), 0
    if process.wait():
        raise SystemExit(f"{command} failed")
    return steps


def build(uri: str, rows: int, kind: Host) -> tuple[str, list[tuple[str, str]]]:
    """Make the roles and the host; return the server's version and the tables' sizes."""
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute("alter system set max_wal_size = '8GB'")
        connection.execute("select pg_reload_conf()")
        connection.execute("create role deployer login createrole")
        connection.execute("create role application login in role deployer")
        connection.execute("set connector_provenance.deployer = 'deployer'")
        connection.execute(read("sql/roles.sql"))
        # what an operator does beforehand, so that the application's reads go on when the policies come
        connection.execute("grant workspace_member, connector_sync to application")
        connection.execute(f"create database {DATABASE} owner deployer")
    with psycopg.connect(make_conninfo(uri, dbname=DATABASE), autocommit=True) as connection:
        kind.build(connection)
        connection.execute("set session_replication_role = replica")  # the rows respect the foreign keys
        connection.execute(ROWS.replace(":rows", str(rows)))
        connection.execute("vacuum (analyze)")
        tables = connection.execute(
            "select relname, relnatts, pg_size_pretty(pg_total_relation_size(oid)) from pg_class"
            " where relnamespace = 'core_api'::regnamespace and relkind = 'r' order by pg_total_relation_size(oid) desc"
        ).fetchall()
        sizes = []
        for table, columns, size in tables:
            count = scalar(connection, f"select count(*) from core_api.{table}")
            sizes.append((f"{table} ({columns} columns)", f"{count:,} rows, {size}"))
        return scalar(connection, "select current_setting('server_version')"), sizes


WITHOUT_IDS = LIVE.but("wide parents, no ids", f"alter table {TABLE} drop column id")


@dataclass
class Measured:
    """One upgrade of one host under load."""

    version: str
    sizes: list[tuple[str, str]]
    alone: list[Transaction]
    transactions: list[Transaction]
    steps: list[tuple[str, float, float, int]]

    @property
    def begin(self) -> float:
        """When the command was started."""
        return self.steps[0][1]

    @property
    def end(self) -> float:
        """When its last revision was done."""
        return self.steps[-1][2]

    def summary(self) -> str:
        """Return the figures that matter."""
        took, stall = self.end - self.begin, longest(self.transactions, self.begin, self.end, SCRIPTS)
        around = len(self.transactions)
        return f"""No transaction failed: {len(self.alone) + around:,} in all, {around:,} of them around the upgrade.
The upgrade took **{took:.1f} s**, the longest stall of a transaction during it was
**{stall:.0f} ms** (without an upgrade: {longest(self.alone, 0, self.end, SCRIPTS):.0f} ms).
"""

    def revisions(self) -> str:
        """Return a table of what was done, revision by revision."""
        text = "| revision | took, ms | tried again | longest read meanwhile, ms | longest write meanwhile, ms |\n"
        text += "|---|---|---|---|---|\n"
        for revision, start, stop, again in self.steps:
            text += f"| `{revision}` | {(stop - start) * 1000:.0f} | {again} "
            text += f"| {longest(self.transactions, start, stop, ['read']):.0f} "
            text += f"| {longest(self.transactions, start, stop, ['insert', 'update']):.0f} |\n"
        return text


def run(rows: int, seconds: int, kind: Host) -> Measured:
    """Measure the upgrade of one host."""
    with fresh_server() as server, tempfile.TemporaryDirectory() as scripts:
        host = str(server.get_postmaster_info().socket_dir)
        print(f"building {kind}, with {rows:,} companies", flush=True)
        version, sizes = build(server.get_uri(), rows, kind)

        print("the load alone", flush=True)
        conninfo = make_conninfo(host=host, user="application", dbname=DATABASE)
        options = (f"--client={CLIENTS}", f"--rate={RATE}", f"--define=rows={rows}")
        alone = Load(Path(scripts), conninfo, SCRIPTS, 2 * MARGIN, *options).finish()

        print("the load and an upgrade", flush=True)
        load = Load(Path(scripts), conninfo, SCRIPTS, seconds + 2 * MARGIN, *options)
        time.sleep(MARGIN)
        steps = migrate(host, "upgrade", "head")
        transactions = load.finish()
    if max(t.end for t in transactions) < steps[-1][2] + MARGIN / 2:
        raise SystemExit("the load ended before the upgrade: raise --seconds")
    return Measured(version, sizes, alone, transactions, steps)


def report(rows: int, whole: Measured, without_ids: Measured) -> str:
    """Return the figures as a page."""
    alone, transactions = whole.alone, whole.transactions
    phases = [
        ("the load alone", alone, min(t.start for t in alone), max(t.end for t in alone)),
        ("before the upgrade", transactions, min(t.start for t in transactions), whole.begin),
        ("during the upgrade", transactions, whole.begin, whole.end),
        ("after the upgrade", transactions, whole.end, max(t.end for t in transactions)),
    ]
    text = f"""<!-- GENERATED by `make bench-upgrade ROWS={rows}` -->
# A live upgrade of {rows:,} rows

PostgreSQL {whole.version} with its own settings but max_wal_size (8GB), {machine()}; server and load share
the machine.

| the host, before | |
|---|---|
{"".join(f"| {name} | {size} |{chr(10)}" for name, size in whole.sizes)}
The load: pgbench, {CLIENTS} clients, {RATE} transactions a second. Of 10, {SCRIPTS["read"][0]} read a row of the table
by key and fail unless they see exactly one, {SCRIPTS["insert"][0]} insert a company and its row in one transaction,
{SCRIPTS["update"][0]} updates a company and inserts a connector. A transaction's time counts from when it was due. The
application's login has the owner's rights, and was put into the group roles beforehand.

{whole.summary()}
| | seconds | transactions a second | longest read, ms | longest write, ms |
|---|---|---|---|---|
"""
    for name, of, start, stop in phases:
        count = sum(start <= t.end < stop for t in of)
        text += f"| {name} | {stop - start:.0f} | {count / (stop - start):.0f} "
        text += f"| {longest(of, start, stop, ['read']):.0f} | {longest(of, start, stop, ['insert', 'update']):.0f} |\n"
    return f"""{text}
The first revision's time includes the start of the command and the preflight, which reads every row.

{whole.revisions()}
## The same without ids

The table lacks the column `id`, which `0006_company` adds and `0007_company_indexes` fills, in committed batches.

{without_ids.summary()}
{without_ids.revisions()}"""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--seconds", type=int, default=90, help="how long an upgrade may take")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("LIVE_UPGRADE.md"))
    options = parser.parse_args()
    both = [run(options.rows, options.seconds, kind) for kind in (LIVE, WITHOUT_IDS)]
    options.output.write_text(report(options.rows, *both), encoding="utf-8")
    print(options.output.read_text(encoding="utf-8"))
