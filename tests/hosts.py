"""The one list of hosts: what is in a database before this package comes, and what the package should make of it.

A host is adopted, and given back as it was by a downgrade, or refused with a report that says what differs.
"""

import re
from dataclasses import dataclass

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
    """Words of the report that refuses it; none for a host that is adopted."""
    mendable: bool = True
    """Whether the statements that such a report prints mend it."""

    def __str__(self) -> str:
        return self.name

    def build(self, connection: psycopg.Connection) -> None:
        """Make the host in an empty database; what is said of companies, it has of each other record type too."""
        as_owner(connection, *self.scripts)
        for sibling in RECORD_TYPES[1:]:
            as_owner(connection, *(in_words(script, *sibling) for script in self.scripts))

    def but(self, name: str, change: str, *refused: str, mendable: bool = True) -> "Host":
        """Return a host that differs from this one."""
        return Host(name, (*self.scripts, change), refused, mendable)


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
SECURED = PARENTS.but(
    "parents under row-level security",
    "".join(
        f"alter table core_api.{parent} enable row level security, force row level security;" for parent in EACH_PARENT
    ),
)
UNFILLED = PARENTS.but("the table without rows", JUNCTION)
ADOPTED = UNFILLED.but("adopted", ROWS)
BARE = ADOPTED.but(
    "bare",
    f"alter table {TABLE} drop constraint company_workspace_connectors_company_pk_foreign,"
    " drop constraint company_workspace_connectors_workspace_connector_pk_foreign;"
    + "".join(
        f"alter table core_api.{parent} enable row level security, force row level security;"
        f"create policy host on core_api.{parent} for all to {DEPLOYER} using (true);"
        for parent in EACH_PARENT
    ),
)
"""Without foreign keys, and its parents under policies."""
LIVE = Host(
    "wide parents",
    (parents(", ".join(f"column_{n} text default repeat('x', {n % 17 + 1})" for n in range(4, 41))), JUNCTION),
)
"""Parents of 40 columns and the table, for the benchmark to fill."""
MIXED = ADOPTED.but(
    "rows that span two workspaces",
    f"update {TABLE} set company_pk = 11",
    "1 rows have ",
    "different workspaces",
    mendable=False,
)


def junction_but(name: str, change: str, difference: str) -> Host:
    """Return a host whose empty table differs by an ``alter table``, and by what may follow it."""
    return UNFILLED.but(name, f"alter table {TABLE} {change.format(table=TABLE)}", difference)


