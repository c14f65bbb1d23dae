"""What each role sees and may do, tried on a database and its own tenants in a transaction that is rolled back."""

import json
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import errors

from connector_provenance.migrations.contract import Difference, quote
from connector_provenance.migrations.database import FailedError

MEMBER, SYNC, RETENTION, HASURA = "workspace_member", "connector_sync", "connector_retention", "hasura_service"
GROUPS = (MEMBER, SYNC, RETENTION, HASURA)
APP, JSON, JWT = SOURCES = ("app.workspace_id", "hasura.user", "request.jwt.claims")
CONNECTORS, WORKSPACES = "core_api.workspace_connectors", "core_api.workspaces"
PAGES, NEWEST, EACH, LOGINS = 10, 1000, 20, 10
"""What is looked at of a junction: pages spread over it, its newest rows, rows of each kind and connector, logins."""
BUSY = (errors.LockNotAvailable, errors.SerializationFailure, errors.DeadlockDetected)
LEAK, WRONG, OK, NOT_TRIED = "leak", "wrong", "ok", "not tried"
"""Results: more is possible than was promised; less, or slower; just that; nobody knows."""

SESSION = """select set_config(name, case name when 'row_security' then 'on' when 'lock_timeout' then '200ms'
    when 'statement_timeout' then '5s' when 'transaction_timeout' then '0' else 'off' end, true) from pg_settings
where name in ('row_security', 'lock_timeout', 'statement_timeout', 'transaction_timeout', 'enable_seqscan', 'jit')"""
JUNCTIONS = """select c.oid::regclass::text as name, c.relname, pg_get_userbyid(c.relowner) as owner,
    f.confrelid::regclass::text as parent, quote_ident(a.attname) as record, greatest(pg_relation_size(c.oid) / 8192, 1)
from pg_class as c
inner join tenancy.managed_objects as m on m.kind = 'table' and to_regclass(m.name) = c.oid
inner join pg_constraint as f on f.conrelid = c.oid and f.contype = 'f' and f.confrelid <> all(%(others)s::regclass[])
inner join tenancy.managed_objects as p on p.kind = 'table' and to_regclass(p.name) = f.confrelid
inner join pg_attribute as a on a.attrelid = c.oid and a.attnum = f.conkey[1]
where c.relnamespace = 'core_api'::regnamespace and c.relname ~ '_workspace_connectors$'
order by 1"""
UNKNOWN = """select m.name from tenancy.managed_objects as m
where m.kind = 'table' and m.name ~ '^core_api[.].*_workspace_connectors$' and m.name <> all(%(known)s::text[])"""
UNSEEN = """select string_agg(c.oid::regclass::text, ', ') from pg_class as c
where c.oid = any(%(tables)s::regclass[]) and (not has_table_privilege(c.oid, 'select') or row_security_active(c.oid)
    and not coalesce((
        select bool_or(p.polpermissive and pg_get_expr(p.polqual, p.polrelid) = 'true') and bool_and(p.polpermissive)
        from pg_policy as p
        where p.polrelid = c.oid and p.polcmd in ('r', '*')
            and exists (select from unnest(p.polroles) as r (oid) where r.oid = 0 or pg_has_role(r.oid, 'usage'))
    ), false))"""
ACTORS = """select r.rolname as name, r.rolbypassrls, pg_has_role(session_user, r.oid, {set}) as settable,
    pg_has_role(r.oid, %(owner)s, 'usage') as owns, b.workspace_pk,
    array(select g from unnest(%(groups)s::text[]) as g where pg_has_role(r.oid, g, 'usage')) as groups,
    exists (
        select from pg_roles as s
        where pg_has_role(r.oid, s.oid, {set}) and pg_has_role(s.oid, 'workspace_tenant', {usage})
    ) as tenant
from pg_roles as r left join tenancy.role_bindings as b on b.role = r.oid
where not r.rolsuper and case when %(names)s::text[] is not null then r.rolname = any(%(names)s::text[])
    else r.rolcanlogin and exists (select from unnest(%(groups)s::text[]) as g where pg_has_role(r.oid, g, 'usage')) end
order by array_position(%(names)s::text[], r.rolname::text), r.rolbypassrls desc, r.rolname"""
HELD = """select row_security_active(c.oid) as held, concat_ws(', ',
    case when not c.relrowsecurity then 'row-level security is disabled' end,
    case when not c.relforcerowsecurity and pg_has_role(c.relowner, 'usage') then 'it is not forced on the owner' end)
from pg_class as c where c.oid = %(table)s::regclass"""
CREATED = "select name from tenancy.managed_objects where kind = 'table' and created and name = any(%(tables)s::text[])"
POLICIES = """select coalesce(string_agg(p.polname, ', ' order by p.polname), 'none') from pg_policy as p
where p.polrelid = %(table)s::regclass and p.polpermissive and p.polcmd in (%(letter)s, '*')
    and exists (select from unnest(p.polroles) as r (oid) where r.oid = 0 or pg_has_role(%(role)s, r.oid, 'usage'))"""
