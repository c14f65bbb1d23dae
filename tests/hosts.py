"""The one list of hosts: what is in a database before this package comes, and what the package should make of it.

A host is adopted, and given back as it was by a downgrade, or refused with a report that says what differs.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from helpers import ACME
from servers import DEPLOYER

from connector_provenance.migrations import entity
from connector_provenance.migrations.sqlfile import ROOT

TABLE = "core_api.company_workspace_connectors"


def as_owner(connection: psycopg.Connection, *scripts: str) -> None:
    """Run what the application runs, as its owner, who is also the deployer."""
    with connection.transaction():
        connection.execute(f"set local role {DEPLOYER}")
        for script in scripts:
            connection.execute(script)


def record_types() -> list[tuple[str, str]]:
    """Return the two words of each record type, company's first."""
    words = {}
    for path in (ROOT / "policies").glob("*_workspace_connectors_v01.sql"):
        name = path.name.removesuffix("_workspace_connectors_v01.sql")
        (plural,) = {*re.findall(r"tenancy\.current_workspace_(\w+) as c", path.read_text(encoding="utf-8"))}
        (revision,) = (ROOT / "migrations/versions").glob(f"????_{name}.py")
        words[revision.stem] = (name, plural)
    return [words[revision] for revision in sorted(words)]


RECORD_TYPES = record_types()
"""As the package ships them; a sibling of company has its files after company's (``make entity``)."""


def in_words(script: str, name: str, plural: str) -> str:
    """Return what a script says of companies, said of another record type."""
    return ";".join(entity.render(part, name, plural) for part in script.split(";") if entity.WORD.search(part))


@dataclass(frozen=True)
class Host:
    """What an application has, as scripts that its owner runs."""

    name: str
    scripts: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    """What the preflight refuses it for, each the object of a difference; nothing for a host that is adopted."""
    warned: tuple[str, ...] = ()
    """What the preflight says beside that."""
    own: tuple[str, ...] = ()
    """What its owner runs then, for companies alone."""
    mendable: bool = True
    """Whether the statements that such a report prints lead to a host that is adopted."""
    superuser: str = ""
    """What a superuser does then; DATABASE stands for the database's name."""
    undo: str = ""
    """What a superuser does when the test is over, so that the cluster is as it was."""
    since: int = 15
    """The first version of PostgreSQL that knows it."""

    def __str__(self) -> str:
        return self.name

    def build(self, connection: psycopg.Connection) -> None:
        """Make the host in an empty database; what is said of companies, it has of each other record type too."""
        as_owner(connection, *self.scripts)
        for sibling in RECORD_TYPES[1:]:
            as_owner(connection, *(in_words(script, *sibling) for script in self.scripts))
        as_owner(connection, *self.own)
        connection.execute(self.superuser.replace("DATABASE", connection.info.dbname))

    def having(self, name: str, more: str, **others: Any) -> "Host":
        """Return a host that has more."""
        return replace(self, name=name, scripts=(*self.scripts, more), **others)

    def but(self, name: str, change: str = "", *refused: str, **others: Any) -> "Host":
        """Return a host that differs from this one in what is said of companies; TABLE stands for the table."""
        own = (*self.own, change.replace("TABLE", TABLE))
        return replace(
            self, name=name, own=own, refused=tuple(each.replace("TABLE", TABLE) for each in refused), **others
        )


Uninterrupted = Callable[[Host], str]
"""The fixture ``uninterrupted``."""


def parents(columns: str = "name text") -> str:
    """Return the parents' definitions, with so many more columns than the contract asks for."""
    return f"""
create schema core_api;
create table core_api.workspaces (pk serial primary key, workspace_id uuid unique, {columns});
create table core_api.companies (
    pk serial primary key, company_id uuid unique default gen_random_uuid(),
    workspace_pk int not null references core_api.workspaces, {columns}
);
create table core_api.workspace_connectors (
    pk serial primary key, workspace_connector_id uuid unique default gen_random_uuid(),
    workspace_pk int not null references core_api.workspaces, {columns}
);
comment on table core_api.companies is 'the host''s';
"""


ENUM = "create type core_api.direction_enum as enum ('input', 'output');"

