"""MikroORM 6 and 7: the entity files fit the database, and an application works with them under its own logins."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from consumers import answer, client_database, installed, run, url
from helpers import ACME, GLOBEX, check_generated
from mikro_orm import files
from servers import DEPLOYER, Server

MAJORS = (6, 7)
Seen = dict[str, Any]


@pytest.fixture(scope="module")
def superuser(server: Server, template: str) -> Iterator[psycopg.Connection]:
    with client_database(server, template, "provenance_mikro_orm") as connection:
        connection.execute("set search_path = ''")
        yield connection


@pytest.fixture(scope="module", params=MAJORS, ids=[f"version {major}" for major in MAJORS])
def seen(request: pytest.FixtureRequest, superuser: psycopg.Connection, server: Server) -> Seen:
    """What the program saw with one major version."""
    folder = installed(f"mikro-orm/{request.param}")
    run(folder, folder / "node_modules" / "typescript" / "bin" / "tsc")
    superuser.execute("delete from core_api.company_workspace_connectors where company_pk = 19")
    logins = {"DEPLOYER": DEPLOYER, "MEMBER": "member_login", "SYNC": "sync_login", "BOTH": "both_login"}
    urls = {f"{name}_URL": url(server, superuser.info.dbname, login) for name, login in logins.items()}
    return answer(folder, "dist/mikro-orm.js", MAJOR=str(request.param), ACME=ACME, GLOBEX=GLOBEX, **urls)


@pytest.mark.parametrize("major", MAJORS)
def test_the_entity_files_are_generated(superuser: psycopg.Connection, major: int) -> None:
    for name, text in files(superuser, major).items():
        check_generated(f"clients/mikro-orm/{major}/{name}", text)


# The schema diff


def test_the_schema_diff_is_empty(seen: Seen) -> None:
    assert seen["safe_diff"] == seen["full_diff"] == ""


DROPS = {
    "ignoreSchema": 'drop schema if exists "tenancy"',
    "ignoreTriggers": 'drop trigger if exists "company_workspace_connectors_refuse_mixed_inserts"',
    "ignoreRoutines": 'drop function if exists "core_api"."company_workspace_connectors_page"',
    "ignorePolicies": 'alter table "core_api"."company_workspace_connectors" disable row level security',
}
"""What each option of the configuration keeps."""


def test_without_any_one_of_the_options_the_diff_drops_something(seen: Seen) -> None:
    assert seen["without"]
    for option, diff in seen["without"].items():
        assert DROPS[option] in diff


def test_a_table_that_is_skipped_is_dropped(seen: Seen) -> None:
    assert 'drop table if exists "core_api"."company_workspace_connectors" cascade' in seen["with_skip_tables"]


@pytest.mark.parametrize(
    "index",
    [
        "companies_workspace_pk_pk_unique",
        "workspace_connectors_workspace_pk_pk_unique",
        "company_workspace_connectors_company_pk_index",
        "company_workspace_connectors_page_index",
        "company_workspace_connectors_purge_index",
    ],
)
def test_an_index_that_no_entity_declares_is_dropped(seen: Seen, index: str) -> None:
    assert f'drop index "core_api"."{index}"' in seen["without_indexes"]


# The orchestrator's login


def test_a_row_is_created_with_the_databases_timestamps(seen: Seen) -> None:
    assert seen["stamped"] == [True, True]


def test_no_serialization_shows_a_pk(seen: Seen) -> None:
    assert set(seen["created_json"]) == {"id", "direction", "createdAt", "updatedAt"}
    everything = {"id", "company", "workspaceConnector", "direction", "createdAt", "updatedAt", "deletedAt"}
    assert set(seen["populated_json"]) == everything


def test_the_parents_resolve_and_show_their_public_ids(seen: Seen, superuser: psycopg.Connection) -> None:
    ids = superuser.execute(
        "select c.company_id::text, k.workspace_connector_id::text"
        " from core_api.companies as c, core_api.workspace_connectors as k where c.pk = 11 and k.pk = 101"
    ).fetchone()
    assert ids is not None
    assert tuple(seen["populated"]) == ids
    assert (seen["populated_json"]["company"], seen["populated_json"]["workspaceConnector"]) == ids


def test_five_hundred_rows_are_flushed_at_once(seen: Seen) -> None:
    assert seen["flushed"] == 500


def test_a_flush_brings_back_when_a_row_was_created_but_not_when_it_was_updated(seen: Seen) -> None:
    assert seen["read_back"] == [True, False]


def test_the_pages_are_entities_and_show_each_row_once(seen: Seen) -> None:
    rows, different, newest_first, entities = seen["paged"]
    assert rows == different == seen["all"]
    assert newest_first
    assert entities


def test_mikro_orms_own_cursor_passes_over_rows(seen: Seen) -> None:
    assert seen["walked_by_cursor"] < seen["flushed"]


def test_a_row_is_deleted_by_its_timestamp_and_never_removed(seen: Seen) -> None:
    assert seen["member"][1] == 0
    assert seen["remove"] == "42501"


@pytest.mark.parametrize("parent", ["company", "connector", "both"])
def test_another_tenants_parents_are_refused(seen: Seen, parent: str) -> None:
    assert seen[f"other_tenants_{parent}"] == "42501"


def test_another_tenant_neither_sees_nor_changes_the_rows(seen: Seen) -> None:
    of_the_others_company, all_rows, changed = seen["other_tenant"]
    assert of_the_others_company == 0
    assert all_rows == 3
    assert changed == 0
    assert seen["after_the_other_tenant"] == seen["all"]


def test_without_a_workspace_there_are_no_rows_and_no_writes(seen: Seen) -> None:
    assert seen["without_a_workspace"] == [0, "42501"]


# Other logins


def test_a_member_reads_active_rows_and_creates_none(seen: Seen) -> None:
    assert 500 < seen["member"][0] < seen["all"]
    assert seen["member_creates"] == "42501"


def test_a_unit_of_work_takes_a_role_of_its_login_and_no_other(seen: Seen) -> None:
    assert (seen["as_itself"], seen["as_a_reader"]) == (1, 0)
    assert seen["as_the_owner"] == "42501"
