"""A sibling is company's own files with two words changed: beside company as isolated, and gone without a trace."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest
import yaml
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from deployer import REVISIONS, alembic_config, engine, upgrade
from helpers import ACME, GLOBEX, SEED, UNKNOWN, Connect, scalar
from hosts import EMPTY, JUNCTION, RECORD_TYPES, UNFILLED, Host, in_words, parents
from psycopg import errors
from psycopg.types.json import Jsonb
from servers import FULL, Server, dump, join_groups, new_database, psql

from connector_provenance.hasura import check, model
from connector_provenance.hasura.operations import ask
from connector_provenance.migrations import contract, entity, live, sqlfile
from connector_provenance.migrations.sqlfile import ROOT

FOLDERS = ["migrations", *(folder for folder in entity.FOLDERS[1:] if (ROOT / folder).exists())]


class Entity(NamedTuple):
    """The two words that make a record type's files."""

    name: str
    plural: str

    def words(self, text: str) -> str:
        """Return company's text in this one's words."""
        for own, new in (("companies", self.plural), ("company", self.name)):
            pascal = new.title().replace("_", "")
            text = re.sub(rf"\b{own}(?=[A-Z])", pascal[0].lower() + pascal[1:], text)
            text = text.replace(f"{own}-", f"{new.replace('_', '-')}-").replace(own, new)
            text = text.replace(own.upper(), new.upper()).replace(own.title(), pascal)
        return text

    @property
    def rows(self) -> str:
        """The junction."""
        return f"core_api.{self.name}_workspace_connectors"

    @property
    def parents(self) -> str:
        """The table of records."""
        return f"core_api.{self.plural}"


COMPANY = Entity("company", "companies")
PRESENT = [Entity(*words) for words in RECORD_TYPES[1:]]
DOCUMENT, PERSON = Entity("document", "documents"), Entity("person", "people")
WRITTEN = [each for each in (DOCUMENT, Entity("hr_person", "hr_people"), PERSON) if each not in PRESENT]
"""A word of company's comments, and an irregular one that is a part of the one before it; those that are not there."""

SIBLINGS = [*PRESENT, *WRITTEN]
"""In the order of their revisions."""

ADOPTED = UNFILLED.but("adopted", in_words(f"{parents()};{JUNCTION}", *DOCUMENT) if DOCUMENT in WRITTEN else "")
"""Company's tables and the documents', as MikroORM makes them; persons there are not."""


