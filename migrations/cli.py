"""The command ``cwc-schema``: Alembic's commands for a pipeline, with exit codes it can branch on."""

import argparse
import signal
import sys
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util import CommandError, DatabaseNotAtHead

from cwc_schema.migrations import sqlfile
from cwc_schema.migrations.database import LockNotObtainedError, engine_of, message_of

DONE, BEHIND, DRIFT, LOCKED, FAILED = range(5)
DRIFT_SQLSTATE = "P0001"  # what `raise exception` in sql/verify.sql carries


def parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    result = argparse.ArgumentParser(
        prog="cwc-schema",
        description="Apply and check the schema of core_api.company_workspace_connectors.",
        epilog="Exit codes: 0 done or up to date, 1 behind, 2 drift, 3 another deployer at work, 4 anything else.",
    )
    result.add_argument("--database-url", help="instead of DATABASE_URL: postgresql://user@host:5432/name")
    result.add_argument(
        "--lock-wait", type=float, default=60, metavar="SECONDS", help="how long to wait for another deployer (60)"
    )
    commands = result.add_subparsers(dest="command", required=True, metavar="COMMAND")
    upgrade = commands.add_parser("upgrade", help="apply the revisions up to REV")
    upgrade.add_argument("revision", nargs="?", default="head", metavar="REV")
    downgrade = commands.add_parser("downgrade", help="undo the revisions down to REV, or to base")
    downgrade.add_argument("revision", metavar="REV")
    commands.add_parser("status", help="say which revision the database has")
    commands.add_parser("verify", help="compare the live database with the contract, sql/verify.sql")
    script = commands.add_parser("sql", help="print the script that upgrade would execute")
    script.add_argument("revision", nargs="?", default="head", metavar="FROM:TO")
    return result


def verify(config: Config) -> None:
    """Compare the database with the contract.

    :raises DatabaseNotAtHead: it lacks revisions, so there is nothing to compare yet.
    :raises sqlalchemy.exc.DBAPIError: the first difference is the message, the others are the detail.
    """
    command.current(config, check_heads=True)
    with engine_of(config).connect() as connection:
        connection.execute(sqlfile.ddl("sql/verify.sql"))
    config.print_stdout("verified: the database is what the contract says")


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    :param arguments: the command line, the process's own by default.
    :return: the exit code, as in the help text.
    """
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `cwc-schema sql | head` ends quietly
    options = parser().parse_args(arguments)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes.update(database_url=options.database_url, lock_wait=options.lock_wait)
    try:
        match options.command:
            case "upgrade":
                command.upgrade(config, options.revision)
            case "downgrade":
                command.downgrade(config, options.revision)
            case "status":
                command.current(config, check_heads=True)
            case "verify":
                verify(config)
            case "sql":
                command.upgrade(config, options.revision, sql=True)
    except DatabaseNotAtHead as error:
        return fail(BEHIND, str(error))
    except LockNotObtainedError as error:
        return fail(LOCKED, str(error))
    except CommandError as error:
        return fail(FAILED, str(error))
    except sa.exc.DBAPIError as error:
        drifted = getattr(error.orig, "sqlstate", None) == DRIFT_SQLSTATE
        return fail(DRIFT if drifted else FAILED, message_of(error))
    return DONE


def fail(code: int, message: str) -> int:
    """Print why on standard error and return the exit code."""
    print(f"cwc-schema: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
