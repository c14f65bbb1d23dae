"""No code of a caller ever runs as another role, whatever the caller plants before it calls.

A caller may create anything in pg_temp, and functions and operators where a host lets it. The tests plant domains,
enums with casts, views, functions and operators under every name that a body mentions, with code that says as whom it
runs, and then go every way in. What is left cannot be shadowed, and why:

- Functions, operators, collations, operator classes, conversions, text search: never looked for in pg_temp, and no body
  searches another schema in which a caller may create. Only types and relations are looked for in pg_temp.
- `integer`, `boolean` and `bigint` are words of the grammar, which means pg_catalog by them. A transition table comes
  before any relation of its name. In core_api and tenancy, whose names bodies spell out, no caller creates anything.
- Policies, views, defaults, trigger conditions, arguments and bound bodies hold numbers of objects, not names.
- A cast has no schema, but is made by the owner of one of its types, and no argument is polymorphic: a body never meets
  a value of a caller's own type. What an argument is computed by runs before the function is entered, as the caller.
- Triggers, rules, policies, indexes, statistics, defaults, children are a table's owner's to attach, event triggers a
  superuser's; a trigger function is for its owner alone to execute, so nobody else attaches it to another table.
- Foreign keys' own queries, which run as the tables' owner, name the schema of each table and operator.
- Prepared statements, cursors and deferred triggers of a caller run as the caller, and in no function of ours.
- No setting carries code but search_path, which every body that looks up names sets for itself.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import psycopg
import pytest
import sqlalchemy as sa
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from deployer import alembic_config, command_line, downgrade, engine, upgrade
from helpers import ACME, UNKNOWN, Connect, scalar, some
from psycopg import errors
from servers import DEPLOYER, LOGINS, Server, new_database

from connector_provenance.migrations.sqlfile import ROOT

TABLE = "core_api.company_workspace_connectors"
HOST = "outsider_login"
"""A host's application, which may change the parents, and has a schema ``trap`` with functions and operators."""

COMPANY = "c0000000-0000-4000-8000-000000000011"
CONNECTOR = "d0000000-0000-4000-8000-000000000101"
ROW = "e0000000-0000-4000-8000-000000000001"

ROUTINES = """
pg_catalog.pg_proc as p
inner join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
inner join pg_catalog.pg_language as l on l.oid = p.prolang
where (n.nspname in ('core_api', 'tenancy') or p.proowner = 'tenancy_definer'::regrole)
"""
SOURCES_MATCHING = f"""
select piece[1] from (select p.prosrc from {ROUTINES}) as bodies, regexp_matches(bodies.prosrc, '%s', 'g') as piece
"""
WORDS = SOURCES_MATCHING % "[a-z_][a-z0-9_]*"
OPERATORS = SOURCES_MATCHING % "[-+*/<>=~!@#%^&|`?]+"

