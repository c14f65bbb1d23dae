"""Execute the versioned SQL files: the one way a migration touches the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from alembic import op

ROOT = Path(__file__).resolve().parents[1]
"""Directory that holds ``sql/`` and ``policies/``, in a checkout as in the installed package."""


def read(path: str) -> str:
    """Return the text of one SQL file.

    :param path: file below :data:`ROOT`, for example ``sql/0002_ground.up.sql``.
    :raises FileNotFoundError: there is no such file.
    """
    return (ROOT / path).read_text(encoding="utf-8")


def ddl(path: str) -> sa.DDL:
    """Return one SQL file as a statement that Alembic can execute or, with ``--sql``, print.

    :param path: file below :data:`ROOT`.
    :raises FileNotFoundError: there is no such file.
    """
    return _statement(read(path))


def run(path: str) -> None:
    """Execute one SQL file inside a migration, all of its statements at once.

    :param path: file below :data:`ROOT`.
    :raises FileNotFoundError: there is no such file.
    :raises sqlalchemy.exc.DBAPIError: PostgreSQL refused a statement, with the file in its ``detail``; the migration's
        transaction is rolled back.
    """
    with _searching_nothing_of_others(local=True):
        _execute(path, read(path))


def run_in_autocommit(path: str) -> None:
    """Execute one SQL file statement by statement, each on its own, so that it may build indexes concurrently.

    An interruption leaves the statements before it done: each of them must bear to be run again.

    :param path: file below :data:`ROOT`; lines ``-- next`` part its statements.
    :raises FileNotFoundError: there is no such file.
    :raises sqlalchemy.exc.DBAPIError: PostgreSQL refused a statement, with the file in its ``detail``.
    """
    with op.get_context().autocommit_block(), _searching_nothing_of_others(local=False):
        for text in read(path).split("-- next\n"):
            _execute(path, text)


@contextmanager
def _searching_nothing_of_others(*, local: bool) -> Iterator[None]:
    """Search pg_catalog alone: in a host's own Alembic, a tenant's function in public may fit a call better.

    :param local: until the transaction ends, if it fails; otherwise in no transaction.
    """
    path, callers = "pg_catalog.set_config('search_path', {}, {})", "connector_provenance.callers_path"
    if op.get_context().as_sql:  # the script begins with the same
        yield
        return
    kept = f"pg_catalog.set_config('{callers}', pg_catalog.current_setting('search_path'), {local})"
    op.execute(f"select {kept}, {path.format(chr(39) + 'pg_catalog, pg_temp' + chr(39), local)}")
    yield
    op.execute(f"select {path.format(f'pg_catalog.current_setting({chr(39)}{callers}{chr(39)})', local)}")


def _execute(path: str, text: str) -> None:
    try:
        op.execute(_statement(text))
    except sa.exc.DBAPIError as error:
        error.add_detail(path)
        raise


def _statement(text: str) -> sa.DDL:
    # sa.DDL is the construct that leaves ":name" alone; it interpolates "%", hence the doubling
    return sa.DDL(text.strip().rstrip(";").replace("%", "%%"))