JUNCTION = f"""
{ENUM}
create table {TABLE} (
    pk serial primary key, id uuid not null default gen_random_uuid(), company_pk int not null,
    workspace_connector_pk int not null, direction core_api.direction_enum not null,
    created_at timestamptz not null default now(), updated_at timestamptz null, deleted_at timestamptz null
);
alter table {TABLE}
add constraint company_workspace_connectors_id_unique unique (id),
add constraint company_workspace_connectors_company_pk_foreign
foreign key (company_pk) references core_api.companies (pk) on update cascade,
add constraint company_workspace_connectors_workspace_connector_pk_foreign
foreign key (workspace_connector_pk) references core_api.workspace_connectors (pk) on update cascade;
"""
"""The table as MikroORM makes it from an entity of the contract."""

ROWS = f"""
insert into core_api.workspaces (pk, workspace_id) values (1, '{ACME}'), (2, null);
insert into core_api.companies (pk, workspace_pk) values (11, 1), (21, 2);
insert into core_api.workspace_connectors (pk, workspace_pk) values (101, 1), (201, 2);
insert into {TABLE} (company_pk, workspace_connector_pk, direction, updated_at)
values (11, 101, 'input', '2001-01-01'), (11, 101, 'output', null), (21, 201, 'input', null);
"""

EACH_PARENT = ("workspaces", "companies", "workspace_connectors")

EMPTY = Host("empty")
SIBLING = Host(
    "a sibling's enum",
    ("create schema core_api;", ENUM, "create table core_api.sibling (direction core_api.direction_enum)"),
)
PARENTS = Host("parents", (parents(),))
SECURED = PARENTS.having(
    "parents under row-level security",
    "".join(
        f"alter table core_api.{parent} enable row level security, force row level security;" for parent in EACH_PARENT
    ),
)
UNFILLED = PARENTS.having("the table without rows", JUNCTION)
ADOPTED = UNFILLED.having("adopted", ROWS)
BARE = ADOPTED.having(
    "bare",
    f"alter table {TABLE} drop constraint company_workspace_connectors_company_pk_foreign,"
    " drop constraint company_workspace_connectors_workspace_connector_pk_foreign;"
    + "".join(
        f"alter table core_api.{parent} enable row level security, force row level security;"
        f"create policy host on core_api.{parent} for all to {DEPLOYER} using (true);"
        for parent in EACH_PARENT
    ),
    warned=tuple(f"row level security of core_api.{parent}" for parent in sorted(EACH_PARENT)),
)
"""Without foreign keys, and its parents under policies."""
LIVE = Host(
    "wide parents",
    (parents(", ".join(f"column_{n} text default repeat('x', {n % 17 + 1})" for n in range(4, 41))), JUNCTION),
)
"""Parents of 40 columns and the table, for the benchmark to fill."""
WITHOUT_IDS = ADOPTED.having("no ids", f"alter table {TABLE} drop column id")
MORE_ROWS = (
    f"insert into {TABLE} (company_pk, workspace_connector_pk, direction, updated_at)"
    " select 11, 101, 'output', '2001-01-01' from generate_series(1, %s)"
)
FILLED = WITHOUT_IDS.having("12,000 rows without ids", MORE_ROWS % 12_000)
"""More than two batches."""

# Rows that refuse a host

MIXED = ADOPTED.but(
    "rows that span two workspaces",
    "update TABLE set company_pk = 11",
    "rows of TABLE",
    mendable=False,
)
ORPHANS = ADOPTED.but(
    "rows of companies that are gone",
    "alter table TABLE drop constraint company_workspace_connectors_company_pk_foreign;"
    "delete from core_api.companies where pk = 21",
    "rows of TABLE",
    mendable=False,
)

# What a downgrade does not give back as it was

PREPARED = Host(
    "schemas that a DBA made",
    superuser=f"create schema core_api authorization {DEPLOYER}; create schema tenancy authorization {DEPLOYER};"
    f"alter database DATABASE owner to postgres; revoke create on database DATABASE from {DEPLOYER}",
)
GRANTED = ADOPTED.but(
    "grants on the schema that are ours too",
    "grant usage on schema core_api to hasura_service",
    warned=("grant usage on schema core_api to hasura_service",),
)

