"""The page about consumers: what it shows is run, what it names is there, and its versions are those installed."""

import json
import re

import psycopg
import pytest
from consumers import CLIENTS
from helpers import Connect

from connector_provenance.migrations.sqlfile import ROOT

PAGE = ROOT / "docs" / "consumers.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.M | re.S)
PACKAGES = {path.parent: json.loads(path.read_text(encoding="utf-8")) for path in CLIENTS.glob("**/package.json")}


def section(title: str) -> str:
    """Return the text under a heading."""
    return TEXT.split(f"\n## {title}\n", 1)[1].split("\n## ")[0]


@pytest.mark.parametrize("sql", [body for language, body in BLOCKS if language == "sql"])
def test_sql_on_the_page_runs_as_a_members(connect: Connect, sql: str) -> None:
    member = connect("member_login")
    member.autocommit = True
    *_, rows, _ = results(member.execute(sql))
    assert rows == 3


def results(cursor: psycopg.Cursor) -> list[int]:
    """Return how many rows each statement touched."""
    counts = [cursor.rowcount]
    while cursor.nextset():
        counts.append(cursor.rowcount)
    return counts


@pytest.mark.parametrize("body", [body for language, body in BLOCKS if language != "sql"])
def test_any_other_block_is_part_of_a_file_that_is_run(body: str) -> None:
    files = [path for path in CLIENTS.rglob("*") if path.is_file()]
    assert any(body in path.read_text(encoding="utf-8") for path in files)


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)\)", TEXT))))
def test_what_the_page_links_to_is_there(link: str) -> None:
    assert (PAGE.parent / link).exists()


def test_the_lines_that_orms_need_are_in_the_files_that_are_run() -> None:
    lines = re.findall(r"^\| (\w+) \| (`+)(.+?)\2(?: on `\w+`)?", section("Drizzle, TypeORM, Sequelize"), re.M)
    assert len(lines) == 3
    for orm, _, line in lines:
        assert line in (CLIENTS / "orms" / f"company-{orm.lower()}.mjs").read_text(encoding="utf-8")


@pytest.mark.parametrize("function", re.findall(r"`(company[A-Z]\w+|inWorkspace)`", section("MikroORM")))
def test_a_function_for_mikro_orm_is_in_the_files_of_both_versions(function: str) -> None:
    for major in (6, 7):
        files = (CLIENTS / "mikro-orm" / str(major)).glob("*.ts")
        assert any(f"function {function}" in path.read_text(encoding="utf-8") for path in files)


def test_each_version_on_the_page_is_the_one_that_is_installed() -> None:
    wanted = {
        "MikroORM": [PACKAGES[CLIENTS / "mikro-orm" / major]["dependencies"]["@mikro-orm/core"] for major in "67"],
        "PostGraphile": [PACKAGES[CLIENTS / "postgraphile"]["dependencies"]["postgraphile"]],
        "Drizzle": [PACKAGES[CLIENTS / "orms"]["dependencies"]["drizzle-orm"]],
        "TypeORM": [PACKAGES[CLIENTS / "orms"]["dependencies"]["typeorm"]],
        "Sequelize": [PACKAGES[CLIENTS / "orms"]["dependencies"]["sequelize"]],
    }
    for consumer, versions in wanted.items():
        assert re.search(rf"^\| \[{consumer}\]\(#[\w-]+\) \| {re.escape(', '.join(versions))} \|", TEXT, re.M)


def test_packages_are_exact_and_name_no_registry() -> None:
    for package in PACKAGES.values():
        for version in (package["dependencies"] | package.get("devDependencies", {})).values():
            assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert not list(CLIENTS.rglob("package-lock.json"))