TRAP = f"""
grant usage on schema core_api to {HOST};
grant select, update, delete on core_api.companies, core_api.workspace_connectors to {HOST};
create policy application on core_api.companies to {HOST}, {DEPLOYER} using (true);
create policy application on core_api.workspace_connectors to {HOST}, {DEPLOYER} using (true);
update core_api.companies set company_id = '{COMPANY}' where pk = 11;
update core_api.workspace_connectors set workspace_connector_id = '{CONNECTOR}' where pk = 101;
insert into {TABLE} (id, company_pk, workspace_connector_pk, direction) values ('{ROW}', 11, 101, 'input');
analyze {TABLE};

create schema trap authorization {HOST};
grant usage on schema trap to public;
set role {HOST};
create function trap.sprung() returns boolean language plpgsql
as $$begin raise notice using errcode = 'TRAP1', message = current_user; return true; end$$;
create function trap.leak(anyelement) returns boolean language plpgsql cost 0.0000001
as $$begin raise notice using errcode = 'TRAP2', message = coalesce($1::text, 'null'); return true; end$$;
create function trap.leak(integer, integer) returns boolean language plpgsql cost 0.0000001
as $$begin return trap.leak($1); end$$;
create operator trap.=== (leftarg = integer, rightarg = integer, function = trap.leak, restrict = eqsel);
create operator trap.<<< (leftarg = integer, rightarg = integer, function = trap.leak, restrict = scalarltsel);

do $do$
declare
    shadow record;
begin
    -- Of the same arguments, so that the schema decides; or, where the original takes "any", of ones that fit better.
    for shadow in
        select
            format('%I(%s)', p.proname, s.arguments) as signature,
            pg_get_function_result(p.oid) as result,
            case when p.proretset then 'query select * from' else '' end as kind,
            format('pg_catalog.%I(%s)', p.proname, s.given) as original
        from pg_proc as p
        cross join lateral (
            select pg_get_function_identity_arguments(p.oid), string_agg('$' || n, ', ')
            from generate_series(1, p.pronargs) as n
            union all
            select 'text, ' || f.others, f.given
            from
                unnest(array['text', 'name', 'integer', 'bigint', 'regclass']) as t (name),
                lateral (values (t.name, '$1, $2'), ('text, ' || t.name, '$1, $2, $3')) as f (others, given)
            where p.provariadic = '"any"'::regtype
        ) as s (arguments, given)
        where p.pronamespace = 'pg_catalog'::regnamespace and p.prokind = 'f' and p.proname in ({WORDS})
    loop
        begin
            execute format(
                'create function trap.%s returns %s language plpgsql as '
                '$f$begin perform trap.sprung(); return %s %s; end$f$',
                shadow.signature, shadow.result, shadow.kind, shadow.original
            );
        exception
            when feature_not_supported or invalid_function_definition or duplicate_function or syntax_error then
                null; -- no plpgsql function takes or returns that
        end;
    end loop;

    for shadow in
        select o.oid, o.oprname as name, o.oprleft::regtype, o.oprright::regtype, o.oprresult::regtype
        from pg_operator as o
        where o.oprname in ({OPERATORS}) and o.oprleft <> 0
    loop
        begin
            execute format(
                'create function trap."operator %s"(%s, %s) returns %s language plpgsql as '
                '$f$begin perform trap.sprung(); return $1 operator(pg_catalog.%s) $2; end$f$',
                shadow.oid, shadow.oprleft, shadow.oprright, shadow.oprresult, shadow.name
            );
            execute format(
                'create operator trap.%s (leftarg = %s, rightarg = %s, function = trap."operator %s")',
                shadow.name, shadow.oprleft, shadow.oprright, shadow.oid
            );
        exception
            when feature_not_supported or invalid_function_definition then
                null;
        end;
    end loop;
end
$do$;
reset role;
"""
"""Rows with known ids, parents that an application and the owner may change, and what is planted outside pg_temp."""

PK = "pk operator(pg_catalog.=)"
STATEMENTS = {
    "select": f"select * from {TABLE}",
    "select workspaces": "select * from core_api.workspaces",
    "insert": f"insert into {TABLE} (company_pk, workspace_connector_pk, direction) values (11, 101, 'input')",
    "soft delete": f"update {TABLE} set deleted_at = '2026-01-01' where deleted_at is null",
}
for _parent, _used, _unused in (("companies", 11, 19), ("workspace_connectors", 101, 109)):
    STATEMENTS |= {
        f"select {_parent}": f"select * from core_api.{_parent}",
        f"move one of {_parent}": f"update core_api.{_parent} set workspace_pk = 2 where {PK} {_unused}",
        f"move one of {_parent} that has rows": f"update core_api.{_parent} set workspace_pk = 2 where {PK} {_used}",
        f"renumber one of {_parent} that has rows": f"update core_api.{_parent} set pk = 1000 where {PK} {_used}",
        f"delete one of {_parent}": f"delete from core_api.{_parent} where {PK} {_unused}",
    }
"""None looks up a name by search_path, so that what is planted cannot keep the caller itself from its errand."""

ARGUMENTS: dict[str, Any] = {
    "id": ROW,
    "after_id": ROW,
    "ids": [ROW],
    "company_id": COMPANY,
    "workspace_connector_id": CONNECTOR,
    "workspace_id": ACME,
    "direction": "input",
    "items": [{"company_id": COMPANY, "workspace_connector_id": CONNECTOR, "direction": "input"}],
    "page_limit": "10",
    "hasura_session": {"x-hasura-workspace-id": ACME},
    "deleted_before": "infinity",
    "objects": ["schema trap"],
}
"""What is passed for arguments of these names; null for others that have no default, a row of ACME's for a row."""

SETTINGS = {
    "app.workspace_id": ACME,
    "hasura.user": json.dumps({"x-hasura-workspace-id": ACME}),
    "request.jwt.claims": json.dumps({"workspace_id": ACME}),
}


