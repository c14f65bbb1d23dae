"""What sql/access.sql tells a DBA: who sees and may do what in this database, and every door around the junctions."""

import subprocess
from collections.abc import Iterator

import psycopg
import pytest
from helpers import ACME, Connect
from psycopg import errors
from servers import DEPLOYER, LOGINS, Server, psql

from connector_provenance.migrations.sqlfile import ROOT

FILE = ROOT / "sql" / "access.sql"
JUNCTION = "company_workspace_connectors"
TABLE = f"core_api.{JUNCTION}"
PURGE = f"deleted rows by purge_{JUNCTION}"
COMMANDS = {
    "select": f"select from {TABLE}",
    "insert": f"insert into {TABLE} (company_pk, workspace_connector_pk, direction) values (11, 101, 'input')",
    "update": f"update {TABLE} set deleted_at = now()",
    "delete": f"select core_api.purge_{JUNCTION}(now())",
}
Row = dict[str, str]


def access(server: Server, dbname: str, user: str | None = None) -> dict[str, list[Row]]:
    """Run the file in a session that may not write, as the superuser unless told otherwise, and return its tables."""
    said = psql(server, dbname, f"set default_transaction_read_only = on;\n\\i {FILE}\n", user)
    tables: dict[str, list[Row]] = {}
    for part in said.split("\n\n"):
        lines = part.strip("\n").splitlines()
        rule = next((place for place, line in enumerate(lines) if line.startswith("--")), None)
        if rule is not None:
            header, _, *rows = ([cell.strip() for cell in line.split("|")] for line in lines[rule - 1 :])
            tables[lines[0].split()[0].rstrip(":")] = [dict(zip(header, cells, strict=True)) for cells in rows]
    assert list(tables) == ["LOGINS", "JUNCTIONS", "DOORS"]
    return tables


def logins(server: Server, dbname: str) -> dict[str, Row]:
    return {row.pop("login"): row for row in access(server, dbname)["LOGINS"]}


def rights(server: Server, dbname: str, login: str) -> dict[str, Row]:
    """Return what the login may do: by itself, under the empty name, and by each role that it sets."""
    rows = [row for row in access(server, dbname)["JUNCTIONS"] if row["login"] == login and row["junction"] == JUNCTION]
    return {row["set role"]: {command: row[command] for command in COMMANDS if row[command]} for row in rows}


@pytest.fixture
def named(clone: psycopg.Connection) -> str:
    """The name of a database of the test's own."""
    clone.autocommit = True
    return clone.info.dbname


@pytest.fixture
def newcomers(clone: psycopg.Connection, named: str) -> Iterator[psycopg.Connection]:
    """A superuser's connection that makes roles of a test, called new_…; they are dropped with the database."""
    yield clone
    for (role,) in clone.execute("select rolname from pg_roles where rolname like 'new\\_%'").fetchall():
        clone.execute(f"drop owned by {role} cascade")
        clone.execute(f"drop role {role}")


def test_each_login_is_told_with_its_groups_and_its_workspace(server: Server, named: str) -> None:
    found = logins(server, named)
    assert {login: (row["acts as"], row["workspace"]) for login, row in found.items() if login in LOGINS} == {
        "member_login": ("workspace_member", "whichever it names"),
        "sync_login": ("connector_sync", "whichever it names"),
        "both_login": ("connector_sync, workspace_member", "whichever it names"),
        "retention_login": ("connector_retention", ""),
        "hasura_login": ("hasura_service", "every, to read"),
        "hasura_sync_login": ("connector_sync, hasura_service", "every, to read; whichever it names"),
        "bound_login": (
            "connector_sync, workspace_member through workspace_tenant, workspace_tenant",
            f"{ACME}, bound",
        ),
        "unbound_login": ("workspace_member through workspace_tenant, workspace_tenant", "none: it is not bound"),
    }
    assert "outsider_login" not in found, "it has nothing"
    assert found[server.user]["attributes"].startswith("superuser, bypassrls")
    assert found[server.user]["workspace"] == "every"
    attributes = found[DEPLOYER]["attributes"]
    assert attributes.startswith(f"createrole, owner of {JUNCTION}, lets others into ")
    assert (found[DEPLOYER]["acts as"], found[DEPLOYER]["workspace"]) == ("", ""), "who administers does not act"


