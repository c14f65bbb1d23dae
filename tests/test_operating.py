"""The runbook, docs/operating.md: every command as it stands there, run by logins that are no superuser."""

import csv
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from deployer import REVISIONS, upgrade, version_of
from helpers import ACME, FLOOR, GLOBEX, SEED, Connect, force_row, scalar, wait_until
from psycopg import errors, sql
from servers import (
    BIN,
    BIN_15,
    DEPLOYER,
    FROM_15,
    FULL,
    LOGINS,
    PASSWORD,
    SERVER_BIN,
    Server,
    forget_durability,
    join_groups,
    make_roles,
    pg_upgrade,
    standby_of,
    started,
    wait_until_replayed,
)

from connector_provenance.migrations.sqlfile import ROOT

PAGE = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
TABLE = "core_api.company_workspace_connectors"
ROWS = f"select company_pk, created_at, deleted_at is null from {TABLE} order by pk"
OLD = "now() - interval '31 days'"


def commands() -> dict[str, list[str]]:
    """Return the commands of each heading of the page."""
    found: dict[str, list[str]] = {}
    for part in re.split(r"^##+ ", PAGE, flags=re.M):
        heading = part.partition("\n")[0]
        found[heading] = re.findall(r"^```sh\n(.*?)^```$", part, flags=re.M | re.S)
    return {heading: blocks for heading, blocks in found.items() if blocks}


COMMANDS = commands()
BEGINNING = COMMANDS.pop("# Operating")[0]
run_so_far: set[tuple[str, int]] = set()

Place = tuple[str, int]
"""A heading of the page and which of its blocks."""
SEE, WHY = ("See who sees what", 0), ("See who sees what", 1)
LIVE = ("Try every rule", 0)
WATCH, GO_ON = ("Watch", 0), ("Watch", 1)
NIGHTLY, TOUCH = ("Purge every night", 0), ("Purge every night", 1)
COMPANY, WORKSPACE = ("Erase a company", 0), ("Erase a workspace", 0)
LOGIN, DUMP, ROLES = ("Back up", 0), ("Back up", 1), ("Back up", 2)
RESTORE, ROWS_ALONE, TENANT = ("Restore", 0), ("The rows alone", 0), ("One tenant's rows", 0)
ADMINISTER = ("A major version", 0)
STRICT, PUBLISH, SUBSCRIBE = ("Read elsewhere", 0), ("Read elsewhere", 1), ("Read elsewhere", 2)
LOAD = ("Load many rows", 0)


class Operator:
    """Who reads the page at a terminal: a directory, a server and logins."""

    def __init__(self, directory: Path, server: Server, dbname: str, programs: Path = SERVER_BIN) -> None:
        self.directory = directory
        self.server = server
        self.dbname = dbname
        self.variables = {
            "PATH": f"{programs}:{BIN}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "DATABASE_URL": server.url(dbname),
            "DBA_URL": server.url(dbname, server.user),
            "WORKSPACE": ACME,
            "SQL": str(ROOT / "sql"),
        }
        for name, login in (("SYNC", "sync_login"), ("RETENTION", "retention_login"), ("BACKUP", "backup")):
            self.variables[f"{name}_URL"] = server.url(dbname, login)

    def run(self, *places: Place, check: bool = True, **variables: str) -> str:
        """Run commands of the page in one shell; return what they print, errors too."""
        run_so_far.update(places)
        return self.type(*(COMMANDS[heading][number] for heading, number in places), check=check, **variables)

    def type(self, *texts: str, check: bool = True, **variables: str) -> str:
        """Run other commands after the page's beginning."""
        done = subprocess.run(
            ["bash", "-c", "\n".join((BEGINNING, *texts))],
            cwd=self.directory,
            env={**os.environ, **self.variables, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        assert (done.returncode == 0) is check, done.stdout
        return done.stdout

    def connect(self, login: str | None = None, dbname: str | None = None) -> psycopg.Connection:
        """Connect in autocommit mode, as the superuser without a login."""
        return psycopg.connect(self.server.conninfo(dbname or self.dbname, login), autocommit=True)


@pytest.fixture
def operator(clone: psycopg.Connection, server: Server, tmp_path: Path) -> Iterator[Operator]:
    """Who operates a migrated database with rows of its own; the login that it makes is dropped again."""
    clone.autocommit = True
    yield Operator(tmp_path, server, clone.info.dbname)
    for role in ("backup", "cdc"):
        clone.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(role)))


