"""No answer tells an id of another tenant from one that nobody has, whatever takes it and whoever asks.

The functions come from the catalog, so that a new one is asked too, or named until its parameters have a value here.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from helpers import ACME, UNKNOWN, Connect, complaint, force_row, scalar
from psycopg.rows import class_row
from pytest_postgresql.janitor import DatabaseJanitor
from servers import LOGINS, Server

TABLE = "core_api.company_workspace_connectors"

IDS = {
    "id": "rows",
    "after_id": "rows",
    "company_id": "companies",
    "workspace_connector_id": "workspace_connectors",
}
"""Parameters that hold an id, and of what."""

Put = Callable[[str | None], Any]
"""Makes a parameter's value that holds an id."""


@dataclass(frozen=True)
class Parameter:
    """What a function takes, and whether a call may leave it out."""

    function: str
    name: str
    type: str
    required: bool


@dataclass(frozen=True)
class World:
    """What ACME would send itself, by parameter, and ids that are not ACME's, by what they are ids of."""

    dbname: str
    own: dict[str, Any]
    strangers: dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def world(server: Server, schema_template: Any) -> Iterator[World]:
    """A database in which each workspace has its rows and four more span both; no test changes it."""
    dbname = "provenance_mixed"
    with DatabaseJanitor(
        user=server.user,
        password=server.password,
        host=server.host,
        port=server.port,
        dbname=dbname,
        template_dbname=schema_template.template_dbname,
    ):
        with psycopg.connect(server.conninfo(dbname)) as superuser:
            made = make_world(superuser)
        yield made


def make_world(superuser: psycopg.Connection) -> World:
    """Force the mixed rows in and look everything up."""
    mixed = {
        "a mixed row with our company": force_row(superuser, 11, 201),
        "a mixed row with our connector": force_row(superuser, 21, 101),
        "a deleted mixed row with our company": force_row(superuser, 11, 201),
        "a deleted mixed row with our connector": force_row(superuser, 21, 101),
    }
    deleted = [public for case, public in mixed.items() if "deleted" in case]
    superuser.execute(f"update {TABLE} set deleted_at = now() where id = any(%s)", (deleted,))

    def row(company_pk: int, condition: str) -> str:
        return str(scalar(superuser, f"select id from {TABLE} where company_pk = %s and {condition}", company_pk))

    def company(pk: int) -> str:
        return str(scalar(superuser, "select company_id from core_api.companies where pk = %s", pk))

    def connector(pk: int) -> str:
        query = "select workspace_connector_id from core_api.workspace_connectors where pk = %s"
        return str(scalar(superuser, query, pk))

    own = row(12, "deleted_at is null")
    item = {"company_id": company(12), "workspace_connector_id": connector(102), "direction": "output"}
    return World(
        dbname=superuser.info.dbname,
        own={
            **item,
            "id": own,
            "ids": [own],
            "after_id": own,
            "items": [item],
            "page_limit": 50,
            "hasura_session": {"x-hasura-workspace-id": ACME},
            "workspace": scalar(superuser, "select w::text from core_api.workspaces as w where pk = 1"),
            "company_workspace_connector": scalar(superuser, f"select j::text from {TABLE} as j where id = %s", own),
        },
        strangers={
            "rows": {
                **{case: str(public) for case, public in mixed.items()},
                "another's row": row(22, "deleted_at is null"),
                "another's deleted row": row(22, "deleted_at is not null"),
            },
            "companies": {
                "another's company": company(22),
                "another's company without rows": company(29),
                "the company of a mixed row": company(21),
            },
            "workspace_connectors": {
                "the connector of a mixed row": connector(201),
                "another's connector without rows": connector(209),
            },
        },
    )


def signatures(connection: psycopg.Connection, own: dict[str, Any]) -> dict[str, list[Parameter]]:
    """Return the functions of core_api that the login may execute, with their parameters."""
    found: dict[str, list[Parameter]] = {}
    query = """
        select
            p.oid::regprocedure::text as function, p.proargnames[a.place] as name, format_type(a.type, null) as type,
            a.place <= p.pronargs - p.pronargdefaults as required
        from pg_proc as p
        cross join unnest(p.proargtypes) with ordinality as a (type, place)
        where
            p.pronamespace = 'core_api'::regnamespace
            and has_schema_privilege('core_api', 'usage')
            and has_function_privilege(p.oid, 'execute')
        order by p.oid, a.place
    """
    for parameter in connection.cursor(row_factory=class_row(Parameter)).execute(query):
        assert parameter.name in own, (
            f"no call is known for {parameter.function}: say what ACME sends as {parameter.name}"
        )
        found.setdefault(parameter.function, []).append(parameter)
    return found


