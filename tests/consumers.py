"""What the tests of clients share: Node and its packages, URLs, and a database whose rows may be committed."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import psycopg
import pytest
from servers import PASSWORD, Server, give_to_deployer, new_database, psql

from connector_provenance.migrations.sqlfile import ROOT

CLIENTS = ROOT / "clients"
PROGRAMS = Path(__file__).parent / "programs"
CACHE = ROOT / ".cache" / "clients"


def untested(reason: str) -> NoReturn:
    """Skip the test; fail it where CI says that nothing may go untested."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def program(name: str) -> str:
    """Return where node or npm is."""
    return shutil.which(name) or untested(f"{name} is not installed, so the clients that need it are not run")


def installed(client: str) -> Path:
    """Return a folder with a client's files, the tests' programs, and the packages of its package.json.

    The packages are installed once for each content of package.json.
    """
    if "TEST_POSTGRES_BIN" in os.environ:
        pytest.skip("what needs Node is run on the embedded server alone")
    package = CLIENTS / client / "package.json"
    name = client.replace("/", "-")
    folder = CACHE / f"{name}-{hashlib.sha256(package.read_bytes()).hexdigest()[:12]}"
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE, ignore_cleanup_errors=True) as unfinished:
            shutil.copy(package, unfinished)
            quiet = [
                "--no-package-lock",
                "--no-audit",
                "--no-fund",
                "--silent",
                "--ignore-scripts",
                "--fetch-retries=1",
            ]
            npm = subprocess.run([program("npm"), "install", *quiet], cwd=unfinished, capture_output=True, text=True)
            if npm.returncode:
                untested(f"npm could not install {client}'s packages: {npm.stderr.strip()[:200]}")
            for outdated in CACHE.glob(f"{name}-{'?' * 12}"):
                shutil.rmtree(outdated)
            Path(unfinished).rename(folder)
    for stale in folder.iterdir():
        if stale.is_file():
            stale.unlink()
    for directory in (CLIENTS / client, PROGRAMS):
        for file in directory.iterdir():
            shutil.copy(file, folder)
    return folder


def run(folder: Path, *arguments: str | Path, **environment: str) -> str:
    """Run node in a folder and return what it prints."""
    done = subprocess.run(
        [program("node"), *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def answer(folder: Path, *arguments: str | Path, **environment: str) -> dict[str, Any]:
    """Run a program that prints one JSON document and return that."""
    return json.loads(run(folder, *arguments, **environment))


def url(server: Server, dbname: str, login: str) -> str:
    """Return a URL that Node's drivers understand, of a socket's directory too."""
    return f"postgresql://{login}:{PASSWORD}@{quote(server.host, safe='')}:{server.port}/{dbname}"


@contextmanager
def authenticator(server: Server, dbname: str) -> Iterator[str]:
    """Make the login that becomes the role a token names, as its file does, and drop it when its databases are gone."""
    psql(server, dbname, (CLIENTS / "postgrest" / "roles.sql").read_text(encoding="utf-8"))
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as connection:
        connection.execute(f"alter role authenticator password '{PASSWORD}'")
        try:
            yield "authenticator"
        finally:
            connection.execute("drop role authenticator")


@contextmanager
def client_database(server: Server, template: str, dbname: str) -> Iterator[psycopg.Connection]:
    """Yield a superuser's connection, in autocommit mode, to a migrated, seeded database that a client may write to."""
    with new_database(server, dbname, template) as connection:
        give_to_deployer(connection)
        yield connection