def rows(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    return connection.execute(ROWS).fetchall()


def age(superuser: psycopg.Connection, which: str, updated_at: str = OLD) -> None:
    """Let rows have been written long ago."""
    with superuser.transaction():
        superuser.execute("set local session_replication_role = replica")
        superuser.execute(f"update {TABLE} set updated_at = {updated_at} where {which}")


def company_id(superuser: psycopg.Connection, pk: int) -> str:
    return str(scalar(superuser, "select company_id from core_api.companies where pk = %s", pk))


# See, and watch


def test_the_owner_sees_who_sees_what(operator: Operator) -> None:
    said = operator.run(SEE)
    assert re.search(r"^ hasura_login +\| +\| hasura_service +\| every, to read", said, re.M)


def test_the_owner_asks_why_a_row_is_hidden_and_sees_none_afterwards(
    operator: Operator, clone: psycopg.Connection
) -> None:
    deleted = str(scalar(clone, f"select id from {TABLE} where company_pk = 12 and deleted_at is not null"))
    assert "hidden from workspace_member by deleted_at" in operator.run(WHY, ID=deleted)
    assert "company, connector, deleted_at" in operator.run(WHY, ID=deleted, WORKSPACE=GLOBEX)
    assert "invalid input syntax for type uuid" in operator.run(WHY, ID="17")
    with operator.connect(DEPLOYER) as owner:
        assert rows(owner) == []
        assert not scalar(owner, "select pg_has_role('hasura_service', 'usage')")


def test_the_owner_tries_every_rule_and_is_in_no_group_afterwards(
    operator: Operator, clone: psycopg.Connection
) -> None:
    said = operator.run(LIVE)
    assert re.search(r"^guard +2 inserts, 1 update, without a policy +ok +everybody$", said, re.M)
    assert re.search(r"tried live: \d+ checks hold$", said, re.M)
    for check in set(re.findall(r"^([a-z][a-z' ]+?)  ", said, re.M)) - {"check", "logins"}:
        assert re.search(rf"^\| (guard, )?{check}(, parents)? \|", PAGE, re.M), check
    clone.execute(f"create policy everything on {TABLE} for select to workspace_member using (true)")
    said = operator.run(LIVE, check=False)
    assert "leak: visible rows, workspace_member" in said
    with operator.connect(DEPLOYER) as owner:
        assert not scalar(owner, "select pg_has_role('hasura_service', 'usage')")


def figures(operator: Operator) -> dict[str, str]:
    """Return what the page's command shows to watch."""
    return dict(re.findall(r"^(\w+) +\| (.*)$", operator.run(WATCH), re.M))


def test_the_owner_watches_figures_that_are_the_statistics(operator: Operator, clone: psycopg.Connection) -> None:
    clone.execute(f"vacuum (analyze) {TABLE}")
    shown = figures(operator)
    assert (shown["junction"], shown["rows_estimated"], shown["rows_soft_deleted"]) == (TABLE, "7", "2")
    assert int(shown["table_bytes"]) == scalar(clone, f"select pg_table_size('{TABLE}')")
    assert int(shown["index_bytes"]) == scalar(clone, f"select pg_indexes_size('{TABLE}')")
    version = clone.info.server_version
    assert shown["below_floor"] == ("t" if version < FLOOR[version // 10000] else "f")
    for figure in ("rows_soft_deleted", "rows_dead", "rows_estimated", "sequence_share", "below_floor"):
        assert f"`{figure}`" in PAGE


def test_an_empty_table_has_figures_too(operator: Operator, clone: psycopg.Connection) -> None:
    clone.execute(f"truncate {TABLE} restart identity")
    assert figures(operator)["sequence_share"] == "0.0000"


def test_the_rows_go_on_when_their_numbers_were_used_up(operator: Operator, clone: psycopg.Connection) -> None:
    operator.type("sql \"$DBA_URL\" --command 'create role backup login in role hasura_service'")
    clone.execute(f"select setval('{TABLE}_pk_seq', 2147483647)")
    assert figures(operator)["sequence_share"] == "1.0000"
    with operator.connect("sync_login") as sync:
        sync.execute("select set_config('app.workspace_id', %s, false)", (ACME,))
        insert = f"insert into {TABLE} (company_pk, workspace_connector_pk, direction) values (11, 101, 'input')"
        with pytest.raises(errors.SequenceGeneratorLimitExceeded):
            sync.execute(insert)
        last = scalar(clone, f"select max(pk) from {TABLE}")
        operator.run(GO_ON)
        assert scalar(sync, f"{insert} returning pk") == last + 1


@pytest.mark.parametrize("place", [SEE, WATCH])
def test_nobody_but_the_owner_is_shown_that(place: Place, operator: Operator) -> None:
    assert "schema tenancy" in operator.run(place, check=False, DATABASE_URL=operator.variables["SYNC_URL"])


# Purge


def test_the_nightly_purge_removes_what_was_deleted_a_month_ago_and_nothing_else(
    operator: Operator, clone: psycopg.Connection
) -> None:
    age(clone, "company_pk < 20")
    before = rows(clone)
    assert operator.run(NIGHTLY) == ""
    gone = [row for row in before if row not in rows(clone)]
    assert [(pk, active) for pk, _, active in gone] == [(12, False)]


def test_the_nightly_purge_goes_on_until_nothing_is_left(operator: Operator, clone: psycopg.Connection) -> None:
    with clone.transaction():
        clone.execute("set local session_replication_role = replica")
        clone.execute(
            f"insert into {TABLE} (company_pk, workspace_connector_pk, direction, updated_at, deleted_at)"
            f" select 11, 101, 'input', {OLD}, now() from generate_series(1, 11000)"
        )
    operator.run(NIGHTLY)
    assert len(rows(clone)) == 7


@pytest.mark.parametrize("login", ["member_login", "sync_login", "outsider_login", DEPLOYER])
def test_a_job_that_may_not_purge_fails(login: str, operator: Operator, clone: psycopg.Connection) -> None:
    age(clone, "true")
    before = rows(clone)
    said = operator.run(NIGHTLY, check=False, RETENTION_URL=operator.server.url(operator.dbname, login))
    assert "permission denied" in said
    assert "purge ended before its time" in said
    assert rows(clone) == before


def test_adopted_rows_without_a_time_stay_until_they_are_touched(operator: Operator, clone: psycopg.Connection) -> None:
    age(clone, "true", "null")
    before = rows(clone)
    operator.run(NIGHTLY)
    assert rows(clone) == before
    operator.run(TOUCH)
    stamped = f"select count(*) from {TABLE} where updated_at > now() - interval '1 hour' and deleted_at is not null"
    assert scalar(clone, stamped) == 2
    assert scalar(clone, f"select count(*) from {TABLE} where updated_at is null and deleted_at is null") == 5
    assert rows(clone) == before, "neither created_at nor the deletion itself changes"
    age(clone, "updated_at is not null")
    operator.run(NIGHTLY)
    assert [active for _, _, active in rows(clone)] == [True] * 5


# Erase


def test_a_company_is_erased_while_the_application_writes(
    operator: Operator, clone: psycopg.Connection, connect: Connect
) -> None:
    others = [row for row in rows(clone) if row[0] != 11]
    company = company_id(clone, 11)
    writer = connect("sync_login", ACME, dbname=operator.dbname)
    insert = f"insert into {TABLE} (company_pk, workspace_connector_pk, direction) values (12, 101, 'input')"
    writer.execute(insert)
    operator.run(NIGHTLY, COMPANY, COMPANY=company)
    writer.execute(insert)
    writer.commit()
    assert scalar(clone, "select count(*) from core_api.companies where company_id = %s", company) == 0
    assert rows(clone)[: len(others)] == others, "other companies keep theirs, deleted ones too"
    assert len(rows(clone)) == len(others) + 2


def test_a_company_that_is_still_synced_stays_until_the_commands_are_run_again(
    operator: Operator, clone: psycopg.Connection, connect: Connect
) -> None:
    company = company_id(clone, 11)
    writer = connect("sync_login", ACME, dbname=operator.dbname)
    writer.execute(f"insert into {TABLE} (company_pk, workspace_connector_pk, direction) values (11, 101, 'input')")
    assert "lock timeout" in operator.run(NIGHTLY, COMPANY, check=False, COMPANY=company)
    writer.commit()
    delete = "delete from core_api.companies where pk = 11"
    with pytest.raises(errors.ForeignKeyViolation):
        clone.execute(delete)
    operator.run(NIGHTLY, COMPANY, COMPANY=company)
    assert clone.execute(delete).rowcount == 0
    assert not [row for row in rows(clone) if row[0] == 11]


def test_another_workspaces_company_is_not_erased(operator: Operator, clone: psycopg.Connection) -> None:
    before = rows(clone)
    said = operator.run(NIGHTLY, COMPANY, check=False, COMPANY=company_id(clone, 21))
    assert "company_id is not a company of the current workspace" in said
    assert rows(clone) == before


def test_a_workspace_is_erased_and_its_logins_have_none(
    operator: Operator, clone: psycopg.Connection, connect: Connect
) -> None:
    others = [row for row in rows(clone) if row[0] > 20]
    writer = connect("sync_login", GLOBEX, dbname=operator.dbname)
    writer.execute(f"insert into {TABLE} (company_pk, workspace_connector_pk, direction) values (21, 201, 'input')")
    operator.run(NIGHTLY, WORKSPACE)
    writer.rollback()
    assert rows(clone) == others
    for table in ("workspaces", "companies", "workspace_connectors"):
        key = "pk" if table == "workspaces" else "workspace_pk"
        assert scalar(clone, f"select array_agg(distinct {key}) from core_api.{table}") == [2]
    with pytest.raises(errors.InsufficientPrivilege, match="has no binding in this database"):
        connect("bound_login", dbname=operator.dbname).execute(f"select from {TABLE}")


def test_without_the_purge_the_parents_stay(operator: Operator, clone: psycopg.Connection) -> None:
    before = rows(clone)
    operator.type("purge() { :; }", COMMANDS["Erase a workspace"][0], check=False)
    assert [row[0] for row in rows(clone)] == [row[0] for row in before]
    assert scalar(clone, "select count(*) from core_api.workspaces") == 2
    assert scalar(clone, "select count(*) from tenancy.role_bindings") == 1, "nor is anyone unbound"


# Back up


def make_backup_login(operator: Operator) -> None:
    """Do as the page says, after the service let the administrator: 15 asks for no more than CREATEROLE."""
    with operator.connect() as superuser:
        if superuser.info.server_version >= 160000:
            superuser.execute(f"grant pg_read_all_data to {DEPLOYER} with admin true, inherit false, set false")
    operator.run(LOGIN)


def forget_backup_login(operator: Operator) -> None:
    """Take back what the service gave, and what was made of it."""
    with operator.connect() as superuser:
        superuser.execute("drop role backup")
        superuser.execute(f"revoke pg_read_all_data from {DEPLOYER} cascade")


@pytest.fixture
def keeper(operator: Operator) -> Iterator[Operator]:
    """An operator with the login that dumps."""
    make_backup_login(operator)
    yield operator
    forget_backup_login(operator)


@contextmanager
def the_owner_reads_all(operator: Operator) -> Iterator[None]:
    operator.type("sql \"$DATABASE_URL\" --command 'grant hasura_service to current_user'")
    yield
    operator.type("sql \"$DATABASE_URL\" --command 'revoke hasura_service from current_user'")


def dumped_rows(operator: Operator, file: str = "product.dump") -> int:
    """Return how many provenance rows a dump holds."""
    text = operator.type(f"pg_restore --data-only --table=company_workspace_connectors --file=- {file}")
    return len(re.findall(r"^\d+\t[0-9a-f-]{36}\t", text, re.M))


def test_the_login_made_for_it_dumps_every_row(keeper: Operator) -> None:
    keeper.run(DUMP)
    assert dumped_rows(keeper) == 7


def test_the_owner_in_hasura_service_dumps_every_row(operator: Operator) -> None:
    with the_owner_reads_all(operator):
        operator.run(DUMP, BACKUP_URL=operator.variables["DATABASE_URL"])
    assert dumped_rows(operator) == 7


@pytest.mark.parametrize("login", [DEPLOYER, *(login for login in LOGINS if not login.startswith("hasura"))])
def test_any_other_login_is_refused_and_leaves_no_empty_dump(login: str, operator: Operator) -> None:
    said = operator.run(DUMP, check=False, BACKUP_URL=operator.server.url(operator.dbname, login))
    assert "not dumped: this login does not see all of" in said
    assert TABLE in said
    assert not (operator.directory / "product.dump").exists()


def test_hasuras_login_is_refused_what_it_may_not_read(operator: Operator) -> None:
    said = operator.run(DUMP, check=False, BACKUP_URL=operator.server.url(operator.dbname, "hasura_login"))
    assert "permission denied for schema tenancy" in said


def test_a_hosts_own_table_whose_rows_would_be_missing_is_named(keeper: Operator, clone: psycopg.Connection) -> None:
    clone.execute("create table public.invoices (pk integer); alter table public.invoices enable row level security")
    assert "does not see all of invoices" in keeper.run(DUMP, check=False)


def test_the_owner_alone_dumps_nothing_as_the_page_says(operator: Operator) -> None:
    said = operator.type('pg_dump --format=custom --file=plain.dump "$DATABASE_URL"', check=False)
    assert "query would be affected by row-level security policy" in said
    operator.type('pg_dump --enable-row-security --format=custom --file=empty.dump "$DATABASE_URL"')
    assert dumped_rows(operator, "empty.dump") == 0


# Restore


def owners(connection: psycopg.Connection) -> list[tuple[str, str]]:
    """Return who owns each function and relation of the package."""
    return connection.execute(
        "select oid::regprocedure::text, proowner::regrole::text from pg_proc"
        " where pronamespace in ('core_api'::regnamespace, 'tenancy'::regnamespace) union all"
        " select oid::regclass::text, relowner::regrole::text from pg_class"
        " where relnamespace in ('core_api'::regnamespace, 'tenancy'::regnamespace) order by 1"
    ).fetchall()


@contextmanager
def another_cluster(directory: Path, programs: Path = SERVER_BIN) -> Iterator[Server]:
    """An empty cluster that has no role but the administrator, no superuser there either, and its database."""
    with (
        started(directory, programs) as server,
        psycopg.connect(server.conninfo("postgres"), autocommit=True) as created,
    ):
        forget_durability(created)
        created.execute("create role newcomer")  # so that no role gets the OID that it had
        created.execute(f"create role {DEPLOYER} login createrole password '{PASSWORD}'")
        created.execute(f"create database restored owner {DEPLOYER}")
        yield server


def assert_restored(source: Operator, restored: Server) -> None:
    """All rows with their times, every object of the right owner, the bound login bound, and the next write stamped."""
    with (
        source.connect() as before,
        psycopg.connect(restored.conninfo("restored"), autocommit=True) as after,
    ):
        assert rows(after) == rows(before)
        assert owners(after) == owners(before)
        insert = f"insert into {TABLE} (company_pk, workspace_connector_pk, direction) values (11, 201, 'input')"
        with pytest.raises(errors.CheckViolation):
            after.execute(insert)
    with psycopg.connect(restored.conninfo("restored", "bound_login")) as tenant:
        assert {pk for pk, *_ in rows(tenant)} == {11, 12}
    with psycopg.connect(restored.conninfo("restored", DEPLOYER)) as owner:
        assert rows(owner) == []


def test_who_administers_a_group_is_not_written_into_it(keeper: Operator, clone: psycopg.Connection) -> None:
    if clone.info.server_version < 160000:
        pytest.skip("whose administrators are not its members, from 16 on")
    clone.execute("create role administrator")
    try:
        clone.execute("grant hasura_service to administrator with admin true, inherit false, set false")
        keeper.run(ROLES)
        written = (keeper.directory / "roles.sql").read_text(encoding="utf-8")
        assert ("administrator" in written, "grant hasura_service to hasura_login;" in written) == (False, True)
        clone.execute("grant hasura_service to administrator with set true")
        keeper.run(ROLES)
        assert "administrator" in (keeper.directory / "roles.sql").read_text(encoding="utf-8")
    finally:
        clone.execute("drop role administrator")


def test_a_dump_is_restored_into_an_empty_cluster_by_no_superuser(keeper: Operator, directory: Path) -> None:
    keeper.run(DUMP, ROLES)
    with another_cluster(directory / "data") as other:
        said = keeper.run(RESTORE, NEW_URL=other.url("restored"))
        assert "verified" in said
        assert_restored(keeper, other)


def test_the_rows_alone_keep_their_times(keeper: Operator, clone: psycopg.Connection, directory: Path) -> None:
    with clone.transaction():
        clone.execute("set local session_replication_role = replica")
        clone.execute(f"update {TABLE} set created_at = created_at - pk * interval '1 day'")
    keeper.run(ROLES)
    with another_cluster(directory / "data") as other:
        keeper.type('sql "$NEW_URL" --file roles.sql', NEW_URL=other.url("restored"))
        upgrade(other, "restored")
        keeper.run(ROWS_ALONE, NEW_URL=other.url("restored"))
        assert_restored(keeper, other)
        with psycopg.connect(other.conninfo("restored"), autocommit=True) as superuser:
            sent = "insert into core_api.company_workspace_connectors (company_pk, workspace_connector_pk, direction,"
            sent += " created_at) values (11, 101, 'input', '2001-01-01') returning created_at = now()"
            assert scalar(superuser, sent), "the stamp is back"


def test_rows_that_span_two_workspaces_are_not_loaded(
    keeper: Operator, clone: psycopg.Connection, directory: Path
) -> None:
    force_row(clone, 11, 201)
    keeper.run(ROLES)
    with another_cluster(directory / "data") as other:
        keeper.type('sql "$NEW_URL" --file roles.sql', NEW_URL=other.url("restored"))
        upgrade(other, "restored")
        said = keeper.run(ROWS_ALONE, check=False, NEW_URL=other.url("restored"))
        assert "belong to different workspaces" in said
        with psycopg.connect(other.conninfo("restored"), autocommit=True) as superuser:
            assert rows(superuser) == []
            forced = f"select relforcerowsecurity from pg_class where oid = '{TABLE}'::regclass"
            assert scalar(superuser, forced), "nothing of it is left"


def test_one_tenants_rows_leave_by_public_ids(keeper: Operator, clone: psycopg.Connection) -> None:
    force_row(clone, 11, 201)
    keeper.run(TENANT)
    with (keeper.directory / "tenant.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    expected = clone.execute(
        f"select id::text from {TABLE} where company_pk < 20 and workspace_connector_pk < 200 order by created_at, id"
    ).fetchall()
    assert [(row["id"],) for row in found] == expected
    assert len(found) == 4
    assert sum(row["deleted_at"] != "" for row in found) == 1
    assert not {"pk", "company_pk", "workspace_connector_pk"} & found[0].keys()


# From 15 to 18

BEFORE_HEAD = REVISIONS[-2]


@contextmanager
def moving(directory: Path, tmp_path: Path, revision: str) -> Iterator[Operator]:
    """An operator of a database on 15, with rows."""
    with started(directory, BIN_15) as server:
        with psycopg.connect(server.conninfo("postgres"), autocommit=True) as connection:
            assert connection.info.server_version // 10000 == 15
            forget_durability(connection)
            make_roles(connection)
            connection.execute(f"create database moving owner {DEPLOYER}")
        upgrade(server, "moving", revision)
        with psycopg.connect(server.conninfo("moving")) as connection:
            connection.execute(SEED)
            connection.execute("insert into tenancy.role_bindings (role, workspace_pk) values ('bound_login', 1)")
            join_groups(connection)
        yield Operator(tmp_path, server, "moving", BIN)


@FROM_15
def test_pg_upgrade_from_15_to_18_needs_one_grant_before_the_next_revision(directory: Path, tmp_path: Path) -> None:
    old, new = directory / "15", directory / "18"
    with moving(old, tmp_path, BEFORE_HEAD) as operator, operator.connect() as superuser:
        before = rows(superuser)

    pg_upgrade(old, new)

    with started(new, BIN) as server:
        operator = Operator(tmp_path, server, "moving", BIN)
        assert "tenancy_definer" in operator.type("connector-provenance upgrade", check=False)
        operator.run(ADMINISTER)
        operator.type("connector-provenance upgrade && connector-provenance verify")
        with operator.connect() as superuser:
            assert superuser.info.server_version // 10000 == 18
            assert version_of(superuser) == REVISIONS[-1]
            assert rows(superuser) == before
        with operator.connect(DEPLOYER) as owner:
            assert rows(owner) == [], "who administers the groups does not act as one"
            with pytest.raises(errors.InsufficientPrivilege):
                owner.execute("set role tenancy_definer")


@FROM_15
def test_a_dump_of_15_is_restored_on_18_and_the_next_revision_applies(directory: Path, tmp_path: Path) -> None:
    with moving(directory / "15", tmp_path, BEFORE_HEAD) as operator, another_cluster(directory / "18", BIN) as other:
        make_backup_login(operator)
        operator.run(DUMP, ROLES)
        roles, restore, *mend = COMMANDS["Restore"][0].strip().splitlines()
        again = 'connector-provenance --database-url "$NEW_URL" upgrade'
        operator.type(roles, restore, again, *mend, NEW_URL=other.url("restored"))
        upgrade(operator.server, "moving")
        assert_restored(operator, other)


@FROM_15
def test_a_dump_of_15_is_restored_on_18(directory: Path, tmp_path: Path) -> None:
    with moving(directory / "15", tmp_path, "head") as operator, another_cluster(directory / "18", BIN) as other:
        make_backup_login(operator)
        operator.run(DUMP, ROLES, RESTORE, NEW_URL=other.url("restored"))
        assert_restored(operator, other)


# Read elsewhere


def test_a_standby_answers_like_its_primary(directory: Path, tmp_path: Path) -> None:
    with started(directory / "primary") as primary:
        with psycopg.connect(primary.conninfo("postgres"), autocommit=True) as connection:
            forget_durability(connection)
            make_roles(connection)
            connection.execute(f"create database product owner {DEPLOYER}")
        upgrade(primary, "product")
        with psycopg.connect(primary.conninfo("product")) as connection:
            connection.execute(SEED)
            connection.execute("insert into tenancy.role_bindings (role, workspace_pk) values ('bound_login', 1)")
            join_groups(connection)
        operator = Operator(tmp_path, primary, "product")
        with standby_of(primary, directory / "standby") as standby:
            replica = Operator(tmp_path, standby, "product")
            with operator.connect() as there, replica.connect() as here:
                assert scalar(here, "select pg_is_in_recovery()")
                wait_until_replayed(there, here)
            for login in LOGINS:
                assert seen(replica, login) == seen(operator, login)
            assert replica.run(SEE) == operator.run(SEE)
            for asked in ("verify", "status", "plan", "upgrade"):
                replica.type(f"connector-provenance {asked}")
            assert "this is a standby" in replica.type("connector-provenance downgrade base", check=False)


def seen(operator: Operator, login: str) -> list[tuple[object, ...]] | str:
    """Return what a login sees in ACME, or how it is refused."""
    with operator.connect(login) as connection:
        connection.execute("select set_config('app.workspace_id', %s, false)", (ACME,))
        try:
            return rows(connection)
        except errors.InsufficientPrivilege as error:
            return str(error)


@pytest.mark.parametrize("login", ["member_login", "sync_login", "hasura_login"])
def test_a_strict_reader_gets_an_error_instead_of_fewer_rows(login: str, operator: Operator) -> None:
    said = operator.run(STRICT, check=False, READER_URL=operator.server.url(operator.dbname, login))
    assert "query would be affected by row-level security policy" in said


def test_a_reader_in_hasura_service_gets_all_rows_and_a_forgetful_one_none(operator: Operator) -> None:
    count = COMMANDS["Read elsewhere"][0].partition(" ")[2].partition(" ")[2]
    assert count.startswith("sql ")
    for login, expected in (("hasura_login", "7"), ("member_login", "0")):
        said = operator.type(count, READER_URL=operator.server.url(operator.dbname, login))
        assert said.split()[2] == expected


@contextmanager
def published(directory: Path, tmp_path: Path, programs: Path) -> Iterator[Operator]:
    """An operator of a source whose service lets changes out, by a login with REPLICATION and a password."""
    for start in range(2):
        with started(directory, programs) as server:
            if start == 0:
                with psycopg.connect(server.conninfo("postgres"), autocommit=True) as connection:
                    forget_durability(connection)
                    connection.execute("alter system set wal_level = logical")
                    make_roles(connection)
                    connection.execute(f"create role cdc login replication password '{PASSWORD}'")
                    connection.execute(f"create database product owner {DEPLOYER}")
                access = directory / "pg_hba.conf"
                access.write_text(f"local all cdc scram-sha-256\n{access.read_text()}")
                continue
            upgrade(server, "product")
            with psycopg.connect(server.conninfo("product")) as connection:
                connection.execute(SEED)
            yield Operator(tmp_path, server, "product", programs)


SourceAndTarget = tuple[Operator, Server]


@pytest.fixture
def streaming(directory: Path, tmp_path: Path) -> Iterator[SourceAndTarget]:
    """A source on 15 where that can be had, and a cluster of the embedded version that may subscribe."""
    programs = SERVER_BIN if FROM_15.args[0] else BIN_15
    with (
        published(directory / "source", tmp_path, programs) as operator,
        another_cluster(directory / "target", BIN) as target,
        psycopg.connect(target.conninfo("restored"), autocommit=True) as superuser,
    ):
        superuser.execute(f"grant pg_create_subscription to {DEPLOYER}")
        yield operator, target
        superuser.execute("alter subscription provenance disable")
        superuser.execute("alter subscription provenance set (slot_name = none)")
        superuser.execute("drop subscription provenance")
        with operator.connect() as source:
            slots = "select count(*) filter (where active) = 0 from pg_replication_slots"
            wait_until(lambda: scalar(source, slots), "the subscription did not end")
            source.execute("select pg_drop_replication_slot(slot_name) from pg_replication_slots")


def arrived(connection: psycopg.Connection, count: int) -> Callable[[], bool]:
    """Return whether the first copy is done and so many rows are there."""
    copied = "select bool_and(srsubstate = 'r') from pg_subscription_rel"
    return lambda: bool(scalar(connection, copied)) and len(rows(connection)) == count


INSERT = f"insert into {TABLE} (company_pk, workspace_connector_pk, direction) values (21, 201, 'input')"


def test_a_subscriber_gets_every_row_and_every_change_without_a_superuser(streaming: SourceAndTarget) -> None:
    operator, target = streaming
    operator.run(PUBLISH, SUBSCRIBE, OTHER_URL=target.url("restored"), CDC_URL=operator.server.url("product", "cdc"))
    with operator.connect() as source, psycopg.connect(target.conninfo("restored"), autocommit=True) as copy:
        wait_until(arrived(copy, 7), "the first copy did not arrive")
        source.execute(INSERT)
        wait_until(arrived(copy, 8), "the change did not arrive")
        assert rows(copy) == rows(source)
        told = operator.run(SEE)
        assert re.search(r"^ publication +\| provenance ", told, re.M)
        assert re.search(r"^ replication slot +\| provenance ", told, re.M)


@FULL
def test_a_subscriber_outside_hasura_service_misses_what_was_there_before(streaming: SourceAndTarget) -> None:
    operator, target = streaming
    urls: dict[str, Any] = {"OTHER_URL": target.url("restored"), "CDC_URL": operator.server.url("product", "cdc")}
    with operator.connect() as source, psycopg.connect(target.conninfo("restored"), autocommit=True) as copy:
        mistaken = COMMANDS["Read elsewhere"][1].replace("hasura_service", "workspace_member")
        operator.type(mistaken, COMMANDS["Read elsewhere"][2], **urls)
        wait_until(arrived(copy, 0), "the first copy did not end")
        source.execute(INSERT)
        wait_until(arrived(copy, 1), "the change did not arrive")


@FULL
def test_this_packages_own_table_takes_no_changes(streaming: SourceAndTarget) -> None:
    operator, target = streaming
    operator.run(PUBLISH)
    upgrade(target, "restored")
    subscribe = COMMANDS["Read elsewhere"][2].partition("\nEND\n")[2]
    assert subscribe.startswith('sql "$OTHER_URL" --set')
    operator.type(subscribe, OTHER_URL=target.url("restored"), CDC_URL=operator.server.url("product", "cdc"))
    log = target.host + "/log"
    complaint = "cannot replicate into relation with row-level security enabled"
    wait_until(lambda: complaint in Path(log).read_text(), "nothing was refused")


# Load


def write_facts(operator: Operator, *facts: tuple[int, int]) -> None:
    """Write a file of facts by public ids, of companies and connectors by their keys."""
    with operator.connect() as superuser, (operator.directory / "facts.csv").open("w", newline="") as file:
        for company, connector in facts:
            query = "select workspace_connector_id from core_api.workspace_connectors where pk = %s"
            csv.writer(file).writerow([company_id(superuser, company), scalar(superuser, query, connector), "output"])


def test_the_orchestrator_loads_a_file_in_one_call(operator: Operator, clone: psycopg.Connection) -> None:
    write_facts(operator, (11, 101), (19, 109), (11, 101))
    operator.run(LOAD)
    loaded = clone.execute(f"select company_pk, workspace_connector_pk from {TABLE} order by pk offset 7").fetchall()
    assert sorted(loaded) == [(11, 101), (11, 101), (19, 109)]


def test_a_file_with_another_tenants_id_is_refused_whole(operator: Operator, clone: psycopg.Connection) -> None:
    write_facts(operator, (11, 101), (21, 101))
    assert "company_id is not a company of the current workspace" in operator.run(LOAD, check=False)
    assert len(rows(clone)) == 7


def test_a_copy_into_the_table_itself_is_refused(operator: Operator) -> None:
    copy = f"sql \"$SYNC_URL\" --command 'copy {TABLE} (company_pk) from stdin'"
    assert "COPY FROM not supported with row-level security" in operator.type(copy, check=False)


# Several databases


def test_many_databases_are_one_command_or_many_at_a_time(
    operator: Operator, empty: psycopg.Connection, second: psycopg.Connection
) -> None:
    """docs/scaling.md."""
    text = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)
    urls = [operator.server.url(connection.info.dbname) for connection in (empty, second)]
    (operator.directory / "cells.txt").write_text("\n".join(urls))
    operator.type(block, FIRST_URL=urls[0], SECOND_URL=urls[1])
    assert version_of(empty) == version_of(second) == REVISIONS[-1]
    second.execute("drop policy hasura_reads_every_row on core_api.companies")
    assert "policy hasura_reads_every_row" in operator.type(block.splitlines()[1], check=False)


def test_every_command_of_the_page_was_run(request: pytest.FixtureRequest) -> None:
    here = [item for item in request.session.items if item.path == request.path]
    names = {name for name in globals() if name.startswith("test_")}
    if {getattr(item, "originalname", item.name) for item in here} != names:
        pytest.skip("only some of the tests were asked for")
    wanted = {(heading, number) for heading, blocks in COMMANDS.items() for number in range(len(blocks))}
    if FROM_15.args[0]:
        wanted.discard(ADMINISTER)
    assert wanted - run_so_far == set()
