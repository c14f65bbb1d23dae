"""A database that is alive: what exists is taken over when it agrees, and left alone, with a list, when it does not."""

import re

import psycopg
import pytest
from conftest import DEPLOYER, SEED, Server, downgrade, dump, force_row, scalar, upgrade

from cwc_schema.migrations import cli

PARENTS = """
create schema core_api;
create table core_api.workspaces (pk serial primary key, workspace_id uuid unique, name text);
create table core_api.companies (
    pk serial primary key, company_id uuid unique, workspace_pk int not null references core_api.workspaces, name text
);
create table core_api.workspace_connectors (
    pk serial primary key, workspace_connector_id uuid unique,
    workspace_pk int not null references core_api.workspaces, name text
);
comment on table core_api.companies is 'the host''s';
"""


TABLE = """
create type core_api.direction_enum as enum ('input', 'output');
create table core_api.company_workspace_connectors (
    pk serial primary key, id uuid not null default gen_random_uuid(), company_pk int not null,
    workspace_connector_pk int not null, direction core_api.direction_enum not null,
    created_at timestamptz not null default now(), updated_at timestamptz null, deleted_at timestamptz null
);
alter table core_api.company_workspace_connectors
add constraint company_workspace_connectors_id_unique unique (id),
add constraint company_workspace_connectors_company_pk_foreign
foreign key (company_pk) references core_api.companies (pk) on update cascade,
add constraint company_workspace_connectors_workspace_connector_pk_foreign
foreign key (workspace_connector_pk) references core_api.workspace_connectors (pk) on update cascade;
"""
"""The table as MikroORM makes it from an entity of the contract."""

ROWS = """
insert into core_api.workspaces (pk, workspace_id) values (1, 'a0000000-0000-4000-8000-000000000001'), (2, null);
insert into core_api.companies (pk, workspace_pk) values (11, 1), (21, 2);
insert into core_api.workspace_connectors (pk, workspace_pk) values (101, 1), (201, 2);
insert into core_api.company_workspace_connectors (company_pk, workspace_connector_pk, direction, updated_at)
values (11, 101, 'input', '2001-01-01'), (11, 101, 'output', null), (21, 201, 'input', null);
"""


def host(connection: psycopg.Connection, *scripts: str) -> None:
    """Build what the application has, as its owner, who is also the deployer."""
    with connection.transaction():
        connection.execute(f"set local role {DEPLOYER}")
        for script in scripts:
            connection.execute(script)


def test_parents_that_agree_are_adopted_and_given_back(server: Server, empty: psycopg.Connection) -> None:
    host(empty, PARENTS)
    before = dump(server, "cwc_empty")
    upgrade(server, "cwc_empty")
    assert empty.execute(
        "select count(*) from pg_policy where polrelid <> 'core_api.company_workspace_connectors'::regclass"
    ).fetchone() == (0,)
    assert not scalar(empty, "select has_table_privilege('workspace_member', 'core_api.companies', 'select')")
    downgrade(server, "cwc_empty")
    assert dump(server, "cwc_empty") == before


def test_adopted_parents_with_row_level_security_of_their_own_serve_the_policies(
    server: Server, empty: psycopg.Connection
) -> None:
    host(empty, PARENTS)
    for parent in ("workspaces", "companies", "workspace_connectors"):
        empty.execute(f"alter table core_api.{parent} enable row level security, force row level security")
    before = dump(server, "cwc_empty")
    upgrade(server, "cwc_empty")
    workspace = "a0000000-0000-4000-8000-000000000001"
    empty.execute(f"insert into core_api.workspaces (pk, workspace_id) values (1, '{workspace}')")
    empty.execute("insert into core_api.companies (pk, workspace_pk) values (11, 1)")
    empty.execute("insert into core_api.workspace_connectors (pk, workspace_pk) values (101, 1)")
    with empty.transaction():
        empty.execute("set local role connector_sync")
        empty.execute(f"select set_config('app.workspace_id', '{workspace}', true)")
        empty.execute(
            "insert into core_api.company_workspace_connectors (company_pk, workspace_connector_pk, direction)"
            " values (11, 101, 'input')"
        )
        assert scalar(empty, "select count(*) from core_api.company_workspace_connectors") == 1
    downgrade(server, "cwc_empty")
    assert dump(server, "cwc_empty") == before