class Caller(NamedTuple):
    """A login, the settings in which it names ACME, and the role that it sets."""

    login: str
    settings: tuple[str, ...] = tuple(SETTINGS)
    role: str | None = None


READERS = ("workspace_member", "connector_sync", "hasura_service")
CALLERS = {
    **{login: Caller(login) for login in (*LOGINS, DEPLOYER)},
    **{f"sync_login by {setting}": Caller("sync_login", (setting,)) for setting in SETTINGS},
    "bound_login by its binding": Caller("bound_login", ()),
    "bound_login as connector_sync": Caller("bound_login", role="connector_sync"),
    "hasura_login as hasura_service": Caller("hasura_login", role="hasura_service"),
}


class Spring(NamedTuple):
    """Planted code that ran: on which way in, as whom, called by which functions."""

    way: str
    role: str
    context: str


@dataclass(frozen=True)
class Report:
    """What came of each way in, and all that sprang."""

    caller: Caller
    outcomes: Mapping[str, int | str]
    springs: list[Spring]

    @property
    def intrusions(self) -> set[tuple[str, str]]:
        """The ways on which planted code ran as another role than the caller's, with that role."""
        return {(s.way, s.role) for s in self.springs if s.role != (self.caller.role or self.caller.login)}

    @property
    def permitted(self) -> set[str]:
        """The ways that the caller's privileges leave open, whatever lies behind."""
        return {way for way, outcome in self.outcomes.items() if "permission denied" not in str(outcome)}


@dataclass(frozen=True)
class Arena:
    """A database with the trap, the ways in, and what is planted on them in pg_temp."""

    server: Server
    dbname: str
    ways: Mapping[str, str]
    calls_with_domains: Mapping[str, str]
    plants: Mapping[str, str]
    domains: str

    def attack(self, caller: Caller, *plants: str, ways: Mapping[str, str] | None = None) -> Report:
        """Open a session, plant, go every way, and undo it; with more plants, each again.

        One session goes all ways: a body takes its types from pg_temp for all of them or for none.
        """
        outcomes: dict[str, int | str] = {}
        springs: list[Spring] = []
        way = "planting"

        def hear(notice: errors.Diagnostic) -> None:
            if notice.sqlstate == "TRAP1":
                springs.append(Spring(way, str(notice.message_primary), str(notice.context)))

        named = "".join(f"""set local "{name.replace(".", '"."')}" = '{SETTINGS[name]}';""" for name in caller.settings)
        with psycopg.connect(self.server.conninfo(self.dbname, caller.login), autocommit=True) as session:
            session.add_notice_handler(hear)
            # where `timestamptz` means another type, a page never ends
            session.execute("set statement_timeout = '5s'")
            if caller.role:
                session.execute(f"set role {caller.role}")
            for plant in plants or [""]:
                session.execute(f"{plant}; set search_path = trap, pg_temp, pg_catalog; discard plans")
                for way, statement in (self.ways if ways is None else ways).items():
                    session.execute(f"rollback; begin; {named}")
                    try:
                        outcomes[way] = session.execute(statement).rowcount
                    except psycopg.Error as error:
                        outcomes[way] = f"{error.sqlstate}: {error.diag.message_primary}"
                session.execute("rollback")
        return Report(caller, outcomes, springs)


def literal(value: Any, type_: str) -> str:
    """Return a value as SQL; a list as an array, unless the type is one of JSON."""
    if isinstance(value, list) and not type_.startswith("json"):
        return f"'{{{','.join(value)}}}'"
    return "null" if value is None else f"'{value if isinstance(value, str) else json.dumps(value)}'"


