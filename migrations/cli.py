"""The command ``connector-provenance``: Alembic's commands for a pipeline, with exit codes it can branch on."""

import argparse
import io
import json
import math
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from psycopg.sql import Literal

from connector_provenance.migrations import contract, sqlfile
from connector_provenance.migrations.database import RefusedError, Run, parameters

DONE, BEHIND, DRIFT, LOCKED, FAILED, REFUSED, AHEAD = range(7)

COMMANDS = {
    "upgrade": "[REV]  apply the revisions up to REV, or all",
    "downgrade": "REV  undo revisions down to REV, or to base; refuses to drop a table that has rows",
    "plan": "[REV]  say what an upgrade would do here, and whether it can",
    "status": "say which revision the database has, which are pending, and whether its schema is the contract's",
    "verify": "compare the database with the contract, and read every row for one that spans two workspaces",
    "sql": "[FROM:TO]  print the script of an upgrade or, if TO is the older one, of a downgrade, for psql",
}
OPTIONS_OF = {"mend": "verify", "drop_rows": "downgrade", "roles": "sql"}


class UsageError(Exception):
    """The command line was not understood."""


class Parser(argparse.ArgumentParser):
    """A parser that raises: argparse's own exit code, 2, means drift here."""

    def error(self, message: str) -> NoReturn:
        """Say why the command line was not understood."""
        raise UsageError(message)


@dataclass
class Outcome:
    """What one command did to one database."""

    database: str = ""
    code: int = DONE
    message: str = "done"
    revision: str | None = None
    head: str | None = None
    applied: list[dict[str, str | float]] = field(default_factory=list)
    """Revisions that were applied or undone: ``revision``, ``direction``, and ``milliseconds``."""
    pending: list[dict[str, str]] = field(default_factory=list)
    """Revisions that the database lacks: ``revision`` and ``summary``."""
    differences: list[dict[str, Any]] = field(default_factory=list)
    """Where the database differs from the contract, or what the preflight found; ``text`` says it in one line."""
    warnings: list[str] = field(default_factory=list)
    """What changes no exit code: a server below the version floor of SECURITY.md."""
    answer: dict[str, Any] = field(default_factory=dict)
    """What only this command says: ``plan``, ``mend``, ``sql`` or the figures of ``status``."""
    text: str = field(default="", repr=False)
    """The answer as a person reads it, on standard output."""


class Output(io.TextIOBase):
    """Standard output that keeps what went wrong with it: nobody's full disk or closed pipe stops a migration."""

    failure = ""

    def write(self, text: str) -> int:
        """Write and flush, unless it failed before."""
        if not self.failure:
            try:
                if sys.stdout is None:
                    raise OSError("standard output is closed")
                sys.stdout.write(text)
                sys.stdout.flush()
            except (OSError, ValueError) as error:
                self.failure = str(error)
                with suppress(OSError, AttributeError, ValueError):  # or the interpreter fails again when it exits
                    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return len(text)


def parser() -> Parser:
    """Return the command line's grammar: options may stand before and after the command."""
    result = Parser(
        prog="connector-provenance",
        usage="%(prog)s [options] COMMAND [REV]",
        description="Apply and check the schema of provenance rows.\n\n"
        + "\n".join(f"  {name:10} {what}" for name, what in COMMANDS.items()),
        epilog="Exit codes: 0 done, up to date, in agreement; 1 behind: revisions are missing; 2 drift: the\n"
        "database is not what the contract says; 3 a lock was not obtained, try again later; 4 anything else;\n"
        "5 refused, nothing was changed; 6 the database is ahead of this package. Of several databases all are\n"
        "attempted, and the highest code\n"
        "is returned.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
        allow_abbrev=False,
    )
    result.add_argument("command", nargs="?", help=argparse.SUPPRESS)
    result.add_argument("revision", nargs="?", help=argparse.SUPPRESS)
    add = result.add_argument
    add("--database-url", action="append", metavar="URL", help="instead of DATABASE_URL: postgresql://user@host:5432/name;"
        " may be repeated")  # fmt: skip
    add("--lock-wait", type=seconds, default=60.0, metavar="SECONDS", help="how long to wait for another deployer (60)")
    add("--build-wait", type=seconds, default=600.0, metavar="SECONDS",
        help="how long an upgrade may wait for transactions and locks of others, in all (600)")  # fmt: skip
    add("--json", action="store_true", help="print one JSON document instead of progress")
    add("--mend", action="store_true", help="verify: print the SQL that leads back to the contract, to read and run")
    add("--drop-rows", action="store_true", help="downgrade: drop tables with their rows")
    add("--roles", metavar="DEPLOYER", help="sql: print what a DBA runs for a deployer that may not create roles")
    add("--debug", action="store_true", help="print the traceback of a failure")
    add("--version", action="store_true", help="print the version of this package and its newest revision")
    add("-h", "--help", action="store_true", help="print this")
    return result


def seconds(text: str) -> float:
    """Return a number of seconds from the command line.

    :raises argparse.ArgumentTypeError: it is none, negative or without end.
    """
    with suppress(ValueError):
        if math.isfinite(found := float(text)) and found >= 0:
            return found
    raise argparse.ArgumentTypeError("is a number of seconds, such as 60")


