"""Break the source one line at a time and see which tests of behaviour notice: writes bench/MUTANTS.md.

A rule makes a mutant of a line that it fits. It is written into a copy of the checkout, in which the tests run that its
file is mapped to. What is generated is generated again first, so that no mutant is found by a mere difference in text.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import psycopg
from helpers import scalar
from servers import Server, forget_durability, fresh_server, server_of

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / ".cache" / "mutants.json"
REPORT = ROOT / "bench" / "MUTANTS.md"
SECONDS = 300  # after which tests hang
ARENAS = 2  # in which mutants are tried at the same time: a core for each

KILLED, MIGRATION, HANGS, SURVIVED = "killed by a test", "killed at migration", "killed by its time-out", "survived"
UNTRIED = "not tried"

# Files, the first pattern that fits; what none fits is not broken. Their tests: who is likely to notice comes first.
DEFAULTS = "migrations::test_default_privileges_of_the_host_hand_out_nothing"
TESTS = {
    "policies/company_": "member sync retention same_workspace owner_and_public hasura_permissions api",
    "policies/": "member sync owner_and_public hasura_permissions",
    "sql/0000": "shadowing command_line deploying",
    "sql/0001": "owner_and_public tenant_login roles",
    "sql/000[2468]": f"table member sync owner_and_public timestamps same_workspace tenant_login page {DEFAULTS}"
    " migrations::test_a_junction_that_is_created_is_closed_from_its_first_moment"
    " adoption::test_the_rows_of_an_adopted_table_are_seen_by_members_in_their_workspace_alone"
    " adoption::test_adopted_parents_serve_the_policies"
    " adoption::test_a_host_that_agrees_is_adopted_and_given_back_as_it_was",
    "sql/000[37]": "table races ids_online retention locks deploying"
    " command_line::test_the_wait_for_old_transactions_is_bounded_told_and_leaves_no_index",
    "sql/(0005|0011)": f"member sync api owner_and_public {DEFAULTS} adoption::test_adopted_parents_serve_the_policies",
    "sql/(0009|0010)": f"same_workspace races owner_and_public {DEFAULTS}"
    " deploying::test_a_mixed_row_that_is_stored_while_the_guards_come_is_found"
    " adoption::test_mixed_rows_that_the_deployer_cannot_see_stop_the_guards",
    "sql/functions/company_workspace_connectors_counts": "member no_oracle shadowing owner_and_public",
    "sql/functions/.*purge": "retention owner_and_public shadowing",
    "sql/functions/refuse_(mixed|company)": "same_workspace races owner_and_public shadowing",
    "sql/functions/(create_|delete_|revoke_company|refuse)": "api no_oracle owner_and_public",
    "sql/functions/(current|json_claim|is_tenant)": "context tenant_login owner_and_public shadowing member",
    "sql/functions/stamp": "timestamps owner_and_public",
    "sql/functions/company.*(page_keys|resource|retrieve)": "page api member no_oracle plans"
    " owner_and_public hasura_service shadowing",
    "sql/functions/(created|drop_|hand_|manage|revoke_all|take_)": f"owner_and_public {DEFAULTS} adoption roles"
    " command_line",
    "sql/checks/[0-9]": "verify",
    "sql/checks/verify": "verify",
    "migrations/cli.py": "command_line migrations live",
    "migrations/(env|database).py": "deploying command_line alembic script interruptions roles"
    " shadowing::test_a_deployment_runs_nothing_that_a_tenant_planted_in_public",
    "migrations/sqlfile.py": "shadowing command_line script",
}
VERIFY = "tests/test_verify.py"
"""Each check has its break, of which FULL tries all."""
JUST_MIGRATED = "tests/test_verify.py::test_the_contract_is_what_a_database_just_migrated_says"
"""Generates sql/verify.sql, with which some tests compare."""

POLICY, SQL, FUNCTION, CHECK = "policies/", r"sql/0|policies/", "sql/functions/", r"sql/checks/\d"
PYTHON, CODES = r"(env|database|sqlfile)\.py$", r"(cli|database)\.py$"
RULES = [
    # (files, what is searched for in a line, what takes its place); a line whose brackets no longer match is no mutant
    (POLICY, r"^(\s*)to \w.*$", r"\1to public"),
    (POLICY, r"^(\s*)for (select|update|delete)$", r"\1for all"),
    (POLICY, r"using \(true\)", "using (false)"),
    (POLICY, r"using \((?!true).+\);$", "using (true);"),
    (SQL + "|" + FUNCTION, r"^\s*(grant|revoke) .*;$", ""),
    (SQL + "|" + FUNCTION, r"^\s*call tenancy\.(manage|revoke_all)\(.*\);$", ""),
    (SQL + "|" + FUNCTION, r"^\s*call tenancy\.hand_to_definer\(.*\);$", ""),
    (SQL + "|" + FUNCTION, r"((?:^|grant .*|on .* )to )\w+(, \w+)*;$", r"\1public;"),
    (SQL, r"((?:^|grant .*|on .* )to )\w+, ", r"\1"),
    (SQL, r"(select|insert|update) \([^)]*\)", r"\1"),
    (SQL, r"revoke \w+, ", "revoke "),
    (SQL, r"^\s*'(function|view|sequence) .*',$", ""),
    (SQL, r"^\s*alter table .* row level security;$", ""),
    (SQL, r"(constraint \w+) (unique|foreign key|primary key) .*\)(?= on|,|$)", r"\1 check (true)"),
    (SQL, r"create unique index", "create index"),
    (SQL, r" concurrently", ""),
    (SQL, r"(?<!alter column id set) not null(?=[ ,]|$)", ""),
    (SQL, r" default (now|gen_random_uuid)\(\)", ""),
    (SQL, r"^\s*on update cascade on delete no action", ""),
    (SQL, r"^set .*;$", ""),
    (SQL, r"(before|after) insert or update", r"\1 insert"),
    (SQL, r" skip locked", ""),
    (FUNCTION, r"^(stable|immutable)$", "volatile"),
    (FUNCTION, r"^(security definer|rows \d+)$", ""),
    (FUNCTION, r"^set search_path = .*$", ""),
    (FUNCTION, r"errcode = '\w+'", "errcode = 'raise_exception'"),
    (FUNCTION, r" desc\b", ""),
    (FUNCTION, r"^\s*limit \w+$", ""),
    (FUNCTION, r"^\s*new\.\w+ := .*;$", ""),
    (FUNCTION, r"session_user", "current_user"),
    (FUNCTION, r"(pg_has_role\(.*)'usage'", r"\1'member'"),
    (FUNCTION, r" as materialized", " as"),
    (FUNCTION, r" < (?=\w)", " <= "),
    (FUNCTION, r" >= ", " > "),
    (CHECK, r"^(\s*)case when .* end(,?)$", r"\1null\2"),
    (
        PYTHON,
        r"^(\s+)(refuse_\w+|clear_up|watch\.look|\w+\.(run|execute|rollback|commit|listen|sleep|start))\(.*\)$",
        r"\1pass",
    ),
    (PYTHON, r"^(\s*)if (?!context).*:$", r"\1if False:"),
    (CODES, r"\b(BEHIND|DRIFT|LOCKED|FAILED|REFUSED)\b(?=[,) ]|$)(?!.*range)", "DONE"),
    (CODES, r"^(\s+code(?:: ClassVar\[int\])? =) \d", r"\1 1"),
    (PYTHON, r"=True\b", "=False"),
    (PYTHON, r"isinstance\(cause, \((\w+), \w+\)\)", r"isinstance(cause, \1)"),
    (PYTHON, r" = \(1, 2, 4, 8\)", " = ()"),
]
NO_COMMENT = r"\s*(--|#|'(?!function|view|sequence)|\"|f\")"

REASONS = {
    "0001_roles.up.sql: (kind|name) text not null|0004.*: role regrole not null": "the primary key says the same",
    "0008.*updated_at, deleted_at\\), -> select,": "the definer may read the one column more, and nobody logs in as it",
    r"0006.*: id uuid not null": "0007 makes it not null",
    r"time\.sleep\(POLL\)": "it asks more often",
    "refuse_v01.sql: set search_path": "it runs as its caller; `make lint` and verify insist all the same",
    "daemon=True": "the thread ends when the work does",
    "pg_advisory_unlock": "the session ends in the same moment",
    "flush=True": "standard error is written line by line anyway",
    "strict=True": "the lists are as long as each other",
    "0007.*batch % 20": "a notice more or less, while ids are given",
    "0007.*conrelid": "differs where another table has a constraint of the very name",
    "< 160000 then -> .*<= 160000": "differs on 16.0 alone",
    r"purge_v01.sql: order by j.updated_at( desc)? -> ": "which rows go first is chosen for speed: bench/PURGE.md",
    r"'usage'.* -> .*'member'": (
        "who is in hasura_service without its rights is asked for the company, or refused later, and gets the same rows"
    ),
    r"company_workspace_connectors_v01.sql: for delete -> for all": (
        "the definer sees every row anyway, and has no right to insert or update; nobody logs in as it"
    ),
    r"policies/(companies|workspaces|workspace_connectors)_v01.sql: for select \(3\) -> for all": (
        "the definer is granted SELECT alone, and nobody logs in as it"
    ),
}
"""Of mutants that survive, as the report names them: why nothing changes that a user could see."""


@dataclass(frozen=True)
class Mutant:
    """One line of one file, and what stands there instead."""

    path: str
    number: int
    old: str
    new: str
    place: int = 1
    """Which of the equal lines of the file."""

    @property
    def name(self) -> str:
        """Return what identifies the mutant while lines are added elsewhere."""
        which = f" ({self.place})" if self.place > 1 else ""
        return f"{self.path}: {self.old.strip()}{which} -> {' '.join(self.new.split()) or '(nothing)'}"


def is_balanced(old: str, new: str) -> bool:
    """Return whether as many brackets are left open as before."""
    return all(old.count(a) - old.count(b) == new.count(a) - new.count(b) for a, b in ("()", "[]"))


def conditions(line: str, before: str) -> Iterator[str]:
    """Drop the one condition on a line of SQL: true beside others, false where it guards a statement."""
    alone = re.search(r"(^|\s)(where|if|using \(|with check \()$", before)
    found = re.match(r"(\s*)(and|or|where|if|elsif|when(?= \(old)) (?!true|tenancy\.created)(.*?)( then.*|;)?$", line)
    if alone and not line.endswith("("):
        yield re.match(r"\s*", line)[0] + ("false" if alone[2] == "if" else "true")  # type: ignore[index]
    elif found:
        closed = ")" * max(0, found[3].count(")") - found[3].count("("))
        truth = "true" if found[2] in ("and", "where") else "false"
        bracket = f"({truth})" if found[3].startswith("(old") else truth
        yield f"{found[1]}{found[2]} {bracket}{closed}{found[4] or ''}"


def mutants_of(path: str, lines: list[str]) -> Iterator[Mutant]:
    """Make the mutants of one file."""
    used: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for number, line in enumerate(lines):
        if re.match(NO_COMMENT, line):
            continue
        seen[line.strip()] += 1
        made = [(rule, re.sub(rule, new, line, count=1)) for files, rule, new in RULES if re.search(files, path)]
        if path.endswith((".sql", ".in")) and not re.search(CHECK, path):
            made += [("", new) for new in conditions(line, lines[number - 1].rstrip())]
        for rule, new in [each for each in made if each[1] != line and is_balanced(line, each[1])][:1]:
            used[rule] += 1
            if used[rule] == 1 or not rule or not re.search(FUNCTION, path):
                yield Mutant(path, number, line, new, seen[line.strip()])
    if re.search(CHECK, path):
        yield Mutant(path, len(lines) - 1, lines[-1], f"{lines[-1]}\nlimit 0")


def all_mutants() -> list[Mutant]:
    """Make the mutants of every file that tests are named for."""
    paths = [path for path in listed() if tests_of(path) and ".down." not in path]
    return [each for path in paths for each in mutants_of(path, (ROOT / path).read_text().splitlines())]


def listed() -> list[str]:
    """Return the files that git knows or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    found = subprocess.check_output(command, cwd=ROOT, text=True).splitlines()
    return [path for path in found if (ROOT / path).is_file()]