def places(parameter: Parameter, own: dict[str, Any]) -> Iterator[tuple[str, str, Put]]:
    """Return where an id stands in a parameter, of what it is one, and what puts one there."""
    if parameter.name in IDS:
        yield parameter.name, IDS[parameter.name], lambda public: public
    elif parameter.name == "ids":
        yield "ids[1]", "rows", lambda public: [public]
        yield "ids[2]", "rows", lambda public: [*own["ids"], public]
    elif parameter.name == "items":
        (item,) = own["items"]
        for key in ("company_id", "workspace_connector_id"):
            yield f"items[1].{key}", IDS[key], lambda public, key=key: [{**item, key: public}]
            yield f"items[2].{key}", IDS[key], lambda public, key=key: [item, {**item, key: public}]


def outcome(connection: psycopg.Connection, parameters: list[Parameter], values: dict[str, Any]) -> str:
    """Return the rows of a call or everything that its error says; nothing that it changed stays."""
    sent = [parameter for parameter in parameters if parameter.name in values]
    arguments = {
        parameter.name: json.dumps(values[parameter.name])
        if parameter.type in ("json", "jsonb")
        else values[parameter.name]
        for parameter in sent
    }
    names = ", ".join(f"{parameter.name} => %({parameter.name})s::{parameter.type}" for parameter in sent)
    function = parameters[0].function.partition("(")[0]
    try:
        with connection.transaction(force_rollback=True):
            return repr(connection.execute(f"select * from {function}({names})", arguments).fetchall())
    except psycopg.Error as error:
        return repr(complaint(error))


def calls(parameters: list[Parameter], own: dict[str, Any]) -> Iterator[tuple[Parameter, dict[str, Any]]]:
    """Return each parameter with the other values of a call: as few as may be, and all of them."""
    for parameter in parameters:
        others = [other for other in parameters if other is not parameter]
        yield parameter, {other.name: own[other.name] for other in others if other.required}
        yield parameter, {other.name: own[other.name] for other in others}


@pytest.mark.parametrize("login", [login for login, groups in LOGINS.items() if groups])
def test_an_id_of_another_tenant_is_answered_like_one_that_nobody_has(
    login: str, world: World, connect: Connect
) -> None:
    connection = connect(login, ACME, dbname=world.dbname)
    told: list[str] = []
    asked = 0
    for function, parameters in signatures(connection, world.own).items():
        for parameter, values in calls(parameters, world.own):
            for place, kind, put in places(parameter, world.own):
                cases: dict[str, str | None] = {"nobody's": UNKNOWN, **world.strangers[kind]}
                if parameter.required:
                    cases["null"] = None
                # PL/pgSQL words the context of a session's first call otherwise; this is the first.
                outcome(connection, parameters, {**values, parameter.name: put(UNKNOWN)})
                answers = {
                    case: outcome(connection, parameters, {**values, parameter.name: put(public)})
                    for case, public in cases.items()
                }
                asked += len(answers)
                if len(set(answers.values())) > 1:
                    told += [f"{function}, {place} beside {sorted(values)}", *map(str, answers.items())]
    assert not told, "\n".join(told)
    assert asked, "nothing was asked"


@pytest.mark.parametrize("login", [login for login, groups in LOGINS.items() if groups])
def test_an_id_that_is_left_out_and_one_that_is_null_are_answered_alike(
    login: str, world: World, connect: Connect
) -> None:
    connection = connect(login, ACME, dbname=world.dbname)
    for parameters in signatures(connection, world.own).values():
        for parameter, values in calls(parameters, world.own):
            if parameter.name in IDS and not parameter.required:
                given = outcome(connection, parameters, {**values, parameter.name: None})
                assert given == outcome(connection, parameters, values)


@pytest.mark.parametrize("login", ["member_login", "sync_login", "bound_login", "hasura_login", "hasura_sync_login"])
def test_the_tenants_own_id_is_answered_otherwise(login: str, world: World, connect: Connect) -> None:
    connection = connect(login, ACME, dbname=world.dbname)
    for parameters in signatures(connection, world.own).values():
        for parameter in parameters:
            values = {other.name: world.own[other.name] for other in parameters if other.required}
            for _, _, put in places(parameter, world.own):
                unknown = outcome(connection, parameters, {**values, parameter.name: put(UNKNOWN)})
                own = outcome(connection, parameters, {**values, parameter.name: world.own[parameter.name]})
                assert own != unknown, parameter