def calls(connection: psycopg.Connection, argument: str = "{}") -> dict[str, str]:
    """Return calls of every routine but triggers: with what there is, with ids that are not there, and with defaults.

    :param argument: what to write for a value, ``{}``, whose type is called ``{type}`` and may be used by everybody.
    """
    found: dict[str, str] = {}
    unknown = json.loads(re.sub(f"{COMPANY}|{CONNECTOR}|{ROW}", UNKNOWN, json.dumps(ARGUMENTS)))
    for name, verb, arguments in connection.execute(f"""
        select
            format('%I.%I', n.nspname, p.proname),
            case p.prokind when 'p' then 'call' else 'select * from' end,
            array(
                select jsonb_build_array(
                    case when p.provariadic <> 0 and a.place = p.pronargs then 'variadic ' else '' end,
                    p.proargnames[a.place], a.type::regtype, t.typtype = 'c',
                    has_type_privilege('public', a.type, 'usage'), a.place <= p.pronargs - p.pronargdefaults
                )
                from unnest(p.proargtypes) with ordinality as a (type, place)
                inner join pg_type as t on t.oid = a.type
                order by a.place
            )
        from {ROUTINES} and p.prorettype <> 'trigger'::regtype
    """):
        for variant, values, optional in (
            ("", ARGUMENTS, True),
            (" of unknown ids", unknown, True),
            (" with defaults", ARGUMENTS, False),
        ):
            given = []
            for variadic, parameter, type_, is_row, is_public, is_required in arguments:
                if is_required or (optional and parameter in values):
                    value = literal(values.get(parameter), type_)
                    if is_row:
                        value = f"(select r from only {type_} as r where r.{PK} 1)"
                    value = argument.format(value, type=type_) if is_public else value
                    given.append(f"{variadic}{parameter} => {value}")
            statement = f"{verb} {name}({', '.join(given)})"
            if statement not in found.values():
                found[name + variant] = statement
    return found


def plants(connection: psycopg.Connection) -> dict[str, str]:
    """Return what is planted in pg_temp: a domain for each type that a body mentions, the same as enums, and views."""
    types = connection.execute(f"""
        select t.typname, format('pg_catalog.%I', t.typname), array[t.typname::text, format_type(t.oid, null)]
        from pg_type as t
        where
            t.typnamespace = 'pg_catalog'::regnamespace and t.typtype = 'b' and t.typcategory <> 'A'
            and array[t.typname::text, format_type(t.oid, null)] && array({WORDS})
    """).fetchall()
    domains = {
        f"domain {name}": "".join(
            f'create domain pg_temp."{alias}" as {original} check (trap.sprung());' for alias in set(aliases)
        )
        for name, original, aliases in types
    }
    enums = "".join(
        f"create type pg_temp.{name} as enum ('planted');"
        + "".join(
            f"create function pg_temp.cast_to_{name}({source}) returns pg_temp.{name} language plpgsql"
            f" as $$begin perform trap.sprung(); return 'planted'::pg_temp.{name}; end$$;"
            f"create cast ({source} as pg_temp.{name}) with function pg_temp.cast_to_{name}({source}) as implicit;"
            for source in {"pg_catalog.text", "pg_catalog.oid", original}
        )
        for name, original, _ in types
        if name != "text"  # to which a literal has no cast, so that a body would fail before it meets another type
    )
    words = connection.execute(f"select distinct word from ({WORDS}) as words (word)").fetchall()
    views = "".join(f'create view pg_temp."{word}" as select trap.sprung() as pk;' for (word,) in words)
    views += "grant select on all tables in schema pg_temp to public;"
    return {**domains, "all domains": "".join(domains.values()), "enums with casts": enums, "views": views}


@pytest.fixture(scope="module")
def arena(server: Server, template: str) -> Iterator[Arena]:
    """The trap, set once for all tests: none of them commits anything in it."""
    with new_database(server, "provenance_arena", template) as connection:
        connection.execute(TRAP)
        types = connection.execute(f"""
            select distinct a.type::regtype::text
            from (select unnest(p.proargtypes) from {ROUTINES}) as a (type)
            where has_type_privilege('public', a.type, 'usage')
        """).fetchall()
        arena = Arena(
            server,
            "provenance_arena",
            ways=STATEMENTS | calls(connection),
            calls_with_domains=calls(connection, '{}::pg_temp."{type}"'),
            plants=plants(connection),
            domains="".join(f'create domain pg_temp."{t}" as {t} check (trap.sprung());' for (t,) in types),
        )
        connection.close()
        yield arena


@pytest.fixture
def careless(arena: Arena) -> Iterator[tuple[Arena, psycopg.Connection]]:
    """A copy of the arena, and a superuser's connection that may spoil it."""
    with new_database(arena.server, "provenance_careless", arena.dbname) as connection:
        yield replace(arena, dbname="provenance_careless"), connection