def test_what_a_login_is_said_to_do_is_what_it_can_do(server: Server, named: str, connect: Connect) -> None:
    for login in (*LOGINS, DEPLOYER):
        said = rights(server, named, login).get("", {})
        for command, statement in COMMANDS.items():
            connection = connect(login, ACME, dbname=named)
            try:
                connection.execute(statement)
            except errors.InsufficientPrivilege as error:
                permitted = "permission denied" not in str(error)
            else:
                permitted = True
            connection.close()
            assert (command in said) == permitted, f"{login}: {command}"


@pytest.mark.parametrize(
    ("login", "what"),
    [
        ("member_login", {"select": "member_reads_active_rows"}),
        ("sync_login", {"select": "sync_reads_rows", "insert": "sync_inserts_rows", "update": "sync_updates_rows"}),
        ("retention_login", {"delete": PURGE}),
        ("hasura_login", {"select": "hasura_reads_every_row"}),
        (DEPLOYER, {"select": "no row", "insert": "no row", "update": "no row"}),
    ],
)
def test_the_policies_that_let_rows_through_are_named(login: str, what: Row, server: Server, named: str) -> None:
    assert rights(server, named, login) == {"": what}


def test_a_superuser_is_said_to_do_everything(server: Server, named: str) -> None:
    everything = dict.fromkeys(COMMANDS, "every row") | {"delete": "every row, all by truncate"}
    assert rights(server, named, server.user) == {"": everything}


def test_a_table_that_is_no_longer_forced_shows_its_owner_every_row(
    server: Server, clone: psycopg.Connection, named: str
) -> None:
    clone.execute(f"alter table {TABLE} no force row level security")
    assert rights(server, named, DEPLOYER)[""]["select"] == "every row"


def test_a_group_within_a_group_is_told_with_the_way(newcomers: psycopg.Connection, server: Server, named: str) -> None:
    newcomers.execute("create role new_team in role connector_sync")
    newcomers.execute("create role new_login login in role new_team")
    assert logins(server, named)["new_login"]["acts as"] == "connector_sync through new_team"


def test_a_role_that_can_only_be_set_is_told_apart(newcomers: psycopg.Connection, server: Server, named: str) -> None:
    newcomers.execute("create role new_login login noinherit in role workspace_member, connector_retention")
    found = logins(server, named)["new_login"]
    assert found["acts as"] == "connector_retention by set role, workspace_member by set role"
    assert rights(server, named, "new_login") == {
        "workspace_member": {"select": "member_reads_active_rows"},
        "connector_retention": {"delete": PURGE},
    }


def test_a_login_that_can_become_a_superuser_or_the_owner_is_told(
    newcomers: psycopg.Connection, server: Server, named: str
) -> None:
    newcomers.execute("create role new_root superuser")
    newcomers.execute(f"create role new_login login noinherit in role new_root, {DEPLOYER}")
    attributes = logins(server, named)["new_login"]["attributes"]
    assert attributes.startswith(f"owner by set role of {JUNCTION}, by set role new_root")
    assert rights(server, named, "new_login")["new_root"]["select"] == "every row"


def test_a_login_that_no_policy_holds_is_told(newcomers: psycopg.Connection, server: Server, named: str) -> None:
    newcomers.execute("create role new_login login bypassrls")
    found = logins(server, named)["new_login"]
    assert (found["attributes"], found["workspace"]) == ("bypassrls", "every")
    assert rights(server, named, "new_login") == {}, "it has no privilege"
    newcomers.execute("grant workspace_member to new_login")
    assert rights(server, named, "new_login") == {"": {"select": "every row"}}


def test_a_privilege_without_a_policy_reaches_no_row(newcomers: psycopg.Connection, server: Server, named: str) -> None:
    newcomers.execute("create role new_login login")
    assert "new_login" not in logins(server, named)
    newcomers.execute(f"grant select (id), delete on {TABLE} to new_login")
    assert "new_login" in logins(server, named)
    assert rights(server, named, "new_login") == {"": {"select": "no row", "delete": "no row"}}


def test_who_may_not_connect_is_left_out(newcomers: psycopg.Connection, server: Server, named: str) -> None:
    newcomers.execute("create role new_login login in role workspace_member")
    assert "new_login" in logins(server, named)
    newcomers.execute(f"revoke connect on database {named} from public")
    assert "new_login" not in logins(server, named)


def doors(server: Server, dbname: str) -> list[Row]:
    return access(server, dbname)["DOORS"]


def test_a_database_as_migrated_has_no_door(server: Server, named: str) -> None:
    assert doors(server, named) == []


