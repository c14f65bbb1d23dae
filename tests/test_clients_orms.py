"""Drizzle, TypeORM and Sequelize: the one line that each needs, and what an application does with it."""

from typing import Any

import pytest
from consumers import answer, client_database, installed, url
from helpers import ACME, GLOBEX
from servers import Server

Seen = dict[str, Any]


@pytest.fixture(scope="module")
def everything(server: Server, template: str) -> Seen:
    with client_database(server, template, "provenance_orms") as connection:
        sync = url(server, connection.info.dbname, "sync_login")
        return answer(installed("orms"), "orms.mjs", ACME=ACME, GLOBEX=GLOBEX, SYNC_URL=sync)


@pytest.fixture(params=["drizzle", "typeorm", "sequelize"])
def seen(request: pytest.FixtureRequest, everything: Seen) -> Seen:
    return everything[request.param]


def test_a_row_is_created_and_comes_back_with_what_the_database_gave_it(seen: Seen) -> None:
    assert seen["created"]["pk"]
    assert len(seen["created"]["id"]) == 36
    assert seen["created"]["createdAt"]


def test_without_the_line_an_insert_names_what_only_the_database_may_give(seen: Seen) -> None:
    assert seen["without"] == "42501"


def test_another_tenants_parents_are_refused(seen: Seen) -> None:
    assert seen["others"] == "42501"


def test_a_row_is_soft_deleted_and_never_removed(seen: Seen) -> None:
    assert seen["deleted"][0]["at"]
    assert seen["removed"] == "42501"


def test_another_tenant_sees_its_own_rows_alone(seen: Seen) -> None:
    assert seen["others_see"] == 2
