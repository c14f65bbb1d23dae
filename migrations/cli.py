"""The command ``connector-provenance``: Alembic's commands for a pipeline, with exit codes it can branch on."""

import argparse
import io
import json
import math
import re
import signal
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

from alembic import command
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from connector_provenance.migrations import contract, live, mend, sqlfile
from connector_provenance.migrations.database import INSIDE, FailedError, RefusedError, Run, give_up, parameters

DONE, BEHIND, DRIFT, LOCKED, FAILED, REFUSED, AHEAD = range(7)
NAME = "connector-provenance"
COMMANDS = {
    "upgrade": "[REV]  apply the revisions up to REV, or all",
    "downgrade": "REV  undo revisions down to REV, or to base; refuses to drop a table that has rows",
    "plan": "[REV]  say what an upgrade would do here, and whether it can",
    "status": "say which revision the database has, which are pending, and whether its schema is the contract's",
    "verify": "compare the database with the contract, and read every row for one that spans two workspaces",
    "sql": "[FROM:TO]  print the script of an upgrade or, if TO is the older one, of a downgrade, for psql",
}
OPTIONS_OF = {"mend": "verify", "live": "verify", "seed": "verify", "drop_rows": "downgrade", "roles": "sql"}
EXIT_CODES = """Exit codes: 0 done, up to date, in agreement; 1 behind: revisions are missing; 2 drift: the database
is not what the contract says; 3 a lock was not obtained, try again later; 4 anything else; 5 refused,
nothing was changed; 6 the database is ahead of this package. Of several databases all are attempted,
and the highest code is returned."""


class UsageError(Exception):
    """The command line was not understood."""


class Parser(argparse.ArgumentParser):
    """A parser that raises: argparse's own exit code, 2, means drift here."""

    def error(self, message: str) -> NoReturn:
        """Say why the command line was not understood."""
        raise UsageError(message)


@dataclass
class Outcome:
    """What one command did to one database, as ``--json`` prints it; docs/deploying.md says what each entry holds."""

    database: str = ""
    code: int = DONE
    message: str = "done"
    revision: str | None = None
    head: str | None = None
    applied: list[dict[str, str | float]] = field(default_factory=list)
    pending: list[dict[str, str]] = field(default_factory=list)
    differences: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    answer: dict[str, Any] = field(default_factory=dict)

    def weigh(self, found: Iterable[contract.Difference], code: int, message: str) -> None:
        """Take over what the contract found: drift, which gives the exit code and the message, and warnings."""
        for each in found:
            if each.severity == "warning":
                self.warnings.append(each.text())
            else:
                self.differences.append({**asdict(each), "text": each.text()})
                self.code, self.message = code, message


class Output(io.TextIOBase):
    """Standard output that keeps what went wrong with it: nobody's full disk or closed pipe stops a migration."""

    failure = ""

    def write(self, text: str) -> int:
        """Write and flush, unless it failed before."""
        if sys.stdout is None:
            self.failure = "closed"
        elif not self.failure:
            try:
                sys.stdout.write(text)
                sys.stdout.flush()
            except (OSError, ValueError) as error:
                self.failure = str(error)
                give_up(sys.stdout)
        return len(text)


def complain(text: str, name: str = NAME) -> int:
    """Write to standard error, if it can be written to, and return the exit code of a failure."""
    try:
        print(f"{name}: {text}", file=sys.stderr, flush=True)
    except (OSError, ValueError):
        give_up(sys.stderr)
    return FAILED


def seconds(text: str) -> float:
    """Return a number of seconds from the command line.

    :raises argparse.ArgumentTypeError: it is none, negative or without end.
    """
    with suppress(ValueError):
        if math.isfinite(found := float(text)) and found >= 0:
            return found
    raise argparse.ArgumentTypeError("is a number of seconds, such as 60")


