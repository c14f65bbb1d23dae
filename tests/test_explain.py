"""What sql/explain.sql tells a DBA: which of privilege, context, company, connector and deleted_at hides a row."""

import subprocess
from collections.abc import Iterator, Sequence

import psycopg
import pytest
from helpers import ACME, GLOBEX, UNKNOWN, Connect, force_row, scalar
from psycopg import errors
from servers import DEPLOYER, LOGINS, Server, psql

from connector_provenance.migrations.sqlfile import ROOT

FILE = ROOT / "sql" / "explain.sql"
TABLE = "core_api.company_workspace_connectors"
NOWHERE = "d0000000-0000-4000-8000-000000000004"
READ_ONLY = "set default_transaction_read_only = on;\n"
Question = tuple[str, str | None, str | None]
"""The id of a row, a login and the workspace that it names."""


def explain(server: Server, dbname: str, questions: Sequence[Question], user: str | None = None) -> list[str]:
    """Ask one question after the other, as the superuser unless told otherwise, and return what each ends with."""
    script = READ_ONLY
    for public, login, workspace in questions:
        script += f"\\set id '{public}'\n"
        for name, value in (("login", login), ("workspace", workspace)):
            script += f"\\set {name} '{value}'\n" if value is not None else f"\\unset {name}\n"
        script += f"\\i {FILE}\n"
    said = psql(server, dbname, script, user).splitlines()
    return [line.split(" | ")[2].strip() for line in said if line.split(" | ")[0].strip() == "so"]


def refused(server: Server, dbname: str, script: str, login: str | None) -> str:
    """Return all that psql says when it fails."""
    with pytest.raises(subprocess.CalledProcessError) as caught:
        psql(server, dbname, script, login)
    return str(caught.value.stdout) + str(caught.value.stderr)


@pytest.fixture
def rows(clone: psycopg.Connection) -> dict[str, str]:
    """One row of each kind, by its public id; the mixed ones are forced in."""
    found = {
        "active": scalar(clone, f"select id from {TABLE} where company_pk = 11 limit 1"),
        "deleted": scalar(clone, f"select id from {TABLE} where company_pk = 12 and deleted_at is not null"),
        "another's": scalar(clone, f"select id from {TABLE} where company_pk = 21"),
        "another's, deleted": scalar(clone, f"select id from {TABLE} where company_pk = 22 and deleted_at is not null"),
        "of another's company": force_row(clone, 21, 101),
        "of another's connector": force_row(clone, 11, 201),
    }
    clone.commit()
    return {kind: str(public) for kind, public in found.items()}


@pytest.fixture
def owner_reads_all(clone: psycopg.Connection, server: Server) -> Iterator[None]:
    """The owner, who takes itself into hasura_service for as long as it asks."""
    psql(server, clone.info.dbname, "grant hasura_service to current_user", DEPLOYER)
    yield
    psql(server, clone.info.dbname, "revoke hasura_service from current_user", DEPLOYER)


@pytest.fixture
def sibling(clone: psycopg.Connection) -> str:
    """The id of a row of another junction, which has no more than explain.sql looks at."""
    clone.execute(
        f"""
        create table core_api.records (pk integer primary key, workspace_pk integer not null);
        create table core_api.record_workspace_connectors (
            like {TABLE} including defaults, record_pk integer references core_api.records (pk)
        );
        alter table core_api.record_workspace_connectors alter company_pk drop not null;
        insert into tenancy.managed_objects (kind, name, created)
        values ('table', 'core_api.record_workspace_connectors', true);
        insert into core_api.records values (1, 1);
        insert into core_api.record_workspace_connectors (record_pk, workspace_connector_pk, direction)
        values (1, 101, 'input');
        """
    )
    clone.commit()
    return str(scalar(clone, "select id from core_api.record_workspace_connectors"))


VERDICTS = [
    ("active", None, None, "visible to workspace_member"),
    ("active", None, ACME, "visible to workspace_member"),
    ("active", None, GLOBEX, "hidden from workspace_member by company, connector"),
    ("active", None, UNKNOWN, "hidden from workspace_member by context"),
    ("active", "member_login", None, "hidden from member_login by context"),
    ("active", "bound_login", None, "visible to bound_login"),
    ("active", "bound_login", GLOBEX, "hidden from bound_login by context"),
    ("active", "unbound_login", ACME, "hidden from unbound_login by context"),
    ("active", "outsider_login", ACME, "hidden from outsider_login by privilege"),
    ("active", "retention_login", ACME, "hidden from retention_login by privilege"),
    ("active", "nobody", ACME, "hidden from nobody by privilege"),
    ("active", DEPLOYER, ACME, f"hidden from {DEPLOYER} by privilege"),
    ("another's", "bound_login", None, "hidden from bound_login by company, connector"),
    ("deleted", None, None, "hidden from workspace_member by deleted_at"),
    ("deleted", "member_login", GLOBEX, "hidden from member_login by company, connector, deleted_at"),
    ("deleted", "sync_login", ACME, "visible to sync_login"),
    ("deleted", "sync_login", GLOBEX, "hidden from sync_login by company, connector"),
    ("deleted", "hasura_login", None, "visible to hasura_login"),
    ("of another's company", None, ACME, "hidden from workspace_member by company"),
    ("of another's company", None, GLOBEX, "hidden from workspace_member by connector"),
    ("of another's connector", "sync_login", ACME, "hidden from sync_login by connector"),
    ("of another's connector", "postgres", None, "visible to postgres"),
]
"""Which kind of row, asked for as whom, with which workspace set, and what is said."""