def parse(arguments: list[str]) -> argparse.Namespace:
    """Return the options, checked.

    :raises UsageError: they were not understood; where a URL may be among them, the message repeats none of them.
    """
    try:
        options = parser().parse_intermixed_args(arguments)
    except UsageError as error:
        if any("://" in text or "@" in text or text.startswith("--database-url") for text in arguments):
            raise UsageError("an argument was not understood: is the URL quoted?") from None
        raise UsageError(str(error)) from None
    name, revision = options.command, options.revision
    if options.help or options.version:
        return options
    if name not in COMMANDS:
        raise UsageError(f"COMMAND is one of {', '.join(COMMANDS)}")
    for option, owner in OPTIONS_OF.items():
        if getattr(options, option) and name != owner:
            raise UsageError(f"--{option.replace('_', '-')} belongs to {owner}")
    if "" in (revision, options.roles, *(options.database_url or ())):
        raise UsageError("an argument is empty: is a variable unset?")
    if revision is None and name == "downgrade":
        raise UsageError("downgrade needs REV: a revision, or base")
    if revision is not None:
        if name in ("status", "verify") or options.roles:
            raise UsageError(f"{name} takes no REV here")
        colons = 1 if name == "sql" else 0
        if not re.fullmatch(rf"[\w.+@-]+(:[\w.+@-]+){{0,{colons}}}", revision, re.ASCII):
            raise UsageError("REV is not a revision" + (" or FROM:TO" if colons else ""))
    return options


def configuration(run: Run, **options: Any) -> Config:
    """Return Alembic's configuration for one run."""
    config = Config(**options)
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["run"] = run
    return config


def ask(config: Config, question: Callable[[str | None, sa.Connection], None]) -> None:
    """Put a question to the database, through Alembic's environment.

    :param question: gets the revision and a connection in a transaction.
    """
    script = ScriptDirectory.from_config(config)

    def answer(heads: tuple[str, ...], here: Any) -> list[Any]:
        question(", ".join(heads) or None, here.connection)
        return []

    with EnvironmentContext(config, script, fn=answer, dont_mutate=True):
        script.run_env()


def examine(options: argparse.Namespace, config: Config, outcome: Outcome) -> None:
    """Run ``plan``, ``status`` or ``verify``."""
    script = ScriptDirectory.from_config(config)
    steps = list(script.walk_revisions())[::-1]
    names = [step.revision for step in steps]
    upto = script.get_revision(options.revision or "head").revision

    def question(revision: str | None, connection: sa.Connection) -> None:
        missing = steps[names.index(revision) + 1 if revision else 0 : names.index(upto) + 1]
        outcome.pending = [{"revision": step.revision, "summary": step.doc} for step in missing]
        if options.command == "plan":
            found = contract.preflight(connection) if missing else []
            outcome.answer["plan"] = contract.plan(step.revision for step in missing)
            outcome.text = "".join(f"{line}\n" for line in _lines_of(outcome.answer["plan"]))
            outcome.message = "nothing to do" if not missing else f"{len(missing)} revisions can be applied"
            bad, refusal = REFUSED, "an upgrade would be refused by the preflight"
        elif missing:
            outcome.code, outcome.message = BEHIND, f"behind: at {revision or 'base'}, not {outcome.head}; pending:"
            return
        else:
            found = contract.verify(connection, rows=options.command == "verify")
            outcome.message = "verified: the database is what the contract says"
            bad, refusal = DRIFT, "drift: the database is not what the contract says"
        outcome.warnings = [each.text() for each in found if each.severity == "warning"]
        if wrong := [each for each in found if each.severity != "warning"]:
            _differ(outcome, bad, refusal, wrong)
        if options.command == "status":
            outcome.answer.update(contract.status(connection))
        elif options.mend:
            outcome.answer["mend"] = outcome.text = contract.mend(connection)

    ask(config, question)


def _differ(outcome: Outcome, code: int, message: str, found: list[contract.Difference]) -> None:
    outcome.differences = [{**asdict(each), "text": each.text()} for each in found]
    outcome.code, outcome.message = code, message


def _lines_of(plan: list[dict[str, Any]]) -> Iterator[str]:
    for step in plan:
        yield f"{step['revision']}  {step.get('summary', '')}".rstrip()
        for name, value in step.items():
            if value and name not in ("revision", "summary"):
                yield f"  {name}: {', '.join(map(str, value)) if isinstance(value, list) else value}"


def script_of(span: str) -> str:
    """Return the script that leads from one revision to another, in either direction.

    :param span: ``FROM:TO``, or ``TO`` for what leads there from an empty database.
    :raises CommandError: there is no such revision.
    """
    printed = io.StringIO()
    config = configuration(Run(url=""), output_buffer=printed)
    revisions = ScriptDirectory.from_config(config)
    order: list[str | None] = [None, *(step.revision for step in list(revisions.walk_revisions())[::-1])]
    ends = span.split(":") if ":" in span else ["base", span]
    first, last = (order.index(getattr(revisions.get_revision(end), "revision", None)) for end in ends)
    lead = command.upgrade if first <= last else command.downgrade
    lead(config, f"{order[first] or 'base'}:{order[last] or 'base'}", sql=True)
    return printed.getvalue()