def tests_of(path: str) -> list[str]:
    """Return the files of tests that should notice what is broken in a file."""
    names = next((names for pattern, names in TESTS.items() if re.match(pattern, path)), "")
    return [f"tests/test_{name}".replace("::", ".py::") + ".py" * ("::" not in name) for name in names.split()]


# Trying


class Arena:
    """A copy of the checkout, and a server for its tests, which is replaced when one leaves something behind."""

    def __init__(self, directory: str) -> None:
        """Copy what git knows or would add into a folder that Python finds as the package."""
        self.root = Path(directory) / "connector_provenance"
        for path in listed():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, self.root / path)
        self.environment = {**os.environ, "PYTHONPATH": directory, "REGENERATE": "1"}
        imported = "from connector_provenance.migrations import sqlfile; print(sqlfile.ROOT)"
        found = subprocess.check_output([sys.executable, "-c", imported], env=self.environment, cwd="/", text=True)
        assert Path(found.strip()) == self.root.resolve(), f"the tests would import {found}"
        self.servers = ExitStack()
        self.server: Server | None = None

    def tests(self, names: Collection[str], seconds: float = 3600) -> tuple[str, str]:
        """Run tests until one fails; return what became of the mutant, and which test said so."""
        if self.server is None:
            self.server = server_of(self.servers.enter_context(fresh_server()))
            with psycopg.connect(self.server.conninfo("postgres"), autocommit=True) as connection:
                forget_durability(connection)
        url = f"postgresql://{self.server.user}@/postgres?host={self.server.host}&port={self.server.port}"
        command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "-p", "no:cacheprovider", *names]
        process = subprocess.Popen(
            command,
            cwd=self.root,
            env={**self.environment, "TEST_DATABASE_URL": url} | ({"FULL": "1"} if VERIFY in names else {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            output = ""
        finally:
            with suppress(ProcessLookupError):  # of whom nobody is left
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.clean()
        if process.returncode < 0:
            return HANGS, ""
        said = re.search(r"^(FAILED|ERROR) (\S+)", output, re.M)
        if process.returncode and not said:
            return MIGRATION, output.strip()[-200:]
        if said is None:
            return SURVIVED, ""
        return MIGRATION if said[1] == "ERROR" or said[2] == JUST_MIGRATED else KILLED, said[2]

    def clean(self) -> None:
        """Give the server up if databases or roles are left on it that the next tests would trip over."""
        left = "select (select count(*) from pg_database) = 3 and (select count(*) from pg_roles where oid > 16383) = 0"
        with suppress(psycopg.Error):
            assert self.server
            with psycopg.connect(self.server.conninfo("postgres")) as connection:
                if scalar(connection, left):
                    return
        self.servers.close()
        self.server = None

    def attempt(self, mutant: Mutant, stamp: int) -> tuple[str, str]:
        """Run the tests with one line broken, and mend it."""
        file, contract = self.root / mutant.path, self.root / "sql" / "verify.sql"
        text, agreed = file.read_text(encoding="utf-8"), contract.read_text(encoding="utf-8")
        lines = text.splitlines()
        lines[mutant.number] = mutant.new
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        os.utime(file, (stamp, stamp))  # or Python may take what it compiled for the last mutant
        tests = tests_of(mutant.path)
        first = [] if mutant.path.endswith(".py") else [JUST_MIGRATED]
        try:
            if VERIFY in tests:  # which reads the file before its first test runs
                found = self.tests(first, SECONDS)
                if found[0] != SURVIVED:
                    return found
                first = ["--deselect", JUST_MIGRATED]
            return self.tests([*first, *tests], SECONDS)
        finally:
            file.write_text(text, encoding="utf-8")
            contract.write_text(agreed, encoding="utf-8")


def report(mutants: list[Mutant], results: dict[str, list[str]]) -> str:
    """Return the report on what was tried."""
    ends = (KILLED, MIGRATION, HANGS, SURVIVED, UNTRIED)
    tried: dict[str, Counter[str]] = defaultdict(Counter)
    for each in mutants:
        folder = each.path if each.path.endswith(".py") else str(Path(each.path).parent)
        tried[folder][results.get(each.name, [UNTRIED])[0]] += 1
    total = sum(tried.values(), Counter())
    rows = [[folder, sum(count.values()), *(count[end] for end in ends)] for folder, count in tried.items()]
    rows.append(["all", sum(total.values()), *(total[end] for end in ends)])
    lines = [
        "# Mutants",
        "",
        "Generated by `make mutants`: a line of the source broken at a time, and whether a test of behaviour notices.",
        "What is generated was generated again first, so that no mutant is found by a comparison of texts. *Killed at",
        "migration*: the revisions fail, or leave an adopted host other than a new one.",
        "",
        f"| what is broken | mutants | {' | '.join(ends)} |",
        "|---|" + "---:|" * (len(ends) + 1),
        *(f"| {' | '.join(map(str, row))} |" for row in rows),
        "",
        "## Survivors, and why nothing changes that a user could see",
        "",
    ]
    for each in mutants:
        if results.get(each.name, [""])[0] == SURVIVED:
            lines.append(f"- `{each.name}`: {reason_of(each) or '**unexplained**'}")
    return "\n".join(lines) + "\n"


def reason_of(mutant: Mutant) -> str | None:
    """Return why a mutant may survive."""
    return next((why for pattern, why in REASONS.items() if re.search(pattern, mutant.name)), None)


def main() -> int:
    """Try the mutants; 1 if one survives that nobody explains."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="a part of the paths of the files that are broken")
    parser.add_argument("--resume", action="store_true", help="try what was not killed before")
    options = parser.parse_args()
    mutants = all_mutants()
    results: dict[str, list[str]] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    chosen = [each for each in mutants if options.only in each.path]
    chosen.sort(key=lambda each: each.path.endswith(".py"))  # theirs take longest
    if options.resume:
        chosen = [each for each in chosen if results.get(each.name, [SURVIVED])[0] == SURVIVED]
        chosen = [each for each in chosen if each.name not in results or not reason_of(each)]
    with ExitStack() as stack:
        arenas: SimpleQueue[Arena] = SimpleQueue()
        for _ in range(ARENAS):
            arena = Arena(stack.enter_context(tempfile.TemporaryDirectory(prefix="mutants-")))
            stack.callback(arena.servers.close)
            arenas.put(arena)
        pool = stack.enter_context(ThreadPoolExecutor(ARENAS))
        stack.callback(pool.shutdown, cancel_futures=True)
        baseline = arena.tests(dict.fromkeys(test for each in chosen for test in tests_of(each.path)))
        assert baseline[0] == SURVIVED, f"without a mutant already: {baseline}"

        def attempt(each: Mutant, stamp: int) -> tuple[Mutant, str, str, float]:
            arena, started = arenas.get(), time.monotonic()
            try:
                return each, *arena.attempt(each, stamp), time.monotonic() - started
            finally:
                arenas.put(arena)

        started = [pool.submit(attempt, each, stamp) for stamp, each in enumerate(chosen, 1)]
        for count, ended in enumerate(as_completed(started), 1):
            each, *found, took = ended.result()
            results[each.name] = found
            print(f"{count}/{len(chosen)} {took:4.0f} s {': '.join(found)}\n  {each.name}", flush=True)
            RESULTS.parent.mkdir(exist_ok=True)
            RESULTS.write_text(json.dumps(results, indent=0), encoding="utf-8")
    REPORT.write_text(report(mutants, results), encoding="utf-8")
    unexplained = [each for each in mutants if results.get(each.name, [""])[0] == SURVIVED and not reason_of(each)]
    return bool(unexplained)


if __name__ == "__main__":
    sys.exit(main())