def alter_routines(connection: psycopg.Connection, setting: str) -> set[str]:
    """Change a setting of every routine in plpgsql and return their names."""
    found = connection.execute(
        f"select p.oid::regprocedure::text, p.proname from {ROUTINES} and l.lanname = 'plpgsql'"
    ).fetchall()
    for signature, _ in found:
        connection.execute(f"alter routine {signature} {setting}")
    return {name for _, name in found}


# The rule


@pytest.mark.parametrize("name", some(list(CALLERS), 6))
def test_what_a_caller_plants_neither_runs_as_another_role_nor_changes_an_answer(arena: Arena, name: str) -> None:
    caller = CALLERS[name]
    plain = arena.attack(caller)
    ways = {way: arena.ways[way] for way in plain.permitted}
    reports = {name: arena.attack(caller, plant, ways=ways) for name, plant in arena.plants.items()}
    assert {(name, *found) for name, report in reports.items() for found in report.intrusions} == set()
    assert {
        (name, way, plain.outcomes[way], outcome)
        for name, report in reports.items()
        for way, outcome in report.outcomes.items()
        if outcome != plain.outcomes[way]
    } == set()


@pytest.mark.parametrize("login", ["sync_login", "hasura_login", HOST])
def test_nor_does_what_a_caller_plants_after_the_functions_were_compiled(arena: Arena, login: str) -> None:
    plain = arena.attack(Caller(login))
    report = arena.attack(Caller(login), "", arena.plants["all domains"])
    assert (report.intrusions, report.outcomes) == (set(), plain.outcomes)


@pytest.mark.parametrize("login", ["member_login", "sync_login", "hasura_login", DEPLOYER])
def test_a_domain_of_the_caller_is_checked_as_the_caller_before_its_value_is_passed(arena: Arena, login: str) -> None:
    plain = arena.attack(Caller(login))
    report = arena.attack(Caller(login), arena.domains, ways=arena.calls_with_domains)
    assert report.intrusions == set()
    assert {spring.way for spring in report.springs} >= {
        way for way in report.permitted if "pg_temp" in arena.calls_with_domains[way]
    }
    assert report.outcomes.items() <= plain.outcomes.items()


# The rule can be broken: the same attacks on routines that were altered


def test_where_pg_temp_is_searched_first_what_is_planted_runs_as_the_definer(
    careless: tuple[Arena, psycopg.Connection],
) -> None:
    spoilt, superuser = careless
    alter_routines(superuser, "set search_path = ''")
    for name, caller in CALLERS.items():
        if caller.login in (HOST, DEPLOYER) or {*LOGINS[caller.login]} & {*READERS}:
            roles = {role for _, role in spoilt.attack(caller, spoilt.plants["all domains"]).intrusions}
            assert roles == {"tenancy_definer"}, name
    dangerous = {
        name
        for name, plant in spoilt.plants.items()
        for login in ("sync_login", HOST)
        if spoilt.attack(Caller(login), plant).intrusions
    }
    assert dangerous >= {f"domain {name}" for name in ("jsonb", "regclass", "text", "timestamptz", "uuid")}
    assert "enums with casts" in dangerous
    late = spoilt.attack(Caller("sync_login"), "", spoilt.plants["all domains"])
    assert ("select", "tenancy_definer") in late.intrusions


def test_without_a_search_path_every_routine_runs_functions_of_the_caller(
    careless: tuple[Arena, psycopg.Connection],
) -> None:
    spoilt, superuser = careless
    routines = alter_routines(superuser, "reset search_path")
    reports = {name: spoilt.attack(caller) for name, caller in CALLERS.items()}
    contexts = " ".join(spring.context for report in reports.values() for spring in report.springs)
    assert {routine for routine in routines if f".{routine}(" not in contexts} == set(), "no way in leads there"
    assert {role for _, role in reports[HOST].intrusions} == {"tenancy_definer", DEPLOYER}


def test_a_relation_whose_schema_is_not_named_is_the_callers(careless: tuple[Arena, psycopg.Connection]) -> None:
    spoilt, superuser = careless
    superuser.execute("""
        create function core_api.careless() returns bigint language plpgsql
        security definer set search_path = pg_catalog, pg_temp as 'begin return (select count(pk) from companies); end';
        alter function core_api.careless() owner to tenancy_definer;
    """)
    report = spoilt.attack(
        Caller("member_login"), spoilt.plants["views"], ways={"careless": "select core_api.careless()"}
    )
    assert report.intrusions == {("careless", "tenancy_definer")}


