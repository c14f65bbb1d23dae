"""What the deployer runs for Hasura, as files that the guide shows: its login, its tables, and its event triggers.

Of Hasura's tables and functions there is here what matters: who may make them, and as whom they run.
"""

from collections.abc import Callable, Iterator

import psycopg
import pytest
from helpers import ACME, Connect, scalar
from psycopg import errors
from psycopg.conninfo import make_conninfo
from servers import DEPLOYER, PASSWORD, Server, give_to_deployer, psql

from connector_provenance.hasura.model import HERE

TABLE = "core_api.company_workspace_connectors"
CATALOG = """
    create table hdb_catalog.event_log (
        id uuid primary key default gen_random_uuid(), payload jsonb not null, locked timestamptz
    );
    create function hdb_catalog.insert_event_log(row_data json) returns void language plpgsql as $$
    begin
        insert into hdb_catalog.event_log (payload) values (json_build_object('by', current_user, 'row', row_data));
    end
    $$;
"""
NOTIFY = """
    create or replace function hdb_catalog."notify_hasura_company_{0}"() returns trigger language plpgsql as $$
    begin
        perform hdb_catalog.insert_event_log(row_to_json(coalesce(new, old)));
        return null;
    end
    $$;
"""
TRIGGER = f"""
    create trigger "notify_hasura_company_{{0}}" after {{0}} on {TABLE}
    for each row execute procedure hdb_catalog."notify_hasura_company_{{0}}"()
"""
INSERT = f"insert into {TABLE} (company_pk, workspace_connector_pk, direction) values (11, 101, 'input')"


@pytest.fixture
def run(server: Server, clone: psycopg.Connection) -> Iterator[Callable[[str], None]]:
    """Runs a file of hasura/ as the deployer, no superuser; what it makes of roles and databases is dropped later."""
    give_to_deployer(clone)
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as superuser:
        superuser.execute(f"alter role {DEPLOYER} createdb")

        def _run(name: str) -> None:
            psql(server, clone.info.dbname, (HERE / name).read_text(encoding="utf-8"))

        yield _run
        clone.rollback()
        for role in ("hasura", "hasura_events"):
            if scalar(clone, "select to_regrole(%s)", role):
                clone.execute(f"drop owned by {role} cascade")
        clone.commit()
        superuser.execute("drop database if exists hasura_metadata")
        superuser.execute("drop role if exists hasura, hasura_events")
        superuser.execute(f"alter role {DEPLOYER} nocreatedb")


def conninfo(server: Server, dbname: str) -> str:
    return make_conninfo(server.conninfo(dbname), user="hasura", password=PASSWORD)