@pytest.mark.parametrize(
    ("made", "door", "name", "shows", "open_to"),
    [
        (
            f"create view public.all_rows as select * from {TABLE}; grant select on public.all_rows to outsider_login",
            "view",
            "public.all_rows",
            f"{JUNCTION} as postgres sees it",
            "outsider_login",
        ),
        (
            f"create materialized view public.copy as select * from {TABLE}; grant select on public.copy to public",
            "materialized view",
            "public.copy",
            f"{JUNCTION} as postgres saw it when it was refreshed",
            "public",
        ),
        (
            "create function public.peek() returns bigint language sql security definer"
            f" as 'select count(*) from {TABLE}'",
            "definer function",
            "public.peek()",
            f"names {JUNCTION}",
            "public",
        ),
        (
            "create function public.run(text) returns void language plpgsql security definer"
            " as 'begin execute $1; end'; revoke all on function public.run from public",
            "definer function",
            "public.run(text)",
            "names no junction",
            "",
        ),
        (
            f"create table public.child () inherits ({TABLE})",
            "child table",
            "public.child",
            f"rows of {JUNCTION} outside its policies and guards",
            "",
        ),
        (
            "create function public.log() returns trigger language plpgsql as 'begin return null; end';"
            f" create trigger copies after insert on {TABLE} for each row execute function public.log()",
            "trigger",
            f"copies on {JUNCTION}",
            "hands rows to public.log()",
            "",
        ),
        (
            f"create rule twice as on update to {TABLE} do also notify changed",
            "rule",
            f"twice on {JUNCTION}",
            "changes what a statement does",
            "",
        ),
        (
            f"create publication stream for table {TABLE}",
            "publication",
            "stream",
            f"every change of {JUNCTION}, whoever subscribes",
            "",
        ),
        (
            "create function public.watch() returns event_trigger language plpgsql as 'begin end';"
            " create event trigger watcher on ddl_command_end execute function public.watch()",
            "event trigger",
            "watcher",
            "runs public.watch as whoever changes the schema",
            "",
        ),
    ],
)
def test_a_door_is_told(
    made: str, door: str, name: str, shows: str, open_to: str, server: Server, clone: psycopg.Connection, named: str
) -> None:
    clone.execute(made)
    assert doors(server, named) == [
        {
            "door": door,
            "name": name,
            "owner": DEPLOYER if door == "rule" else server.user,
            "shows": shows.replace("postgres", server.user),
            "open to": open_to,
        }
    ]


def test_a_view_over_a_view_is_a_door_too(server: Server, clone: psycopg.Connection, named: str) -> None:
    clone.execute(f"create view public.inner_view as select * from {TABLE}")
    clone.execute("create view public.outer_view as select count(*) from public.inner_view")
    assert [row["name"] for row in doors(server, named)] == ["public.inner_view", "public.outer_view"]


@pytest.mark.parametrize(
    "made",
    [
        f"create view public.own with (security_invoker = TRUE) as select * from {TABLE}",
        "create view public.other as select * from core_api.companies",
        "create function public.own() returns bigint language sql security definer"
        f" as 'select count(*) from {TABLE}'; alter function public.own owner to {DEPLOYER}",
        f"create function public.own() returns bigint language sql as 'select count(*) from {TABLE}'",
        "create publication stream for table core_api.companies",
    ],
)
def test_what_gives_no_more_than_the_caller_has_is_no_door(
    made: str, server: Server, clone: psycopg.Connection, named: str
) -> None:
    clone.execute(made)
    assert doors(server, named) == []


def test_the_junction_of_another_record_type_has_lines_of_its_own(
    server: Server, clone: psycopg.Connection, named: str
) -> None:
    sibling = "record_workspace_connectors"
    clone.execute(f"create table core_api.{sibling} (pk integer); grant select on core_api.{sibling} to outsider_login")
    assert {row["junction"] for row in access(server, named)["JUNCTIONS"]} == {JUNCTION}, "nobody manages it"
    clone.execute(f"insert into tenancy.managed_objects values ('table', 'core_api.{sibling}', true)")
    rows = access(server, named)["JUNCTIONS"]
    assert [row["select"] for row in rows if row["login"] == "outsider_login"] == ["every row"], "it has no policies"


def test_the_owner_is_told_the_same_as_a_superuser(server: Server, named: str) -> None:
    assert access(server, named, DEPLOYER) == access(server, named)


@pytest.mark.parametrize("login", LOGINS)
def test_nobody_else_is_told_anything(login: str, server: Server, named: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        psql(server, named, f"\\i {FILE}\n", login)
    assert f"nothing was looked at: role {login} may not read the tables of schema tenancy" in str(caught.value.stderr)
    assert caught.value.stdout == ""
