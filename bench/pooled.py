"""`make bench-load`: many sessions of many tenants through pgbouncer, beside the bare table; write LOAD.md."""

import argparse
import re
import subprocess
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from statistics import median, quantiles

import psycopg
import run
from helpers import scalar
from pgbench import WORKSPACE, Load, Transaction, machine
from psycopg.conninfo import make_conninfo
from servers import PGBOUNCER, POOLED, Server, pgbouncer

ROWS = 300_000
ROUNDS = 10
POOL = 20  # server connections
CONTROL = 3  # seconds
LOGINS = {"shipped": "bench_application", "bare": "bench_bare"}
TABLES = {"shipped": "core_api.company_workspace_connectors", "bare": "bench.plain"}

OWN, ASKED = (f"(select p.{{}} from bench.picks as p where p.n = {of} and p.slot = :slot)" for of in (":w", ":asked"))
TENANT = "(select w.pk from core_api.workspaces as w where w.workspace_id = lpad((:w)::text, 32, '0')::uuid)"
PARENTS = "j.company_pk, j.workspace_connector_pk"
NEWEST = "order by j.created_at desc, j.pk desc limit 50"
CONNECTOR = ASKED.format("connector_pk")
STATEMENTS = {
    "newest 50": (
        f"select {PARENTS} from core_api.company_workspace_connectors_page(50) as j",
        f"""select {PARENTS} from core_api.workspace_connectors as k
        cross join lateral (
            select j.* from bench.plain as j where j.workspace_connector_pk = k.pk and j.deleted_at is null {NEWEST}
        ) as j where k.workspace_pk = {TENANT} {NEWEST}""",
    ),
    "connector's 50": (
        f"""select {PARENTS} from core_api.company_workspace_connectors as j
        where j.workspace_connector_pk = {CONNECTOR} and j.deleted_at is null {NEWEST}""",
        f"""select {PARENTS} from bench.plain as j where j.workspace_connector_pk = (
            select k.pk from core_api.workspace_connectors as k where k.pk = {CONNECTOR} and k.workspace_pk = {TENANT}
        ) and j.deleted_at is null {NEWEST}""",
    ),
    "counts": (
        """select null::integer as company_pk, k.pk as workspace_connector_pk, j.active_rows
        from core_api.company_workspace_connectors_counts() as j inner join bench.connectors as k
        on j.connector_id = k.id""",
        f"""select null::integer as company_pk, j.workspace_connector_pk, count(*) as active_rows
        from bench.plain as j where j.workspace_connector_pk = any(array(
            select k.pk from core_api.workspace_connectors as k where k.workspace_pk = {TENANT}
        )) and j.deleted_at is null group by j.workspace_connector_pk, j.direction""",
    ),
    "retrieve": (
        f"""select {PARENTS} from bench.denormalised as j where j.id = (
            core_api.company_workspace_connector_retrieve({ASKED.format("id")}) #>> '{{data,id}}'
        )::uuid""",
        f"""select {PARENTS} from bench.plain as j inner join core_api.workspace_connectors as k
        on j.workspace_connector_pk = k.pk
        where j.id = {ASKED.format("id")} and k.workspace_pk = {TENANT} and j.deleted_at is null""",
    ),
    "create": (
        f"""select {PARENTS} from core_api.create_company_workspace_connector(
            {OWN.format("company_id")}, {OWN.format("workspace_connector_id")}, 'input'
        ) as j""",
        f"""insert into bench.plain (company_pk, workspace_connector_pk, direction)
        select c.pk, k.pk, 'input' from core_api.companies as c inner join core_api.workspace_connectors as k
        on c.workspace_pk = k.workspace_pk where c.workspace_pk = {TENANT}
        and c.company_id = {OWN.format("company_id")}
        and k.workspace_connector_id = {OWN.format("workspace_connector_id")}
        returning company_pk, workspace_connector_pk""",
    ),
    "revoke": (
        f"""select {PARENTS}
        from core_api.revoke_company_workspace_connectors(company_id => {OWN.format("company_id")}) as j""",
        f"""update bench.plain as j set deleted_at = now(), updated_at = now() where j.company_pk = (
            select c.pk from core_api.companies as c
            where c.company_id = {OWN.format("company_id")} and c.workspace_pk = {TENANT}
        ) and j.deleted_at is null returning {PARENTS}""",
    ),
}
"""What is asked, through the policies and of the bare table in the cheapest words that keep tenants apart."""

STATEMENTS["connector's 50 for sync"] = STATEMENTS["connector's 50"]
MIX = {
    "member": {"newest 50": 4, "connector's 50": 4, "counts": 1, "retrieve": 5},
    "sync": {"create": 3, "revoke": 1, "connector's 50 for sync": 2},
}
"""What is done in which role, and how often of 20 times."""