@pytest.fixture
def as_hasura(run: Callable[[str], None], server: Server, clone: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """A session of the login that login.sql makes, which commits what it does."""
    run("login.sql")
    clone.execute(f"alter role hasura password '{PASSWORD}'")
    clone.commit()
    with psycopg.connect(conninfo(server, clone.info.dbname), autocommit=True) as connection:
        yield connection


# The login


def test_the_login_casts_to_the_bare_name_of_the_enum(as_hasura: psycopg.Connection, connect: Connect) -> None:
    filtered = f"""select count(*) from {TABLE} where ("direction") = (('input')::"direction_enum")"""
    assert scalar(as_hasura, filtered) == 5
    with pytest.raises(errors.UndefinedObject, match="direction_enum"):
        connect("hasura_login").execute(filtered)


def test_the_login_writes_in_the_workspace_of_its_session_only(as_hasura: psycopg.Connection) -> None:
    with pytest.raises(errors.InsufficientPrivilege, match="row-level security"):
        as_hasura.execute(INSERT)
    with as_hasura.transaction():
        as_hasura.execute("select set_config('hasura.user', %s, true)", (f'{{"x-hasura-workspace-id": "{ACME}"}}',))
        assert as_hasura.execute(INSERT).rowcount == 1


def test_the_metadata_has_a_database_in_which_the_login_may_create(
    as_hasura: psycopg.Connection, server: Server
) -> None:
    with psycopg.connect(conninfo(server, "hasura_metadata")) as metadata:
        metadata.execute("create schema hdb_catalog")
    with pytest.raises(errors.InsufficientPrivilege):
        as_hasura.execute("create schema hdb_catalog")


def test_the_login_makes_its_tables_beside_ours_only_in_the_schema_it_is_given(
    run: Callable[[str], None], as_hasura: psycopg.Connection
) -> None:
    with pytest.raises(errors.InvalidSchemaName):
        as_hasura.execute(CATALOG)
    run("catalog.sql")
    as_hasura.execute(CATALOG)
    for schema in ("core_api", "tenancy"):
        with pytest.raises(errors.InsufficientPrivilege):
            as_hasura.execute(f"create table {schema}.event_log ()")


def test_a_schema_that_hasura_made_itself_can_be_taken_over(
    as_hasura: psycopg.Connection, clone: psycopg.Connection
) -> None:
    clone.execute(f"grant create on database {clone.info.dbname} to hasura")
    clone.commit()
    as_hasura.execute("create schema hdb_catalog")
    as_hasura.execute(CATALOG)
    create, grant = (HERE / "catalog.sql").read_text(encoding="utf-8").strip().rsplit("\n", 1)
    assert create.endswith("create schema hdb_catalog;")
    clone.execute(f"alter schema hdb_catalog owner to {DEPLOYER}")
    clone.execute(grant)
    clone.commit()
    as_hasura.execute("create table hdb_catalog.hdb_version ()")
    with pytest.raises(errors.InsufficientPrivilege):
        as_hasura.execute("drop schema hdb_catalog cascade")


# Event triggers


@pytest.fixture
def with_triggers(run: Callable[[str], None], as_hasura: psycopg.Connection) -> psycopg.Connection:
    """Hasura's session after it was lent the right to make triggers, and has made them."""
    run("catalog.sql")
    as_hasura.execute(CATALOG)
    run("company_events_before.sql")
    for event in ("INSERT", "UPDATE", "DELETE"):
        as_hasura.execute(NOTIFY.format(event))
        as_hasura.execute(TRIGGER.format(event))
    return as_hasura


def write(connect: Connect, clone: psycopg.Connection) -> None:
    """Write as everyone who does: the sync role, a purge, and the table's owner in a cascade of a foreign key."""
    clone.execute(f"alter table {TABLE} disable trigger company_workspace_connectors_stamp_timestamps")
    clone.execute(f"update {TABLE} set updated_at = '2001-01-01', deleted_at = now() where company_pk = 12")
    clone.execute(f"alter table {TABLE} enable trigger company_workspace_connectors_stamp_timestamps")
    clone.execute("truncate hdb_catalog.event_log")
    clone.commit()
    sync = connect("sync_login", ACME, dbname=clone.info.dbname)
    sync.execute(INSERT)
    sync.commit()
    retention = connect("retention_login", dbname=clone.info.dbname)
    purged = scalar(retention, "select core_api.purge_company_workspace_connectors(now() - interval '1 year')")
    assert purged == 2
    retention.commit()
    clone.execute(f"set role {DEPLOYER}")
    clone.execute("update core_api.companies set pk = 1011 where pk = 11")
    clone.execute("reset role")
    clone.commit()


def writers(clone: psycopg.Connection) -> list[str]:
    """Return as whom each event was logged."""
    found = clone.execute("select distinct payload ->> 'by' from hdb_catalog.event_log order by 1").fetchall()
    clone.commit()
    return [name for (name,) in found]


def test_the_login_may_not_make_a_trigger_until_it_is_lent_the_right(
    run: Callable[[str], None], as_hasura: psycopg.Connection
) -> None:
    run("catalog.sql")
    as_hasura.execute(CATALOG + NOTIFY.format("INSERT"))
    with pytest.raises(errors.InsufficientPrivilege, match="company_workspace_connectors"):
        as_hasura.execute(TRIGGER.format("INSERT"))
    run("company_events_before.sql")
    as_hasura.execute(TRIGGER.format("INSERT"))


def test_a_trigger_of_hasuras_runs_as_whoever_writes(
    with_triggers: psycopg.Connection, clone: psycopg.Connection, connect: Connect
) -> None:
    with pytest.raises(errors.InsufficientPrivilege, match="hdb_catalog"):
        connect("sync_login", ACME, dbname=clone.info.dbname).execute(INSERT)
    clone.execute(
        f"grant usage on schema hdb_catalog to sync_login, tenancy_definer, {DEPLOYER};"
        f"grant insert on hdb_catalog.event_log to sync_login, tenancy_definer, {DEPLOYER}"
    )
    write(connect, clone)
    assert writers(clone) == [DEPLOYER, "sync_login", "tenancy_definer"]


def test_after_the_hand_over_it_runs_as_a_role_that_only_logs(
    run: Callable[[str], None], with_triggers: psycopg.Connection, clone: psycopg.Connection, connect: Connect
) -> None:
    run("company_events_after.sql")
    write(connect, clone)
    assert writers(clone) == ["hasura_events"]
    assert scalar(clone, "select count(*) from hdb_catalog.event_log") > 4


def test_after_the_hand_over_hasura_delivers_its_events(
    run: Callable[[str], None], with_triggers: psycopg.Connection, clone: psycopg.Connection, connect: Connect
) -> None:
    run("company_events_after.sql")
    write(connect, clone)
    found = "select id from hdb_catalog.event_log limit 2 for update skip locked"
    assert with_triggers.execute(f"update hdb_catalog.event_log set locked = now() where id in ({found})").rowcount == 2
    assert with_triggers.execute("delete from hdb_catalog.event_log where locked is not null").rowcount == 2
    with_triggers.execute("select hdb_catalog.insert_event_log('{}')")


ATTACKS = [
    NOTIFY.format("INSERT"),
    'alter function hdb_catalog."notify_hasura_company_INSERT"() security invoker',
    'drop function hdb_catalog."notify_hasura_company_INSERT"() cascade',
    "create or replace function hdb_catalog.insert_event_log(row_data json) returns void language sql return null",
    "drop function hdb_catalog.insert_event_log(json) cascade",
    "create function hdb_catalog.evil() returns trigger language plpgsql as $$ begin return null; end $$;"
    " create constraint trigger evil after insert on hdb_catalog.event_log deferrable initially deferred"
    " for each row execute function hdb_catalog.evil()",
    "alter table hdb_catalog.event_log alter column payload drop not null",
    "drop table hdb_catalog.event_log",
    "drop schema hdb_catalog cascade",
    "alter schema hdb_catalog rename to other",
    TRIGGER.format("TRUNCATE").replace("for each row", "").replace("company_TRUNCATE", "company_INSERT"),
    f'drop trigger "notify_hasura_company_INSERT" on {TABLE}',
    "set role hasura_events",
]
"""Ways to have code of Hasura's login run when another role writes a row."""


def test_after_the_hand_over_hasura_changes_nothing_that_runs_when_others_write(
    run: Callable[[str], None], with_triggers: psycopg.Connection
) -> None:
    run("company_events_after.sql")
    for attack in ATTACKS:
        with pytest.raises(errors.InsufficientPrivilege):
            with_triggers.execute(attack)


def test_what_is_handed_over_can_be_lent_again_and_handed_over_again(
    run: Callable[[str], None], with_triggers: psycopg.Connection, clone: psycopg.Connection, connect: Connect
) -> None:
    run("company_events_after.sql")
    run("company_events_before.sql")
    with_triggers.execute(NOTIFY.format("INSERT"))
    with_triggers.execute("alter table hdb_catalog.event_log add column tries integer")
    run("company_events_after.sql")
    write(connect, clone)
    assert writers(clone) == ["hasura_events"]
    with pytest.raises(errors.InsufficientPrivilege):
        with_triggers.execute(NOTIFY.format("INSERT"))