DIFFERENCES = {
    "our index, but not unique": (
        "create index companies_workspace_pk_pk_unique on core_api.companies (workspace_pk)",
        ["index core_api.companies_workspace_pk_pk_unique is not "],
    ),
    "companies.pk as bigint": (
        "alter table core_api.companies alter column pk type bigint",
        ["core_api.companies.pk is bigint, not integer: alter table core_api.companies alter column pk type integer;"],
    ),
    "no public id": (
        "alter table core_api.workspaces drop column workspace_id",
        ["core_api.workspaces.workspace_id is missing: alter table core_api.workspaces add column workspace_id uuid"],
    ),
    "several at once": (
        "alter table core_api.companies alter column workspace_pk drop not null,"
        " drop constraint companies_company_id_key, drop constraint companies_workspace_pk_fkey;"
        "alter table core_api.workspace_connectors drop constraint workspace_connectors_pkey",
        [
            "core_api.companies.company_id is not unique: alter table core_api.companies add unique (company_id);",
            "core_api.companies.workspace_pk may be null: alter table core_api.companies alter column workspace_pk set",
            "core_api.companies.workspace_pk has no foreign key: alter table core_api.companies add foreign key",
            "core_api.workspace_connectors.pk is not the primary key: alter table core_api.workspace_",
        ],
    ),
}


@pytest.mark.parametrize(("change", "differences"), DIFFERENCES.values(), ids=DIFFERENCES.keys())
def test_parents_that_differ_are_refused_with_every_difference(
    change: str,
    differences: list[str],
    server: Server,
    empty: psycopg.Connection,
    capsys: pytest.CaptureFixture[str],
) -> None:
    host(empty, PARENTS, change)
    before = dump(server, "cwc_empty")
    assert cli.main(["--database-url", server.url("cwc_empty"), "upgrade"]) == cli.FAILED
    message = capsys.readouterr().err
    assert all(difference in message for difference in differences)
    assert dump(server, "cwc_empty") == before
    for mend in re.findall(r": ((?:alter table|drop index) .*;)$", message, re.MULTILINE):
        host(empty, mend)
    upgrade(server, "cwc_empty")


