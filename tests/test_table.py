"""The table is the contract's table: types, defaults, constraints, actions, comments."""

import psycopg
import pytest
from helpers import scalar
from servers import GROUPS

TABLE = "core_api.company_workspace_connectors"


def test_the_enum_has_two_labels_in_order(as_superuser: psycopg.Connection) -> None:
    assert scalar(as_superuser, "select enum_range(null::core_api.direction_enum)::text") == "{input,output}"


def test_the_columns_are_the_contracts(as_superuser: psycopg.Connection) -> None:
    as_superuser.execute("set local search_path = ''")
    columns = as_superuser.execute(
        "select a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid)"
        " from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum"
        " where a.attrelid = %s::regclass and a.attnum > 0 and not a.attisdropped order by a.attnum",
        (TABLE,),
    ).fetchall()
    assert columns == [
        ("pk", "integer", True, "nextval('core_api.company_workspace_connectors_pk_seq'::regclass)"),
        ("id", "uuid", True, "gen_random_uuid()"),
        ("company_pk", "integer", True, None),
        ("workspace_connector_pk", "integer", True, None),
        ("direction", "core_api.direction_enum", True, None),
        ("created_at", "timestamp with time zone", True, "now()"),
        ("updated_at", "timestamp with time zone", False, None),
        ("deleted_at", "timestamp with time zone", False, None),
    ]


def test_the_constraints_are_the_contracts(as_superuser: psycopg.Connection) -> None:
    as_superuser.execute("set local search_path = ''")
    constraints = as_superuser.execute(
        "select conname, pg_get_constraintdef(oid) from pg_constraint"
        " where conrelid = %s::regclass and contype <> 'n' order by conname",
        (TABLE,),
    ).fetchall()
    assert constraints == [
        (
            "company_workspace_connectors_company_pk_foreign",
            "FOREIGN KEY (company_pk) REFERENCES core_api.companies(pk) ON UPDATE CASCADE",
        ),
        ("company_workspace_connectors_id_unique", "UNIQUE (id)"),
        ("company_workspace_connectors_pkey", "PRIMARY KEY (pk)"),
        (
            "company_workspace_connectors_workspace_connector_pk_foreign",
            "FOREIGN KEY (workspace_connector_pk) REFERENCES core_api.workspace_connectors(pk) ON UPDATE CASCADE",
        ),
    ]


@pytest.mark.parametrize(
    ("parent", "public"),
    [("workspaces", "workspace_id"), ("companies", "company_id"), ("workspace_connectors", "workspace_connector_id")],
)
def test_no_parent_is_without_a_public_id(parent: str, public: str, as_superuser: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.NotNullViolation):
        as_superuser.execute(f"update core_api.{parent} set {public} = null")


@pytest.mark.parametrize("parent", ["companies", "workspace_connectors"])
def test_a_parent_with_rows_is_not_deleted(parent: str, as_superuser: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        as_superuser.execute(f"delete from core_api.{parent}")


def test_exactly_one_index_leads_on_the_connector(as_superuser: psycopg.Connection) -> None:
    leading = (
        "select indexrelid::regclass::text from pg_index i join pg_attribute a"
        " on a.attrelid = i.indrelid and a.attnum = i.indkey[0]"
        " where i.indrelid = %s::regclass and a.attname = 'workspace_connector_pk'"
    )
    found = as_superuser.execute(leading, (TABLE,)).fetchall()
    assert found == [("core_api.company_workspace_connectors_page_index",)]


def test_every_object_says_what_it_does(as_superuser: psycopg.Connection) -> None:
    silent = as_superuser.execute(
        """
        with ours (oid) as (values ('core_api'::regnamespace), ('tenancy'::regnamespace))
        select nspname, '' from pg_namespace
        where oid in (select oid from ours) and obj_description(oid, 'pg_namespace') is null
        union all
        select relname, relkind::text from pg_class
        where
            relnamespace in (select oid from ours) and relkind in ('r', 'v') and relname <> 'schema_version'
            and obj_description(oid, 'pg_class') is null
        union all
        select attname, '' from pg_attribute
        where
            attrelid = 'core_api.company_workspace_connectors'::regclass and attnum > 0
            and col_description(attrelid, attnum) is null
        union all
        select proname, '' from pg_proc
        where pronamespace in (select oid from ours) and obj_description(oid, 'pg_proc') is null
        union all
        select tgname, '' from pg_trigger where not tgisinternal and obj_description(oid, 'pg_trigger') is null
        union all
        select polname, polrelid::regclass::text from pg_policy where obj_description(oid, 'pg_policy') is null
        union all
        select typname, '' from pg_type
        where oid = 'core_api.direction_enum'::regtype and obj_description(oid, 'pg_type') is null
        union all
        select rolname, '' from pg_roles
        where
            rolname = any(%s)
            and shobj_description(oid, 'pg_authid') is null
        """,
        (list(GROUPS),),
    ).fetchall()
    assert silent == []
