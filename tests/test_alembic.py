"""Alembic's own commands in a checkout, and what pytest-alembic asks of every set of revisions."""

import io
from collections.abc import Callable

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.util import CommandError
from deployer import REVISIONS, VERSION_TABLE, alembic_config, upgrade, version_of
from helpers import scalar, some
from pytest_alembic import Config, runner
from pytest_alembic import tests as standard
from servers import Server

HEAD = REVISIONS[-1]

Alembic = Callable[..., str]


@pytest.fixture
def alembic(server: Server, empty: psycopg.Connection) -> Alembic:
    """Run one of Alembic's commands on the empty database and return what it prints."""

    def _alembic(name: str, **options: object) -> str:
        output = io.StringIO()
        getattr(command, name)(alembic_config(server.url("provenance_empty"), stdout=output), **options)
        return output.getvalue()

    return _alembic


def test_questions_change_nothing_in_an_empty_database(alembic: Alembic, empty: psycopg.Connection) -> None:
    assert alembic("current") == ""
    assert alembic("history", indicate_current=True).count("\n") == len(REVISIONS)
    with pytest.raises(CommandError, match="Target database is not up to date"):
        alembic("check")
    assert scalar(empty, "select to_regnamespace('tenancy')") is None


def test_questions_are_answered_at_head(alembic: Alembic, server: Server, empty: psycopg.Connection) -> None:
    upgrade(server, "provenance_empty")
    assert alembic("current", check_heads=True) == f"{HEAD} (head)\n"
    assert f"{HEAD} (connector_provenance) (head) (current)" in alembic("history", indicate_current=True)
    assert HEAD in alembic("show", rev="current")
    assert alembic("check") == "No new upgrade operations detected.\n"
    empty.execute("create table core_api.another (pk integer)")
    assert alembic("check") == "No new upgrade operations detected.\n", "there are no models to compare with"


def test_the_version_table_is_made_and_stamped_by_hand(alembic: Alembic, empty: psycopg.Connection) -> None:
    alembic("ensure_version")
    assert scalar(empty, f"select count(*) from {VERSION_TABLE}") == 0
    alembic("stamp", revision="head")
    assert version_of(empty) == HEAD
    empty.execute(f"update {VERSION_TABLE} set version_num = '0099_later'")
    with pytest.raises(CommandError, match="at 0099_later, which this package does not know"):
        alembic("stamp", revision="0002")
    alembic("stamp", revision="0002", purge=True)
    assert version_of(empty) == "0002_ground"
    alembic("stamp", revision="base")
    assert scalar(empty, "select to_regnamespace('tenancy')") is None


def test_autogenerate_is_refused_in_one_sentence(
    server: Server, empty: psycopg.Connection, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from alembic.config import CommandLine

    from connector_provenance.migrations.sqlfile import ROOT

    monkeypatch.setenv("DATABASE_URL", server.url("provenance_empty"))
    before = sorted((ROOT / "migrations" / "versions").iterdir())
    with pytest.raises(SystemExit):
        CommandLine().main(["-c", str(ROOT / "alembic.ini"), "revision", "--autogenerate", "-m", "guess"])
    output = " ".join("".join(capsys.readouterr()).split())
    assert output.startswith("FAILED: nothing to generate from: the schema is written in SQL")
    assert sorted((ROOT / "migrations" / "versions").iterdir()) == before


STANDARD = [
    standard.test_single_head_revision,
    standard.test_model_definitions_match_ddl,
    standard.test_up_down_consistency,
    standard.test_upgrade,
]


@pytest.mark.parametrize("test", some(STANDARD, 2), ids=lambda test: test.__name__)
def test_pytest_alembics_tests_pass(test: Callable[..., None], server: Server, empty: psycopg.Connection) -> None:
    url = server.url("provenance_empty")
    engine = sa.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=sa.NullPool)
    with runner(Config.from_raw_config(alembic_config(url)), engine) as migrations:
        test(migrations)


def test_pytest_alembic_notices_a_revision_that_does_not_upgrade(server: Server, empty: psycopg.Connection) -> None:
    empty.execute("create schema tenancy; create table tenancy.role_bindings ()")
    with pytest.raises(CommandError, match="right to use schema tenancy"):
        test_pytest_alembics_tests_pass(standard.test_upgrade, server, empty)