CHECK = """with j as ({})
select count(*) filter (where c.n <> :w or k.n <> :w) as foreign_rows, count(*) as all_rows, sum(k.pk) as connectors
from j left join bench.companies as c on j.company_pk = c.pk
left join bench.connectors as k on j.workspace_connector_pk = k.pk"""
SCRIPT = """\\set w 1 + :client_id % :tenants
\\set asked case when random(1, 10) = 1 then 1 + :w % :tenants else :w end
\\set slot random(1, 1000)
begin;
{become}
{check} \\gset
\\if :foreign_rows > 0
insert into bench.foreign_rows values ('{title}', :foreign_rows);
\\endif
commit;
"""
BECOME = WORKSPACE.replace("select ", "select set_config('role', 'bench_{}', true), ")
"""A transaction's first statement: who it is and where it works."""

LEAKS = {
    "a policy that shows a member every row": "create policy leak on core_api.company_workspace_connectors"
    " for select to workspace_member using (true)",
    "every transaction works in the next tenant's workspace": "drop policy leak on"
    " core_api.company_workspace_connectors; create or replace function tenancy.current_workspace_pk() returns integer"
    " language sql stable security definer"
    " as $$ select 1 + right(current_setting('app.workspace_id'), 9)::integer % {tenants} $$",
}


@dataclass
class Site:
    """The loaded database, its pooler and who comes through it."""

    database: str
    superuser: psycopg.Connection
    pooler: Server
    directory: Path
    sessions: int
    tenants: int
    rates: dict[str, list[float]] = field(default_factory=dict)
    """Transactions a second of each variant, round by round."""
    milliseconds: dict[str, list[float]] = field(default_factory=dict)
    """What each transaction took."""

    def agree(self) -> None:
        """Make sure that both variants answer alike, whoever asks for whose rows."""
        with ExitStack() as stack:
            connections = [run.login(self.database, login, stack) for login in LOGINS.values()]
            for role, mix in MIX.items():
                for title, w, other in product(mix, range(1, self.tenants + 1), (False, True)):
                    values = {"w": w, "slot": 1, "asked": 1 + w % self.tenants if other else w}
                    answers = []
                    for connection, text in zip(connections, STATEMENTS[title], strict=True):
                        become = BECOME.format(role) if connection is connections[0] else ""
                        script = become + CHECK.format(text)
                        for name, value in values.items():
                            script = re.sub(rf"(?<!:):{name}\b", str(value), script)
                        with connection.transaction(force_rollback=True):
                            *_, last = connection.execute(script).results()
                            answers.append(last.fetchall())
                    assert answers[0] == answers[1], (role, title, values, answers)

    def work(self, variant: str, seconds: int, roles: Iterable[str]) -> list[Transaction]:
        """Let the sessions work for a while, and return what they did."""
        scripts = {}
        for role in roles:
            become = BECOME.format(role) if variant == "shipped" else ""
            for title, weight in MIX[role].items():
                check = CHECK.format(STATEMENTS[title][list(TABLES).index(variant)])
                scripts[title] = (weight, SCRIPT.format(title=title.replace("'", "''"), check=check, become=become))
        conninfo = make_conninfo(
            self.database, host=self.pooler.host, port=self.pooler.port, user=LOGINS[variant], password=run.PASSWORD
        )
        options = (f"--client={self.sessions}", f"--define=tenants={self.tenants}")
        return Load(self.directory, conninfo, scripts, seconds, *options).finish()

    def measure(self, variant: str, seconds: int) -> None:
        """Put back the rows that were there at first, let the sessions work, and note how fast they were."""
        for table in TABLES.values():
            self.superuser.execute(f"delete from {table} where pk > (select max(pk) from bench.denormalised)")
            self.superuser.execute(
                f"update {table} as j set deleted_at = null from bench.denormalised as d"
                " where j.pk = d.pk and j.deleted_at is distinct from d.deleted_at"
            )
            self.superuser.execute(f"vacuum {table}")
        done = self.work(variant, seconds, MIX)
        took = max(t.end for t in done) - min(t.start for t in done)
        self.rates.setdefault(variant, []).append(len(done) / took)
        self.milliseconds.setdefault(variant, []).extend(t.milliseconds for t in done)
        print(f"  {variant:8s} {self.rates[variant][-1]:6,.0f} transactions a second", flush=True)

    def foreign_rows(self) -> dict[str, int]:
        """Return how many rows of other tenants each script saw, and forget them."""
        seen = "select script, sum(row_count) from bench.foreign_rows group by script"
        found: dict[str, int] = dict(self.superuser.execute(seen).fetchall())
        self.superuser.execute("truncate bench.foreign_rows")
        return found