@pytest.mark.parametrize("enum", ["enum ('input', 'output', 'both')", "enum ('output', 'input')", "(label text)"])
def test_an_enum_that_differs_is_refused(
    enum: str, server: Server, empty: psycopg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    empty.execute(
        f"set role {DEPLOYER}; create schema core_api; create type core_api.direction_enum as {enum}; reset role"
    )
    assert cli.main(["--database-url", server.url("cwc_empty"), "upgrade"]) == cli.FAILED
    assert (
        "core_api.direction_enum is not an enum of exactly input, output in that order, but " in capsys.readouterr().err
    )


def test_an_enum_that_agrees_is_adopted_and_left(server: Server, empty: psycopg.Connection) -> None:
    empty.execute(
        f"set role {DEPLOYER}; create schema core_api; create type core_api.direction_enum as enum ('input', 'output');"
        "create table core_api.sibling (direction core_api.direction_enum); reset role"
    )
    before = dump(server, "cwc_empty")
    upgrade(server, "cwc_empty")
    downgrade(server, "cwc_empty")
    assert dump(server, "cwc_empty") == before


TABLE_DIFFERENCES = {
    "a type": ("alter column id type text", "id is text, not uuid: alter table"),
    "bigint keys": ("alter column company_pk type bigint", "company_pk is bigint, not integer: "),
    "no default": ("alter column id drop default", "id has the default null, not gen_random_uuid(): "),
    "another default": ("alter column direction set default 'input'", "direction has the default "),
    "nullable": ("alter column direction drop not null", "direction may be null: "),
    "not nullable": ("alter column updated_at set not null", "updated_at may not be null: "),
    "a missing column": ("drop column deleted_at", "deleted_at is missing: "),
    "a column that refuses inserts": ("add column external_id text not null", "column external_id of "),
    "no unique id": ("drop constraint company_workspace_connectors_id_unique", "id is not unique: "),
    "facts that may not repeat": (
        "add constraint once unique (company_pk, workspace_connector_pk, direction)",
        "unique index core_api.once forbids facts to repeat: ",
    ),
    "another action": (
        "drop constraint company_workspace_connectors_company_pk_foreign,"
        " add constraint company_workspace_connectors_company_pk_foreign foreign key (company_pk)"
        " references core_api.companies (pk) on delete cascade",
        'company_workspace_connectors_company_pk_foreign is "FOREIGN KEY (company_pk) REFERENCES core_api.companies(pk)'
        ' ON DELETE CASCADE", not ',
    ),
    "a policy": (
        "enable row level security; create policy mine on {table}",
        "policy mine would widen or narrow ours: ",
    ),
    "a trigger": (
        "no force row level security; create trigger mine before insert on {table}"
        " for each row execute function suppress_redundant_updates_trigger()",
        "trigger mine is not ours: ",
    ),
    "a second index": (
        "no force row level security; create index on {table} (workspace_connector_pk)",
        "_workspace_connector_pk_idx is a second one that leads on workspace_connector_pk",
    ),
    "an index of ours that is another": (
        "no force row level security;"
        "create index company_workspace_connectors_company_pk_index on {table} (company_pk, pk)",
        "index core_api.company_workspace_connectors_company_pk_index is not ",
    ),
    "a key of another name": (
        "rename constraint company_workspace_connectors_pkey to pk",
        "constraint pk should be called company_workspace_connectors_pkey: ",
    ),
    "a grant": (
        "no force row level security; grant truncate on {table} to outsider_login",
        "outsider_login may truncate: ",
    ),
    "a grant on a column": (
        "no force row level security; grant update (direction) on {table} to public",
        "public may update: ",
    ),
}


@pytest.mark.parametrize(("change", "difference"), TABLE_DIFFERENCES.values(), ids=TABLE_DIFFERENCES.keys())
def test_a_table_that_differs_is_refused_and_can_be_mended(
    change: str, difference: str, server: Server, empty: psycopg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    table = "core_api.company_workspace_connectors"
    host(empty, PARENTS, TABLE, f"alter table {table} {change.format(table=table)}")
    before = dump(server, "cwc_empty")
    assert cli.main(["--database-url", server.url("cwc_empty"), "upgrade"]) == cli.FAILED
    message = capsys.readouterr().err
    assert difference in message
    assert dump(server, "cwc_empty") == before
    for _ in range(2):  # what was added to mend one difference may have to be renamed
        for mend in re.findall(r": ((?:alter|drop|revoke) .*;)$", message, re.MULTILINE):
            host(empty, mend.replace("type uuid", "type uuid using id::uuid"))
        code = cli.main(["--database-url", server.url("cwc_empty"), "upgrade"])
        message = capsys.readouterr().err
        if not code:
            break
    assert code == cli.DONE


def test_a_table_with_rows_is_adopted_and_given_back(server: Server, empty: psycopg.Connection) -> None:
    host(empty, PARENTS, TABLE, ROWS, "alter table core_api.company_workspace_connectors add column note text")
    before, rows = dump(server, "cwc_empty"), "select * from core_api.company_workspace_connectors order by pk"
    stored = empty.execute(rows).fetchall()
    upgrade(server, "cwc_empty")
    assert cli.main(["--database-url", server.url("cwc_empty"), "verify"]) == cli.DONE
    assert empty.execute(rows).fetchall() == stored
    with empty.transaction():
        empty.execute("set local role workspace_member")
        empty.execute("select set_config('app.workspace_id', 'a0000000-0000-4000-8000-000000000001', true)")
        assert scalar(empty, "select count(*) from core_api.company_workspace_connectors") == 2
    downgrade(server, "cwc_empty")
    assert dump(server, "cwc_empty") == before
    assert empty.execute(rows).fetchall() == stored


def test_missing_foreign_keys_and_indexes_are_added_and_taken_back(server: Server, empty: psycopg.Connection) -> None:
    host(
        empty,
        PARENTS,
        TABLE,
        ROWS,
        "alter table core_api.company_workspace_connectors"
        " drop constraint company_workspace_connectors_company_pk_foreign",
    )
    before = dump(server, "cwc_empty")
    upgrade(server, "cwc_empty")
    assert scalar(
        empty,
        "select bool_and(convalidated) from pg_constraint where conname like %s and contype = 'f' having count(*) = 2",
        "company_workspace_connectors_%",
    )
    downgrade(server, "cwc_empty")
    assert dump(server, "cwc_empty") == before


def test_rows_that_span_two_workspaces_stop_the_adoption_with_a_query_that_lists_them(
    server: Server, empty: psycopg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    host(empty, PARENTS, TABLE, ROWS, "update core_api.company_workspace_connectors set company_pk = 11")
    before = dump(server, "cwc_empty")
    assert cli.main(["--database-url", server.url("cwc_empty"), "upgrade"]) == cli.FAILED
    message = capsys.readouterr().err
    query = re.search(r"1 rows have .*: (select .*;)", message)
    assert query
    assert len(empty.execute(query[1]).fetchall()) == 1
    assert dump(server, "cwc_empty") == before


def test_mixed_rows_that_the_deployer_cannot_see_stop_the_guards(
    server: Server, empty: psycopg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    host(empty, PARENTS, TABLE, ROWS, "update core_api.company_workspace_connectors set company_pk = 11")
    empty.execute("alter table core_api.companies enable row level security, force row level security")
    assert cli.main(["--database-url", server.url("cwc_empty"), "upgrade"]) == cli.FAILED
    assert "no guard was added" in capsys.readouterr().err
    assert scalar(empty, "select version_num from tenancy.cwc_schema_version") == "0010_policies"


@pytest.mark.parametrize(
    ("reached", "message", "guards"),
    [("0010_policies", "no guard was added", 0), ("0011_same_workspace", "older than the guards, which stay", 6)],
)
def test_a_mixed_row_that_came_after_the_preflight_stops_the_upgrade_until_it_is_gone(
    reached: str,
    message: str,
    guards: int,
    server: Server,
    empty: psycopg.Connection,
    capsys: pytest.CaptureFixture[str],
) -> None:
    upgrade(server, "cwc_empty", reached)
    empty.execute(SEED)
    mixed = force_row(empty, 11, 201)
    assert cli.main(["--database-url", server.url("cwc_empty"), "upgrade"]) == cli.FAILED
    assert re.search(
        f"1 rows have a company and a connector of different workspaces; .*{message}", capsys.readouterr().err
    )
    assert scalar(empty, "select version_num from tenancy.cwc_schema_version") == reached
    assert scalar(empty, "select count(*) from pg_trigger where tgname ~ '_refuse_'") == guards
    empty.execute("delete from core_api.company_workspace_connectors where id = %s", (mixed,))
    upgrade(server, "cwc_empty")


def test_every_difference_is_listed_at_once(
    server: Server, empty: psycopg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    host(
        empty,
        PARENTS,
        TABLE.replace("'output')", "'output', 'both')"),
        "alter table core_api.companies drop column company_id;"
        "alter table core_api.company_workspace_connectors drop column deleted_at",
    )
    assert cli.main(["--database-url", server.url("cwc_empty"), "upgrade"]) == cli.FAILED
    message = capsys.readouterr().err
    for expected in ("direction_enum is not", "companies.company_id is missing", "deleted_at is missing"):
        assert expected in message


def test_an_index_build_that_failed_is_cleaned_up_by_the_next_run(server: Server, empty: psycopg.Connection) -> None:
    host(empty, PARENTS)
    upgrade(server, "cwc_empty", "0002_parents")
    host(
        empty,
        "insert into core_api.workspaces (pk) values (1);"
        "create unique index companies_workspace_pk_pk_unique on core_api.companies (workspace_pk, pk)",
    )
    empty.execute("update pg_index set indisvalid = false where indexrelid::regclass::text like '%_pk_pk_unique'")
    upgrade(server, "cwc_empty")
    assert scalar(empty, "select bool_and(indisvalid) from pg_index where indexrelid::regclass::text ~ '^core_api'")


def test_a_restrictive_policy_that_would_blind_the_guards_is_refused(
    server: Server, empty: psycopg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    host(
        empty,
        PARENTS,
        "alter table core_api.companies enable row level security;"
        "create policy named on core_api.companies as restrictive using (name is not null)",
    )
    assert cli.main(["--database-url", server.url("cwc_empty"), "upgrade"]) == cli.FAILED
    assert "alter policy named on core_api.companies to your_role;" in capsys.readouterr().err
    host(empty, "alter policy named on core_api.companies to current_user")
    upgrade(server, "cwc_empty")


def test_a_table_of_another_owner_is_named(
    server: Server, empty: psycopg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    host(empty, PARENTS)
    empty.execute("alter table core_api.companies owner to outsider_login")
    assert cli.main(["--database-url", server.url("cwc_empty"), "upgrade"]) == cli.FAILED
    assert (
        f"core_api.companies belongs to outsider_login: grant outsider_login to {DEPLOYER};" in capsys.readouterr().err
    )


def test_a_superuser_may_deploy_for_another_owner(server: Server, empty: psycopg.Connection) -> None:
    host(empty, PARENTS, TABLE, ROWS)
    upgrade(server, "cwc_empty", user=server.user)
    assert not scalar(
        empty, "select has_table_privilege(%s, 'core_api.company_workspace_connectors', 'truncate')", DEPLOYER
    )