MIXED = """do $live$
declare
    before constant text := current_setting('role');
    found jsonb := '[]';
    actor text;
    workspace text;
    n integer;
begin
    if row_security_active('{table}') then
        alter table {table} no force row level security; -- of the owner; undone, as everything here, when it ends
    end if;
    for n in 1..2 loop
        begin
            insert into {table} (pk, {record}, workspace_connector_pk, direction)
            values (-2147483648, (array[{records}])[n], (array[{connectors}])[3 - n], 'input');
            raise exception using errcode = 'LIVE0', message = 'it is stored';
        exception
            when others then
                found := found || jsonb_build_object('state', sqlstate, 'message', sqlerrm);
        end;
    end loop;
    begin
        update {table} set workspace_connector_pk = (array[{connectors}])[1] where pk = {row};
        get diagnostics n = row_count;
        if n > 0 then
            raise exception using errcode = 'LIVE0', message = 'it becomes one';
        end if;
    exception
        when others then
            found := found || jsonb_build_object('state', sqlstate, 'message', sqlerrm);
    end;
    {off};
    insert into {table} (pk, {record}, workspace_connector_pk, direction)
    select -2147483649 + i, (array[{records}])[i], (array[{connectors}])[3 - i], 'input'
    from generate_series(1, 2) as i;
    {on};
    foreach actor in array array[{actors}]::text[] loop
        foreach workspace in array array[{workspaces}] loop
            begin
                perform set_config('app.workspace_id', workspace, true), set_config('role', actor, true);
                execute 'select count(*) from {table} where pk <= -2147483647' into n;
            exception
                when insufficient_privilege then n := 0;
            end;
            perform set_config('role', before, true);
            found := found || jsonb_build_object('role', actor, 'workspace', workspace, 'shown', n);
        end loop;
    end loop;
    raise exception using errcode = 'LIVE0', message = found::text;
end
$live$"""
"""The guards without a policy before them; then, the guards off and a mixed row of each kind there, who sees one.

One statement, so that the lock that an owner needs for it lasts milliseconds, however far away the client is.
"""


class NotTriedError(Exception):
    """Why a rule could not be tried, what lets it be tried, and the exit code where nothing is worse."""

    def __init__(self, reason: str, remedy: str = "", code: int = 0) -> None:
        super().__init__(reason)
        self.remedy, self.code = remedy, code


class BrokenError(Exception):
    """A rule that does not hold: LEAK or WRONG, and what was found."""


@dataclass(frozen=True)
class Row:
    """A provenance row, with the workspaces of its record and of its connector."""

    pk: int
    id: str
    record: int
    connector: int
    active: bool
    workspaces: tuple[int, int]

    @property
    def mixed(self) -> bool:
        """Whether the two differ."""
        return len(set(self.workspaces)) > 1

    def __str__(self) -> str:
        kind = "mixed" if self.mixed else "active" if self.active else "soft-deleted"
        return f"{kind} row {self.id} of workspace {' and '.join(map(str, dict.fromkeys(self.workspaces)))}"


@dataclass(frozen=True)
class Workspace:
    """A sampled workspace, with one of its records, connectors and active rows where it has any."""

    pk: int
    id: str
    record: int | None
    connector: int | None
    row: Row | None


@dataclass(frozen=True)
class Actor:
    """A role that rules are tried as, and what it is entitled to."""

    name: str
    groups: frozenset[str]
    settable: bool
    bypassrls: bool
    owns: bool
    """Whether it has the rights of the junction's owner."""
    login: bool
    """Whether its own session is tried, in which a binding counts; else what it may as the current role."""
    tenant: bool
    bound: int | None

    @property
    def confined(self) -> bool:
        """Whether it has the workspace that it is bound to or none, whatever it names."""
        return self.login and (self.tenant or self.bound is not None)

    def sees(self, row: Row, workspace: int | None) -> bool:
        """Return whether it is to see a row, by what both parents say, while a workspace is named."""
        if self.confined:
            workspace = self.bound if workspace in (None, self.bound) else None
        own = row.workspaces == (workspace, workspace)
        return HASURA in self.groups or (own and (SYNC in self.groups or (MEMBER in self.groups and row.active)))


@dataclass(frozen=True)
class Finding:
    """What became of one rule, tried as one role on one junction."""

    junction: str
    check: str
    role: str
    tried: str
    result: str
    found: str = ""
    remedy: str = ""
    code: int = 0


@dataclass(frozen=True)
class Answer:
    """What a statement gave that has been undone: rows, how many it reached, or the SQLSTATE and text of its error."""

    rows: list[Any] = field(default_factory=list)
    count: int = 0
    state: str = ""
    message: str = ""