def test_what_hides_a_row_is_named(rows: dict[str, str], clone: psycopg.Connection, server: Server) -> None:
    questions: list[Question] = [
        (rows[kind], server.user if login == "postgres" else login, workspace) for kind, login, workspace, _ in VERDICTS
    ]
    expected = [verdict.replace("postgres", server.user) for *_, verdict in VERDICTS]
    assert explain(server, clone.info.dbname, questions) == expected


def test_the_explanation_agrees_with_what_each_login_sees(
    rows: dict[str, str], clone: psycopg.Connection, server: Server, connect: Connect
) -> None:
    questions: list[Question] = []
    seen = []
    for login in LOGINS:
        for workspace in (None, ACME, GLOBEX, UNKNOWN):
            try:
                found = connect(login, workspace, dbname=clone.info.dbname).execute(f"select id from {TABLE}")
                visible = {str(public) for (public,) in found}
            except errors.InsufficientPrivilege:
                visible = set()
            for public in rows.values():
                questions.append((public, login, workspace))
                seen.append(public in visible)
    verdicts = explain(server, clone.info.dbname, questions)
    wrong = [
        (question, verdict)
        for question, visible, verdict in zip(questions, seen, verdicts, strict=True)
        if verdict.startswith("visible") != visible
    ]
    assert wrong == []
    assert any(seen)
    assert not all(seen)


def test_a_company_that_moves_takes_its_row_out_of_sight_and_back(
    rows: dict[str, str], clone: psycopg.Connection, server: Server
) -> None:
    """Negative control: the answer follows the data, and nothing else was changed."""
    question: list[Question] = [(rows["active"], "member_login", ACME)]
    for workspace_pk, verdict in ((2, "hidden from member_login by company"), (1, "visible to member_login")):
        clone.execute("set session_replication_role = replica")
        clone.execute("update core_api.companies set workspace_pk = %s where pk = 11", (workspace_pk,))
        clone.commit()
        assert explain(server, clone.info.dbname, question) == [verdict]


def test_an_owner_who_may_read_all_explains(
    owner_reads_all: None, rows: dict[str, str], clone: psycopg.Connection, server: Server
) -> None:
    question: list[Question] = [(rows["deleted"], None, None)]
    assert explain(server, clone.info.dbname, question, DEPLOYER) == ["hidden from workspace_member by deleted_at"]


def test_who_does_not_see_every_row_is_told_so_and_nothing_else(
    rows: dict[str, str], clone: psycopg.Connection, server: Server
) -> None:
    for login in (DEPLOYER, *(login for login in LOGINS if login not in ("outsider_login", "retention_login"))):
        for public in (*rows.values(), NOWHERE):
            said = refused(server, clone.info.dbname, f"\\set id '{public}'\n\\i {FILE}\n", login)
            assert f"nothing can be explained: role {login} does not see all of" in said
            assert public not in said


def test_an_id_that_is_nowhere_is_said_to_be_nowhere(clone: psycopg.Connection, server: Server) -> None:
    said = psql(server, clone.info.dbname, f"\\set id '{NOWHERE}'\n\\i {FILE}\n", None)
    assert "No junction holds a row with this id" in said


@pytest.mark.parametrize(("given", "complaint"), [("", "say which row"), ("\\set id '17'\n", "invalid input syntax")])
def test_without_an_id_nothing_is_explained(
    given: str, complaint: str, clone: psycopg.Connection, server: Server
) -> None:
    assert complaint in refused(server, clone.info.dbname, f"{given}\\i {FILE}\n", None)


def test_a_siblings_row_is_explained_by_its_own_parent(sibling: str, clone: psycopg.Connection, server: Server) -> None:
    questions: list[Question] = [(sibling, None, ACME), (sibling, None, GLOBEX)]
    assert explain(server, clone.info.dbname, questions) == [
        "visible to workspace_member",
        "hidden from workspace_member by record, connector",
    ]