def parser() -> Parser:
    """Return the command line's grammar: options may stand before and after the command."""
    result = Parser(
        prog=NAME,
        usage="%(prog)s [options] COMMAND [REV]",
        description="\n".join(f"  {name:10} {what}" for name, what in COMMANDS.items()),
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
        allow_abbrev=False,
    )
    add = result.add_argument
    add("command", nargs="?", help=argparse.SUPPRESS)
    add("revision", nargs="?", help=argparse.SUPPRESS)
    add("--database-url", action="append", metavar="URL", help="instead of DATABASE_URL; may be repeated")
    add("--lock-wait", type=seconds, default=60.0, metavar="SECONDS", help="for another deployer (60)")
    add("--build-wait", type=seconds, default=600.0, metavar="SECONDS", help="for others' transactions, in all (600)")
    add("--json", action="store_true", help="print one JSON document instead of progress")
    add("--mend", action="store_true", help="verify: print the SQL that leads back to the contract")
    add("--live", action="store_true", help="verify: try every rule on the rows that are there, and undo it")
    add("--seed", type=int, metavar="NUMBER", help="verify --live: try it with other rows and workspaces (0)")
    add("--drop-rows", action="store_true", help="downgrade: drop tables with their rows")
    add("--roles", metavar="DEPLOYER", help="sql: print what a DBA runs for a deployer that may not create roles")
    add("--debug", action="store_true", help="print the traceback of a failure")
    add("--version", action="store_true", help="print the version of this package and its newest revision")
    add("-h", "--help", action="store_true", help="print this")
    return result


def parse(arguments: list[str]) -> argparse.Namespace:
    """Return the options, checked.

    :raises UsageError: they were not understood; where a URL may be among them, the message repeats none of them.
    """
    try:
        options = parser().parse_intermixed_args(arguments)
    except UsageError:
        if any("://" in text or "@" in text or text.startswith("--database-url") for text in arguments):
            raise UsageError("an argument was not understood: is the URL quoted?") from None
        raise
    name, revision = options.command, options.revision
    if options.help or options.version:
        return options
    if name not in COMMANDS:
        raise UsageError(f"COMMAND is one of {', '.join(COMMANDS)}")
    for option, owner in OPTIONS_OF.items():
        if getattr(options, option) and name != owner:
            raise UsageError(f"--{option.replace('_', '-')} belongs to {owner}")
    if (options.live and options.mend) or (options.seed is not None and not options.live):
        raise UsageError("--live takes --seed, and does not go with --mend")
    if "" in (revision, options.roles, *(options.database_url or ())):
        raise UsageError("an argument is empty: is a variable unset?")
    if revision is None and name == "downgrade":
        raise UsageError("downgrade needs REV: a revision, or base")
    if revision is not None and (name in ("status", "verify") or options.roles):
        raise UsageError(f"{name} takes no REV here")
    if name == "plan" and revision == "base":
        raise UsageError("plan takes a revision that an upgrade leads to")
    options.revision = "head" if revision is None else revision
    if not re.fullmatch(r"[\w.+@-]+(:[\w.+@-]+)?" if name == "sql" else r"[\w.+@-]+", options.revision, re.ASCII):
        raise UsageError("REV is not a revision" + (" or FROM:TO" if name == "sql" else ""))
    return options


def configuration(run: Run, **options: Any) -> Config:
    """Return Alembic's configuration for one run."""
    config = Config(**options)
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["run"] = run
    return config


