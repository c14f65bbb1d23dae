"""verify --live: it is silent about a database that keeps its promises, and names every leak that is planted in one."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from deployer import upgrade
from helpers import force_row, scalar, some
from hosts import ADOPTED
from servers import DEPLOYER, LOGINS, Server

from connector_provenance.migrations import cli, live

TABLE = "core_api.company_workspace_connectors"
GROUPS = "workspace_member, connector_sync, connector_retention, hasura_service"
OF_ACME = "any(array(select k.pk from tenancy.current_workspace_connectors as k))"
COMPANY = "exists (select from tenancy.current_workspace_companies as c where c.pk = company_pk)"
CONNECTOR = f"workspace_connector_pk = {OF_ACME}"
NAMED = (
    "select w.pk from core_api.workspaces as w"
    " where w.workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid"
)

Try = Callable[..., "Result"]


class Result:
    """What one run says."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def outcome(self) -> dict[str, Any]:
        """What ``--json`` says of the one database."""
        return json.loads(self.out)["databases"][0]

    def broken(self) -> list[dict[str, Any]]:
        """Return the findings that are broken."""
        findings = self.outcome["answer"]["live"]["findings"]
        return [each for each in findings if each["result"] in ("leak", "wrong")]


@pytest.fixture
def administrator(clone: psycopg.Connection, server: Server) -> Iterator[str]:
    """The owner of the tables, who takes itself into the groups for as long as it tries."""
    clone.autocommit = True
    with psycopg.connect(server.conninfo(clone.info.dbname, DEPLOYER), autocommit=True) as owner:
        owner.execute(f"grant {GROUPS} to current_user")
        yield DEPLOYER
        owner.execute(f"revoke {GROUPS} from current_user")


@pytest.fixture
def attempt(clone: psycopg.Connection, server: Server, capfd: pytest.CaptureFixture[str]) -> Try:
    """Call the command line, as the superuser unless told otherwise."""
    clone.commit()

    def _attempt(*options: str, user: str | None = None, url: str = "") -> Result:
        capfd.readouterr()
        url = url or server.url(clone.info.dbname, user or server.user)
        code = cli.main(["verify", "--live", *options, "--database-url", url])
        return Result(code, *capfd.readouterr())

    return _attempt


def context(body: str) -> str:
    """Return what replaces the function that decides which workspace is the current one."""
    return f"""
    create or replace function tenancy.current_workspace_pk() returns integer
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$ {body} $$
    """