class Trials:
    """The rules of one junction; a check returns what it tried."""

    def __init__(self, connection: sa.Connection, junction: sa.Row, seed: int) -> None:
        self.connection = connection
        self.table, self.name, self.owner, self.parent, self.record, self.pages = junction
        self.me, self.superuser, version = self.ask(
            "select session_user, r.rolsuper, current_setting('server_version_num')::integer"
            " from pg_roles as r where r.rolname = session_user"
        ).rows[0]
        options = ("set", "usage") if version >= 160000 else ("member", "member")  # 15 knows no others
        self.options = {"set": quote(options[0]), "usage": quote(options[1])}
        self.unknown = str(uuid.uuid5(uuid.NAMESPACE_OID, str(seed)))
        self.rows: list[Row] = []
        self.newest: list[Row] = []
        self.workspaces: list[Workspace] = []
        self.spanning: list[dict[str, Any]] | NotTriedError = []
        self.unsampled: NotTriedError | None = None
        self.roles = self.actors([*GROUPS, self.owner])
        if any(each.tenant or each.bound is not None for each in self.actors([self.me])):
            raise FailedError(f"nothing was tried: {self.me} is a tenant's own login and names no other workspace")
        try:
            tables = [self.table, self.parent, CONNECTORS, WORKSPACES]
            if unseen := self.ask(UNSEEN, tables=tables).rows[0][0]:
                remedy = self.grant(HASURA) if unseen == self.table else "run it as who does, or as a superuser"
                raise NotTriedError(f"{self.me} does not see every row of {unseen}", remedy, 4)
            self.sample(seed)
        except NotTriedError as error:
            self.unsampled = error

    def grant(self, role: str) -> str:
        """Return what lets the session's login be a role."""
        name = self.connection.dialect.identifier_preparer.quote
        return f"grant {name(role)} to {name(self.me)}"

    def ask(
        self, text: str, actor: Actor | None = None, named: Mapping[str, str] | None = None, **parameters: Any
    ) -> Answer:
        """Execute one statement and undo it.

        :param actor: who asks; the session's own role without one.
        :param named: settings, beside those that name no workspace.
        :raises NotTriedError: it waited or took too long, nothing can be written here, or the actor is out of reach.
        """
        if actor and not actor.settable:
            raise NotTriedError(f"{self.me} may not become {actor.name}", self.grant(actor.name), 4)
        settings = {**dict.fromkeys(SOURCES, ""), **(named or {})}
        if actor:
            settings["session_authorization" if actor.login else "role"] = actor.name
        become = ", ".join(f"set_config({quote(name)}, {quote(value)}, true)" for name, value in settings.items())
        nested = self.connection.begin_nested()
        try:
            self.connection.exec_driver_sql(f"select {become}".replace("%", "%%"))
            result = self.connection.exec_driver_sql(text, parameters)
            return Answer(list(result) if result.returns_rows else [], result.rowcount)
        except sa.exc.DBAPIError as error:
            told = error.orig.diag if isinstance(error.orig, psycopg.Error) else None
            if error.connection_invalidated or told is None or not told.sqlstate:
                raise
            if isinstance(error.orig, BUSY):
                raise NotTriedError("others hold a lock or write the same rows", "try again later", 3) from error
            if isinstance(error.orig, (errors.QueryCanceled, errors.ReadOnlySqlTransaction)):
                raise NotTriedError(str(told.message_primary), code=4) from error
            return Answer(state=told.sqlstate, message=str(told.message_primary))
        finally:
            with suppress(sa.exc.DBAPIError):  # the session is gone, which is raised already
                nested.rollback()

    def one(self, text: str, actor: Actor, **parameters: Any) -> Any:
        """Return the one row of an answer.

        :raises BrokenError: the actor may not even ask.
        """
        answer = self.ask(text, actor, **parameters)
        if answer.state:
            raise BrokenError(WRONG, answer.message)
        return answer.rows[0]

    # What is looked at

    def read(self, source: str, **parameters: Any) -> list[Row]:
        """Return rows of the junction, as who sees them all, with the workspaces of both parents.

        :param source: a query for them.
        """
        answer = self.ask(
            f"select j.pk, j.id::text, j.{self.record}, j.workspace_connector_pk, j.deleted_at is null, p.workspace_pk,"
            f" k.workspace_pk from ({source}) as j inner join {self.parent} as p on j.{self.record} = p.pk"
            f" inner join {CONNECTORS} as k on j.workspace_connector_pk = k.pk",
            **parameters,
        )
        if answer.state:
            raise NotTriedError(answer.message, code=4)
        return [Row(pk, id_, of, by, active, (one, other)) for pk, id_, of, by, active, one, other in answer.rows]

    def sample(self, seed: int) -> None:
        """Choose workspaces, with most rows, least, a deleted one, and any, and rows of theirs and of others."""
        share = min(100.0, 100.0 * PAGES / self.pages)
        spread = self.read(
            f"select * from {self.table} tablesample system ({share}) repeatable ({seed}) limit {NEWEST}"
        )
        newest = self.read(f"select * from {self.table} order by pk desc limit {NEWEST}")
        self.newest = list({row.pk: row for row in (*spread, *newest)}.values())
        deleted = f"select * from {self.table} where deleted_at is not null order by updated_at desc limit {EACH}"
        found = [*self.read(deleted), *spread[: NEWEST // 10], *(row for row in self.newest if row.mixed)]
        counts = Counter(row.workspaces[0] for row in spread if not row.mixed)
        some = self.ask(
            f"select pk from {WORKSPACES} where pk >= (select min(pk) + (max(pk) - min(pk)) * %(place)s::float8"
            f" from {WORKSPACES}) order by pk limit {EACH}",
            place=(0.5 + seed * 0.618034) % 1,
        ).rows
        order = [pk for pk, _ in counts.most_common()]
        least = [pk for (pk,) in some if pk not in counts] or order[::-1]
        any_one = [pk for (pk,) in some]
        with_deleted = [row.workspaces[0] for row in found if not row.active]
        for pk in dict.fromkeys([*order[:1], *least[:1], *any_one[:1], *with_deleted[:1]]):
            own = self.read(
                f"select j.* from (select pk from {CONNECTORS} where workspace_pk = %(pk)s order by"
                f" pk = any(%(keys)s::integer[]) desc, pk limit 3) as k cross join lateral (select * from {self.table}"
                f" where workspace_connector_pk = k.pk order by created_at desc, pk desc limit {EACH}) as j",
                pk=pk,
                keys=[row.connector for row in spread if row.workspaces == (pk, pk)][:3],
            )
            told = self.ask(
                f"select w.workspace_id::text, (select min(pk) from {self.parent} where workspace_pk = w.pk),"
                f" (select min(pk) from {CONNECTORS} where workspace_pk = w.pk)"
                f" from {WORKSPACES} as w where w.pk = %(pk)s",
                pk=pk,
            ).rows[0]
            found += own
            active = [row for row in own if row.active and not row.mixed]
            if told[0]:  # an adopted one may have no public id, so nobody can name it
                self.workspaces.append(Workspace(pk, told[0], told[1], told[2], active[0] if active else None))
        self.rows = list({row.pk: row for row in found}.values())

    def actors(self, names: list[str] | None) -> list[Actor]:
        """Return the roles of these names, or logins that use a group, those with BYPASSRLS first."""
        found = []
        for name, bypassrls, settable, owns, bound, groups, tenant in self.ask(
            ACTORS.format(**self.options), names=names, groups=list(GROUPS), owner=self.owner
        ).rows:
            held = frozenset({name} if name in GROUPS else groups)
            own = names is None and self.superuser
            found.append(Actor(name, held, settable, bypassrls, owns, own, tenant, bound))
        return found

    def two(self) -> tuple[Workspace, Workspace]:
        """Return two workspaces whose rows must not be mixed, the second with a row where one has any."""
        self.need_workspaces()
        found = [each for each in self.workspaces if each.record and each.connector]
        if len(found) < 2:
            raise NotTriedError("no two of the sampled workspaces have both parents")
        return found[0], next((each for each in found[1:] if each.row), found[1])

    def need_workspaces(self) -> None:
        """Raise NotTriedError where there is nothing to compare with."""
        if self.unsampled:
            raise self.unsampled
        if not self.workspaces:
            raise NotTriedError("there is no workspace")

    def policies(self, actor: Actor, letter: str) -> str:
        """Return the names of those that let it through: for select r, insert a, update w."""
        return f"policies: {self.ask(POLICIES, table=self.table, letter=letter, role=actor.name).rows[0][0]}"

    # Reading

    def held(self, actor: Actor) -> str:
        """Policies hold it at all."""
        free = HASURA in actor.groups and actor.name not in (HASURA, self.owner)  # it reads everything anyway
        if not free and actor.bypassrls:
            raise BrokenError(LEAK, "no policy holds it: the role has BYPASSRLS")
        held, why = self.one(HELD, actor, table=self.table)
        if not (free or held):
            raise BrokenError(LEAK, f"no policy holds it: {why}")
        return "row_security_active()"

    def compare(self, actor: Actor, workspace: int | None, named: Mapping[str, str]) -> None:
        """Compare what it sees, of all rows and of those that were sampled, with what both parents say.

        :param workspace: the one that the settings name, if it exists.
        """
        known = {row.pk: row for row in self.rows}
        these = f"select pk from {self.table} where pk = any(%(pks)s::integer[])"
        answer = self.ask(f"(select pk from {self.table} limit {EACH}) union {these}", actor, named, pks=list(known))
        if answer.state not in ("", "42501"):
            raise BrokenError(WRONG, answer.message)
        seen = {pk for (pk,) in answer.rows}
        if self.unsampled:  # so nothing is known of them
            if seen and HASURA not in actor.groups:
                raise BrokenError(LEAK, f"sees rows; {self.policies(actor, 'r')}")
            return
        new = self.read(these.replace("select pk", "select *"), pks=list(seen - set(known)))
        known.update((row.pk, row) for row in new)
        if extra := [row for pk, row in known.items() if pk in seen and not actor.sees(row, workspace)]:
            raise BrokenError(LEAK, f"sees {extra[0]}; {len(extra)} such; {self.policies(actor, 'r')}")
        if missing := [row for pk, row in known.items() if pk not in seen and actor.sees(row, workspace)]:
            raise BrokenError(WRONG, f"does not see {missing[0]}; {len(missing)} such {answer.message}")

    def visible(self, actor: Actor) -> str:
        """It sees the rows whose parents are both of the workspace that it names."""
        self.need_workspaces()
        for each in self.workspaces:
            self.compare(actor, each.pk, {APP: each.id})
        return f"{len(self.workspaces)} workspaces, {len(self.rows)} rows"

    def nowhere(self, actor: Actor) -> str:
        """It sees, and would update, nothing without a workspace or in one that does not exist."""
        division = f"update {self.table} set deleted_at = to_timestamp(1 / (random() * 0)::integer)"  # at the first row
        for what, named in (("without a workspace", {}), ("in an unknown workspace", {APP: self.unknown})):
            bound = actor.login and actor.bound is not None  # so it has one without a name, and an error with another's
            try:
                self.compare(actor, None, {} if bound else named)
            except BrokenError as error:
                raise BrokenError(error.args[0], f"{what} {error.args[1]}") from None
            answer = Answer() if bound else self.ask(division, actor, named)
            if answer.state not in ("", "42501"):
                raise BrokenError(LEAK, f"{what} updates rows ({answer.message}); {self.policies(actor, 'w')}")
        return "none, an unknown one"

    def contradiction(self, actor: Actor) -> str:
        """It gets an error where sources disagree or are malformed."""
        one = {APP: self.workspaces[0].id if self.workspaces else str(uuid.uuid5(uuid.NAMESPACE_URL, "another"))}
        tries = [
            ("42501", {**one, JSON: json.dumps({"x-hasura-workspace-id": self.unknown})}),
            ("42501", {**one, JWT: json.dumps({"workspace_id": self.unknown})}),
            *(("22023", {source: "17"}) for source in SOURCES),
        ]
        for state, named in tries:
            answer = self.ask(f"select pk from {self.table} limit 1", actor, named)
            if not (answer.state or answer.rows or any(row.active for row in self.rows)):
                raise NotTriedError("there is no row to be refused")  # only then are settings looked at
            if answer.state != state:
                told = answer.state or f"{len(answer.rows)} rows"
                raise BrokenError(LEAK, f"{told} instead of error {state} for {' and '.join(named)}")
        return f"{len(tries)} combinations"

    def parents(self, actor: Actor) -> str:
        """Of the parents that this package made, it sees its own workspace's alone."""
        self.need_workspaces()
        created = self.ask(CREATED, tables=[self.parent, CONNECTORS, WORKSPACES]).rows
        for each, (table,) in product(self.workspaces, created):
            own = actor.bound if actor.confined else each.pk
            column = "pk" if table == WORKSPACES else "workspace_pk"
            others = f"select exists (select from {table} where {column} is distinct from %(own)s)"
            answer = self.ask(others, actor, {APP: each.id}, own=own)
            if answer.state not in ("", "42501"):
                raise BrokenError(WRONG, answer.message)
            if answer.rows and answer.rows[0][0]:
                raise BrokenError(LEAK, f"in workspace {own} sees rows of others in {table}")
        return f"{len(created)} tables"

    def functions(self, actor: Actor) -> str:
        """What Hasura gets of a workspace from functions, into which its permissions do not reach, is of it alone."""
        self.need_workspaces()
        asked = {
            f"workspace_{self.name}": "select d ->> 'id' from json_array_elements({}(jsonb_populate_record("
            "null::core_api.workspaces, jsonb_build_object('workspace_id', %(id)s::text))) -> 'data') as d",
            f"{self.name}_session_page": "select j.id::text"
            " from {}(json_build_object('x-hasura-workspace-id', %(id)s::text)) as j",
        }
        for each, (name, query) in product(self.workspaces, asked.items()):
            answer = self.ask(query.format(f"core_api.{name}"), actor, id=each.id)
            if answer.state or (each.row and not answer.rows):
                raise BrokenError(WRONG, f"{name} of workspace {each.pk}: {answer.message or 'no row'}")
            ids = [id_ for (id_,) in answer.rows]
            for row in self.read(f"select * from {self.table} where id = any(%(ids)s::uuid[])", ids=ids):
                if not row.active or row.workspaces != (each.pk, each.pk):
                    raise BrokenError(LEAK, f"{name} of workspace {each.pk} shows {row}")
        return f"{len(asked)} functions"

    def plan(self, actor: Actor) -> str:
        """The rows of its workspace are reached through the page index."""
        named = {APP: self.workspaces[0].id if self.workspaces else self.unknown}
        answer = self.ask(f"explain (format json) select count(*) from {self.table}", actor, named)
        if answer.state:
            raise BrokenError(WRONG, answer.message)
        nodes, entered = [answer.rows[0][0][0]["Plan"]], []
        while nodes:
            nodes += (node := nodes.pop()).get("Plans", [])
            if "workspace_connector_pk = ANY (" in node.get("Index Cond", ""):
                entered.append(node.get("Index Name"))
        if f"{self.name}_page_index" not in entered:
            raise BrokenError(WRONG, f"not through {self.name}_page_index, but {', '.join(entered) or 'none'}")
        return "explain"

    # Writing

    def columns(self, actor: Actor) -> str:
        """It writes no column but those that it was granted, and neither deletes nor truncates; retention purges."""
        kinds = {"pk": "int", "id": "uuid", self.record: "int", "workspace_connector_pk": "int"}
        kinds |= {"direction": "core_api.direction_enum"}
        kinds |= dict.fromkeys(("created_at", "updated_at", "deleted_at"), "timestamptz")
        tries, may = {"delete": f"delete from {self.table} where false"}, set()
        for column, kind in {} if actor.owns else kinds.items():
            tries[f"update {column}"] = f"update {self.table} set {column} = null where false"
            tries[f"insert {column}"] = f"insert into {self.table} ({column}) select null::{kind} where false"
        if SYNC in actor.groups:
            may = {f"insert {column}" for column in list(kinds)[2:]} | {"update updated_at", "update deleted_at"}
        for what, text in tries.items():
            state = self.ask(text, actor).state
            if state not in ("", "42501") or bool(state) == (what in may):
                raise BrokenError(*((WRONG, f"may not {what}: {state}") if state else (LEAK, f"may {what}")))
        if self.one("select has_table_privilege(%(table)s, 'truncate')", actor, table=self.table)[0]:
            raise BrokenError(LEAK, "may truncate")
        answer = self.ask(f"select core_api.purge_{self.name}('-infinity')", actor)  # nothing was deleted before
        if bool(answer.state) == (RETENTION in actor.groups):
            raise BrokenError(*((WRONG, f"may not purge: {answer.message}") if answer.state else (LEAK, "may purge")))
        return f"{len(tries) + 2} privileges"

    def mixes(self, actor: Actor) -> str:
        """A policy refuses what it writes for another workspace or for two at once."""
        here, there = self.two()
        mark = f"update {self.table} set deleted_at = now() where pk = %(pk)s"
        if there.row and self.ask(mark, actor, {APP: here.id}, pk=there.row.pk).count > 0:
            raise BrokenError(LEAK, f"in workspace {here.pk} updates {there.row}; {self.policies(actor, 'w')}")
        text = f"insert into {self.table} ({self.record}, workspace_connector_pk, direction) values"
        pairs = {
            "another workspace's row": (there.record, there.connector),
            "a mixed row with another's record": (there.record, here.connector),
            "a mixed row with another's connector": (here.record, there.connector),
        }
        for what, (record, connector) in pairs.items():
            answer = self.ask(f"{text} ({record}, {connector}, 'input')", actor, {APP: here.id})
            if answer.state != "42501":
                how = f"refused by no policy ({answer.message})" if answer.state else "stored"
                raise BrokenError(LEAK, f"{what} is {how}; {self.policies(actor, 'a')}")
        answer = self.ask(f"{text} ({here.record}, {here.connector}, 'input')", actor, {APP: here.id})
        if answer.state and SYNC in actor.groups and not (actor.confined and actor.bound != here.pk):
            raise BrokenError(WRONG, f"may not insert a row of its workspace: {answer.message}")
        return f"{1 + bool(there.row) + len(pairs)} writes"

    def span(self) -> list[dict[str, Any]]:
        """Store mixed rows in the policies' absence, then in the guards', and return what became of it."""
        here, there = self.two()
        free, owns, superuser = self.ask(
            "select not row_security_active(%(table)s), pg_has_role(%(owner)s, 'usage'),"
            " current_setting('is_superuser') = 'on'",
            table=self.table,
            owner=self.owner,
        ).rows[0]
        if not (free or owns):
            raise NotTriedError(f"policies hold {self.me}", self.grant(self.owner), 4)
        replica = "perform set_config('session_replication_role', '{}', true)"
        readers = [each.name for each in self.roles if each.name in (MEMBER, SYNC) and each.settable]
        text = MIXED.format(
            table=self.table,
            record=self.record,
            records=f"{here.record}, {there.record}",
            connectors=f"{here.connector}, {there.connector}",
            row=there.row.pk if there.row else "null",
            off=replica.format("replica") if superuser else f"alter table {self.table} disable trigger user",
            on=replica.format("origin") if superuser else "null",
            actors=", ".join(map(quote, readers)),
            workspaces=", ".join(quote(each.id) for each in (here, there)),
        )
        answer = self.ask(text.replace("%", "%%"))
        if answer.state != "LIVE0":
            raise NotTriedError(answer.message, code=4)
        return json.loads(answer.message)

    def spanned(self, role: str = "") -> list[dict[str, Any]]:
        """Return what became of both rows or, as a role, what it saw of them; that is found out once."""
        if not self.spanning:
            try:
                self.spanning = self.span()
            except NotTriedError as error:
                self.spanning = error
        if isinstance(self.spanning, NotTriedError):
            raise self.spanning
        return [each for each in self.spanning if each.get("role", "") == role]

    def guard(self) -> str:
        """A mixed row is refused whoever inserts it, and a row that would become one."""
        for each in self.spanned():
            if each["state"] == "LIVE0":
                raise BrokenError(LEAK, f"no guard refuses a mixed row: {each['message']}")
            if each["state"] != "23514":
                raise NotTriedError(each["message"], code=3 if each["state"] in ("55P03", "40001", "40P01") else 4)
        return "2 inserts, 1 update, without a policy"

    def unread(self, actor: Actor) -> str:
        """A mixed row, were there one, is shown to nobody."""
        self.ask("select", actor)
        if any(each["shown"] for each in self.spanned(actor.name)):
            raise BrokenError(LEAK, f"sees a mixed row; {self.policies(actor, 'r')}")
        return "2 rows, with the guards off"

    def moves(self) -> str:
        """A parent with rows stays in its workspace."""
        here, there = self.two()
        one = here.row or there.row
        if one is None:
            raise NotTriedError("no sampled workspace has an active row")
        to = there.pk if one is here.row else here.pk
        for parent, pk in ((self.parent, one.record), (CONNECTORS, one.connector)):
            answer = self.ask(f"update {parent} set workspace_pk = {to} where pk = {pk}")
            if answer.count > 0:
                raise BrokenError(LEAK, f"a row of {parent} moves away from its provenance rows")
            if answer.state != "23514":
                why = answer.message or f"no row of {parent} can be moved"
                raise NotTriedError(why, "run it as the owner of that table", 4)
        return "a move of each parent"

    def stored(self) -> str:
        """No row is mixed."""
        self.need_workspaces()
        if mixed := [row for row in self.newest if row.mixed]:
            raise BrokenError(LEAK, f"{mixed[0]}; {len(mixed)} such")
        return f"{len(set(self.newest))} rows"

    # All of it

    def tried(self, check: str, role: str, run: Callable[[], str]) -> Finding:
        """Try one rule."""
        try:
            return Finding(self.table, check, role, run(), OK)
        except BrokenError as error:
            return Finding(self.table, check, role, "", *error.args)
        except NotTriedError as error:
            return Finding(self.table, check, role, "", NOT_TRIED, str(error), error.remedy, error.code)

    def findings(self) -> Iterator[Finding]:
        """Try everything, but whether a parent moves."""
        tried = self.tried
        logins = [each for each in self.actors(None) if each.name != self.owner]
        for actor in (*self.roles, *(each for each in logins[:LOGINS] if each.settable or each.bypassrls)):
            yield tried("row security", actor.name, partial(self.held, actor))
            if not actor.settable and actor not in self.roles:
                continue
            yield tried("visible rows", actor.name, partial(self.visible, actor))
            yield tried("no workspace", actor.name, partial(self.nowhere, actor))
            if actor.groups & {MEMBER, SYNC} and HASURA not in actor.groups:
                yield tried("contradictions", actor.name, partial(self.contradiction, actor))
                if not actor.owns:
                    yield tried("others' parents", actor.name, partial(self.parents, actor))
            if HASURA in actor.groups:
                yield tried("functions", actor.name, partial(self.functions, actor))
            yield tried("privileges", actor.name, partial(self.columns, actor))
            yield tried("others' rows", actor.name, partial(self.mixes, actor))
            if actor.name in (MEMBER, SYNC):
                yield tried("mixed rows shown", actor.name, partial(self.unread, actor))
                yield tried("page index", actor.name, partial(self.plan, actor))
        for check, run in (("mixed rows stored", self.stored), ("guard", self.guard)):
            yield tried(check, "everybody", run)
        beyond = [each.name for each in logins[:LOGINS] if not each.settable] + [each.name for each in logins[LOGINS:]]
        if beyond:
            named = ", ".join(beyond[:LOGINS]) + f" and {len(beyond) - LOGINS} more" * (len(beyond) > LOGINS)
            why = f"only a superuser becomes a login, and {LOGINS} at most"
            yield Finding(self.table, "logins", named, "", NOT_TRIED, why, "sql/access.sql says what each may")


@dataclass
class Report:
    """What was looked at of each junction, and what was found."""

    sampled: dict[str, dict[str, int]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def code(self) -> int:
        """The exit code where nothing is broken."""
        return max((each.code for each in self.findings), default=0)

    @property
    def message(self) -> str:
        """How it went where nothing is broken, in a line."""
        untried = sum(each.code > 0 for each in self.findings)
        good = sum(each.result == OK for each in self.findings)
        if untried:
            return f"not everything could be tried: {untried} of {len(self.findings)} live checks; {good} hold"
        return f"tried live: {good} checks hold"

    def differences(self) -> Iterator[Difference]:
        """Yield what is broken, and as warnings what was not tried, a line for each reason."""
        untried: dict[str, list[Finding]] = {}
        for each in self.findings:
            if each.result in (LEAK, WRONG):
                yield Difference("", f"{each.result}: {each.check}, {each.role}, {each.junction}", each.found, None)
            elif each.result == NOT_TRIED:
                untried.setdefault("; ".join(filter(None, (each.found, each.remedy))), []).append(each)
        for reason, found in untried.items():
            names = zip(*((each.check, each.role) for each in found), strict=True)
            checks, roles = (", ".join(dict.fromkeys(each)) for each in names)
            name = f"could not try {checks} as {roles}"
            yield Difference("", name, f"because {reason}", None, severity="warning")


def table(sampled: dict[str, dict[str, int]], findings: list[dict[str, Any]]) -> str:
    """Return a report as the table that a person reads; roles of which the same is to be said share a line."""
    lines = []
    for junction, told in sampled.items():
        rows: dict[tuple[str, str, str], list[str]] = {("check", "tried", "result"): ["role"]}
        for each in findings:
            if each["junction"] == junction:
                broken = each["result"] in (LEAK, WRONG)
                key = (each["check"], each["tried"], each["result"].upper() if broken else each["result"])
                rows.setdefault(key, []).append(f"{each['role']}: {each['found']}" if broken else each["role"])
        widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
        counted = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in told.items())
        lines.append(f"{junction}: looked at {counted}")
        lines += ["  ".join((*map(str.ljust, cells, widths), ", ".join(roles))) for cells, roles in rows.items()]
    return "".join(f"{line}\n" for line in lines)


def verify(connection: sa.Connection, seed: int) -> Report:
    """Try every rule, on what a seed chooses of each junction, and leave nothing.

    :param connection: to a migrated database; its transactions are rolled back, before and after.
    :raises FailedError: the login is a tenant's own, or there is nothing to try.
    :raises sqlalchemy.exc.DBAPIError: it may not read the tables of schema tenancy.
    """
    report, everything = Report(), list[Trials]()
    connection.rollback()
    try:
        # All statements see the same rows, and no plan made for one role is kept for another.
        connection.exec_driver_sql("set transaction isolation level repeatable read")
        connection.connection.dbapi_connection.prepare_threshold = None  # type: ignore[union-attr]
        connection.exec_driver_sql(SESSION)
        for junction in connection.exec_driver_sql(JUNCTIONS, {"others": [CONNECTORS, WORKSPACES]}).all():
            trials = Trials(connection, junction, seed)
            rows = {*trials.rows, *trials.newest}
            deleted = sum(not row.active for row in rows)
            told = {"workspaces": len(trials.workspaces), "rows": len(rows), "soft_deleted_rows": deleted}
            report.sampled[trials.table] = told
            report.findings += trials.findings()
            everything.append(trials)
        for (name,) in connection.exec_driver_sql(UNKNOWN, {"known": [*report.sampled]}):
            why = "it is not there, or has no foreign keys that say which its parents are"
            report.findings.append(Finding(name, "every check", "everybody", "", NOT_TRIED, why, code=4))
        connection.rollback()
        connection.exec_driver_sql("set transaction isolation level read committed")  # in others no parent moves at all
        connection.exec_driver_sql(SESSION)
        report.findings += [each.tried("parents", "everybody", each.moves) for each in everything]
    finally:
        connection.rollback()
    if not report.findings:
        raise FailedError("nothing was tried: this database manages no junction")
    return report
