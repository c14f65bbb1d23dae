"""verify --live: it is silent about a database that keeps its promises, and names every leak that is planted in one."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from helpers import force_row
from servers import DEPLOYER, LOGINS, Server

from connector_provenance.migrations import cli

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
    # what is planted: (statements, what takes it back from the cluster, check, roles that must be named, what is said)
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
    "a group role that no policy holds": (
        "alter role workspace_member bypassrls",
        "row security", ["workspace_member"], "the role has BYPASSRLS",
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
    """Take back what the test does to roles, which belong to the cluster."""
    yield
    clone.execute("alter role workspace_member nobypassrls")
    clone.execute("alter role member_login nobypassrls")
    clone.execute("revoke hasura_service from workspace_member")
    clone.commit()


@pytest.mark.usefixtures("roles_as_before")
@pytest.mark.parametrize(("planted", "check", "roles", "said"), LEAKS.values(), ids=LEAKS.keys())
def test_every_planted_leak_is_named(
    planted: str | None,
    check: str,
    roles: list[str],
    said: str,
    clone: psycopg.Connection,
    administrator: str,
    attempt: Try,
    server: Server,
) -> None:
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