LEAKS = {
    # what is planted: (the statement, or none for a row; the check; the roles that it names; what it says of them)
    "a policy that shows members everything": (
        f"create policy everything on {TABLE} for select to workspace_member using (true)",
        "visible rows", ["workspace_member", "member_login"], "policies: everything, member_reads_active_rows",
    ),
    "a policy for public": (
        f"create policy open_house on {TABLE} using (true)",
        "visible rows", ["workspace_member", "connector_sync"], "open_house",
    ),
    "row-level security disabled": (
        f"alter table {TABLE} disable row level security",
        "row security", ["workspace_member", "connector_sync", DEPLOYER], "row-level security is disabled",
    ),
    "row-level security not forced": (
        f"alter table {TABLE} no force row level security",
        "row security", [DEPLOYER], "it is not forced on the owner",
    ),
    "members may delete": (
        f"grant delete on {TABLE} to workspace_member",
        "privileges", ["workspace_member", "member_login"], "may delete",
    ),
    "the purge's role may delete": (
        f"grant delete on {TABLE} to connector_retention",
        "privileges", ["connector_retention"], "may delete",
    ),
    "the sync role may rewrite a fact": (
        f"grant update (direction) on {TABLE} to connector_sync",
        "privileges", ["connector_sync"], "may update direction",
    ),
    "Hasura may insert": (
        f"grant insert on {TABLE} to hasura_service",
        "privileges", ["hasura_service"], "may insert pk",
    ),
    "the owner may truncate": (
        f"grant truncate on {TABLE} to {DEPLOYER}",
        "privileges", [DEPLOYER], "may truncate",
    ),
    "the guard against mixed rows disabled": (
        f"alter table {TABLE} disable trigger company_workspace_connectors_refuse_mixed_inserts",
        "guard", ["everybody"], "no guard refuses a mixed row: it is stored",
    ),
    "the guard of companies disabled": (
        "alter table core_api.companies disable trigger companies_refuse_workspace_move",
        "parents", ["everybody"], "a row of core_api.companies moves away",
    ),
    "the guard against a row that becomes mixed disabled": (
        f"alter table {TABLE} disable trigger company_workspace_connectors_refuse_mixed_update",
        "guard", ["everybody"], "no guard refuses a mixed row: it becomes one",
    ),
    "a guard of companies that looks at no row": (
        "create or replace function tenancy.refuse_company_move() returns trigger language plpgsql security definer"
        " as $$begin if current_setting('transaction_isolation') <> 'read committed' then raise 'only there'"
        " using errcode = '25000'; end if; return null; end$$",
        "parents", ["everybody"], "a row of core_api.companies moves away",
    ),
    "every company for members": (
        "create policy everything on core_api.companies for select to workspace_member using (true)",
        "others' parents", ["workspace_member", "member_login"], "sees rows of others in core_api.companies",
    ),
    "every workspace for the sync role": (
        "create policy everything on core_api.workspaces for select to connector_sync using (true)",
        "others' parents", ["connector_sync"], "sees rows of others in core_api.workspaces",
    ),
    "a document of every workspace": (
        "create or replace function core_api.workspace_company_workspace_connectors("
        "    workspace core_api.workspaces, page_limit integer default null, after_id uuid default null,"
        "    direction core_api.direction_enum default null, company_id uuid default null,"
        "    workspace_connector_id uuid default null, created_from timestamptz default null,"
        "    created_before timestamptz default null"
        ") returns json language sql stable"
        f" return (select json_build_object('data', json_agg(json_build_object('id', j.id))) from {TABLE} as j)",
        "functions", ["hasura_service"], "workspace_company_workspace_connectors of workspace",
    ),
    "the sync role may purge": (
        "grant execute on function core_api.purge_company_workspace_connectors, tenancy.company_purge"
        " to connector_sync",
        "privileges", ["connector_sync"], "may purge",
    ),
    "without a workspace the first one": (
        context(f"select coalesce(({NAMED}), 1)"),
        "no workspace", ["workspace_member", "connector_sync"], "without a workspace sees",
    ),
    "in an unknown workspace the first one": (
        context(f"select case when current_setting('app.workspace_id', true) <> '' then coalesce(({NAMED}), 1) end"),
        "no workspace", ["workspace_member", "connector_sync"], "in an unknown workspace sees",
    ),
    "sources that disagree": (
        context(NAMED),
        "contradictions", ["workspace_member", "connector_sync"],
        "rows instead of error 42501 for app.workspace_id and hasura.user",
    ),
    "the page index dropped": (
        "drop index core_api.company_workspace_connectors_page_index",
        "page index", ["workspace_member", "connector_sync"], "not through company_workspace_connectors_page_index",
    ),
    "a policy that asks the company only": (
        f"alter policy member_reads_active_rows on {TABLE} using (deleted_at is null and {COMPANY})",
        "mixed rows shown", ["workspace_member"], "sees a mixed row; policies: member_reads_active_rows",
    ),
    "a policy that asks the connector only": (
        f"alter policy sync_reads_rows on {TABLE} using ({CONNECTOR})",
        "mixed rows shown", ["connector_sync"], "sees a mixed row; policies: sync_reads_rows",
    ),
    "an insert policy that asks the company only": (
        f"alter policy sync_inserts_rows on {TABLE} with check ({COMPANY})",
        "others' rows", ["connector_sync"], "a mixed row with another's connector is refused by no policy",
    ),
    "an insert policy that asks the connector only": (
        f"alter policy sync_inserts_rows on {TABLE} with check ({CONNECTOR})",
        "others' rows", ["connector_sync"], "a mixed row with another's record is refused by no policy",
    ),
    "an update policy that is too wide": (
        f"alter policy sync_updates_rows on {TABLE} using (true)",
        "no workspace", ["connector_sync"], "updates rows (division by zero); policies: sync_updates_rows",
    ),
    "soft-deleted rows for members": (
        f"alter policy member_reads_active_rows on {TABLE} using ({CONNECTOR} and {COMPANY})",
        "visible rows", ["workspace_member"], "sees soft-deleted row",
    ),
    "a mixed row": (
        None,
        "mixed rows stored", ["everybody"], "of workspace 2 and 1; 1 such",
    ),
    "an owner that no policy holds": (
        f"alter role {DEPLOYER} bypassrls",
        "row security", [DEPLOYER], "the role has BYPASSRLS",
    ),
    "a login that no policy holds": (
        "alter role member_login bypassrls",
        "row security", ["member_login"], "the role has BYPASSRLS",
    ),
    "members that are Hasura": (
        "grant hasura_service to workspace_member",
        "visible rows", ["workspace_member"], "policies: hasura_reads_every_row, member_reads_active_rows",
    ),
    "members that see nothing": (
        f"drop policy member_reads_active_rows on {TABLE}",
        "visible rows", ["workspace_member"], "does not see active row",
    ),
}  # fmt: skip