def copy_of(tree: Path, target: Path) -> None:
    """Copy the files of a package."""
    for folder in FOLDERS:
        shutil.copytree(tree / folder, target / folder, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package, to which the siblings' files were written as `make entity` writes them."""
    top = tmp_path_factory.mktemp("tree")
    copy_of(ROOT, top / "connector_provenance")
    for sibling in WRITTEN:
        assert make_entity(top, *sibling).returncode == 0
    return top / "connector_provenance"


def make_entity(top: Path, *names: str) -> subprocess.CompletedProcess[str]:
    """Run the script of the package in a directory."""
    script = [sys.executable, "-m", "connector_provenance.migrations.entity", *names]
    return subprocess.run(script, cwd=top, capture_output=True, text=True, check=False)


@contextmanager
def package(tree: Path, url: str = "") -> Iterator[Config]:
    """Have this process run the SQL files of the copy; yields Alembic's configuration for its revisions."""
    config = alembic_config(url, stdout=StringIO())
    config.set_main_option("script_location", str(tree / "migrations"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlfile, "ROOT", tree)
        yield config


def migrate(tree: Path, server: Server, dbname: str, action: Callable[..., None], revision: str) -> None:
    """Upgrade or downgrade by the copy's revisions, as the deployer."""
    with package(tree, server.url(dbname)) as config:
        action(config, revision)


def revisions(tree: Path, kind: Entity) -> list[str]:
    """Return an entity's revisions, the first one first."""
    name = re.compile(rf"\d{{4}}_{kind.name}(_[a-z]+)?")
    return sorted(path.stem for path in (tree / "migrations/versions").glob("*.py") if name.fullmatch(path.stem))


@pytest.fixture(scope="module", params=[EMPTY, ADOPTED], ids=str)
def dbname(request: pytest.FixtureRequest, tree: Path, server: Server) -> Iterator[str]:
    """The name of a migrated database with company's seed and the siblings', which tests must not change."""
    with new_database(server, "provenance_siblings") as connection:
        request.param.build(connection)
        migrate(tree, server, "provenance_siblings", command.upgrade, "head")
        connection.execute(SEED)
        for sibling in SIBLINGS:
            connection.execute(";".join(sibling.words(part) for part in SEED.split(";") if "compan" in part))
        join_groups(connection)
        yield "provenance_siblings"


@pytest.fixture
def as_role(connect: Connect, dbname: str) -> Connect:
    """The fixture ``connect``, to the database with siblings."""

    def _connect(login: str | None = None, workspace: str | None = None) -> psycopg.Connection:
        return connect(login, workspace, dbname=dbname)

    return _connect


each_kind = pytest.mark.parametrize("kind", [DOCUMENT, PERSON, COMPANY], ids=lambda kind: kind.name)


# The files


@pytest.mark.parametrize("sibling", SIBLINGS, ids=lambda kind: kind.name)
def test_every_file_of_a_sibling_is_companys_with_two_words_changed(sibling: Entity, tree: Path) -> None:
    numbers = {own[:4]: new[:4] for own, new in zip(revisions(tree, COMPANY), revisions(tree, sibling), strict=True)}
    compared = 0
    for own in sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*compan*.*")):
        if own.suffix == ".pyc":
            continue
        name, text = str(own.relative_to(ROOT)), own.read_text(encoding="utf-8")
        for old, new in numbers.items():
            name, text = name.replace(f"{old}_", f"{new}_"), re.sub(rf"\b{old}(?=_|: | down: )", new, text)
        written = (tree / sibling.words(name)).read_text(encoding="utf-8")
        if own.suffix == ".py":
            text, written = (re.sub("down_revision = .*", "", each) for each in (text, written))
        assert written == sibling.words(text), name
        compared += 1
    assert compared > 50


def test_each_word_keeps_its_case_and_its_article() -> None:
    text = "A company of a Company-wide CompanyList, companyList, company-list; the companies' COMPANY_pk: a company."
    assert entity.render(text, "audit_entry", "audit_entries") == (
        "An audit_entry of a AuditEntry-wide AuditEntryList, auditEntryList, audit-entry-list; the audit_entries'"
        " AUDIT_ENTRY_pk: an audit_entry."
    )


def test_the_revisions_of_all_siblings_follow_each_other(tree: Path) -> None:
    with package(tree) as config:
        scripts = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert scripts[::-1] == sorted(path.stem for path in (tree / "migrations/versions").glob("0*.py"))
    last = len(scripts) - len(revisions(tree, SIBLINGS[-1]))
    assert scripts[::-1][last:] == revisions(tree, SIBLINGS[-1])


def test_what_came_later_for_company_comes_for_a_sibling_too_in_the_same_order(tmp_path: Path) -> None:
    copy_of(ROOT, tmp_path)
    head, versions = REVISIONS[-1], tmp_path / "migrations/versions"
    for path, text in {
        "0098_shared": f'down_revision = "{head}"\n',
        "0099_company_list": 'down_revision = "0098_shared"\nrun("sql/functions/company_list_v02.sql")\n',
    }.items():
        (versions / f"{path}.py").write_text(f'revision = "{path}"\n{text}', encoding="utf-8")
    (tmp_path / "sql/functions/company_list_v02.sql").write_text("-- company\n", encoding="utf-8")
    with package(tmp_path):
        files = entity.files("invoice", "invoices")
    assert files["sql/functions/invoice_list_v02.sql"] == "-- invoice\n"
    written = [path for path in files if path.startswith("migrations/versions/")]
    assert [path[20:24] for path in written] == [f"{100 + place:04}" for place in range(len(written))]
    assert 'down_revision = "0099_company_list"' in files[written[0]]
    before = written[-2].split("/")[-1].removesuffix(".py")
    assert files[written[-1]] == (
        f'revision = "{written[-1][20:-3]}"\ndown_revision = "{before}"\nrun("sql/functions/invoice_list_v02.sql")\n'
    )
    assert not [path for path in files if "shared" in path]


def test_every_list_of_hasuras_metadata_gains_the_siblings_entries(tree: Path) -> None:
    default = Path("hasura/metadata/databases/default")
    for folder in ("tables", "functions"):
        included = yaml.safe_load((tree / default / folder / f"{folder}.yaml").read_text(encoding="utf-8"))
        files = [path.name for path in (tree / default / folder).glob("core_api_*.yaml")]
        assert sorted(included) == sorted(f"!include {name}" for name in files)
    for path in (tree / "hasura/metadata").rglob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        assert yaml.safe_load(text) is not None
        if "compan" not in path.name:
            for sibling in SIBLINGS:
                named = re.findall(rf"(?<![a-z_]){sibling.name}_workspace", text)
                assert len(named) >= len(re.findall("(?<![a-z_])company_workspace", text)), path


def test_no_two_fields_of_a_siblings_type_have_one_name(tree: Path) -> None:
    for path in (tree / "hasura/metadata/databases/default/tables").glob("core_api_*.yaml"):
        table = yaml.safe_load(path.read_text(encoding="utf-8"))
        kinds = ("object_relationships", "array_relationships", "computed_fields")
        fields = [field["name"] for kind in kinds for field in table.get(kind, ())]
        fields += table["select_permissions"][0]["permission"]["columns"]
        assert sorted(set(fields)) == sorted(fields), path.name


@FULL
def test_a_siblings_sql_passes_the_linter(tree: Path) -> None:
    document = [str(path) for path in tree.rglob("*document*.sql")]
    config = str(ROOT / "pyproject.toml")
    lint = [str(Path(sys.executable).with_name("sqlfluff")), "lint", "--config", config, *document]
    linted = subprocess.run(lint, capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout


# The database


@FULL
def test_every_rule_is_tried_on_each_record_type(server: Server, dbname: str) -> None:
    with engine(server, dbname, None).connect() as connection:
        report = live.verify(connection, 0)
    assert sorted(report.sampled) == sorted(kind.rows for kind in (COMPANY, *SIBLINGS))
    assert (report.code, [each for each in report.findings if each.result in (live.LEAK, live.WRONG)]) == (0, [])
    assert {each.junction for each in report.findings if each.check == "guard" and each.result == live.OK} == {
        *report.sampled
    }


def test_the_contract_knows_the_siblings_at_once(tree: Path, server: Server, dbname: str) -> None:
    with package(tree), engine(server, dbname).connect() as connection:
        assert contract.differences(connection) == []
    psql(server, dbname, (tree / "sql/verify.sql").read_text(encoding="utf-8"))


@each_kind
def test_the_contract_misses_what_a_sibling_lost(kind: Entity, tree: Path, as_role: Connect) -> None:
    superuser = as_role()
    superuser.execute(
        f"drop trigger workspace_connectors_with_{kind.plural}_refuse_move on core_api.workspace_connectors"
    )
    superuser.execute(f"drop policy sync_inserts_rows on {kind.rows}")
    with pytest.raises(errors.RaiseException) as caught:
        superuser.execute((tree / "sql/verify.sql").read_text(encoding="utf-8"))
    report = f"{caught.value.diag.message_primary}\n{caught.value.diag.message_detail}"
    assert f"policy sync_inserts_rows on {kind.rows}: found none" in report
    assert f"trigger workspace_connectors_with_{kind.plural}_refuse_move on core_api.workspace_connectors" in report


def test_the_written_contract_is_the_one_that_is_read(tree: Path, server: Server, empty: psycopg.Connection) -> None:
    migrate(tree, server, empty.info.dbname, command.upgrade, "head")
    with package(tree), engine(server, empty.info.dbname).connect() as connection:
        found = contract.read(connection)
        known = contract.facts()
    assert [astuple(fact)[:3] for fact in sorted(found)] == [astuple(fact)[:3] for fact in known]


@each_kind
def test_a_member_sees_only_its_own_workspace(kind: Entity, as_role: Connect) -> None:
    query = f"select array_agg(distinct {kind.name}_pk order by {kind.name}_pk), count(*) from {kind.rows}"
    assert as_role("member_login", ACME).execute(query).fetchone() == ([11, 12], 3)
    assert as_role("member_login", GLOBEX).execute(query).fetchone() == ([21, 22], 2)
    for nobody in (None, UNKNOWN):
        assert as_role("member_login", nobody).execute(query).fetchone() == (None, 0)


@each_kind
def test_the_sync_role_writes_in_its_own_workspace_only(kind: Entity, as_role: Connect) -> None:
    sync = as_role("sync_login", ACME)
    insert = f"insert into {kind.rows} ({kind.name}_pk, workspace_connector_pk, direction) values (%s, %s, 'input')"
    delete = f"update {kind.rows} set deleted_at = now() where {kind.name}_pk = %s and deleted_at is null"
    assert sync.execute(insert, (19, 109)).rowcount == 1
    assert sync.execute(delete, (19,)).rowcount == 1
    assert sync.execute(delete, (21,)).rowcount == 0
    for foreign in ((21, 101), (11, 201), (21, 201)):
        with pytest.raises(errors.InsufficientPrivilege), sync.transaction():
            sync.execute(insert, foreign)
    for refused in (f"update {kind.rows} set direction = 'output'", f"delete from {kind.rows}"):
        with pytest.raises(errors.InsufficientPrivilege), sync.transaction():
            sync.execute(refused)


@each_kind
def test_a_row_that_spans_two_workspaces_is_refused_to_everyone(kind: Entity, as_role: Connect) -> None:
    superuser = as_role()
    for statement in (
        f"insert into {kind.rows} ({kind.name}_pk, workspace_connector_pk, direction) values (11, 201, 'input')",
        f"update {kind.rows} set workspace_connector_pk = 201 where {kind.name}_pk = 12",
    ):
        with (
            pytest.raises(errors.CheckViolation, match=f"the {kind.name} and the connector") as caught,
            superuser.transaction(),
        ):
            superuser.execute(statement)
        assert caught.value.diag.constraint_name == f"{kind.name}_workspace_connectors_same_workspace"


@each_kind
def test_a_parent_with_rows_of_one_kind_stays_in_its_workspace(kind: Entity, as_role: Connect) -> None:
    superuser = as_role()
    superuser.execute(
        f"insert into {kind.rows} ({kind.name}_pk, workspace_connector_pk, direction) values (12, 109, 'input')"
    )
    for table, pk in ((kind.parents, 11), ("core_api.workspace_connectors", 109)):
        with pytest.raises(errors.CheckViolation, match="has provenance rows") as caught, superuser.transaction():
            superuser.execute(f"update {table} set workspace_pk = 2 where pk = {pk}")
        assert f"core_api.{caught.value.diag.table_name}" == kind.rows
    for table, pk in ((kind.parents, 19), ("core_api.workspace_connectors", 209)):
        superuser.execute(f"update {table} set workspace_pk = 3 - workspace_pk where pk = {pk}")


@each_kind
def test_the_api_reads_pages_lists_and_single_rows(kind: Entity, as_role: Connect) -> None:
    member = as_role("member_login", ACME)
    page = [row[0] for row in member.execute(f"select id from {kind.rows}_page()")]
    listed = scalar(member, f"select {kind.rows}_list(page_limit => 2)")
    assert [each["id"] for each in listed["data"]] == [str(public) for public in page[:2]]
    assert listed["links"]["next"] == str(page[1])
    rest = scalar(member, f"select {kind.rows}_list(after_id => %s)", page[1])
    assert [each["id"] for each in rest["data"]] == [str(page[2])]
    assert rest["links"]["next"] is None
    first = scalar(member, f"select core_api.{kind.name}_workspace_connector_retrieve(%s)", page[0])
    assert first == {"data": listed["data"][0]}
    assert first["data"]["type"] == f"{kind.name}_workspace_connector"
    assert first["data"]["relationships"][kind.name]["data"]["type"] == kind.name
    resource = f"select core_api.{kind.name}_workspace_connector_resource(j) from {kind.rows} as j where id = %s"
    assert scalar(member, resource, page[0]) == first["data"]
    counts = member.execute(f"select active_rows from {kind.rows}_counts()").fetchall()
    assert sorted(counts) == [(1,), (2,)]
    foreign = scalar(as_role(), f"select id from {kind.rows} where {kind.name}_pk = 21")
    assert scalar(member, f"select core_api.{kind.name}_workspace_connector_retrieve(%s)", foreign) is None
    with pytest.raises(errors.InvalidParameterValue, match="after_id"):
        member.execute(f"select from {kind.rows}_page(after_id => %s)", (foreign,))


@each_kind
def test_the_api_creates_deletes_and_revokes_rows(kind: Entity, as_role: Connect) -> None:
    superuser, sync = as_role(), as_role("sync_login", ACME)
    ids = {pk: scalar(superuser, f"select {kind.name}_id from {kind.parents} where pk = %s", pk) for pk in (12, 21)}
    connector = scalar(superuser, "select workspace_connector_id from core_api.workspace_connectors where pk = 102")
    create = f"select id from core_api.create_{kind.name}_workspace_connector(%s, %s, 'output')"
    delete = f"select deleted_at is not null from core_api.delete_{kind.name}_workspace_connector(%s)"
    created = scalar(sync, create, ids[12], connector)
    assert scalar(sync, delete, created)
    with pytest.raises(errors.IntegrityConstraintViolation, match="deleted already"), sync.transaction():
        sync.execute(delete, (created,))
    with pytest.raises(errors.InvalidParameterValue, match=f"{kind.name}_id is not"), sync.transaction():
        sync.execute(create, (ids[21], connector))
    many = [{f"{kind.name}_id": str(ids[12]), "workspace_connector_id": str(connector), "direction": "input"}] * 2
    assert (
        len(
            sync.execute(f"select from core_api.create_{kind.name}_workspace_connectors(%s)", (Jsonb(many),)).fetchall()
        )
        == 2
    )
    revoke = f"select count(*) from core_api.revoke_{kind.name}_workspace_connectors({kind.name}_id => %s)"
    assert scalar(sync, revoke, ids[12]) == 3
    with pytest.raises(errors.InvalidParameterValue, match=f"{kind.name}_id is not"):
        sync.execute(revoke, (ids[21],))
    with pytest.raises(errors.InsufficientPrivilege):
        as_role("member_login", ACME).execute(create, (ids[12], connector))


@each_kind
def test_the_purge_removes_what_was_deleted_of_one_kind(kind: Entity, as_role: Connect) -> None:
    retention = as_role("retention_login")
    purge = f"select core_api.purge_{kind.name}_workspace_connectors('infinity'"
    assert scalar(retention, f"{purge}, workspace_id => %s)", GLOBEX) == 1
    assert scalar(retention, f"{purge})") == 1
    assert scalar(retention, f"{purge})") == 0
    with pytest.raises(errors.InsufficientPrivilege):
        retention.execute(f"select from {kind.rows}")


@each_kind
def test_hasura_pages_the_workspace_of_its_session(kind: Entity, as_role: Connect) -> None:
    hasura = as_role("hasura_login")
    page = f"select count(*) from {kind.rows}_session_page(json_build_object('x-hasura-workspace-id', %s::text))"
    assert [scalar(hasura, page, each) for each in (ACME, GLOBEX, UNKNOWN, None)] == [3, 2, 0, 0]
    listed = f"select core_api.workspace_{kind.name}_workspace_connectors(w) from core_api.workspaces as w where pk = 2"
    assert len(scalar(as_role(), listed)["data"]) == 2
    with pytest.raises(errors.InsufficientPrivilege):
        as_role("member_login", ACME).execute(page, (ACME,))


def test_hasura_answers_about_a_sibling_as_about_company(
    tree: Path, server: Server, empty: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (check, model):
        monkeypatch.setattr(module, "HERE", tree / "hasura")
    migrate(tree, server, empty.info.dbname, command.upgrade, "head")
    join_groups(empty)
    entities = model.Model(model.load(), empty)
    with psycopg.connect(
        server.conninfo(empty.info.dbname, "hasura_sync_login"),
        autocommit=True,
        options="-c search_path=core_api,public -c timezone=UTC",
    ) as hasura:
        for kind in (*SIBLINGS, COMPANY):
            empty.execute((tree / f"hasura/{kind.name}_check.sql").read_text(encoding="utf-8"))
            assert list(check.differences(kind.name, lambda case: ask(entities, hasura, case))) == []


@pytest.mark.parametrize("host", [EMPTY, ADOPTED], ids=str)
def test_siblings_are_taken_down_again_and_leave_what_was_before(
    host: Host, tree: Path, server: Server, empty: psycopg.Connection
) -> None:
    dbname, before = empty.info.dbname, []
    host.build(empty)
    managed = "select * from tenancy.managed_objects order by 1, 2"
    for sibling in (COMPANY, *SIBLINGS):
        migrate(tree, server, dbname, command.upgrade, revisions(tree, sibling)[-1])
        before.append((dump(server, dbname), empty.execute(managed).fetchall()))
    for sibling in (*SIBLINGS[-2::-1], COMPANY):
        before.pop()
        migrate(tree, server, dbname, command.downgrade, revisions(tree, sibling)[-1])
        assert (dump(server, dbname), empty.execute(managed).fetchall()) == before[-1]
    assert len(before) == 1


# What is refused


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (("company", "firms"), "of no other record type: not 'company'"),
        (("firm", "companies"), "not 'companies'"),
        (("holding_company", "holdings"), "not 'holding_company'"),
        (("order-line", "order_lines"), "are words in snake_case, of no other record type: not 'order-line'"),
        (("invoice", "Invoices"), "not 'Invoices'"),
        (("_invoice", "invoices"), "not '_invoice'"),
        (("invoice; drop", "invoices"), "not 'invoice; drop'"),
        (("../invoice", "invoices"), "not '../invoice'"),
        (("", ""), "not ''"),
        (("workspace", "rooms"), "not 'workspace'"),
        (("room", "workspaces"), "not 'workspaces'"),
        (("workspace_connector", "plugs"), "not 'workspace_connector'"),
        (("document", "papers"), "document-page.ts is there already"),
        (("paper", "documents"), "core_api_documents.yaml is there already"),
    ],
)
def test_a_bad_or_taken_name_is_refused(names: tuple[str, str], complaint: str, tree: Path) -> None:
    with package(tree), pytest.raises(ValueError, match=re.escape(complaint)):
        entity.files(*names)


def test_names_too_long_are_refused_with_every_name_that_does_not_fit(tree: Path) -> None:
    before = {path: path.read_bytes() for path in tree.rglob("*.*") if path.suffix != ".pyc"}
    refused = make_entity(tree.parent, "abcdefghijklmnopqrst", "abcdefghijklmnopqrsts")
    assert refused.returncode == 1
    assert [re.sub(r"(\d{4}_)?abcdefghijklmnopqrst", "…", line) for line in refused.stderr.splitlines()] == [
        "…_indexes: 33 bytes, Alembic bears 32",
        "…_policies: 34 bytes, Alembic bears 32",
        "…_guarded: 33 bytes, Alembic bears 32",
        "…_workspace_connectors_…_pk_foreign: 73 bytes, PostgreSQL bears 63",
        "…_workspace_connectors_…_pk_index: 71 bytes, PostgreSQL bears 63",
        "…_workspace_connectors_workspace_connector_pk_foreign: 72 bytes, PostgreSQL bears 63",
        "workspace_connectors_with_…s_refuse_replacement: 66 bytes, PostgreSQL bears 63",
    ]
    assert {path: path.read_bytes() for path in tree.rglob("*.*") if path.suffix != ".pyc"} == before


def test_the_longest_name_of_the_product_fits_to_the_byte() -> None:
    texts = entity.files("transaction", "transactions").values()
    assert max(len(word) for text in texts for word in re.findall(r"\w+", text)) == 63
    with pytest.raises(ValueError, match="transactions_workspace_connectors_workspace_connector_pk_foreign: 64 bytes"):
        entity.files("transactions", "all_transactions")


# The ground


def test_what_all_record_types_share_does_not_speak_of_companies() -> None:
    ground = [
        path for folder in ("sql", "policies", "migrations", "hasura/metadata") for path in (ROOT / folder).rglob("*.*")
    ]
    exempt = {"schema.sql", "verify.sql", "revisions.json", "README.md", "entity.py"}
    words = [word for kind in RECORD_TYPES for word in kind]
    spoken = {}
    for path in ground:
        if path.name not in exempt and path.suffix != ".pyc" and not any(word in path.name for word in words):
            text = path.read_text(encoding="utf-8")
            lists = entity.ENTRY.sub("", text) if path.suffix in entity.LISTS else text
            spoken[str(path.relative_to(ROOT))] = entity.WORD.findall(lists)
    assert {path: found for path, found in spoken.items() if found} == {}
    assert len(spoken) > 40


def test_every_object_that_company_brings_is_named_after_it(server: Server, empty: psycopg.Connection) -> None:
    def held() -> dict[str, str]:
        with engine(server, empty.info.dbname).connect() as connection:
            return {fact.object: fact.definition for fact in contract.read(connection)}

    names = [revision for revision in REVISIONS if entity.WORD.search(revision)]
    upgrade(server, empty.info.dbname, REVISIONS[REVISIONS.index(names[0]) - 1])
    ground = held()
    upgrade(server, empty.info.dbname, names[-1])
    complete = held()
    assert {name: complete.get(name) for name in ground} == ground
    assert [name for name in complete if name not in ground and not entity.WORD.search(name)] == []
