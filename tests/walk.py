"""A walk at random over the database and the model at once: each step asks both, and they have to answer alike.

Every session is a real connection of a login. One generator chooses everything: a seed, or Hypothesis, repeats a walk.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import UUID

import model
import psycopg
from helpers import ACME, GLOBEX, UNKNOWN
from model import (
    APP,
    CLAIMS,
    DIRECTIONS,
    HASURA,
    HASURA_USER,
    KEYS,
    MEMBER,
    OWNER,
    RETENTION,
    SERIALIZABLE,
    SUPERUSER,
    SYNC,
    TENANT,
    Filter,
    Home,
    Model,
    Refused,
    Transaction,
)
from servers import DEPLOYER, LOGINS, Server

TABLE = "core_api.company_workspace_connectors"
PAGE = "%s::integer, %s::uuid, %s::core_api.direction_enum, %s::uuid, %s::uuid, %s, %s"
OF_WORKSPACE = "from core_api.workspaces as w where w.pk = %s"
LONG_AGO, IN_THE_END = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)

BYSTANDER = "d0000000-0000-4000-8000-000000000004"
"""A third tenant, whom nobody works for. With its rows no scan is so empty that it does not ask for the workspace."""
# A vacuum that cuts the end off a table holds a lock that no step could foresee.
WORLD = f"""
alter table {TABLE} set (autovacuum_enabled = off);
alter table core_api.companies set (autovacuum_enabled = off);
alter table core_api.workspace_connectors set (autovacuum_enabled = off);
alter table tenancy.role_bindings set (autovacuum_enabled = off);
insert into core_api.workspaces (pk, workspace_id) values (3, '{BYSTANDER}');
insert into core_api.companies (pk, workspace_pk) values (31, 3);
insert into core_api.workspace_connectors (pk, workspace_pk) values (301, 3);
"""
RESET = f"""
truncate {TABLE};
insert into {TABLE} (company_pk, workspace_connector_pk, direction) values (31, 301, 'input'), (31, 301, 'output');
update core_api.companies set workspace_pk = pk / 10 where workspace_pk <> pk / 10;
update core_api.workspace_connectors set workspace_pk = pk / 100 where workspace_pk <> pk / 100;
delete from tenancy.role_bindings;
insert into tenancy.role_bindings (role, workspace_pk) values ('bound_login', 1);
"""
COMPANIES, CONNECTORS = (11, 12, 19, 21, 22, 29), (101, 102, 109, 201, 209)
"""As the seed has them: the first digit is the workspace, until one moves."""

TENANTS = ("bound_login", "unbound_login")
SESSIONS = (*LOGINS, "sync_login", "sync_login", "hasura_sync_login", DEPLOYER, "")
"""The login of each; the superuser's has no name."""
OPEN_AT_ONCE = 4

FORBIDDEN = (
    f"delete from {TABLE}",
    f"truncate {TABLE}",
    f"update {TABLE} set company_pk = 11",
    f"insert into {TABLE} (pk, company_pk, workspace_connector_pk, direction) values (1, 11, 101, 'input')",
    "update core_api.companies set workspace_pk = 1",
    "select * from tenancy.role_bindings",
    "select * from tenancy.current_workspace_companies",
    "select tenancy.current_workspace_pk()",
    "set role tenancy_definer",
    f"set session authorization {DEPLOYER}",
)


class Difference(AssertionError):  # noqa: N818
    """The database and the model do not agree."""


@dataclass
class Question:
    """A statement, and what the model says to it; ``shape`` makes the same of the rows that the database returns."""

    query: str
    values: tuple[Any, ...]
    expect: Callable[[], Any]
    shape: Callable[[list[Any]], Any]


@dataclass(eq=False)
class Session:
    """A connection and, while it is in one, the model's transaction."""

    login: str
    connection: psycopg.Connection
    transaction: Transaction | None = None

    @property
    def powers(self) -> frozenset[str]:
        """What the login may do while it is in no other role."""
        return powers_of(*LOGINS.get(self.login, [OWNER if self.login else SUPERUSER]))


def powers_of(*groups: str) -> frozenset[str]:
    return frozenset({*groups, MEMBER} if TENANT in groups else groups)


