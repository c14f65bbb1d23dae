"""The command ``connector-provenance``: Alembic's commands for a pipeline, with exit codes it can branch on."""

import argparse
import io
import json
import os
import signal
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NoReturn

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError, DatabaseNotAtHead
from psycopg.errors import Diagnostic
from psycopg.sql import Literal

from connector_provenance.migrations import sqlfile
from connector_provenance.migrations.database import LockNotObtainedError, engine_of, message_of, name_of

DONE, BEHIND, DRIFT, LOCKED, FAILED = range(5)
DRIFT_SQLSTATE = "P0001"  # what `raise exception` in sql/verify.sql carries


@dataclass
class Outcome:
    """What one command did to one database."""

    database: str
    code: int = DONE
    message: str = "done"
    revision: str | None = None
    head: str | None = None
    applied: list[dict[str, str | float]] = field(default_factory=list)
    """Revisions that were applied or undone: ``revision``, ``direction``, and ``milliseconds``."""
    warnings: list[str] = field(default_factory=list)
    """What changes no exit code: a server below the version floor of SECURITY.md."""


class Parser(argparse.ArgumentParser):
    """A parser whose refusal is exit code 4: argparse's own, 2, means drift here."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and why the command line was not understood, and exit."""
        self.print_usage(sys.stderr)
        self.exit(FAILED, f"{self.prog}: {message}\n")


def parser() -> Parser:
    """Return the command line's grammar."""
    result = Parser(
        prog="connector-provenance",
        description="Apply and check the schema of provenance rows.",
        epilog="Exit codes: 0 done or up to date, 1 behind, 2 drift, 3 lock not obtained (retry later), 4 anything"
        " else. With several databases all are attempted, and the highest code is returned.",
    )
    result.add_argument(
        "--database-url",
        action="append",
        metavar="URL",
        help="instead of DATABASE_URL: postgresql://user@host:5432/name; may be repeated",
    )
    result.add_argument(
        "--lock-wait", type=float, default=60, metavar="SECONDS", help="how long to wait for another deployer (60)"
    )
    result.add_argument("--json", action="store_true", help="print one JSON document instead of progress")
    commands = result.add_subparsers(dest="command", required=True, metavar="COMMAND")
    upgrade = commands.add_parser("upgrade", help="apply the revisions up to REV")
    upgrade.add_argument("revision", nargs="?", default="head", metavar="REV")
    downgrade = commands.add_parser("downgrade", help="undo the revisions down to REV, or to base")
    downgrade.add_argument("revision", metavar="REV")
    commands.add_parser("status", help="say which revision the database has and whether its schema is the contract's")
    commands.add_parser("verify", help="the same, and read every row for one that spans two workspaces")
    script = commands.add_parser("sql", help="print the script that upgrade would execute")
    script.add_argument("revision", nargs="?", default="head", metavar="FROM:TO")
    script.add_argument(
        "--roles", metavar="DEPLOYER", help="print instead what a DBA runs for a deployer that may not create roles"
    )
    return result


def configuration(url: str | None, **options: object) -> Config:
    """Return Alembic's configuration for one database, or for none."""
    config = Config(**options)
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["database_url"] = url
    return config


def print_script(options: argparse.Namespace) -> int:
    """Print the SQL of an upgrade, or that which prepares the roles."""
    if options.roles:
        print(f"set connector_provenance.deployer = {Literal(options.roles).as_string()};")
        print(sqlfile.read("sql/roles.sql"), end="")
    else:
        try:
            command.upgrade(configuration(None), options.revision, sql=True)
        except CommandError as error:
            print(f"connector-provenance: {error}", file=sys.stderr)
            return FAILED
    return DONE


def check(config: Config, *, rows: bool, warnings: list[str]) -> None:
    """Compare the database with the contract.

    :param rows: read every row too, for one whose parents differ in workspace.
    :param warnings: is given what the server warns of.
    :raises DatabaseNotAtHead: it lacks revisions, so there is nothing to compare yet.
    :raises sqlalchemy.exc.DBAPIError: the first difference is the message, the others are the detail.
    """
    command.current(config, check_heads=True)

    def heed(notice: Diagnostic) -> None:
        if notice.severity_nonlocalized == "WARNING":
            warnings.append(notice.message_primary or "")

    with engine_of(config).connect() as connection:
        connection.connection.dbapi_connection.add_notice_handler(heed)
        connection.execute(
            sa.select(sa.func.set_config("connector_provenance.skip_rows", "off" if rows else "on", True))
        )
        connection.execute(sqlfile.ddl("sql/verify.sql"))


def run(options: argparse.Namespace, url: str | None) -> Outcome:
    """Run one command on one database; nothing that an operator can cause is raised."""
    config = configuration(url, stdout=io.StringIO() if options.json else sys.stdout)
    config.attributes["lock_wait"] = options.lock_wait
    outcome = Outcome(database="", head=ScriptDirectory.from_config(config).get_current_head())
    config.attributes["applied"] = outcome.applied
    try:
        outcome.database = name_of(config)
        match options.command:
            case "upgrade":
                command.upgrade(config, options.revision)
            case "downgrade":
                command.downgrade(config, options.revision)
            case "status" | "verify":
                check(config, rows=options.command == "verify", warnings=outcome.warnings)
                outcome.message = "verified: the database is what the contract says"
    except DatabaseNotAtHead:
        outcome.code = BEHIND
        outcome.message = f"behind: at {config.attributes.get('revision')}, not {outcome.head}"
    except LockNotObtainedError as error:
        outcome.code, outcome.message = LOCKED, str(error)
    except CommandError as error:
        outcome.code, outcome.message = FAILED, str(error)
    except sa.exc.DBAPIError as error:
        outcome.code = DRIFT if getattr(error.orig, "sqlstate", None) == DRIFT_SQLSTATE else FAILED
        outcome.message = message_of(error)
    outcome.revision = config.attributes.get("revision")
    return outcome


def main(arguments: list[str] | None = None) -> int:
    """Run one command on each database.

    :param arguments: the command line, the process's own by default.
    :return: the exit code, as in the help text.
    """
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `connector-provenance sql | head` ends quietly
    options = parser().parse_args(arguments)
    if options.command == "sql":
        return print_script(options)

    urls = options.database_url or [os.environ.get("DATABASE_URL")]
    outcomes = []
    for url in urls:
        outcomes.append(run(options, url))
        if not options.json:
            outcome = outcomes[-1]
            for warning in outcome.warnings:
                print(f"{outcome.database}: warning: {warning}", file=sys.stderr)
            print(
                f"{outcome.database or 'connector-provenance'}: {outcome.message}",
                file=sys.stderr if outcome.code else sys.stdout,
            )
    code = max(outcome.code for outcome in outcomes)
    if options.json:
        print(json.dumps({"code": code, "databases": [asdict(outcome) for outcome in outcomes]}, indent=2))
    elif len(outcomes) > 1:
        failed = [outcome.database for outcome in outcomes if outcome.code]
        print(f"{len(outcomes) - len(failed)} of {len(outcomes)} databases done", end="")
        print(f"; not done: {', '.join(failed)}" if failed else "")
    return code


if __name__ == "__main__":
    sys.exit(main())
