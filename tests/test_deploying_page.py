"""docs/deploying.md: every command and every pipeline on the page is run as it is printed."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from deployer import REVISIONS, upgrade, version_of
from helpers import scalar, some
from hosts import ADOPTED
from servers import BIN, OURS, Server, dump

from connector_provenance.migrations import cli
from connector_provenance.migrations.sqlfile import ROOT

HEAD = REVISIONS[-1]
PAGE = (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S))

Shell = Callable[..., str]


def blocks(section: str, language: str) -> list[str]:
    """Return the code of one language in a section of the page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", SECTIONS[section], re.M | re.S)


@pytest.fixture
def shell(server: Server, tmp_path: Path) -> Shell:
    """Run a script of the page in a directory of its own; programs that are not here are stood in for and take note."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("pip", "gh", "sleep"):
        (programs / name).write_text(f'#!/bin/sh\necho "{name} $*" >>"{tmp_path}/called"\n')
        (programs / name).chmod(0o755)
    (tmp_path / "migrate.sh").write_text(blocks("In a pipeline", "sh")[0])

    def _shell(script: str, *, code: int = 0, **variables: str) -> str:
        path = ":".join([str(programs), str(Path(sys.executable).parent), str(BIN), os.environ["PATH"]])
        process = subprocess.run(
            ["sh", "-ec", script],
            cwd=tmp_path,
            env={**os.environ, "PATH": path, "DATABASE_URL": server.url("provenance_empty"), **variables},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert process.returncode == code, process.stdout + process.stderr
        return process.stdout + process.stderr

    return _shell


def steps(document: Any) -> list[str]:
    """Return the commands of a pipeline, job by job, in the order in which they run."""
    if document.get("kind") == "Job":
        return [" ".join(each["command"]) for each in document["spec"]["template"]["spec"]["containers"]]
    if "jobs" in document:
        return [step["run"] for job in document["jobs"].values() for step in job["steps"] if "run" in step]
    before = document["default"]["before_script"]
    return [line for job in ("plan", "migrate") for line in (*before, *document[job]["script"])]


NAMES = ("github", "gitlab", "kubernetes")
PIPELINES = dict(zip(NAMES, blocks("In a pipeline", "yaml"), strict=True))


@pytest.mark.parametrize("name", some(NAMES, 2))
def test_a_pipeline_plans_and_migrates(name: str, shell: Shell, empty: psycopg.Connection, tmp_path: Path) -> None:
    document = yaml.safe_load(PIPELINES[name])
    commands = steps(document)
    assert sum(command == "sh migrate.sh" for command in commands) == 1
    shell("\n".join(commands))
    assert version_of(empty) == HEAD
    if name != "kubernetes":
        assert HEAD in (tmp_path / "plan.txt").read_text()
        assert "pip install .\n" in (tmp_path / "called").read_text()


def test_a_pipeline_tries_again_only_where_a_lock_was_not_obtained(
    shell: Shell, empty: psycopg.Connection, tmp_path: Path
) -> None:
    command = tmp_path / "bin" / "connector-provenance"
    for code, calls in ((3, 3), (4, 1), (5, 1), (0, 2)):
        command.write_text(f'#!/bin/sh\necho "connector-provenance $*" >>"{tmp_path}/called"\nexit {code}\n')
        command.chmod(0o755)
        shell("sh migrate.sh", code=code)
        called = (tmp_path / "called").read_text().splitlines()
        assert sum(line.startswith("connector-provenance") for line in called) == calls
        (tmp_path / "called").unlink()


def test_a_dba_prepares_the_roles_and_runs_the_script(
    shell: Shell, server: Server, empty: psycopg.Connection, tmp_path: Path
) -> None:
    [roles] = blocks("The deployer", "sh")
    empty.execute("create role app_deployer")
    try:
        shell(roles, DBA_URL=server.conninfo("provenance_empty"))
        assert scalar(empty, "select pg_has_role('app_deployer', 'tenancy_definer', 'member')")
    finally:
        empty.execute("drop role app_deployer")
    shell(blocks("In a pipeline", "sh")[1])
    assert version_of(empty) == HEAD
    assert (tmp_path / "upgrade.sql").read_text() == cli.script_of("head")


def test_the_roll_back_works_as_printed(shell: Shell, server: Server, empty: psycopg.Connection) -> None:
    upgrade(server, "provenance_empty")
    there_and_back, everything = blocks("Roll-back", "sh")
    output = shell(there_and_back)
    assert "nothing to do" in output
    assert output.count(f"downgrade {HEAD}") == output.count(f"upgrade   {HEAD}") == 1
    empty.execute("insert into core_api.workspaces default values")
    shell(everything)
    assert scalar(empty, "select to_regnamespace('core_api')") is None


def test_a_hosts_own_alembic_does_not_notice(shell: Shell, server: Server, empty: psycopg.Connection) -> None:
    empty.execute(
        "create table public.alembic_version (version_num varchar(32)); insert into alembic_version values ('x')"
    )
    before = dump(server, "provenance_empty")
    shell("connector-provenance upgrade && connector-provenance downgrade base")
    assert scalar(empty, "select version_num from public.alembic_version") == "x"
    assert dump(server, "provenance_empty") == before


def test_inside_a_hosts_own_alembic_as_printed(
    shell: Shell, server: Server, empty: psycopg.Connection, second: psycopg.Connection, tmp_path: Path
) -> None:
    section = "Inside an application's own Alembic"
    start, work, ask = blocks(section, "sh")
    [ini], [online] = blocks(section, "ini"), blocks(section, "python")
    ADOPTED.build(empty)
    ADOPTED.build(second)
    before = dump(server, "provenance_empty")

    shell(start)
    settings = tmp_path / "alembic.ini"
    text = re.sub(r"^path_separator = .*$", lambda _: ini, settings.read_text(), flags=re.M)
    url = server.url("provenance_empty").replace("postgresql:", "postgresql+psycopg:").replace("%", "%%")
    settings.write_text(re.sub(r"^sqlalchemy.url = .*$", lambda _: f"sqlalchemy.url = {url}", text, flags=re.M))
    env = tmp_path / "migrations" / "env.py"
    env.write_text(
        re.sub(r"def run_migrations_online.*?\n(?=if )", lambda _: f"{online}\n\n", env.read_text(), flags=re.S)
    )
    ours = sorted((ROOT / "migrations" / "versions").glob("*.py"))

    shell(work)
    versions = sorted(path.name.partition("_")[2] for path in (tmp_path / "migrations" / "versions").glob("*.py"))
    assert versions == ["invoices.py", "more_invoices.py"], "the host's revisions are with the host"
    assert sorted((ROOT / "migrations" / "versions").glob("*.py")) == ours
    [host_head] = {row[0] for row in empty.execute("select version_num from alembic_version")} - {HEAD}
    upgrade(server, "provenance_second")
    assert dump(server, "provenance_empty", *OURS) == dump(server, "provenance_second", *OURS)
    refused = shell(
        "alembic revision --message mistaken || alembic upgrade head || connector-provenance upgrade", code=5
    )
    assert refused.count("FAILED: Multiple head") == 2
    assert "a host's own Alembic has these revisions here; nothing was changed" in refused

    output = shell(ask)
    assert f"{HEAD} (head)" in output
    assert f"{host_head} (head)" in output
    assert "verified: the database is what the contract says; the revisions are in a host's own Alembic" in output
    empty.execute("drop table alembic_version")
    assert dump(server, "provenance_empty") == before


def test_every_block_of_the_page_is_run_by_a_test_above() -> None:
    found = {
        (name, language): len(blocks(name, language))
        for name in SECTIONS
        for language in ("sh", "yaml", "ini", "python")
    }
    assert {key: count for key, count in found.items() if count} == {
        ("The deployer", "sh"): 1,
        ("In a pipeline", "sh"): 2,
        ("In a pipeline", "yaml"): len(PIPELINES),
        ("Roll-back", "sh"): 2,
        ("Inside an application's own Alembic", "sh"): 3,
        ("Inside an application's own Alembic", "ini"): 1,
        ("Inside an application's own Alembic", "python"): 1,
    }


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_every_command_and_option_is_on_the_page(name: str) -> None:
    assert re.search(rf"^\| `{name}[ `]", PAGE, re.M)
    for option in re.findall(r"--[a-z-]+", cli.parser().format_help()):
        assert option in PAGE or option == "--version", option