class Walk:
    """Sessions of every login in one database, and the model of it."""

    def __init__(self, server: Server, dbname: str) -> None:
        """Connect; the database is a copy of the template, and the walk's own."""
        self.sessions = [
            Session(login, psycopg.connect(server.conninfo(dbname, login or None), autocommit=True))
            for login in SESSIONS
        ]
        for session in self.sessions:
            session.connection.execute("set lock_timeout = '1ms'")
        self.superuser = psycopg.connect(server.conninfo(dbname), autocommit=True, prepare_threshold=None)
        self.superuser.execute(WORLD)
        companies = self.superuser.execute("select pk, company_id from core_api.companies").fetchall()
        connectors = self.superuser.execute("select pk, workspace_connector_id from core_api.workspace_connectors")
        self.ids: dict[int | None, UUID] = {0: UUID(UNKNOWN), **dict(companies), **dict(connectors.fetchall())}
        self.names = {login: login for login in TENANTS}
        self.reset()

    def reset(self) -> None:
        """Return to the beginning: no open transaction, no rows but the bystander's."""
        for session in self.sessions:
            session.connection.execute("rollback")
            session.transaction = None
        self.log: list[tuple[Session | None, str, tuple[Any, ...], str]] = []
        for login in TENANTS:
            self.call(login, login)
        self.superuser.execute(RESET)
        homes = {pk: Home(int(str(pk)[0])) for pk in self.ids if pk}
        rows = self.superuser.execute(f"select * from {TABLE}").fetchall()
        self.model = Model({ACME: 1, GLOBEX: 2, BYSTANDER: 3}, self.ids, {**homes, "bound_login": Home(1)})
        self.model.committed |= {row.id: row for row in map(model.Row._make, rows)}

    def close(self) -> None:
        """Reset, for the roles belong to others too, and disconnect."""
        self.reset()
        for connection in (self.superuser, *(session.connection for session in self.sessions)):
            connection.close()

    def steps(self, seed: str, count: int) -> Iterator[str]:
        """Take so many steps of the walk that a seed stands for, and yield the name of each."""
        random = Random(seed)  # noqa: S311
        weights = [weight for weight, _ in OPERATIONS.values()]
        for _ in range(count):
            [name] = random.choices(list(OPERATIONS), weights)
            self.step(name, random)
            yield name

    def step(self, name: str, random: Random) -> None:
        """Take one step."""
        _, operation = OPERATIONS[name]
        operation(self, random)

    # Asking both

    def ask(self, session: Session, question: Question) -> None:
        """Put a question to the model, then to the database, and compare."""
        assert session.transaction
        query, values = question.query, question.values
        try:
            wanted, codes = question.expect(), frozenset[str]()
        except Refused as refused:
            wanted, codes = None, refused.codes
        try:
            cursor = session.connection.execute(query, values)
            rows = cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            code = error.sqlstate or str(error)
            self.log.append((session, query, values, code))
            if code not in codes and (code, session.transaction.level) != (model.CHANGED_MEANWHILE, SERIALIZABLE):
                raise self.difference(error, wanted, codes) from error
            if depth := len(session.transaction.savepoints):
                self.tell(session, f"rollback to savepoint s{depth}")
                session.transaction.roll_back_to_savepoint()
            else:
                self.end(session, commit=False)
            return
        self.log.append((session, query, values, f"{len(rows)} rows"))
        if codes or question.shape(rows) != wanted:
            raise self.difference(question.shape(rows), wanted, codes)
        if question.shape is facts:
            session.transaction.store(rows)

    def difference(self, found: object, wanted: object, codes: frozenset[str]) -> Difference:
        """Return what a reader needs: every statement up to here, as SQL, and the two answers."""
        lines = []
        for session, query, values, outcome in self.log:
            for value in values:
                query = query.replace("%s", "null" if value is None else f"'{value}'", 1)
            who = f"{self.sessions.index(session)} {session.login or 'superuser'}" if session else "administrator"
            lines.append(f"{who}: {query};  -- {outcome}")
        expected = f"an error, {' or '.join(sorted(codes))}" if codes else wanted
        return Difference("\n".join([*lines, f"the database: {found}", f"the model:    {expected}"]))

    def tell(self, session: Session, query: str, *values: Any) -> Any:
        """Run what both agree on, and return its first row."""
        cursor = session.connection.execute(query, values, prepare=False)
        self.log.append((session, query, values, "done"))
        return cursor.fetchone() if cursor.description else None

    def administer(self, query: str) -> None:
        """Run something as the superuser, and commit."""
        self.superuser.execute(query)
        self.log.append((None, query, (), "done"))

    def call(self, login: str, name: str) -> None:
        """Rename a login."""
        if name not in self.names.values():
            self.administer(f'alter role "{self.names[login]}" rename to "{name}"')
            self.names[login] = name

    # Transactions

    def begin(self, session: Session, random: Random) -> None:
        """Begin a transaction at some level, perhaps in one of the login's groups, with or without prepared plans."""
        if len(self.model.open) == OPEN_AT_ONCE:
            self.end(random.choice([other for other in self.sessions if other.transaction]), commit=True)
        groups = LOGINS.get(session.login, [])
        role = random.choice(groups) if groups and random.random() < 0.2 else None
        level = random.choice((model.READ_COMMITTED, model.READ_COMMITTED, model.REPEATABLE_READ, SERIALIZABLE))
        session.connection.prepare_threshold = random.choice((0, 5, None))
        settings = settings_of(random)
        plans = random.choice(("auto", "force_custom_plan", "force_generic_plan"))  # in functions too
        begin = f"begin isolation level {level}; set local plan_cache_mode = {plans}"
        self.tell(session, f"{begin}; set local role {role}" if role else begin)
        session.transaction = Transaction(
            self.model,
            login=session.login,
            powers=powers_of(role) if role else session.powers,
            is_tenant=TENANT in session.powers,
            level=level,
            now=self.name(session, settings),
            settings=settings,
        )
        if random.random() < 0.7:
            self.savepoint(session)

    def name(self, session: Session, settings: dict[str, str]) -> datetime:
        """Set what names the workspace, for the transaction, and return when that began."""
        query = f"select now(), {', '.join(['set_config(%s, %s, true)'] * len(settings))}"
        return self.tell(session, query, *(value for item in settings.items() for value in item))[0]

    def savepoint(self, session: Session) -> None:
        """Set a savepoint."""
        assert session.transaction
        self.tell(session, f"savepoint s{len(session.transaction.savepoints) + 1}")
        session.transaction.save()

    def end(self, session: Session, *, commit: bool) -> None:
        """Commit or roll back."""
        assert session.transaction
        try:
            self.tell(session, "commit" if commit else "rollback")
        except psycopg.errors.SerializationFailure:
            self.log.append((session, "commit", (), model.CHANGED_MEANWHILE))
            if session.transaction.level != SERIALIZABLE:
                raise
            commit = False
        session.transaction.end(commit=commit)
        session.transaction = None

    # Choosing: most often what succeeds, for nothing is as easy to find as a refusal

    def open(self, random: Random, *powers: str, clients: bool = False) -> tuple[Session, Transaction]:
        """Return a session in a transaction, which begins if need be.

        :param powers: one of which it most often has.
        :param clients: without the owner and the superuser, who call no function.
        """
        among = [session for session in self.sessions if session.login in LOGINS or not clients]
        if powers and random.random() < 0.9:
            among = [session for session in among if not session.powers.isdisjoint(powers)]
        opened = [session for session in among if session.transaction]
        closed = [session for session in among if not session.transaction]
        session = random.choice(opened if opened and (not closed or random.random() < 0.8) else closed)
        if not session.transaction:
            self.begin(session, random)
        assert session.transaction
        return session, session.transaction

    def aim(self, tx: Transaction, random: Random) -> int:
        """Return the workspace that it works in, or any."""
        try:
            workspace = tx.workspace()
        except Refused:
            workspace = None
        return workspace if workspace in (1, 2) and random.random() < 0.9 else random.choice((1, 2))

    def parent(self, tx: Transaction, random: Random, pks: tuple[int, ...]) -> int:
        """Return a company or a connector of the workspace, or any, or nobody's."""
        workspace, seen = self.aim(tx, random), tx.visible()
        found = [pk for pk in pks if seen[pk].workspace == workspace]
        return 0 if random.random() < 0.1 else random.choice(found or pks)

    def fact(self, tx: Transaction, random: Random) -> tuple[int, int, str | None]:
        """Return a company, a connector and a direction."""
        return self.parent(tx, random, COMPANIES), self.parent(tx, random, CONNECTORS), random.choice(DIRECTIONS)

    def row_id(self, tx: Transaction, random: Random) -> UUID:
        """Return the id of a row of the workspace, or any, perhaps of one that is gone, or nobody's."""
        ids = [row.id for row in tx.rows(self.aim(tx, random))]
        if not ids or random.random() < 0.1:
            ids = [key for key in self.model.committed if isinstance(key, UUID)]
        return self.ids[0] if random.random() < 0.05 else random.choice(ids)

    def moment(self, tx: Transaction, random: Random) -> datetime:
        """Return a moment at which a row was written, or one before or after all."""
        row = random.choice(tx.rows(self.aim(tx, random)) or tx.every_row())
        return random.choice((row.created, row.created, row.updated, LONG_AGO, IN_THE_END))

    def filter(self, tx: Transaction, random: Random) -> tuple[Filter, tuple[Any, ...]]:
        """Return arguments of a page for the model, and the same for the database."""

        def maybe(likely: float, choose: Callable[..., Any], *arguments: Any) -> Any:
            return choose(*arguments) if random.random() < likely else None

        wanted = Filter(
            limit=maybe(0.7, random.choice, (1, 1, 2, 2, 3, 5, 1000, 0, 1001)),
            after=maybe(0.4, self.row_id, tx, random),
            direction=maybe(0.2, random.choice, DIRECTIONS),
            company=maybe(0.2, self.parent, tx, random, COMPANIES),
            connector=maybe(0.3, self.parent, tx, random, CONNECTORS),
            created_from=maybe(0.2, self.moment, tx, random),
            created_before=maybe(0.2, self.moment, tx, random),
        )
        public = (self.ids.get(pk) for pk in (wanted.company, wanted.connector))
        return wanted, (*wanted[:3], *public, *wanted[5:])


