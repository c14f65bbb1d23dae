"""An adopted table without ids is given them while an application uses it, and loses them with the downgrade."""

import re

import psycopg
import pytest
from deployer import command_line, downgrade, kill, run, upgrade, verify, wait_until_gone, wait_until_it_waits
from helpers import scalar
from hosts import FILLED, TABLE, Uninterrupted, as_owner
from servers import DEPLOYER, Server, dump, psql

from connector_provenance.migrations import cli
from connector_provenance.migrations.sqlfile import read

DATABASE = "provenance_empty"
FILE = "sql/0007_company_indexes.up.sql"


@pytest.fixture
def filled(server: Server, empty: psycopg.Connection) -> psycopg.Connection:
    """A superuser's connection to such a host."""
    FILLED.build(empty)
    return empty


def test_every_row_has_an_id_of_its_own_and_nothing_else_was_changed(
    server: Server, filled: psycopg.Connection
) -> None:
    columns = "pk, company_pk, workspace_connector_pk, direction, created_at, updated_at, deleted_at"
    stored = filled.execute(f"select {columns} from {TABLE} order by pk").fetchall()
    upgrade(server, DATABASE)
    assert verify(server, DATABASE) == []
    assert scalar(filled, f"select count(distinct id) from {TABLE}") == len(stored)
    assert filled.execute(f"select {columns} from {TABLE} order by pk").fetchall() == stored


def test_a_row_that_comes_meanwhile_has_its_id_at_once(server: Server, filled: psycopg.Connection) -> None:
    upgrade(server, DATABASE, "0006_company")
    as_owner(filled, f"insert into {TABLE} (company_pk, workspace_connector_pk, direction) values (11, 101, 'input')")
    assert scalar(filled, f"select id is not null from {TABLE} order by pk desc limit 1")
    upgrade(server, DATABASE)


def test_rows_in_use_stop_no_batch_and_a_deployer_that_is_killed_is_completed_by_the_next(
    server: Server, filled: psycopg.Connection, uninterrupted: Uninterrupted
) -> None:
    upgrade(server, DATABASE, "0006_company")
    with psycopg.connect(server.conninfo(DATABASE)) as application:
        application.execute(f"update {TABLE} set deleted_at = now() where pk in (2, 7000)")
        deployer = command_line(server, DATABASE, "upgrade")
        wait_until_it_waits(filled, deployer, application.info.backend_pid)
        kill(deployer)
        assert scalar(filled, f"select count(*) from {TABLE} where id is null") == 2
        application.commit()
    wait_until_gone(filled)
    given = filled.execute(f"select pk, id from {TABLE} where pk not in (2, 7000) order by pk").fetchall()
    upgrade(server, DATABASE)
    assert filled.execute(f"select pk, id from {TABLE} where pk not in (2, 7000) order by pk").fetchall() == given
    assert dump(server, DATABASE) == uninterrupted(FILLED)


def test_a_build_that_waits_in_vain_leaves_no_index_of_them(server: Server, filled: psycopg.Connection) -> None:
    upgrade(server, DATABASE, "0006_company")
    with psycopg.connect(server.conninfo(DATABASE)) as application:
        application.execute("set transaction isolation level repeatable read; select")
        assert "nothing is half done. Held by" in run(server, DATABASE, "upgrade", "--build-wait", "0.3")
        assert scalar(filled, "select count(*) from pg_index where not indisvalid") == 0
    upgrade(server, DATABASE)


def test_no_row_is_read_while_others_are_locked_out(server: Server, filled: psycopg.Connection) -> None:
    upgrade(server, DATABASE, "0006_company")
    told: list[str] = []
    with psycopg.connect(server.conninfo(DATABASE, DEPLOYER), autocommit=True) as deployer:
        deployer.add_notice_handler(lambda notice: told.append(str(notice.message_primary)))
        deployer.execute("set client_min_messages = debug1")
        for statement in read(FILE).split("-- next\n"):
            deployer.execute(statement)
    assert told.count('verifying table "company_workspace_connectors"') == 1, "for the constraint, which stops nobody"
    assert any(re.match("existing constraints on column .*id.* are sufficient to prove", line) for line in told)


def test_the_script_for_psql_gives_them_too(server: Server, filled: psycopg.Connection) -> None:
    before = dump(server, DATABASE)
    psql(server, DATABASE, cli.script_of("head"))
    assert scalar(filled, f"select count(distinct id) = count(*) from {TABLE}")
    downgrade(server, DATABASE)
    assert dump(server, DATABASE) == before