def examine(options: argparse.Namespace, config: Config, outcome: Outcome) -> None:
    """Run ``plan``, ``status`` or ``verify``, in a transaction of Alembic's environment."""
    script = ScriptDirectory.from_config(config)
    steps = list(script.walk_revisions())[::-1]
    names = [None, *(step.revision for step in steps)]
    upto = names.index(script.get_revision(options.revision).revision)

    def answer(heads: tuple[str, ...], here: Any) -> list[Any]:
        inside = not heads and here.connection.exec_driver_sql(INSIDE).scalar()
        missing = [] if inside else steps[names.index(heads[0] if heads else None) : upto]
        outcome.pending = [{"revision": step.revision, "summary": step.doc} for step in missing]
        if options.command == "plan":
            outcome.answer["plan"] = contract.plan(step.revision for step in missing)
            outcome.message = f"{len(missing)} revisions can be applied" if missing else "nothing to do"
            found = contract.preflight(here.connection) if missing else []
            outcome.weigh(found, REFUSED, "an upgrade would be refused by the preflight")
        elif missing:
            outcome.code, outcome.message = (
                BEHIND,
                f"behind: at {', '.join(heads) or 'base'}, not {outcome.head}; pending:",
            )
        elif options.live:
            tried = live.verify(here.connection, options.seed or 0)
            outcome.answer["live"] = asdict(tried)
            outcome.code, outcome.message = tried.code, tried.message
            outcome.weigh(tried.differences(), DRIFT, "drift: tried live, the database does not do what was promised")
        else:
            whose = "; the revisions are in a host's own Alembic" if inside else ""
            where = f"at {outcome.head}; " if options.command == "status" else ""
            outcome.message = f"{where}verified: the database is what the contract says{whose}"
            found = contract.verify(here.connection, rows=options.command == "verify")
            found = [mend.explained(here.connection, each) for each in found]
            outcome.weigh(found, DRIFT, "drift: the database is not what the contract says")
            if options.mend:
                outcome.answer["mend"] = mend.statements(here.connection)
            elif options.command == "status":
                outcome.answer.update(contract.status(here.connection))
        return []

    with EnvironmentContext(config, script, fn=answer, dont_mutate=True):
        script.run_env()


def script_of(span: str) -> str:
    """Return the script that leads from one revision to another, in either direction.

    :param span: ``FROM:TO``, or ``TO`` for what leads there from an empty database.
    :raises CommandError: there is no such revision.
    """
    buffer = io.StringIO()
    config = configuration(Run(), output_buffer=buffer)
    revisions = ScriptDirectory.from_config(config)
    order = ["base", *(step.revision for step in list(revisions.walk_revisions())[::-1])]
    ends = span.split(":") if ":" in span else ["base", span]
    first, last = (order.index(found.revision if found else "base") for found in map(revisions.get_revision, ends))
    lead = command.upgrade if first <= last else command.downgrade
    lead(config, f"{order[first]}:{order[last]}", sql=True)
    return buffer.getvalue()


def roles_of(deployer: str) -> str:
    """Return what a DBA runs, as often as it takes, for a deployer that may not create roles."""
    named = f"set connector_provenance.deployer = {contract.quote(deployer)};\n"
    return "\\set ON_ERROR_STOP on\n" + named + sqlfile.read("sql/roles.sql")


def run(options: argparse.Namespace, url: str | None, output: Output) -> Outcome:
    """Run one command on one database; nothing is raised, whatever happens."""
    outcome = Outcome()
    asked = Run(url=url, lock_wait=options.lock_wait, build_wait=options.build_wait, drop_rows=options.drop_rows)
    config = configuration(asked, stdout=io.StringIO() if options.json else output)
    try:
        outcome.head = ScriptDirectory.from_config(config).get_current_head()
        if options.command == "sql":
            outcome.answer["sql"] = roles_of(options.roles) if options.roles else script_of(options.revision)
        else:
            parameters(asked)
            if options.command in ("upgrade", "downgrade"):
                getattr(command, options.command)(config, options.revision)
            else:
                examine(options, config, outcome)
    except (Exception, KeyboardInterrupt) as error:
        outcome.code, outcome.message = error.code if isinstance(error, FailedError) else FAILED, str(error)
        if isinstance(error, RefusedError):
            outcome.weigh(error.reasons, REFUSED, error.args[0].partition("\n")[0])
        elif isinstance(error, KeyboardInterrupt):
            undone = f" in {asked.doing}; {asked.left or 'it is undone'}" if asked.doing else ""
            outcome.message = f"interrupted{undone}"
        elif not isinstance(error, CommandError):
            what = re.sub(r"//\S*@", "//", " ".join(str(error).split()))
            outcome.message = f"{type(error).__name__}: {what}; --debug shows where"
        if options.debug:
            traceback.print_exception(error)
    outcome.database, outcome.revision, outcome.applied = asked.database, asked.revision, asked.applied
    return outcome