def settings_of(random: Random) -> dict[str, str]:
    """Return settings: nothing, one workspace, several that agree or clash, unknown and malformed ones."""
    workspace = random.choice((ACME, GLOBEX))
    usual = (workspace,) * 20
    named = random.choice(((APP,), (APP,), (HASURA_USER,), (CLAIMS,), (APP, CLAIMS), tuple(KEYS), ()))
    settings = dict.fromkeys(KEYS, "")
    for name in named:
        value = random.choice((*usual, workspace.upper(), ACME, GLOBEX, UNKNOWN, "", "acme", workspace + " "))
        document = json.dumps({KEYS[name]: value})
        settings[name] = (
            random.choice((document,) * 20 + ("{}", "[]", "{", '{"workspace_id": 1}')) if KEYS[name] else value
        )
    return settings


# The questions


def read(walk: Walk, tx: Transaction, random: Random) -> Question:
    return Question(f"select * from {TABLE}", (), tx.read, set)


def parents(walk: Walk, tx: Transaction, random: Random) -> Question:
    query = "select pk from core_api.companies union all select pk from core_api.workspace_connectors"
    return Question(query, (), tx.parents, firsts)


def page(walk: Walk, tx: Transaction, random: Random) -> Question:
    wanted, values = walk.filter(tx, random)
    return Question(f"select * from {TABLE}_page({PAGE})", values, lambda: tx.page(wanted)[0], list)