@pytest.fixture
def roles_as_before(clone: psycopg.Connection) -> Iterator[None]:
    """Take back what the test does to roles, which belong to the cluster.

    No group is altered, for pg_dump lists a policy's roles in the order in which they were written last.
    """
    yield
    clone.execute(f"alter role {DEPLOYER} nobypassrls")
    clone.execute("alter role member_login nobypassrls")
    clone.execute("revoke hasura_service from workspace_member")
    clone.commit()


@pytest.mark.usefixtures("roles_as_before")
@pytest.mark.parametrize("name", some(list(LEAKS), 4))
def test_every_planted_leak_is_named(
    name: str,
    clone: psycopg.Connection,
    administrator: str,
    attempt: Try,
    server: Server,
) -> None:
    planted, check, roles, said = LEAKS[name]
    if planted is None:
        force_row(clone, 21, 101)
    else:
        clone.execute(planted)
    for user in (server.user, administrator):
        found = attempt("--json", user=user)
        assert found.code == cli.DRIFT
        broken = {each["role"]: each for each in found.broken() if each["check"] == check}
        for role in roles:
            if user == server.user or role not in LOGINS or "BYPASSRLS" in said:
                assert said in broken[role]["found"], user


# Without a leak


@pytest.mark.parametrize("seed", ["0", "-7"])
def test_a_database_that_keeps_its_promises_is_silent(
    seed: str, administrator: str, attempt: Try, server: Server
) -> None:
    for user in (server.user, administrator):
        found = attempt("--json", f"--seed={seed}", user=user)
        assert (found.code, found.broken(), found.outcome["differences"]) == (cli.DONE, [], [])
        told = found.outcome["answer"]["live"]
        assert told["sampled"] == {TABLE: {"workspaces": 2, "rows": 7, "soft_deleted_rows": 2}}
        tried = {(each["check"], each["role"]) for each in told["findings"] if each["result"] == live.OK}
        assert {("visible rows", role) for role in (*live.GROUPS, DEPLOYER)} <= tried
        assert {("guard", "everybody"), ("parents", "everybody"), ("mixed rows shown", "workspace_member")} <= tried
        assert {("functions", "hasura_service"), ("others' parents", "workspace_member")} <= tried
        assert (("visible rows", "bound_login") in tried) == (user == server.user)