# What the catalog says of each routine, and what a caller cannot attach


@pytest.fixture
def as_auditor(connect: Connect, arena: Arena) -> psycopg.Connection:
    """A superuser who looks at the arena's catalog."""
    return connect(dbname=arena.dbname)


BREACHES = {
    "in plpgsql with other settings than search_path = pg_catalog, pg_temp": (
        "l.lanname = 'plpgsql' and p.proconfig is distinct from array['search_path=pg_catalog, pg_temp']"
    ),
    "in SQL without a bound body": "l.lanname = 'sql' and p.prosqlbody is null",
    "in another language": "l.lanname not in ('plpgsql', 'sql')",
    "with a polymorphic argument": (
        "exists (select from unnest(p.proargtypes) as a join pg_type as t on t.oid = a where t.typtype = 'p')"
    ),
    "for triggers and for others than its owner to execute": (
        "p.prorettype = 'trigger'::regtype and exists ("
        "select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) where grantee <> p.proowner)"
    ),
}


@pytest.mark.parametrize("breach", BREACHES)
def test_no_routine_is(breach: str, as_auditor: psycopg.Connection) -> None:
    found = as_auditor.execute(f"select p.oid::regprocedure::text from {ROUTINES} and {BREACHES[breach]}").fetchall()
    assert found == []


FOREIGN_OBJECTS = """
select
    pg_describe_object(d.classid, d.objid, d.objsubid), pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid)
from
    pg_depend as d,
    pg_identify_object(d.classid, d.objid, 0) as ours,
    pg_identify_object(d.refclassid, d.refobjid, 0) as named
where
    (ours.schema in ('core_api', 'tenancy') or ours.identity ~ ' on (core_api|tenancy)[.]')
    and named.schema not in ('core_api', 'tenancy', 'pg_catalog')
"""


def test_nothing_is_bound_to_an_object_outside_the_package_and_pg_catalog(as_auditor: psycopg.Connection) -> None:
    assert as_auditor.execute(FOREIGN_OBJECTS).fetchall() == []
    as_auditor.execute(f"create policy careless on {TABLE} using (trap.sprung())")
    assert len(as_auditor.execute(FOREIGN_OBJECTS).fetchall()) == 1


ATTACHMENTS = {
    "a trigger": f"create trigger planted after insert on {TABLE} execute function trap.planted()",
    "a guard to a table of its own": (
        "create temporary table mine (pk integer);"
        "create trigger planted after insert on pg_temp.mine execute function tenancy.stamp_timestamps()"
    ),
    "a rule": f"create rule planted as on insert to {TABLE} do also select trap.sprung()",
    "a policy": f"create policy planted on {TABLE} using (trap.sprung())",
    "an index": f"create index planted on {TABLE} (trap.leak(pk))",
    "statistics": f"create statistics pg_temp.planted on trap.leak(pk) from {TABLE}",
    "a default": f"alter table {TABLE} alter deleted_at set default trap.sprung()",
    "a child": f"create temporary table planted () inherits ({TABLE})",
    "a cast of a row": f"create cast ({TABLE} as json) with function trap.planted() as implicit",
    "a cast of the enum": "create cast (core_api.direction_enum as json) with inout as implicit",
    "an event trigger": "create event trigger planted on ddl_command_end execute function trap.planted()",
    "a function of core_api": "create function core_api.planted() returns integer language sql return 1",
    "a type of core_api": "create domain core_api.text as pg_catalog.text",
    "an operator of pg_catalog": "create operator pg_catalog.=== (leftarg = oid, rightarg = oid, function = oideq)",
    "itself to the definer": "set role tenancy_definer",
}


@pytest.mark.parametrize("login", LOGINS)
def test_a_caller_can_attach_nothing(login: str, connect: Connect, arena: Arena) -> None:
    caller = connect(login, dbname=arena.dbname)
    for statement in ATTACHMENTS.values():
        with pytest.raises(errors.InsufficientPrivilege), caller.transaction():
            caller.execute(statement)


# Functions of a caller see what their caller sees


def listen(connection: psycopg.Connection) -> list[str]:
    """Return a list to which every value that reaches a leaking function is added."""
    leaked: list[str] = []
    connection.add_notice_handler(lambda n: leaked.append(str(n.message_primary)) if n.sqlstate == "TRAP2" else None)
    return leaked