def listing(walk: Walk, tx: Transaction, random: Random) -> Question:
    wanted, values = walk.filter(tx, random)
    return Question(f"select {TABLE}_list({PAGE})", values, lambda: walk.model.document(*tx.page(wanted)), one)


def retrieve(walk: Walk, tx: Transaction, random: Random) -> Question:
    row_id = walk.row_id(tx, random)
    query = "select core_api.company_workspace_connector_retrieve(%s)"
    return Question(query, (row_id,), lambda: tx.retrieve(row_id), one)


def counts(walk: Walk, tx: Transaction, random: Random) -> Question:
    wanted, values = walk.filter(tx, random)
    query = f"select * from {TABLE}_counts(%s::uuid, %s::uuid, %s, %s)"
    return Question(query, values[3:], lambda: tx.counts(wanted), counted)


def hasura_page(walk: Walk, tx: Transaction, random: Random) -> Question:
    wanted, values = walk.filter(tx, random)
    claimed = settings_of(random)[HASURA_USER]
    claimed = claimed if claimed[-1:] in ("}", "]") else "{}"  # what is no JSON is none of the function's business
    query = f"select * from {TABLE}_session_page(%s, {PAGE})"
    return Question(query, (claimed, *values), lambda: tx.session_page(claimed, wanted)[0], list)


def hasura_list(walk: Walk, tx: Transaction, random: Random) -> Question:
    (wanted, values), (workspace, pk) = walk.filter(tx, random), random.choice(list(walk.model.workspaces.items()))
    claimed = json.dumps({KEYS[HASURA_USER]: workspace})
    return Question(
        f"select core_api.workspace_company_workspace_connectors(w, {PAGE}) {OF_WORKSPACE}",
        (*values, pk),
        lambda: walk.model.document(*tx.session_page(claimed, wanted)),
        one,
    )