INVOKED = "create function public.host() returns trigger language plpgsql as 'begin return new; end';"

HOSTS = (
    # What there may be
    EMPTY,
    SIBLING,
    PARENTS,
    SECURED,
    UNFILLED,
    ADOPTED,
    BARE,
    LIVE,
    WITHOUT_IDS,
    Host(
        "workspaces alone",
        ("create schema core_api; create table core_api.workspaces (pk serial primary key, workspace_id uuid unique)",),
    ),
    PARENTS.but("parents in another schema too", "create table public.companies (pk serial primary key)"),
    PARENTS.but("no companies yet", "drop table core_api.companies"),
    PARENTS.but(
        "identity keys of parents",
        "".join(
            f"alter table core_api.{parent} alter column pk drop default, alter column pk add generated always as identity;"
            f"drop sequence core_api.{parent}_pk_seq;"
            for parent in EACH_PARENT
        ),
    ),
    PARENTS.but(
        "policies, triggers and indexes of parents",
        INVOKED
        + "".join(
            f"alter table core_api.{parent} enable row level security;"
            f"create policy host on core_api.{parent} using (true);"
            f"create policy narrow on core_api.{parent} as restrictive to outsider_login using (false);"
            f"create trigger host before update on core_api.{parent} for each row execute function public.host();"
            f"create index on core_api.{parent} (name);"
            f"comment on policy host on core_api.{parent} is 'the host''s';"
            for parent in EACH_PARENT
        ),
    ),
    PARENTS.but(
        "the parents' unique indexes under other names",
        "create unique index mine on core_api.companies (workspace_pk, pk);"
        "alter table core_api.workspace_connectors add unique (workspace_pk, pk)",
    ),
    ADOPTED.but(
        "columns of its own",
        "create table core_api.runs (pk serial primary key);"
        "alter table TABLE add column note text, add column number serial, add column code text not null default 'x',"
        " add column run_pk int references core_api.runs on delete set null, add constraint noted check (note <> '')",
    ),
    ADOPTED.but(
        "a missing foreign key",
        "alter table TABLE drop constraint company_workspace_connectors_company_pk_foreign",
    ),
    ADOPTED.but(
        "storage options, comments and an index of its own",
        "alter table TABLE set (fillfactor = 80);"
        "create index mine on TABLE (direction, created_at); comment on index core_api.mine is 'the host''s';"
        "comment on table TABLE is 'the host''s'; comment on column TABLE.direction is 'the host''s'",
    ),
    ADOPTED.but(
        "our indexes, made beforehand",
        "create unique index companies_workspace_pk_pk_unique on core_api.companies (workspace_pk, pk);"
        "create index company_workspace_connectors_company_pk_index on TABLE (company_pk);"
        "comment on index core_api.company_workspace_connectors_company_pk_index is 'the host''s'",
    ),
    ADOPTED.but("row-level security without a policy", "alter table TABLE enable row level security"),
    ADOPTED.but(
        "forced row-level security without a policy",
        "alter table TABLE enable row level security, force row level security",
    ),
    ADOPTED.but(
        "deferred constraints of parents",
        "alter table core_api.companies alter constraint companies_workspace_pk_fkey deferrable",
    ),
    WITHOUT_IDS.but("no ids, and row-level security", "alter table TABLE enable row level security"),
    WITHOUT_IDS.but(
        "no ids, and gaps between keys",
        "update TABLE set pk = 2147483647 where pk = 2; update TABLE set pk = -7 where pk = 1",
    ),
    WITHOUT_IDS.but("no ids, and no rows", "delete from TABLE"),
    WITHOUT_IDS.but(
        "no ids, and no foreign keys",
        "alter table TABLE drop constraint company_workspace_connectors_company_pk_foreign",
    ),
    # Whose it may be
    ADOPTED.but(
        "tables of a group that the deployer is a member of",
        superuser="alter schema core_api owner to outsider_login; alter type core_api.direction_enum owner to outsider_login;"
        + "".join(
            f"alter table core_api.{table} owner to outsider_login;" for table in (*EACH_PARENT, TABLE.split(".")[1])
        )
        + f"grant outsider_login to {DEPLOYER}",
        undo=f"revoke outsider_login from {DEPLOYER}",
    ),
    WITHOUT_IDS.but(
        "no ids in tables of a group that the deployer is a member of",
        superuser="".join(
            f"alter table core_api.{table} owner to outsider_login;" for table in (*EACH_PARENT, TABLE.split(".")[1])
        )
        + f"grant outsider_login to {DEPLOYER}; grant create on schema core_api to outsider_login",
        undo=f"revoke outsider_login from {DEPLOYER}",
    ),
    ADOPTED.but(
        "a schema of another role, who lets the deployer use it",
        superuser="alter schema core_api owner to outsider_login;"
        f"grant usage, create on schema core_api to {DEPLOYER} with grant option",
    ),
    ADOPTED.but("an enum of another role", superuser="alter type core_api.direction_enum owner to outsider_login"),
    ADOPTED.but("grants on the schema", "grant usage on schema core_api to outsider_login, public"),
    ADOPTED.but(
        "default privileges that would open what is created",
        "alter default privileges grant all on tables to public; alter default privileges grant all on sequences to public;"
        "alter default privileges in schema core_api grant execute on functions to outsider_login",
    ),
    # What is worth a word
    ADOPTED.but(
        "views of its own over the table",
        "create view core_api.active as select * from TABLE where deleted_at is null;"
        "create materialized view core_api.counts as select direction, count(*) as rows from TABLE group by direction;"
        "create view core_api.safe with (security_invoker = yes) as select pk from TABLE",
        warned=("materialized view core_api.counts", "view core_api.active"),
    ),
    ADOPTED.but(
        "workspaces that are renumbered by a cascade",
        "alter table core_api.companies drop constraint companies_workspace_pk_fkey,"
        " add constraint renumbered foreign key (workspace_pk) references core_api.workspaces on update cascade",
        warned=("constraint renumbered on core_api.companies",),
    ),
    # Refused for its rows
    MIXED,
    ORPHANS,
    # Refused for names
    *(
        Host(
            f"an enum as {definition}",
            (f"create schema core_api; create type core_api.direction_enum as {definition}",),
            ("type core_api.direction_enum",),
            mendable=False,
        )
        for definition in ("enum ('input', 'output', 'both')", "enum ('output', 'input')", "(label text)")
    ),
    *(
        Host(
            f"{kind} named companies",
            (f"create schema core_api; create {kind} core_api.companies {rest}",),
            ("table core_api.companies",),
            mendable=False,
        )
        for kind, rest in (
            ("view", "as select 1 as pk"),
            ("materialized view", "as select 1 as pk"),
            ("table", "(pk int) partition by list (pk)"),
            ("type", "as (pk int)"),
            ("domain", "as text"),
            ("sequence", ""),
        )
    ),
    Host(
        "a foreign table named companies",
        superuser="create foreign data wrapper host; create server host foreign data wrapper host;"
        f"create schema core_api authorization {DEPLOYER}; create foreign table core_api.companies (pk int) server host",
        refused=("table core_api.companies",),
        mendable=False,
    ),
    PARENTS.but(
        "names that a renamed table left behind",
        "alter table core_api.companies rename to clients;"
        "alter table core_api.clients rename constraint companies_company_id_key to companies_company_id_unique",
        "name core_api.companies_company_id_unique",
        "name core_api.companies_pk_seq",
        "name core_api.companies_pkey",
    ),
    ADOPTED.but(
        "the name of our index on another table",
        "create table core_api.other (pk int); create index company_workspace_connectors_page_index on core_api.other (pk)",
        "name core_api.company_workspace_connectors_page_index",
    ),
    PARENTS.but(
        "our index, but not unique",
        "create index companies_workspace_pk_pk_unique on core_api.companies (workspace_pk)",
        "name core_api.companies_workspace_pk_pk_unique",
    ),
    Host(
        "a sequence of its own where ours would be",
        ("create schema core_api; create sequence core_api.company_workspace_connectors_pk_seq",),
        ("name core_api.company_workspace_connectors_pk_seq",),
    ),
    ADOPTED.but(
        "functions of our names",
        "create function core_api.create_company_workspace_connector(text) returns text return $1;"
        "create function core_api.company_workspace_connectors_page(int) returns int return $1;"
        "create function core_api.companies_page(int) returns int return $1",
        "function core_api.company_workspace_connectors_page(integer)",
        "function core_api.create_company_workspace_connector(text)",
        mendable=False,
    ),
    ADOPTED.but(
        "a schema tenancy of its own",
        "create schema tenancy; create table tenancy.tenants (pk int)",
        "schema tenancy",
        mendable=False,
    ),
    ADOPTED.but(
        "a function in a schema tenancy of its own",
        "create schema tenancy; create function tenancy.f() returns int return 1",
        "schema tenancy",
        mendable=False,
    ),
    ADOPTED.but(
        "a schema tenancy that others use",
        "create schema tenancy; grant usage on schema tenancy to outsider_login",
        "schema tenancy",
        mendable=False,
    ),
    ADOPTED.but(
        "a schema tenancy with a comment",
        "create schema tenancy; comment on schema tenancy is 'the host''s'",
        "schema tenancy",
        mendable=False,
    ),
    ADOPTED.but(
        "a schema tenancy of another role",
        "",
        "right to use schema tenancy",
        mendable=False,
        superuser="create schema tenancy",
    ),
    # Refused for rights
    ADOPTED.but(
        "a schema of another role",
        "",
        "right to create in schema core_api, and to let others use it",
        superuser=f"alter schema core_api owner to outsider_login; grant usage, create on schema core_api to {DEPLOYER}",
    ),
    ADOPTED.but(
        "a schema that the deployer may not look into",
        "",
        "right to use schema core_api",
        superuser="alter schema core_api owner to outsider_login",
    ),
    ADOPTED.but(
        "no right to create a schema",
        "",
        "right to create schemas in database provenance_empty",
        superuser="alter database DATABASE owner to postgres; revoke all on database DATABASE from deployer",
    ),
    ADOPTED.but(
        "tables of another role",
        "",
        "right to change table core_api.companies, which belongs to outsider_login",
        "right to change table TABLE, which belongs to outsider_login",
        superuser=f"alter table core_api.companies owner to outsider_login; alter table {TABLE} owner to outsider_login",
        undo=f"revoke outsider_login from {DEPLOYER}",
    ),
    SIBLING.but(
        "an enum that the deployer may not use",
        "",
        "right to use type core_api.direction_enum",
        superuser="alter type core_api.direction_enum owner to outsider_login; revoke usage on type core_api.direction_enum from public",
    ),
    # Refused for a parent
    ADOPTED.but(
        "a parent that is gone",
        "drop table core_api.companies cascade",
        "table core_api.companies",
        mendable=False,
    ),
    PARENTS.but(
        "workspaces that are elsewhere",
        "alter table core_api.workspaces set schema public",
        "column core_api.companies.workspace_pk",
        "column core_api.workspace_connectors.workspace_pk",
        "table core_api.workspaces",
        mendable=False,
    ),
    ADOPTED.but(
        "companies.pk as bigint",
        "alter table core_api.companies alter column pk type bigint",
        "column core_api.companies.pk",
    ),
    ADOPTED.but(
        "public ids as text",
        "alter table core_api.companies alter column company_id drop default, alter column company_id type varchar(36)",
        "column core_api.companies.company_id",
    ),
    ADOPTED.but(
        "no public id",
        "alter table core_api.workspaces drop column workspace_id",
        "column core_api.workspaces.workspace_id",
        mendable=False,
    ),
    ADOPTED.but(
        "no workspace of companies",
        "alter table core_api.companies drop column workspace_pk",
        "column core_api.companies.workspace_pk",
        mendable=False,
    ),
    ADOPTED.but(
        "several at once",
        "alter table core_api.companies alter column workspace_pk drop not null,"
        " drop constraint companies_company_id_key, drop constraint companies_workspace_pk_fkey;"
        "alter table core_api.workspace_connectors drop constraint workspace_connectors_pkey cascade",
        "column core_api.companies.company_id",
        "column core_api.companies.workspace_pk",
        "column core_api.workspace_connectors.pk",
    ),
    ADOPTED.but(
        "a parent's key that is not validated",
        "alter table core_api.companies drop constraint companies_workspace_pk_fkey,"
        ' add constraint "host\'s key" foreign key (workspace_pk) references core_api.workspaces not valid',
        "column core_api.companies.workspace_pk",
    ),
    ADOPTED.but(
        "unique only for some rows",
        "alter table core_api.companies drop constraint companies_company_id_key;"
        "create unique index on core_api.companies (company_id) where name is not null",
        "column core_api.companies.company_id",
    ),
    ADOPTED.but(
        "a restrictive policy that would blind the guards",
        "alter table core_api.companies enable row level security;"
        "create policy named on core_api.companies as restrictive using (name is not null)",
        "policy named on core_api.companies",
        mendable=False,
    ),
    ADOPTED.but(
        "our names for a trigger and a policy of a parent",
        INVOKED
        + "create trigger companies_refuse_workspace_move after update on core_api.companies for each row execute function public.host();"
        "alter table core_api.companies enable row level security;"
        "create policy definer_reads_every_row on core_api.companies using (true)",
        "trigger companies_refuse_workspace_move on core_api.companies",
        "policy definer_reads_every_row on core_api.companies",
    ),
    # Refused for several
    ADOPTED.but(
        "differences of every kind",
        "alter type core_api.direction_enum add value 'both';"
        "alter table core_api.companies drop column company_id;"
        "alter table TABLE drop column deleted_at",
        "type core_api.direction_enum",
        "column core_api.companies.company_id",
        "column TABLE.deleted_at",
        mendable=False,
    ),
    # Refused for a column of the table
    ADOPTED.but(
        "ids as text",
        "alter table TABLE alter column id type text",
        "column TABLE.id",
    ),
    ADOPTED.but(
        "directions as text", "alter table TABLE alter column direction type varchar(6)", "column TABLE.direction"
    ),
    ADOPTED.but(
        "directions as text, and no enum",
        "alter table TABLE alter column direction type text; drop type core_api.direction_enum",
        "column TABLE.direction",
    ),
    ADOPTED.but(
        "directions of another enum",
        "create type public.way as enum ('output', 'input', 'none');"
        "alter table TABLE alter column direction type public.way using direction::text::public.way",
        "column TABLE.direction",
    ),
    ADOPTED.but(
        "bigint keys",
        "alter table TABLE alter column pk type bigint, alter column company_pk type bigint, alter column workspace_connector_pk type bigint;"
        "alter sequence core_api.company_workspace_connectors_pk_seq as bigint",
        "sequence core_api.company_workspace_connectors_pk_seq",
        "column TABLE.company_pk",
        "column TABLE.pk",
        "column TABLE.workspace_connector_pk",
    ),
    ADOPTED.but("smallint keys", "alter table TABLE alter column company_pk type smallint", "column TABLE.company_pk"),
    ADOPTED.but(
        "moments without a time zone",
        "alter table TABLE alter column deleted_at type timestamp",
        "column TABLE.deleted_at",
        mendable=False,
    ),
    ADOPTED.but(
        "moments without fractions",
        "alter table TABLE alter column created_at type timestamptz(0)",
        "column TABLE.created_at",
    ),
    ADOPTED.but(
        "an identity key",
        "alter table TABLE alter column pk drop default; drop sequence core_api.company_workspace_connectors_pk_seq;"
        "alter table TABLE alter column pk add generated by default as identity",
        "column TABLE.pk",
    ),
    ADOPTED.but(
        "keys that the application hands out",
        "alter table TABLE alter column pk drop default; drop sequence core_api.company_workspace_connectors_pk_seq",
        "column TABLE.pk",
    ),
    ADOPTED.but(
        "a sequence of another name",
        "alter sequence core_api.company_workspace_connectors_pk_seq rename to numbers; create schema other; alter sequence core_api.numbers owned by none;"
        "alter sequence core_api.numbers set schema other",
        "column TABLE.pk",
    ),
    ADOPTED.but(
        "a sequence that the column does not own",
        "alter sequence core_api.company_workspace_connectors_pk_seq owned by none",
        "sequence core_api.company_workspace_connectors_pk_seq",
    ),
    ADOPTED.but("no default", "alter table TABLE alter column id drop default", "column TABLE.id"),
    ADOPTED.but(
        "another default",
        "alter table TABLE alter column direction set default 'input', alter column created_at set default clock_timestamp()",
        "column TABLE.created_at",
        "column TABLE.direction",
    ),
    ADOPTED.but(
        "nullable",
        "alter table TABLE alter column direction drop not null, alter column company_pk drop not null",
        "column TABLE.company_pk",
        "column TABLE.direction",
    ),
    ADOPTED.but(
        "not nullable",
        "update TABLE set updated_at = now(); alter table TABLE alter column updated_at set not null",
        "column TABLE.updated_at",
    ),
    ADOPTED.but(
        "no column for what was deleted",
        "alter table TABLE drop column deleted_at, drop column updated_at",
        "column TABLE.deleted_at",
        "column TABLE.updated_at",
    ),
    ADOPTED.but(
        "no moment of creation", "alter table TABLE drop column created_at", "column TABLE.created_at", mendable=False
    ),
    ADOPTED.but(
        "a column that refuses inserts",
        "alter table TABLE add column external_id text not null default ''; alter table TABLE alter column external_id drop default",
        "column TABLE.external_id",
    ),
    # Refused for a constraint of the table
    ADOPTED.but(
        "no unique id",
        "alter table TABLE drop constraint company_workspace_connectors_id_unique",
        "constraint company_workspace_connectors_id_unique on TABLE",
    ),
    ADOPTED.but(
        "a unique id by an index alone",
        "alter table TABLE drop constraint company_workspace_connectors_id_unique; create unique index ids on TABLE (id)",
        "constraint company_workspace_connectors_id_unique on TABLE",
        "index core_api.ids",
    ),
    ADOPTED.but(
        "the id as the key",
        "alter table TABLE drop constraint company_workspace_connectors_pkey, add constraint company_workspace_connectors_pkey primary key (id)",
        "constraint company_workspace_connectors_pkey on TABLE",
    ),
    ADOPTED.but(
        "keys of other names",
        "alter table TABLE rename constraint company_workspace_connectors_pkey to pk; alter table TABLE rename constraint company_workspace_connectors_id_unique to ids",
        "constraint ids on TABLE",
        "constraint pk on TABLE",
    ),
    ADOPTED.but(
        "facts that may not repeat",
        "alter table TABLE add constraint once unique (company_pk, workspace_connector_pk, direction)",
        "constraint once on TABLE",
    ),
    ADOPTED.but(
        "a foreign key of another name",
        "alter table TABLE rename constraint company_workspace_connectors_company_pk_foreign to host_company",
        "constraint host_company on TABLE",
    ),
    ADOPTED.but(
        "a foreign key of another name that deletes rows",
        "alter table TABLE drop constraint company_workspace_connectors_company_pk_foreign,"
        " add constraint host_company foreign key (company_pk) references core_api.companies (pk) on delete cascade",
        "constraint host_company on TABLE",
    ),
    ADOPTED.but(
        "our foreign key with another action",
        "alter table TABLE drop constraint company_workspace_connectors_company_pk_foreign,"
        " add constraint company_workspace_connectors_company_pk_foreign"
        " foreign key (company_pk) references core_api.companies (pk) on delete cascade",
        "constraint company_workspace_connectors_company_pk_foreign on TABLE",
    ),
    ADOPTED.but(
        "our foreign key beside another",
        "alter table TABLE add constraint host_company foreign key (company_pk) references core_api.companies (pk) on update cascade",
        "constraint host_company on TABLE",
    ),
    ADOPTED.but(
        "our foreign key, not validated",
        "alter table TABLE drop constraint company_workspace_connectors_company_pk_foreign,"
        " add constraint company_workspace_connectors_company_pk_foreign"
        " foreign key (company_pk) references core_api.companies (pk) on update cascade not valid",
        "constraint company_workspace_connectors_company_pk_foreign on TABLE",
    ),
    ADOPTED.but(
        "our foreign key, checked at commit",
        "alter table TABLE alter constraint company_workspace_connectors_company_pk_foreign deferrable initially deferred",
        "constraint company_workspace_connectors_company_pk_foreign on TABLE",
    ),
    ADOPTED.but(
        "a not null that old rows may break",
        "alter table TABLE add column note text default 'x', add constraint noted not null note not valid",
        "constraint noted on TABLE",
        since=18,
    ),
    ADOPTED.but(
        "another key that deletes rows",
        "create table core_api.runs (pk serial primary key);"
        "alter table TABLE add column run_pk int constraint run references core_api.runs on delete cascade",
        "constraint run on TABLE",
    ),
    # Refused for what else the table has
    ADOPTED.but("a second index", "create index mine on TABLE (workspace_connector_pk)", "index core_api.mine"),
    ADOPTED.but(
        "a unique index of facts",
        "create unique index once on TABLE (company_pk, direction) where deleted_at is not null",
        "index core_api.once",
    ),
    ADOPTED.but(
        "an index of ours that is another",
        "create index company_workspace_connectors_company_pk_index on TABLE (company_pk, pk)",
        "index core_api.company_workspace_connectors_company_pk_index",
    ),
    ADOPTED.but(
        "an index of ours that a build left invalid",
        "create index company_workspace_connectors_company_pk_index on TABLE (company_pk)",
        "index core_api.company_workspace_connectors_company_pk_index",
        superuser="update pg_index set indisvalid = false where indexrelid = 'core_api.company_workspace_connectors_company_pk_index'::regclass",
    ),
    ADOPTED.but(
        "a policy", "alter table TABLE enable row level security; create policy mine on TABLE", "policy mine on TABLE"
    ),
    ADOPTED.but(
        "a trigger",
        "create trigger mine before insert on TABLE for each row execute function suppress_redundant_updates_trigger()",
        "trigger mine on TABLE",
    ),
    ADOPTED.but("a rule", "create rule mine as on delete to TABLE do instead nothing", "rule mine on TABLE"),
    ADOPTED.but(
        "grants",
        "grant select, truncate on TABLE to outsider_login; grant update (direction) on TABLE to public; grant usage on sequence core_api.company_workspace_connectors_pk_seq to outsider_login",
        "grant select on table TABLE to outsider_login",
        "grant truncate on table TABLE to outsider_login",
        "grant update (direction) on table TABLE to public",
        "grant usage on sequence core_api.company_workspace_connectors_pk_seq to outsider_login",
    ),
    ADOPTED.but(
        "grants that are ours too",
        "grant select on TABLE to workspace_member; grant select (pk) on core_api.companies to tenancy_definer",
        "grant select (pk) on table core_api.companies to tenancy_definer",
        "grant select on table TABLE to workspace_member",
    ),
    ADOPTED.but(
        "an unlogged table",
        "alter table TABLE set unlogged",
        "sequence core_api.company_workspace_connectors_pk_seq",
        "table TABLE",
    ),
    ADOPTED.but(
        "a child",
        "create table core_api.child () inherits (TABLE)",
        "table core_api.child inherits from TABLE",
        mendable=False,
    ),
    WITHOUT_IDS.but(
        "no ids under forced row-level security",
        "alter table TABLE enable row level security, force row level security",
        "row level security of TABLE",
    ),
    # Refused for doors around it
    ADOPTED.but(
        "a superuser's view that shows every row",
        "",
        "view of core_api.everything",
        superuser=f"create view core_api.everything as select * from {TABLE}; grant select on core_api.everything to outsider_login",
    ),
    ADOPTED.but(
        "a definer function of a superuser's that others may call",
        "",
        "definer function of public.everything()",
        superuser=f"create function public.everything() returns setof {TABLE} language sql security definer"
        f" as 'select * from {TABLE}'",
    ),
    ADOPTED.but(
        "a copy of every row that others read",
        f"create materialized view core_api.copy as select * from {TABLE}; grant select on core_api.copy to outsider_login, public",
        "materialized view of core_api.copy",
        warned=("materialized view core_api.copy",),
    ),
)
"""Those that are adopted first, then those that are refused."""
