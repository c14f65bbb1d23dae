"""docs/row-level-security.md: its statements are run as printed, and what keeps tenants apart is broken once."""

import re
from collections.abc import Iterator

import psycopg
import pytest
from helpers import scalar
from psycopg import errors

from connector_provenance.migrations.sqlfile import ROOT

PAGE = (ROOT / "docs" / "row-level-security.md").read_text(encoding="utf-8")
RECIPE = "\n".join(re.findall(r"^```sql\n(.*?)^```$", PAGE, re.M | re.S))
ROWS = """
insert into app.tenants (pk, tenant_id) select n, lpad(n::text, 32, '0')::uuid from generate_series(1, 50) as n;
insert into app.documents (pk, tenant_pk) select n, 1 + n % 50 from generate_series(0, 999) as n;
insert into app.labels (pk, tenant_pk) select n, 1 + n % 50 from generate_series(0, 99) as n;
alter table app.document_labels disable trigger user;
insert into app.document_labels (document_pk, label_pk) select n % 1000, n % 100 from generate_series(0, 9999) as n;
alter table app.document_labels enable trigger user;
analyze;
"""
COUNT = "select count(*) from app.document_labels"


@pytest.fixture
def recipe(empty: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """A superuser's connection to a database that the page's statements have made, with 200 rows for each tenant."""
    empty.execute(RECIPE)
    empty.execute(ROWS)
    yield empty
    empty.execute("reset role")
    empty.execute("drop owned by app_reader, app_guard cascade")
    empty.execute("drop role app_reader, app_guard")


def seen(connection: psycopg.Connection, tenant: int | None) -> int:
    """Return how many rows a reader sees of a tenant's."""
    name = "" if tenant is None else f"{tenant:032}"
    with connection.transaction(force_rollback=True):
        connection.execute("select set_config('app.tenant_id', %s, true)", (name,))
        connection.execute("set local role app_reader")
        return int(scalar(connection, COUNT))


def test_a_tenant_sees_its_rows_and_nobody_elses(recipe: psycopg.Connection) -> None:
    assert scalar(recipe, COUNT) == 10000
    assert [seen(recipe, tenant) for tenant in (1, 50, 51, None)] == [200, 200, 0, 0]


def test_a_reader_names_nothing_but_the_table(recipe: psycopg.Connection) -> None:
    recipe.execute("set role app_reader")
    for query in (
        "select from app_private.current_labels",
        "select app_private.current_tenant_pk()",
        "select from app.labels",
        "delete from app.document_labels",
    ):
        with pytest.raises(errors.InsufficientPrivilege):
            recipe.execute(query)


@pytest.mark.parametrize("parents", ["0, 1", "1, 0"])
def test_a_row_of_two_tenants_is_refused_and_would_be_hidden(parents: str, recipe: psycopg.Connection) -> None:
    insert = f"insert into app.document_labels (document_pk, label_pk) values ({parents})"
    with pytest.raises(errors.CheckViolation, match="different tenants"):
        recipe.execute(insert)
    recipe.execute("alter table app.document_labels disable trigger document_labels_refuse_mixed_rows")
    recipe.execute(insert)
    assert [seen(recipe, tenant) for tenant in (1, 2)] == [200, 200]


@pytest.mark.parametrize(
    ("broken", "tenants", "found"),
    [
        ("alter policy reader_reads_its_rows on app.document_labels using (true)", (1, None), [10000, 10000]),
        ("alter table app.document_labels disable row level security", (1, None), [10000, 10000]),
        ("drop policy reader_reads_its_rows on app.document_labels", (1, None), [0, 0]),
        ("alter view app_private.current_labels set (security_invoker = true)", (1,), errors.InsufficientPrivilege),
        ("revoke execute on function app_private.current_tenant_pk() from app_reader", (1,), None),
    ],
)
def test_without_one_of_its_rules_it_shows_more_or_nothing(
    broken: str, tenants: tuple[int | None, ...], found: list[int] | type[Exception] | None, recipe: psycopg.Connection
) -> None:
    recipe.execute(broken)
    if isinstance(found, list):
        assert [seen(recipe, tenant) for tenant in tenants] == found
    else:
        with pytest.raises(found or errors.InsufficientPrivilege):
            seen(recipe, 1)


def test_the_tables_owner_sees_no_row_while_it_is_forced(recipe: psycopg.Connection) -> None:
    recipe.execute("create role app_owner; grant usage on schema app to app_owner")
    try:
        recipe.execute("alter table app.document_labels owner to app_owner")
        for change, rows in (("force", 0), ("no force", 10000)):
            recipe.execute(f"alter table app.document_labels {change} row level security; set role app_owner")
            assert scalar(recipe, COUNT) == rows
            recipe.execute("reset role")
    finally:
        recipe.execute("reassign owned by app_owner to current_user; drop owned by app_owner; drop role app_owner")


def test_the_index_is_entered_with_the_tenants_array_and_naively_it_is_not(recipe: psycopg.Connection) -> None:
    def plan() -> str:
        with recipe.transaction(force_rollback=True):
            recipe.execute("select set_config('app.tenant_id', %s, true)", (f"{1:032}",))
            recipe.execute("set local role app_reader")
            found = recipe.execute(f"explain {COUNT}").fetchall()
        return "\n".join(line for (line,) in found)

    assert "document_labels_page_index" in plan()
    assert "label_pk = ANY" in plan()
    recipe.execute(
        "grant select on app.documents, app.labels to app_reader;"
        "alter policy reader_reads_its_rows on app.document_labels using (exists (select from app.documents as d"
        " where d.pk = document_pk and d.tenant_pk = (select app_private.current_tenant_pk())) and exists (select"
        " from app.labels as l where l.pk = label_pk and l.tenant_pk = (select app_private.current_tenant_pk())))"
    )
    assert "Seq Scan on document_labels" in plan()