def hasura_counts(walk: Walk, tx: Transaction, random: Random) -> Question:
    (wanted, values), pk = walk.filter(tx, random), random.choice((1, 2, 3))
    return Question(
        f"select core_api.workspace_company_counts(w, %s::uuid, %s::uuid, %s, %s) {OF_WORKSPACE}",
        (*values[3:], pk),
        lambda: tx.counts(wanted, pk),
        lambda rows: counted([tuple(each.values()) for each in one(rows)]),
    )


def insert(walk: Walk, tx: Transaction, random: Random) -> Question:
    fact = walk.fact(tx, random)
    return Question(
        f"insert into {TABLE} (company_pk, workspace_connector_pk, direction, created_at, updated_at)"
        " values (%s, %s, %s, %s, %s) returning *",
        (*fact, LONG_AGO, LONG_AGO),
        lambda: tx.insert(*fact),
        facts,
    )


def create(walk: Walk, tx: Transaction, random: Random) -> Question:
    items = [walk.fact(tx, random) for _ in range(random.choice((1, 1, 2, 3)))]
    if random.random() < 0.05:
        items[-1] = (*items[-1][:2], random.choice((None, "sideways")))
    keys = ("company_id", "workspace_connector_id", "direction")
    values = [dict(zip(keys, (str(walk.ids[c]), str(walk.ids[k]), d), strict=True)) for c, k, d in items]
    query = "select * from core_api.create_company_workspace_connectors(%s::jsonb)"
    return Question(query, (json.dumps(values),), lambda: tx.create(items), facts)


def delete(walk: Walk, tx: Transaction, random: Random) -> Question:
    ids = list(dict.fromkeys(walk.row_id(tx, random) for _ in range(random.choice((1, 1, 2)))))
    query = "select id from core_api.delete_company_workspace_connectors(%s::jsonb)"
    return Question(query, (json.dumps([str(each) for each in ids]),), lambda: tx.delete(ids), firsts)


def revoke(walk: Walk, tx: Transaction, random: Random) -> Question:
    connector, company = (random.choice((None, walk.parent(tx, random, pks))) for pks in (CONNECTORS, COMPANIES))
    query = "select id from core_api.revoke_company_workspace_connectors(%s::uuid, %s::uuid)"
    return Question(
        query, (walk.ids.get(connector), walk.ids.get(company)), lambda: tx.revoke(connector, company), firsts
    )


def update(walk: Walk, tx: Transaction, random: Random) -> Question:
    direction, deleted = random.choice(DIRECTIONS), random.choice((None, tx.now, LONG_AGO))
    query = f"update {TABLE} set deleted_at = %s, updated_at = %s where direction = %s returning id"
    return Question(query, (deleted, LONG_AGO, direction), lambda: tx.update(direction, deleted), firsts)


def purge(walk: Walk, tx: Transaction, random: Random) -> Question:
    """Until nothing is left: in small batches, unless another session is in the way of one of them."""
    before, company = walk.moment(tx, random), random.choice((None, None, *COMPANIES, 0))
    workspace, pk = random.choice(((None, None), (ACME, 1), (GLOBEX, 2), (UNKNOWN, 0)))
    try:
        left = tx.purgeable(before, pk, company)
        batch = 1000 if tx.claim(left) else random.choice((1, 2, 1000))
        calls = len(left) // batch + 1
    except Refused:
        batch, calls = 1000, 1
    return Question(
        "select array_agg(core_api.purge_company_workspace_connectors(%s, %s, %s::uuid, %s::uuid))"
        " from generate_series(1, %s)",
        (before, batch, workspace, walk.ids.get(company), calls),
        lambda: [batch] * (calls - 1) + [tx.purge(before, pk, company) % batch],
        one,
    )


def move(walk: Walk, tx: Transaction, random: Random) -> Question:
    """By update, or by delete and insert in one statement."""
    pk = random.choice((*COMPANIES, *CONNECTORS))
    table, key = ("companies", "company_id") if pk < 100 else ("workspace_connectors", "workspace_connector_id")
    to = 3 - tx.visible()[pk].workspace
    update = f"update core_api.{table} set workspace_pk = %s where pk = %s"
    replace = (
        f"with gone as (delete from core_api.{table} where pk = %s returning pk, {key})"
        f" insert into core_api.{table} (workspace_pk, pk, {key}) select %s, pk, {key} from gone"
    )
    query, values = random.choice(((update, (to, pk)), (replace, (pk, to))))
    return Question(query, values, lambda: tx.move(pk, to), nothing)