def run(options: argparse.Namespace, url: str | None, output: Output) -> Outcome:
    """Run one command on one database; nothing is raised, whatever happens."""
    outcome = Outcome()
    asked = Run(url=url, lock_wait=options.lock_wait, build_wait=options.build_wait, drop_rows=options.drop_rows)
    config = configuration(asked, stdout=io.StringIO() if options.json else output)
    outcome.applied = asked.applied
    failure: BaseException | None = None
    try:
        outcome.head = ScriptDirectory.from_config(config).get_current_head()
        if options.command != "sql":
            parameters(asked)
        match options.command:
            case "upgrade":
                command.upgrade(config, options.revision or "head")
            case "downgrade":
                command.downgrade(config, options.revision)
            case "sql":
                if options.roles:
                    named = f"set connector_provenance.deployer = {Literal(options.roles).as_string()};\n"
                    outcome.text = "\\set ON_ERROR_STOP on\n" + named + sqlfile.read("sql/roles.sql")
                else:
                    outcome.text = script_of(options.revision or "head")
                outcome.answer["sql"] = outcome.text
            case _:
                examine(options, config, outcome)
    except RefusedError as error:
        failure = error
        _differ(outcome, REFUSED, str(error).partition("\n")[0], error.reasons)
    except CommandError as error:
        failure = error
        outcome.code, outcome.message = getattr(error, "code", FAILED), str(error)
    except KeyboardInterrupt:
        undone = f" in {asked.doing}; {asked.left or 'it is undone'}" if asked.doing else ""
        outcome.code, outcome.message = FAILED, f"interrupted{undone}"
    except Exception as error:
        failure = error
        what = re.sub(r"//\S*@", "//", " ".join(str(error).split()))
        outcome.code, outcome.message = FAILED, f"{type(error).__name__}: {what}; --debug shows where"
    if options.debug and failure:
        traceback.print_exception(failure)
    outcome.database, outcome.revision = asked.database, asked.revision
    return outcome


@contextmanager
def interruptible() -> Iterator[None]:
    """Treat a request to end as Ctrl-C, which psycopg passes on to the server."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main(arguments: list[str] | None = None) -> int:
    """Run one command on each database.

    :param arguments: the command line, the process's own by default.
    :return: the exit code, as in the help text; nothing is raised.
    """
    output, outcomes = Output(), []
    arguments = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in arguments
    try:
        with interruptible():
            for outcome in outcomes_of(arguments, output):
                outcomes.append(outcome)
                if not as_json:
                    report(outcome, output)
        code = max(outcome.code for outcome in outcomes)
        failed = [outcome.database for outcome in outcomes if outcome.code]
        summary = f"{len(outcomes) - len(failed)} of {len(outcomes)} databases done"
        summary += f"; not done: {', '.join(failed)}" if failed else ""
        if as_json:
            databases = [
                {name: value for name, value in asdict(outcome).items() if name != "text"} for outcome in outcomes
            ]
            output.write(json.dumps({"code": code, "databases": databases}, indent=2) + "\n")
        elif len(outcomes) > 1:
            output.write(summary + "\n")
    except KeyboardInterrupt:
        code = complain("interrupted")
    return complain(f"standard output: {output.failure}") if output.failure else code


def outcomes_of(arguments: list[str], output: Output) -> Iterator[Outcome]:
    """Run what the command line asks for, one database after the other."""
    try:
        options = parse(arguments)
    except UsageError as error:
        yield Outcome(code=FAILED, message=f"{error}; see connector-provenance --help")
        return
    if options.help or options.version:
        newest = ScriptDirectory.from_config(configuration(Run())).get_current_head()
        named = f"connector-provenance {version('connector-provenance')} ({newest})\n"
        yield Outcome(message="", text=parser().format_help() if options.help else named)
        return
    for url in [None] if options.command == "sql" else options.database_url or [None]:
        outcome = run(options, url, output)
        yield outcome
        if outcome.message.startswith("interrupted"):
            return


def report(outcome: Outcome, output: Output) -> None:
    """Tell a person what happened: the answer on standard output, what is wrong on standard error."""
    output.write(outcome.text)
    name = outcome.database or "connector-provenance"
    for warning in outcome.warnings:
        complain(f"warning: {warning}", name)
    if outcome.code or "mend" in outcome.answer:
        lines = [each["text"] for each in outcome.differences]
        if outcome.code == BEHIND:
            lines = [f"{each['revision']}  {each['summary']}" for each in outcome.pending]
        complain("\n  ".join([outcome.message, *lines]), name)
    elif outcome.message and "sql" not in outcome.answer:
        output.write(f"{name}: {outcome.message}\n")


def complain(text: str, name: str = "connector-provenance") -> int:
    """Write to standard error, if it can be written to, and return the exit code of a failure."""
    with suppress(OSError, ValueError):
        print(f"{name}: {text}", file=sys.stderr, flush=True)
    return FAILED


if __name__ == "__main__":
    sys.exit(main())