HOSTS = (
    EMPTY,
    SIBLING,
    PARENTS,
    SECURED,
    UNFILLED,
    ADOPTED,
    ADOPTED.but("a column of its own", f"alter table {TABLE} add column note text"),
    ADOPTED.but(
        "a missing foreign key",
        f"alter table {TABLE} drop constraint company_workspace_connectors_company_pk_foreign",
    ),
    BARE,
    LIVE,
    # refused for what is in it
    MIXED,
    # refused for the enum
    *(
        Host(
            f"an enum as {definition}",
            (f"create schema core_api; create type core_api.direction_enum as {definition}",),
            ("core_api.direction_enum is not an enum of exactly input, output in that order, but ",),
            mendable=False,
        )
        for definition in ("enum ('input', 'output', 'both')", "enum ('output', 'input')", "(label text)")
    ),
    # refused for a parent
    PARENTS.but(
        "our index, but not unique",
        "create index companies_workspace_pk_pk_unique on core_api.companies (workspace_pk)",
        "index core_api.companies_workspace_pk_pk_unique is not ",
    ),
    PARENTS.but(
        "companies.pk as bigint",
        "alter table core_api.companies alter column pk type bigint",
        "core_api.companies.pk is bigint, not integer: alter table core_api.companies alter column pk type integer;",
    ),
    PARENTS.but(
        "no public id",
        "alter table core_api.workspaces drop column workspace_id",
        "core_api.workspaces.workspace_id is missing: alter table core_api.workspaces add column workspace_id uuid",
    ),
    PARENTS.but(
        "several at once",
        "alter table core_api.companies alter column workspace_pk drop not null,"
        " drop constraint companies_company_id_key, drop constraint companies_workspace_pk_fkey;"
        "alter table core_api.workspace_connectors drop constraint workspace_connectors_pkey",
        "core_api.companies.company_id is not unique: alter table core_api.companies add unique (company_id);",
        "core_api.companies.workspace_pk may be null: alter table core_api.companies alter column workspace_pk set",
        "core_api.companies.workspace_pk has no foreign key: alter table core_api.companies add foreign key",
        "core_api.workspace_connectors.pk is not the primary key: alter table core_api.workspace_",
    ),
    PARENTS.but(
        "a restrictive policy that would blind the guards",
        "alter table core_api.companies enable row level security;"
        "create policy named on core_api.companies as restrictive using (name is not null)",
        "alter policy named on core_api.companies to your_role;",
    ),
    # refused for all of these
    UNFILLED.but(
        "differences of every kind",
        "alter type core_api.direction_enum add value 'both';"
        "alter table core_api.companies drop column company_id;"
        f"alter table {TABLE} drop column deleted_at",
        "direction_enum is not",
        "companies.company_id is missing",
        "deleted_at is missing",
        mendable=False,
    ),
    # refused for the table
    junction_but("a type", "alter column id type text", "id is text, not uuid: alter table"),
    junction_but("bigint keys", "alter column company_pk type bigint", "company_pk is bigint, not integer: "),
    junction_but("no default", "alter column id drop default", "id has the default null, not gen_random_uuid(): "),
    junction_but("another default", "alter column direction set default 'input'", "direction has the default "),
    junction_but("nullable", "alter column direction drop not null", "direction may be null: "),
    junction_but("not nullable", "alter column updated_at set not null", "updated_at may not be null: "),
    junction_but("a missing column", "drop column deleted_at", "deleted_at is missing: "),
    junction_but("a column that refuses inserts", "add column external_id text not null", "column external_id of "),
    junction_but("no unique id", "drop constraint company_workspace_connectors_id_unique", "id is not unique: "),
    junction_but(
        "facts that may not repeat",
        "add constraint once unique (company_pk, workspace_connector_pk, direction)",
        "unique index core_api.once forbids facts to repeat: ",
    ),
    junction_but(
        "another action",
        "drop constraint company_workspace_connectors_company_pk_foreign,"
        " add constraint company_workspace_connectors_company_pk_foreign foreign key (company_pk)"
        " references core_api.companies (pk) on delete cascade",
        'company_workspace_connectors_company_pk_foreign is "FOREIGN KEY (company_pk) REFERENCES core_api.companies(pk)'
        ' ON DELETE CASCADE", not ',
    ),
    junction_but(
        "a policy",
        "enable row level security; create policy mine on {table}",
        "policy mine would widen or narrow ours: ",
    ),
    junction_but(
        "a trigger",
        "no force row level security; create trigger mine before insert on {table}"
        " for each row execute function suppress_redundant_updates_trigger()",
        "trigger mine is not ours: ",
    ),
    junction_but(
        "a second index",
        "no force row level security; create index on {table} (workspace_connector_pk)",
        "_workspace_connector_pk_idx is a second one that leads on workspace_connector_pk",
    ),
    junction_but(
        "an index of ours that is another",
        "no force row level security;"
        "create index company_workspace_connectors_company_pk_index on {table} (company_pk, pk)",
        "index core_api.company_workspace_connectors_company_pk_index is not ",
    ),
    junction_but(
        "a key of another name",
        "rename constraint company_workspace_connectors_pkey to pk",
        "constraint pk should be called company_workspace_connectors_pkey: ",
    ),
    junction_but(
        "a grant",
        "no force row level security; grant truncate on {table} to outsider_login",
        "outsider_login may truncate: ",
    ),
    junction_but(
        "a grant on a column",
        "no force row level security; grant update (direction) on {table} to public",
        "public may update: ",
    ),
)