def leaks(connection: psycopg.Connection, statements: Mapping[str, str]) -> dict[str, set[str]]:
    """Return for each statement the values that a cheap, leaking condition was shown without their being returned."""
    leaked = listen(connection)
    found: dict[str, set[str]] = {}
    # an index would look at fewer rows
    connection.execute("set enable_indexscan = off; set enable_indexonlyscan = off; set enable_bitmapscan = off")
    for way, statement in statements.items():
        with suppress(psycopg.Error), connection.transaction(force_rollback=True):
            description = connection.execute(f"select * from ({statement}) as r limit 0").description or []
            for name in (column.name for column in description):
                leaked.clear()
                rows = connection.execute(
                    f'select coalesce(r."{name}"::text, \'null\') from ({statement}) as r where trap.leak(r."{name}")'
                ).fetchall()
                found.setdefault(way, set()).update({*leaked} - {value for (value,) in rows})
    return found


OWN_IDS = """
select company_id::text from core_api.companies where workspace_pk = 1
union all
select workspace_connector_id::text from core_api.workspace_connectors where workspace_pk = 1
"""


@pytest.mark.parametrize("security", ["enable", "disable"])
def test_a_leaking_condition_is_shown_no_row_of_another_workspace_that_is_not_returned(
    careless: tuple[Arena, psycopg.Connection], connect: Connect, security: str
) -> None:
    copy, superuser = careless
    for parent in ("workspaces", "companies", "workspace_connectors"):  # an adopted one may have no policies
        superuser.execute(f"alter table core_api.{parent} {security} row level security")
    own = {id_ for (id_,) in superuser.execute(OWN_IDS)}
    for login in ("member_login", "sync_login", "bound_login", "hasura_login", "hasura_sync_login"):
        session = connect(login, ACME, dbname=copy.dbname)
        found = leaks(session, {way: query for way, query in copy.ways.items() if query.startswith("select")})
        session.close()
        assert len(found) > 5
        assert {way: values - own for way, values in found.items() if values - own} == {}, login


def test_a_leaking_condition_would_pass_through_a_function_that_returns_rows_of_a_definers_view(
    careless: tuple[Arena, psycopg.Connection], connect: Connect
) -> None:
    copy, superuser = careless
    superuser.execute("""
        alter table core_api.companies disable row level security;
        create view tenancy.careless as
        select pk from core_api.companies where workspace_pk = (select tenancy.current_workspace_pk());
        alter view tenancy.careless owner to tenancy_definer;
        grant select on tenancy.careless to workspace_member;
        create function core_api.careless() returns setof integer language sql stable
        begin atomic select pk from tenancy.careless; end;
    """)
    session = connect("member_login", ACME, dbname=copy.dbname)
    assert leaks(session, {"careless": "select * from core_api.careless()"}) == {"careless": {"21", "22", "29"}}
    session.close()


@pytest.mark.parametrize("condition", ["company_pk operator(trap.===) 11", "pk operator(trap.<<<) 3"])
def test_the_planner_shows_the_tables_statistics_to_no_operator_of_a_caller(
    arena: Arena, connect: Connect, condition: str
) -> None:
    for login in (None, *LOGINS):
        connection = connect(login, dbname=arena.dbname)
        leaked = listen(connection)
        with suppress(errors.InsufficientPrivilege):
            connection.execute(f"explain select * from {TABLE} where {condition}")
        assert bool(leaked) == (login is None), login


# Deployers and DBAs, in a database where a tenant may create in the schema public, as in one born before version 15