def forbidden(walk: Walk, tx: Transaction, random: Random) -> Question:
    return Question(random.choice(FORBIDDEN), (), tx.need, nothing)


# What the database's rows are compared as


def nothing(rows: list[Any]) -> None:
    return None


def one(rows: list[Any]) -> Any:
    return rows[0][0]


def firsts(rows: list[Any]) -> set[Any]:
    return {row[0] for row in rows}


def facts(rows: list[Any]) -> list[Any]:
    """What is stored, but for the keys, which the database chooses and the model takes over."""
    return [row[2:] for row in rows]


def counted(rows: list[Any]) -> Counter[tuple[str, str]]:
    return Counter({(str(connector), direction): number for connector, direction, number in rows})


# The steps that are no questions


def name(walk: Walk, random: Random) -> None:
    """Another workspace, in the middle of a transaction."""
    session, tx = walk.open(random)
    tx.settings = settings_of(random)
    walk.name(session, tx.settings)


def nest(walk: Walk, random: Random) -> None:
    """Set a savepoint, go back to the last one, or forget it."""
    session, tx = walk.open(random)
    depth, choice = len(tx.savepoints), random.choice(("set", "back", "forget"))
    if choice == "set" and depth < 3:
        walk.savepoint(session)
    elif choice == "back" and depth:
        walk.tell(session, f"rollback to savepoint s{depth}")
        tx.roll_back_to_savepoint()
    elif depth:
        walk.tell(session, f"release savepoint s{depth}")
        tx.savepoints.pop()


def finish(walk: Walk, random: Random) -> None:
    session, _ = walk.open(random)
    walk.end(session, commit=random.random() < 0.75)


def rename(walk: Walk, random: Random) -> None:
    """A tenant's login, while it is connected."""
    login = random.choice(TENANTS)
    walk.call(login, random.choice((login, "Someone Else", "renamed_" + login)))


def bind(walk: Walk, random: Random) -> None:
    """A tenant's login to a workspace, or to none."""
    login, workspace = random.choice(TENANTS), random.choice((1, 2, None))
    role = f"""'"{walk.names[login]}"'::regrole"""
    walk.administer(f"delete from tenancy.role_bindings where role = {role}")
    if workspace:
        walk.administer(f"insert into tenancy.role_bindings (role, workspace_pk) values ({role}, {workspace})")
    walk.model.committed[login] = Home(workspace) if workspace else None


def asking(
    question: Callable[[Walk, Transaction, Random], Question], *powers: str, clients: bool = True
) -> Callable[[Walk, Random], None]:
    """Return the step that puts a question in a session that most often has one of these powers."""

    def step(walk: Walk, random: Random) -> None:
        session, tx = walk.open(random, *powers, clients=clients)
        walk.ask(session, question(walk, tx, random))

    return step


OPERATIONS: dict[str, tuple[int, Callable[[Walk, Random], None]]] = {
    "name": (3, name),
    "nest": (5, nest),
    "finish": (10, finish),
    "rename": (1, rename),
    "bind": (2, bind),
    "forbidden": (2, asking(forbidden)),
    "read": (8, asking(read, clients=False)),
    "parents": (3, asking(parents, clients=False)),
    "page": (6, asking(page, MEMBER, SYNC)),
    "list": (6, asking(listing, MEMBER, SYNC)),
    "retrieve": (4, asking(retrieve, MEMBER, SYNC)),
    "counts": (4, asking(counts, MEMBER, SYNC)),
    "hasura_page": (3, asking(hasura_page, HASURA)),
    "hasura_list": (2, asking(hasura_list, HASURA)),
    "hasura_counts": (1, asking(hasura_counts, HASURA)),
    "insert": (6, asking(insert, SYNC, SUPERUSER, clients=False)),
    "create": (8, asking(create, SYNC)),
    "delete": (5, asking(delete, SYNC)),
    "revoke": (3, asking(revoke, SYNC)),
    "update": (2, asking(update, SYNC, SUPERUSER, clients=False)),
    "purge": (4, asking(purge, RETENTION)),
    "move": (5, asking(move, OWNER, SUPERUSER, clients=False)),
}
"""How likely each is, and what it does."""


@contextmanager
def walking(server: Server, dbname: str) -> Iterator[Walk]:
    """Walk, and leave the roles as they were."""
    walk = Walk(server, dbname)
    try:
        yield walk
    finally:
        walk.close()
