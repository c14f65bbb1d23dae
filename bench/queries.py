"""The questions that are asked of every variant, in that variant's words."""

import json
from dataclasses import dataclass, field
from typing import Any

from connector_provenance.hasura.model import Model, load

LOGINS = {
    "shipped": "bench_member",
    "page": "bench_member",
    "expert": "bench_expert",
    "limit": "bench_expert",
    "naive": "bench_naive",
    "advised": "bench_advised",
    "hasura": "bench_hasura",
}
"""Variants, and the login role that asks; ``page`` is the shipped schema asked through its page function."""

ALL = "j.id, j.direction, j.created_at, j.updated_at, j.company_pk, j.workspace_connector_pk"
NEWEST = "order by j.created_at desc, j.pk desc"

FROM = {
    "shipped": "from core_api.company_workspace_connectors as j where true",
    "naive": "from bench.plain as j where true",
    "advised": "from bench.plain as j where true",
    "expert": """from bench.plain as j
        join core_api.companies as c on c.pk = j.company_pk
        join core_api.workspace_connectors as k on k.pk = j.workspace_connector_pk
        where c.workspace_pk = (select w.pk from core_api.workspaces as w where w.workspace_id = %(workspace)s)
        and k.workspace_pk = (select w.pk from core_api.workspaces as w where w.workspace_id = %(workspace)s)
        and j.deleted_at is null""",
    "limit": """from bench.denormalised as j
        where j.workspace_pk = (select w.pk from core_api.workspaces as w where w.workspace_id = %(workspace)s)
        and j.deleted_at is null""",
    "hasura": "from core_api.company_workspace_connectors as j where {permission}",
}
"""What a client of each variant writes; policies add the tenant for *shipped*, *naive* and *advised*, others say it."""

COMPANIES = {
    "shipped": "core_api.companies as p",
    "naive": """core_api.companies as p
        where p.workspace_pk = (select w.pk from core_api.workspaces as w where w.workspace_id = %(workspace)s)""",
}
COMPANIES |= dict.fromkeys(("expert", "limit", "hasura", "advised"), COMPANIES["naive"])


@dataclass(frozen=True)
class Query:
    """One question.

    :param title: what the report calls it.
    :param kind: ``look-up`` or ``list``; look-ups are also measured as prepared statements.
    :param texts: the SQL of each variant, with psycopg's named parameters.
    """

    title: str
    kind: str
    texts: dict[str, str] = field(default_factory=dict)


def query(title: str, kind: str, tail: str, columns: str = ALL, page: str = "") -> Query:
    """Return a query over the rows; ``page`` holds the page function's arguments where it can answer as well."""
    texts = {variant: f"select {columns} {source} {tail}" for variant, source in FROM.items()}
    if page:
        texts["page"] = f"select {columns} from core_api.company_workspace_connectors_page({page}) as j"
    return Query(title, kind, texts)


def with_children(title: str) -> Query:
    """Return the query that lists fifty companies, each with its connectors, as a GraphQL engine would."""
    texts = {}
    for variant, source in FROM.items():
        texts[variant] = f"""select p.company_id, children.* from (
                select p.pk, p.company_id from {COMPANIES[variant]} order by p.pk limit 50
            ) as p
            left join lateral (select {ALL} {source} and j.company_pk = p.pk {NEWEST}) as children on true"""
    return Query(title, "list", texts)


QUERIES = [
    query("by id, own", "look-up", "and j.id = %(id)s"),
    query("by id, another tenant's", "look-up", "and j.id = %(foreign_id)s"),
    query("one company's rows", "look-up", f"and j.company_pk = %(company)s {NEWEST}"),
    query(
        "one connector, one day",
        "look-up",
        "and j.workspace_connector_pk = %(connector)s"
        " and j.created_at >= %(day)s and j.created_at < %(next_day)s " + NEWEST,
    ),
    query(
        "one connector, page of 50",
        "list",
        f"and j.workspace_connector_pk = %(connector)s {NEWEST} limit 50",
        page="workspace_connector_id => %(connector_id)s",
    ),
    query(
        "one connector and direction, page of 50",
        "list",
        f"and j.workspace_connector_pk = %(connector)s and j.direction = 'output' {NEWEST} limit 50",
        page="workspace_connector_id => %(connector_id)s, direction => 'output'",
    ),
    query("newest 50", "list", f"{NEWEST} limit 50", page="50"),
    query(
        "page of 50 in the middle",
        "list",
        f"and (j.created_at, j.pk) < (%(middle_at)s, %(middle_pk)s) {NEWEST} limit 50",
        page="50, %(middle_id)s",
    ),
    with_children("50 companies with their rows"),
    query("count", "list", "", columns="count(*)"),
    query("rows by direction", "list", "group by j.direction", columns="j.direction, count(*)"),
    query("export of everything", "list", ""),
]

PARAMETERS = """
with visible as (
    select j.*, row_number() over (order by j.created_at desc, j.pk desc) as place, count(*) over () as total
    from bench.denormalised as j
    where j.workspace_pk = %(n)s and j.deleted_at is null
),

busiest as (
    select v.workspace_connector_pk as pk, max(v.created_at) as newest
    from visible as v
    group by v.workspace_connector_pk
    order by count(*) desc, v.workspace_connector_pk
    limit 1
)

select
    w.workspace_id as workspace,
    v.id,
    v.company_pk as company,
    v.created_at as middle_at,
    v.pk as middle_pk,
    v.id as middle_id,
    b.pk as connector,
    b.newest - interval '1 day' as day,
    b.newest + interval '1 second' as next_day,
    k.workspace_connector_id as connector_id,
    (select f.id from bench.denormalised as f where f.workspace_pk = 4 and f.deleted_at is null limit 1) as foreign_id
from visible as v
inner join core_api.workspaces as w on w.pk = %(n)s
cross join busiest as b
inner join core_api.workspace_connectors as k on b.pk = k.pk
where v.place = ceil(v.total / 2.0)
"""
"""What is asked for on behalf of tenant ``n``: rows, a company, its busiest connector, a place in the middle."""


def permission(connection: Any) -> str:
    """Return the condition that Hasura makes of its metadata's permission for members; ``%(session)s`` is its session.

    :param connection: psycopg connection of a superuser.
    """
    table, model = "core_api.company_workspace_connectors", Model(load(), connection)
    shown = model.permission(table, "workspace_member")
    assert shown is not None
    return model.where(table, shown["filter"], "j")


def parameters(connection: Any, n: int) -> dict[str, Any]:
    """Return the parameters of every query for one tenant.

    :param connection: psycopg connection of a superuser.
    :param n: number of the tenant in ``bench.tenants``.
    """
    cursor = connection.execute(PARAMETERS, {"n": n})
    row = cursor.fetchone()
    values = dict(zip((column.name for column in cursor.description), row, strict=True))
    return values | {"session": json.dumps({"x-hasura-workspace-id": str(values["workspace"])})}
