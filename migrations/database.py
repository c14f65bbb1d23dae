"""Which database, and what went wrong with it: shared by Alembic's environment and the command line."""

import os

import sqlalchemy as sa
from alembic.config import Config
from alembic.util import CommandError


class LockNotObtainedError(CommandError):
    """Another deployer is at work; the same call can succeed later."""


def engine_of(config: Config) -> sa.Engine:
    """Return an engine for the database in ``config.attributes["database_url"]`` or else in ``DATABASE_URL``.

    :raises CommandError: none was given, or it is not a PostgreSQL URL. The message never contains the URL.
    """
    text = config.attributes.get("database_url") or os.environ.get("DATABASE_URL")
    if not text:
        raise CommandError("no database: set DATABASE_URL, for example postgresql://deployer@host:5432/name")
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        url = None
    if url is None or url.drivername.split("+")[0] not in ("postgresql", "postgres"):
        raise CommandError("DATABASE_URL is not a PostgreSQL URL: write postgresql://user@host:5432/name")
    return sa.create_engine(url.set(drivername="postgresql+psycopg"), poolclass=sa.NullPool)


def message_of(error: Exception) -> str:
    """Return what PostgreSQL said, with its detail and hint, and nothing of the statement or the URL.

    :param error: an error of SQLAlchemy or psycopg.
    """
    original = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    diagnostic = getattr(original, "diag", None)
    if diagnostic is None or diagnostic.message_primary is None:
        return str(original).strip()
    parts = [diagnostic.message_primary, diagnostic.message_detail, diagnostic.message_hint]
    return "\n".join(part for part in parts if part)