def impostors(words: set[str]) -> str:
    """Return what a tenant plants in public: functions of these names whose arguments fit a call better.

    A literal is rather text than anything else, a small number rather an integer than a bigint, and whatever fits "any"
    fits its own type better. A sequence for each name remembers that one was run, whatever became of the transaction.
    """
    return f"""
        grant create on schema public to {HOST};
        set role {HOST};
        do $do$
        declare
            impostor record;
        begin
            for impostor in
                select
                    f.name, f.result, t.given, format('public.%I', 'run ' || f.name) as memory,
                    row_number() over (partition by f.name) = 1 as is_first,
                    (
                        select string_agg('$' || n, ', ') from generate_series(1, regexp_count(t.given, ',') + 1) as n
                    ) as passed
                from (
                    select p.proname as name, min(pg_get_function_result(p.oid)) as result
                    from pg_proc as p
                    where
                        p.pronamespace = 'pg_catalog'::regnamespace and p.prokind = 'f' and not p.proretset
                        and p.prorettype <> 'void'::regtype
                        and p.proname = any('{{{",".join(sorted(words))}}}')
                    group by p.proname
                ) as f
                cross join unnest(array[
                    'text', 'name', 'integer', 'text, text', 'text, name', 'text, integer', 'text, bigint',
                    'text, regclass', 'text, text, text', 'text, text, name', 'text, text, text, text'
                ]) as t (given)
            loop
                if impostor.is_first then
                    execute format('create sequence %s', impostor.memory);
                end if;
                begin
                    execute format(
                        'create function public.%I(%s) returns %s language plpgsql as '
                        '$f$begin perform pg_catalog.nextval(%L); return pg_catalog.%I(%s); end$f$',
                        impostor.name, impostor.given, impostor.result, impostor.memory, impostor.name, impostor.passed
                    );
                exception
                    when feature_not_supported or invalid_function_definition then
                        null;
                end;
            end loop;
        end
        $do$;
        grant usage on all sequences in schema public to public;
        reset role;
    """


@pytest.fixture
def hostile(empty: psycopg.Connection) -> psycopg.Connection:
    """An empty database in which a tenant planted functions of every name that the package's own files mention."""
    files = [path for folder in ("sql", "policies", "migrations") for path in (ROOT / folder).rglob("*.*")]
    texts = [path.read_text(encoding="utf-8") for path in files if path.suffix in (".sql", ".py")]
    empty.execute(impostors({*re.findall(r"[a-z_][a-z0-9_]+", " ".join(texts))}))
    return empty


def impostors_run(connection: psycopg.Connection) -> list[str]:
    """Return the names of the planted functions that others than their owner ran."""
    found = connection.execute(
        "select sequencename from pg_sequences where sequencename like 'run %' and last_value is not null order by 1"
    ).fetchall()
    return [name for (name,) in found]


def test_what_a_tenant_plants_in_public_is_run_by_unqualified_calls(hostile: psycopg.Connection) -> None:
    hostile.execute("select format('%s', 'a'), pg_try_advisory_lock(1), pg_has_role('pg_monitor', 'usage')")
    assert impostors_run(hostile) == ["run format", "run pg_has_role", "run pg_try_advisory_lock"]


def test_a_deployment_runs_nothing_that_a_tenant_planted_in_public(server: Server, hostile: psycopg.Connection) -> None:
    dbname = hostile.info.dbname
    upgrade(server, dbname)
    for command in ("status", "verify"):
        deployer = command_line(server, dbname, command)
        assert (deployer.wait(60), deployer.communicate()[1].count("drift")) == (0, 0)
    assert hostile.execute(FOREIGN_OBJECTS).fetchall() == []
    downgrade(server, dbname)
    assert impostors_run(hostile) == []


def test_nor_does_a_hosts_own_alembic_that_includes_the_revisions(server: Server, hostile: psycopg.Connection) -> None:
    config = alembic_config("")
    script = ScriptDirectory.from_config(config)
    hosts = engine(server, hostile.info.dbname)
    begun = "set local search_path = public, core_api"  # a host's own, for each of its transactions
    sa.event.listen(hosts, "begin", lambda connection: connection.exec_driver_sql(begun))
    with (
        hosts.connect() as connection,
        EnvironmentContext(config, script, fn=lambda heads, _: script._upgrade_revs("heads", heads)) as environment,
    ):
        environment.configure(connection=connection, transaction_per_migration=True)
        with environment.begin_transaction():
            environment.run_migrations()
        session = connection.connection.driver_connection
        assert session
        assert scalar(session, "show search_path") == '"$user", public', "what was local stayed so"
    assert (hostile.execute(FOREIGN_OBJECTS).fetchall(), impostors_run(hostile)) == ([], [])


@pytest.mark.usefixtures("schema_template")
def test_nor_does_a_dba_who_prepares_the_roles(server: Server, hostile: psycopg.Connection) -> None:
    script, _ = command_line(server, hostile.info.dbname, "sql", "--roles", DEPLOYER).communicate(timeout=60)
    without_psql = re.sub(r"(?m)^\\.*$", "", script)
    hostile.execute(f"begin; {without_psql}; rollback")
    assert impostors_run(hostile) == []