def measured(seconds: int, sessions: int, tenants: int) -> str:
    """Measure, and return the report."""
    if PGBOUNCER is None:
        raise SystemExit("pgbouncer is not installed: apt install pgbouncer")
    with run.server() as url, tempfile.TemporaryDirectory(prefix="provenance-") as name, ExitStack() as stack:
        stack.callback(run.clean_up, url, [f"provenance_bench_{ROWS}"])
        run.create_logins(url)
        database = run.load(url, ROWS)
        superuser = stack.enter_context(psycopg.connect(database, autocommit=True))
        superuser.execute("set session_replication_role = replica")
        run.execute_file(superuser, Path(__file__).with_suffix(".sql"))
        superuser.execute("vacuum analyze")
        server, dbname = Server(superuser.info.host, superuser.info.port), superuser.info.dbname
        settings = f"{POOLED}\ndefault_pool_size = {POOL}\nmax_client_conn = {2 * sessions}"
        pooler = stack.enter_context(pgbouncer(server, dbname, Path(name), settings, LOGINS.values(), run.PASSWORD))
        site = Site(database, superuser, pooler, Path(name), sessions, tenants)
        site.agree()
        for _ in range(ROUNDS):
            for variant in TABLES:
                site.measure(variant, max(1, seconds // ROUNDS))
        if found := site.foreign_rows():
            raise SystemExit(f"rows of other tenants were seen: {found}")
        leaks = {}
        for leak, statements in LEAKS.items():
            superuser.execute(statements.format(tenants=tenants))
            site.work("shipped", CONTROL, ["member"])
            leaks[leak] = site.foreign_rows()
            if not leaks[leak]:
                raise SystemExit(f"the check sees nothing of a leak: {leak}")
        return report(site, seconds, scalar(superuser, "select current_setting('server_version')"), leaks)


def report(site: Site, seconds: int, version: str, leaks: dict[str, dict[str, int]]) -> str:
    """Return the figures as a page."""
    pooler = subprocess.run([str(PGBOUNCER), "--version"], check=True, capture_output=True, text=True).stdout.split()[1]
    settings = ", ".join(f"{name} {value}" for name, value in run.SETTINGS.items())
    shipped, bare = (median(site.rates[variant]) for variant in TABLES)
    text = f"""<!-- GENERATED by `make bench-load SECONDS={seconds} SESSIONS={site.sessions} TENANTS={site.tenants}` -->
# {site.sessions} sessions of {site.tenants} tenants through pgbouncer

**{shipped / bare:.2f}** of the bare table's throughput, no transaction failed, **0 rows of another tenant** were seen.

| | transactions | a second, median of {ROUNDS} rounds | slowest and fastest round | median, ms | p99, ms |
|---|---|---|---|---|---|
"""
    for variant, rates in site.rates.items():
        taken = site.milliseconds[variant]
        text += f"| {variant} | {len(taken):,} | {median(rates):,.0f} | {min(rates):,.0f}–{max(rates):,.0f} "
        text += f"| {median(taken):.0f} | {quantiles(taken, n=100)[98]:.0f} |\n"
    text += f"""
The rounds, of {max(1, seconds // ROUNDS)} s, take turns, and before each the rows are put back.
Nobody pauses, so a time is mostly the wait for one of {POOL} server connections, which every tenant and role shares.
PostgreSQL {version} ({settings}),
pgbouncer {pooler} as in [its file](../clients/pgbouncer/pgbouncer.ini), with a reset after every transaction, and
pgbench share the machine: {machine()}.

- *shipped*: {ROWS:,} rows of {max(20, ROWS // 5000)} tenants; a transaction names its role and its workspace,
  and does one thing.
- *bare*: the same rows and indexes without policies and triggers, and nothing is named; statements say the tenant
  themselves, through the connector alone. Both answered alike, which was checked beforehand.

| role | of {sum(weight for mix in MIX.values() for weight in mix.values())} transactions |
|---|---|
"""
    for role, mix in MIX.items():
        text += f"| {role} | {', '.join(f'{weight} {title}' for title, weight in mix.items())} |\n"
    text += f"""
One read by connector or id of ten asks for another tenant's. Every transaction looks up whose the rows are that it got,
in tables that no policy knows; both pay for that. The same look at isolation broken on purpose, {CONTROL} s each:

| broken | rows of another tenant that were seen |
|---|---|
"""
    for leak, seen in leaks.items():
        text += f"| {leak} | {', '.join(f'{title}: {count:,}' for title, count in sorted(seen.items()))} |\n"
    return text


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=300, help="of each variant, in rounds that take turns")
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--tenants", type=int, default=20)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("LOAD.md"))
    options = parser.parse_args()
    options.output.write_text(measured(options.seconds, options.sessions, options.tenants), encoding="utf-8")
    now = options.output.read_text(encoding="utf-8")
    if options.output == parser.get_default("output"):
        figure = re.compile(r"[\d.]+(?=\*\* of the bare table's throughput)")
        scaling = Path(__file__).parent.parent / "docs" / "scaling.md"
        scaling.write_text(figure.sub(figure.findall(now)[0], scaling.read_text(encoding="utf-8")), encoding="utf-8")
    print(now)
