"""What the rules are, in memory: which rows a login sees under which settings, what it may do, and what refuses it.

No SQL: who agrees with this file agrees with what the database does, because ``walk.py`` compares the two. Most methods
of :class:`Transaction` are one statement: they change the model and return the answer, or raise :class:`Refused`.
"""

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

MEMBER, TENANT, SYNC = "workspace_member", "workspace_tenant", "connector_sync"
HASURA, RETENTION = "hasura_service", "connector_retention"
OWNER, SUPERUSER = "owner", "superuser"
"""Besides the groups: who owns the tables, and who is subject to nothing but triggers and constraints."""

READ_COMMITTED, REPEATABLE_READ, SERIALIZABLE = "read committed", "repeatable read", "serializable"

DENIED, INVALID, MIXED, DELETED_ALREADY = "42501", "22023", "23514", "23000"
NO_DIRECTION, NOT_A_DIRECTION, NO_PARENT, STALE_SNAPSHOT = "23502", "22P02", "23503", "25000"
CHANGED_MEANWHILE, LOCKED = "40001", "55P03"

APP, HASURA_USER, CLAIMS = "app.workspace_id", "hasura.user", "request.jwt.claims"
KEYS = {APP: None, HASURA_USER: "x-hasura-workspace-id", CLAIMS: "workspace_id"}
"""The settings that name a workspace, and the key of those that hold a JSON object."""

DIRECTIONS = ("input", "output")


class Refused(Exception):  # noqa: N818
    """The statement has to fail, with one of these SQLSTATEs."""

    def __init__(self, *codes: str) -> None:
        self.codes = frozenset(codes)


def refuse(codes: Iterable[str]) -> None:
    """Refuse if there is anything to complain about; of several faults the database may name any."""
    if codes := set(codes):
        raise Refused(*codes)


class Row(NamedTuple):
    """A provenance row, in the order of the table's columns."""

    pk: int
    id: UUID
    company: int
    connector: int
    direction: str
    created: datetime
    updated: datetime
    deleted: datetime | None


@dataclass(frozen=True, eq=False)
class Home:
    """The workspace of a company, a connector or a bound login; two are the same only if nobody wrote in between."""

    workspace: int


Fact = tuple[int, int, str | None, datetime, datetime, None]
"""A new row without its keys."""
Store = dict[Any, Any]
"""Rows by public id, homes of companies and connectors by pk and of logins by name; None where one was removed."""


class Filter(NamedTuple):
    """The arguments of a page or list, a company and a connector by pk (0: of nobody)."""

    limit: int | None = None
    after: UUID | None = None
    direction: str | None = None
    company: int | None = None
    connector: int | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None

    def takes(self, row: Row) -> bool:
        """Tell whether a row is asked for."""
        return (
            self.direction in (None, row.direction)
            and self.company in (None, row.company)
            and self.connector in (None, row.connector)
            and (self.created_from is None or row.created >= self.created_from)
            and (self.created_before is None or row.created < self.created_before)
        )

    def page(self, rows: Collection[Row], *, with_deleted: bool) -> tuple[list[Row], UUID | None]:
        """Return the page of a workspace's rows, newest first, and the cursor of the next one, None at the end."""
        limit = 50 if self.limit is None else self.limit
        if not 1 <= limit <= 1000:
            raise Refused(INVALID)
        wanted = sorted(rows, key=age, reverse=True)
        if self.after is not None:
            places = [place for place, row in enumerate(wanted) if row.id == self.after]
            if not places:
                raise Refused(INVALID)
            wanted = wanted[places[0] + 1 :]
        found = [row for row in wanted if self.takes(row) and (with_deleted or row.deleted is None)]
        return found[:limit], found[limit - 1].id if len(found) > limit else None


def age(row: Row) -> tuple[datetime, int]:
    """Order rows: the oldest first, and those of one moment by pk."""
    return row.created, row.pk


def moment(value: datetime | None) -> str | None:
    """Return a moment as the API writes it: UTC, milliseconds."""
    return value.astimezone(UTC).strftime(f"%Y-%m-%dT%H:%M:%S.{value.microsecond // 1000:03d}Z") if value else None