def report(outcome: Outcome, output: Output) -> None:
    """Tell a person what happened: the answer on standard output, alone if it is SQL; what is wrong on the other."""
    script = outcome.answer.get("mend", outcome.answer.get("sql"))
    output.write(script or "")
    for step in outcome.answer.get("plan", ()):
        output.write(f"{step['revision']}\n")
        for name, value in step.items():
            if value and name != "revision":
                output.write(f"  {name}: {'; '.join(map(str, value)) if isinstance(value, list) else value}\n")
    if "live" in outcome.answer:
        output.write(live.table(**outcome.answer["live"]))
    name = outcome.database or NAME
    for warning in outcome.warnings:
        complain(f"warning: {warning}", name)
    lines = [outcome.message]
    for each in outcome.differences:
        lines += [each["text"], *(f"    {line}" for line in (each["mend"] or "").splitlines())]
    if outcome.code == BEHIND:
        lines += [f"{each['revision']}  {each['summary']}" for each in outcome.pending]
    if outcome.code or "mend" in outcome.answer:
        complain("\n  ".join(lines), name)
    elif script is None and outcome.message:
        output.write(f"{name}: {outcome.message}\n")


def outcomes_of(arguments: list[str], output: Output) -> Iterator[Outcome]:
    """Run what the command line asks for, one database after the other."""
    try:
        options = parse(arguments)
    except UsageError as error:
        yield Outcome(code=FAILED, message=f"{error}; see {NAME} --help")
        return
    if options.help:
        output.write(parser().format_help())
    elif options.version:
        newest = ScriptDirectory.from_config(configuration(Run())).get_current_head()
        output.write(f"{NAME} {version(NAME)} ({newest})\n")
    else:
        for url in [None] if options.command == "sql" else options.database_url or [None]:
            outcome = run(options, url, output)
            yield outcome
            if outcome.message.startswith("interrupted"):
                return


def summarize(outcomes: list[Outcome], output: Output, *, as_json: bool) -> int:
    """Print the JSON document, or a line on several databases, and return the highest exit code."""
    code = max((outcome.code for outcome in outcomes), default=DONE)
    failed = [outcome.database for outcome in outcomes if outcome.code]
    if as_json and outcomes:
        document = {"code": code, "databases": [asdict(outcome) for outcome in outcomes]}
        output.write(json.dumps(document, indent=2) + "\n")
    elif len(outcomes) > 1:
        names = f"; not done: {', '.join(failed)}" if failed else ""
        output.write(f"{len(outcomes) - len(failed)} of {len(outcomes)} databases done{names}\n")
    return code


def main(arguments: list[str] | None = None) -> int:
    """Run one command on each database.

    :param arguments: the command line, the process's own by default.
    :return: the exit code, as in the help text; nothing is raised.
    """
    output, outcomes = Output(), []
    arguments = sys.argv[1:] if arguments is None else arguments
    with ExitStack() as stack:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C, which psycopg passes on to the server
                stack.callback(signal.signal, number, signal.signal(number, signal.default_int_handler))
        try:
            for outcome in outcomes_of(arguments, output):
                outcomes.append(outcome)
                if "--json" not in arguments:
                    report(outcome, output)
            code = summarize(outcomes, output, as_json="--json" in arguments)
        except KeyboardInterrupt:
            code = complain("interrupted")
    return complain(f"standard output: {output.failure}") if output.failure else code


if __name__ == "__main__":
    sys.exit(main())