def test_a_person_reads_a_table(attempt: Try, clone: psycopg.Connection) -> None:
    found = attempt()
    lines = [re.split("  +", line) for line in found.out.splitlines()]
    assert lines[0] == [f"{TABLE}: looked at 2 workspaces, 7 rows, 2 soft deleted rows"]
    assert lines[1] == ["check", "tried", "result", "role"]
    assert ["page index", "explain", "ok", "workspace_member, connector_sync"] in lines
    clone.execute(f"grant delete on {TABLE} to hasura_service")
    clone.commit()
    found = attempt()
    assert found.code == cli.DRIFT
    assert re.search(r"^privileges +LEAK +hasura_service: may delete", found.out, re.M)
    assert f"\n  leak: privileges, hasura_service, {TABLE}: may delete\n" in found.err


def test_an_adopted_host_keeps_its_promises(
    administrator: str, empty: psycopg.Connection, attempt: Try, server: Server
) -> None:
    """One of its workspaces has no public id at first, so nobody can name it."""
    ADOPTED.build(empty)
    upgrade(server, empty.info.dbname)
    for named in (1, 2):
        for user in (server.user, administrator):
            found = attempt("--json", url=server.url(empty.info.dbname, user))
            assert (found.code, found.broken()) == (cli.DONE, [])
            assert found.outcome["answer"]["live"]["sampled"][TABLE]["workspaces"] == named
        empty.execute("update core_api.workspaces set workspace_id = gen_random_uuid() where workspace_id is null")


def test_nothing_remains_but_numbers_of_the_sequence(
    administrator: str, attempt: Try, clone: psycopg.Connection, server: Server
) -> None:
    def everything() -> list[Any]:
        tables = (TABLE, "core_api.companies", "core_api.workspace_connectors", "tenancy.role_bindings", "pg_policy")
        catalog = ("select rolname, rolbypassrls from pg_roles", "select relname, relforcerowsecurity from pg_class")
        asked = [f"select t::text from {table} as t" for table in tables] + list(catalog)
        asked += ["select tgname, tgenabled from pg_trigger", "select count(*) from pg_auth_members"]
        asked += ["select sequencename, last_value from pg_sequences where sequencename not like 'company_workspace_%'"]
        asked += ["select count(*) from pg_locks where pid <> pg_backend_pid() and locktype = 'relation'"]
        return [sorted(clone.execute(query).fetchall()) for query in asked]

    before, last = everything(), scalar(clone, f"select last_value from {TABLE}_pk_seq")
    for user in (server.user, administrator):
        assert attempt(user=user).code == cli.DONE
    assert everything() == before
    assert 0 < scalar(clone, f"select last_value from {TABLE}_pk_seq") - last < 100


# What could not be tried


def untried(found: Result) -> dict[str, set[str]]:
    """Return the checks that could not be tried, and as whom."""
    checks: dict[str, set[str]] = {}
    for each in found.outcome["answer"]["live"]["findings"]:
        if each["result"] == live.NOT_TRIED and each["code"]:
            checks.setdefault(each["check"], set()).add(each["role"])
    return checks


def test_an_owner_outside_the_groups_is_told_what_it_needs(attempt: Try) -> None:
    found = attempt("--json", user=DEPLOYER)
    assert (found.code, found.broken()) == (cli.FAILED, [])
    assert {"visible rows", "others' rows", "guard"} < untried(found).keys()
    warnings = " ".join(found.outcome["warnings"])
    for group in live.GROUPS:
        assert f"deployer may not become {group}; grant {group} to deployer" in warnings
    assert f"deployer does not see every row of {TABLE}; grant hasura_service to deployer" in warnings
    said = attempt(user=DEPLOYER)
    assert "warning: could not try " in said.err
    assert re.search(r"not everything could be tried: \d+ of \d+ live checks", said.err)


def test_one_group_that_is_missing_is_named_and_the_rest_is_tried(
    administrator: str, attempt: Try, server: Server, clone: psycopg.Connection
) -> None:
    with psycopg.connect(server.conninfo(clone.info.dbname, DEPLOYER), autocommit=True) as owner:
        owner.execute("revoke connector_retention from current_user")
    found = attempt("--json", user=administrator)
    assert (found.code, found.broken()) == (cli.FAILED, [])
    assert set().union(*untried(found).values()) == {"connector_retention"}