@dataclass
class Model:
    """What is committed, and the transactions that are not."""

    workspaces: dict[str, int]
    """Workspaces by public id."""
    ids: dict[int | None, UUID]
    """The public ids of companies and connectors by pk; 0 is nobody's."""
    committed: Store = field(default_factory=dict)
    open: list["Transaction"] = field(default_factory=list)

    def resource(self, row: Row) -> dict[str, Any]:
        """Return the JSON:API object of a row."""
        parents = {"company": self.ids[row.company], "workspace_connector": self.ids[row.connector]}
        return {
            "type": "company_workspace_connector",
            "id": str(row.id),
            "attributes": {
                "direction": row.direction,
                "created_at": moment(row.created),
                "updated_at": moment(row.updated),
                "deleted_at": moment(row.deleted),
            },
            "relationships": {name: {"data": {"type": name, "id": str(public)}} for name, public in parents.items()},
        }

    def document(self, rows: list[Row], after: UUID | None) -> dict[str, Any]:
        """Return the JSON:API document of a page."""
        return {"data": [self.resource(row) for row in rows], "links": {"next": after and str(after)}}


@dataclass
class Transaction:
    """A transaction of a login: what it sees, what it wrote, and what others may not touch until it ends."""

    model: Model
    login: str
    powers: frozenset[str]
    """The groups whose rights it uses, or OWNER or SUPERUSER."""
    is_tenant: bool
    """Whether the login, whatever its role is now, can use workspace_tenant."""
    level: str
    now: datetime
    settings: dict[str, str]
    own: Store = field(default_factory=dict)
    shared: set[int] = field(default_factory=set)
    """Parents of rows it wrote: they cannot move."""
    savepoints: list[tuple[Store, set[int], dict[str, str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.snapshot = None if self.level == READ_COMMITTED else dict(self.model.committed)
        self.model.open.append(self)

    # Its life

    def save(self) -> None:
        """Set a savepoint."""
        self.savepoints.append((dict(self.own), set(self.shared), dict(self.settings)))

    def roll_back_to_savepoint(self) -> None:
        """Undo what came after the last savepoint, which stays."""
        own, shared, settings = self.savepoints[-1]
        self.own, self.shared, self.settings = dict(own), set(shared), dict(settings)

    def end(self, *, commit: bool) -> None:
        """Commit or roll back."""
        self.model.open.remove(self)
        if commit:
            self.model.committed.update(self.own)

    # What it sees

    def visible(self) -> Store:
        """Return what was committed before the statement, or the transaction, and its own."""
        return {**(self.model.committed if self.snapshot is None else self.snapshot), **self.own}

    def workspace(self, **instead: str) -> int | None:
        """Return the current workspace, None where there is none.

        :param instead: settings that count in place of those of the session.
        """
        settings = {**self.settings, **instead}
        claims = [claim for claim in (claim_of(name, text) for name, text in settings.items()) if claim]
        bound = self.visible().get(self.login)
        if bound is None and self.is_tenant:
            raise Refused(DENIED)
        claimed = self.model.workspaces.get(claims[0]) if claims else None
        if len(set(claims)) > 1 or (bound and claims and claimed != bound.workspace):
            raise Refused(DENIED)
        return bound.workspace if bound else claimed

    def workspace_to_write(self) -> int:
        """Return the current workspace, refuse where there is none."""
        if (workspace := self.workspace()) is None:
            raise Refused(DENIED)
        return workspace

    def every_row(self) -> list[Row]:
        """Return the rows of all tenants."""
        return [row for row in self.visible().values() if isinstance(row, Row)]

    def homes(self, *parents: int) -> set[int | None]:
        """Return the workspaces of companies and connectors, None for one that is not there."""
        seen = self.visible()
        return {seen[pk].workspace if pk in seen else None for pk in parents}

    def rows(self, workspace: int | None) -> list[Row]:
        """Return a workspace's rows: those whose company and connector both belong to it."""
        seen = self.visible()
        return [
            row for row in self.every_row() if seen[row.company].workspace == seen[row.connector].workspace == workspace
        ]

    def need(self, *powers: str) -> None:
        """Refuse who has none of these."""
        if self.powers.isdisjoint(powers):
            raise Refused(DENIED)

    def read(self) -> set[Row]:
        """Select the table."""
        self.need(MEMBER, SYNC, HASURA, OWNER, SUPERUSER)
        if self.powers & {HASURA, SUPERUSER}:
            return set(self.every_row())
        if OWNER in self.powers:
            return set()
        return self.scoped()

    def scoped(self) -> set[Row]:
        """Return what policies leave of the workspace: the sync role sees deleted rows too."""
        rows = self.rows(self.workspace())
        return {row for row in rows if SYNC in self.powers or row.deleted is None}

    def parents(self) -> set[int]:
        """Select the companies and connectors, by pk."""
        self.need(MEMBER, SYNC, HASURA, OWNER, SUPERUSER)
        every = not self.powers.isdisjoint((HASURA, OWNER, SUPERUSER))
        workspace = None if every else self.workspace()
        return {
            key
            for key, home in self.visible().items()
            if isinstance(key, int) and (every or home.workspace == workspace)
        }

    def page(self, wanted: Filter) -> tuple[list[Row], UUID | None]:
        """Page or list."""
        self.need(MEMBER, SYNC)
        return wanted.page(self.rows(self.workspace()), with_deleted=SYNC in self.powers)

    def session_page(self, claimed: str, wanted: Filter) -> tuple[list[Row], UUID | None]:
        """Page or list for Hasura, which names the workspace in an argument, in place of app.workspace_id."""
        self.need(HASURA)
        return wanted.page(self.rows(self.workspace(**{APP: claim_of(HASURA_USER, claimed)})), with_deleted=False)

    def retrieve(self, id: UUID) -> dict[str, Any] | None:  # noqa: A002
        """Retrieve."""
        self.need(MEMBER, SYNC)
        return next(({"data": self.model.resource(row)} for row in self.scoped() if row.id == id), None)

    def counts(self, wanted: Filter, workspace: int | None = None) -> Counter[tuple[str, str]]:
        """Count active rows by connector and direction; for Hasura, those of the workspace that it names."""
        self.need(*((HASURA,) if workspace else (MEMBER, SYNC)))
        rows = self.rows(workspace or self.workspace())
        return Counter(
            (str(self.model.ids[row.connector]), row.direction)
            for row in rows
            if row.deleted is None and wanted._replace(direction=None).takes(row)
        )

    # What it changes

    def claim(self, keys: Iterable[Any], *, share: bool = False) -> set[str]:
        """Return what keeps it from writing, or from sharing, what others wrote or share."""
        codes = set()
        others = [other for other in self.model.open if other is not self]
        for key in keys:
            if key in self.own:
                continue
            if self.snapshot is not None and self.snapshot.get(key) is not self.model.committed.get(key):
                codes.add(CHANGED_MEANWHILE)
            elif any(key in other.own or (not share and key in other.shared) for other in others):
                codes.add(LOCKED)
        return codes

    def change(self, rows: Iterable[Row], *faults: str, deleted: datetime | None) -> set[UUID]:
        """Set deleted_at, unless something else is wrong with the statement."""
        rows = list(rows)
        refuse({*faults, *self.claim(row.id for row in rows)})
        # PostgreSQL checks the foreign keys of what the transaction itself wrote once more.
        self.shared |= {parent for row in rows if row.id in self.own for parent in (row.company, row.connector)}
        self.own.update({row.id: row._replace(updated=self.now, deleted=deleted) for row in rows})
        return {row.id for row in rows}

    def insert(self, company: int, connector: int, direction: str | None) -> list[Fact]:
        """Insert a row by hand, with timestamps that do not count."""
        self.need(SYNC, SUPERUSER)
        homes = self.homes(company, connector)
        if SUPERUSER not in self.powers and (self.workspace() is None or homes != {self.workspace()}):
            raise Refused(DENIED)
        refuse({*self.claim((company, connector), share=True), *([NO_PARENT] if None in homes else [])})
        if len(homes) > 1:
            raise Refused(MIXED)
        self.shared |= {company, connector}
        return [(company, connector, direction, self.now, self.now, None)]

    def create(self, items: list[tuple[int, int, str | None]]) -> list[Fact]:
        """Create rows by public ids: company, connector, direction."""
        self.need(SYNC)
        workspace, faults = self.workspace(), set()
        for company, connector, direction in items:
            if self.homes(company, connector) != {workspace}:
                faults.add(INVALID)
            if direction not in DIRECTIONS:
                faults.add(NO_DIRECTION if direction is None else NOT_A_DIRECTION)
        refuse({*faults, *([DENIED] if workspace is None else [])})
        parents = {pk for company, connector, _ in items for pk in (company, connector)}
        refuse(self.claim(parents, share=True))
        self.shared |= parents
        return [(*item, self.now, self.now, None) for item in items]

    def store(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Take over what was inserted, with the keys that the database gave it."""
        self.own.update({row.id: row for row in map(Row._make, rows)})

    def delete(self, ids: list[UUID]) -> set[UUID]:
        """Delete by public ids."""
        self.need(SYNC)
        found = {row.id: row for row in self.rows(self.workspace_to_write())}
        faults = {INVALID for id in ids if id not in found}  # noqa: A001
        faults |= {DELETED_ALREADY for id in ids if id in found and found[id].deleted}  # noqa: A001
        active = [found[id] for id in ids if id in found and found[id].deleted is None]  # noqa: A001
        return self.change(active, *faults, deleted=self.now)

    def revoke(self, connector: int | None, company: int | None) -> set[UUID]:
        """Revoke."""
        self.need(SYNC)
        workspace = self.workspace_to_write()
        if self.homes(*(pk for pk in (connector, company) if pk is not None)) != {workspace}:
            raise Refused(INVALID)
        wanted = Filter(connector=connector, company=company)
        rows = [row for row in self.rows(workspace) if row.deleted is None and wanted.takes(row)]
        return self.change(rows, deleted=self.now)

    def update(self, direction: str, deleted: datetime | None) -> set[UUID]:
        """Set deleted_at by hand in all rows of a direction."""
        self.need(SYNC, OWNER, SUPERUSER)
        if OWNER in self.powers:
            return set()
        rows = self.read() if SUPERUSER in self.powers else self.rows(self.workspace())
        return self.change((row for row in rows if row.direction == direction), deleted=deleted)

    def purgeable(self, before: datetime, workspace: int | None, company: int | None) -> list[UUID]:
        """Return what a purge removes."""
        self.need(RETENTION)
        seen = self.visible()
        if workspace == 0 or company == 0 or (workspace and company and self.homes(company) != {workspace}):
            raise Refused(INVALID)
        return [
            row.id
            for row in self.every_row()
            if row.deleted
            and row.updated < before
            and company in (None, row.company)
            and workspace in (None, seen[row.company].workspace)
        ]

    def purge(self, before: datetime, workspace: int | None, company: int | None) -> int:
        """Purge until nothing is left."""
        ids = self.purgeable(before, workspace, company)
        refuse(self.claim(ids))
        self.own.update(dict.fromkeys(ids))
        return len(ids)

    def move(self, parent: int, workspace: int) -> None:
        """Give a company or a connector to another workspace."""
        self.need(OWNER, SUPERUSER)
        refuse(self.claim([parent]))
        if self.level != READ_COMMITTED:
            raise Refused(STALE_SNAPSHOT)
        if any(parent in (row.company, row.connector) for row in self.every_row()):
            raise Refused(MIXED)
        self.own[parent] = Home(workspace)


def claim_of(setting: str, text: str) -> str:
    """Return the workspace that a setting names, in lower case; nothing where it is empty."""
    claim: Any = text
    if text and KEYS[setting]:
        try:
            document = json.loads(text)
        except ValueError:
            raise Refused(INVALID) from None
        if not isinstance(document, dict):
            raise Refused(INVALID)
        claim = document.get(KEYS[setting])
    if claim in (None, ""):
        return ""
    if not re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", str(claim).lower()):
        raise Refused(INVALID)
    return str(claim).lower()
