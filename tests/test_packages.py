"""What is published: a source distribution that is the checkout, and a wheel with what a pipeline or a DBA reads."""

import fnmatch
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

from connector_provenance.migrations.sqlfile import ROOT

IN_THE_WHEEL = ("README.md", "CHANGELOG.md", "SECURITY.md", "py.typed", "__main__.py")
FOLDERS_IN_THE_WHEEL = ("clients", "docs", "hasura", "migrations", "policies", "sql")


def checkout() -> set[str]:
    """Return the files that Git tracks; in an unpacked source distribution, all but built ones."""
    if (ROOT / ".git").exists():
        command = ["git", "-c", "safe.directory=*", "ls-files"]
        found = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
        return {name for name in found if (ROOT / name).is_file()}
    built = [*(ROOT / ".gitignore").read_text(encoding="utf-8").split(), "PKG-INFO", "setup.cfg"]
    files = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
    return {
        path.as_posix()
        for path in files
        if not any(fnmatch.fnmatch(part, name.strip("/")) for part in path.parts for name in built)
    }


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both, built as `python -m build` does: the wheel from the source distribution."""
    source, output = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in checkout():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(output), str(source)]
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout + process.stderr
    return output


@pytest.fixture(scope="session")
def wheel(packages: Path) -> zipfile.ZipFile:
    [path] = packages.glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.fixture(scope="session")
def metadata(wheel: zipfile.ZipFile) -> Message:
    [name] = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return Parser().parsestr(wheel.read(name).decode())


def test_the_source_distribution_is_the_checkout(packages: Path) -> None:
    [path] = packages.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        found = {name.partition("/")[2] for name in archive.getnames() if archive.getmember(name).isfile()}
    made = {name for name in found if ".egg-info/" in name} | {"PKG-INFO", "setup.cfg"}
    assert found - made == checkout()


def test_the_wheel_has_what_a_pipeline_and_a_dba_read_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    found = {name.partition("/")[2] for name in wheel.namelist() if name.startswith("connector_provenance/")}
    expected = {name for name in checkout() if name in IN_THE_WHEEL or name.partition("/")[0] in FOLDERS_IN_THE_WHEEL}
    assert found == {name for name in expected if not Path(name).name.startswith(".")}


def test_the_metadata_is_complete(metadata: Message) -> None:
    assert metadata["Name"] == "connector-provenance"
    assert metadata["Author"] == "The connector-provenance maintainers"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert (metadata["License"], metadata["License-Expression"]) == (None, None), "the owner's to choose"
    classifiers = metadata.get_all("Classifier", [])
    assert "Programming Language :: Python :: 3.11" in classifiers
    assert "Private :: Do Not Upload" in classifiers
    needed = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert sorted(needed) == ["alembic>=1.19", "psycopg[binary]>=3.1.8", "sqlalchemy>=2.0"]
    assert str(metadata.get_payload()).startswith("# ")