def test_a_table_whose_parents_nobody_knows_is_not_passed_over(attempt: Try, clone: psycopg.Connection) -> None:
    clone.execute(f"alter table {TABLE} drop constraint company_workspace_connectors_company_pk_foreign")
    clone.commit()
    found = attempt("--json")
    assert (found.code, untried(found)) == (cli.FAILED, {"every check": {"everybody"}})


def test_a_leak_counts_more_than_what_could_not_be_tried(attempt: Try, clone: psycopg.Connection) -> None:
    clone.execute(f"grant truncate on {TABLE} to {DEPLOYER}")
    clone.commit()
    assert attempt(user=DEPLOYER).code == cli.DRIFT


def test_a_reader_of_nothing_is_one_line(attempt: Try) -> None:
    found = attempt(user="outsider_login")
    assert (found.code, found.out, found.err.count("\n")) == (cli.FAILED, "", 1)
    assert "permission denied for schema tenancy" in found.err


def test_a_tenants_own_login_tries_nothing_that_its_binding_decides(
    administrator: str, attempt: Try, clone: psycopg.Connection
) -> None:
    clone.execute(f"insert into tenancy.role_bindings values ('{DEPLOYER}', 1)")
    found = attempt(user=administrator)
    assert found.code == cli.FAILED
    assert "nothing was tried: deployer is a tenant's own login" in found.err


def test_a_table_in_use_is_not_waited_for_except_by_who_is_no_superuser(
    administrator: str, attempt: Try, clone: psycopg.Connection, server: Server
) -> None:
    with psycopg.connect(server.conninfo(clone.info.dbname)) as reader:
        reader.execute(f"select from {TABLE} limit 1")
        assert attempt().code == cli.DONE
        found = attempt("--json", user=administrator)
        assert found.code == cli.LOCKED
        assert untried(found) == {
            "mixed rows shown": {"workspace_member", "connector_sync"},
            "guard": {"everybody"},
        }


def test_where_nothing_can_be_written_only_reads_are_tried(
    attempt: Try, clone: psycopg.Connection, server: Server
) -> None:
    url = server.url(clone.info.dbname, server.user) + "&options=-cdefault_transaction_read_only%3Don"
    found = attempt("--json", url=url)
    assert (found.code, found.broken()) == (cli.FAILED, [])
    assert not {"visible rows", "contradictions", "page index"} & untried(found).keys()
    assert "cannot execute UPDATE in a read-only transaction" in " ".join(found.outcome["warnings"])


def test_without_a_second_workspace_there_is_nothing_to_mix(attempt: Try, clone: psycopg.Connection) -> None:
    clone.execute(f"delete from {TABLE} where company_pk > 20")
    for table in ("companies", "workspace_connectors", "workspaces"):
        clone.execute(f"delete from core_api.{table} where {'pk' if table == 'workspaces' else 'workspace_pk'} = 2")
    clone.commit()
    found = attempt("--json")
    assert (found.code, untried(found), found.broken()) == (cli.DONE, {}, [])
    assert "no two of the sampled workspaces have both parents" in " ".join(found.outcome["warnings"])


def test_a_database_without_tenants_tries_what_needs_none(
    empty: psycopg.Connection, attempt: Try, server: Server
) -> None:
    upgrade(server, empty.info.dbname)
    found = attempt("--json", "--debug", url=server.url(empty.info.dbname, server.user))
    assert (found.code, untried(found), found.broken()) == (cli.DONE, {}, [])
    results = {each["check"]: each["result"] for each in found.outcome["answer"]["live"]["findings"]}
    assert results["privileges"] == results["no workspace"] == live.OK
    assert results["visible rows"] == results["guard"] == live.NOT_TRIED
