"""A load that pgbench makes: scripts in the background, and what became of each of their transactions."""

import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from servers import BIN

WORKSPACE = "select set_config('app.workspace_id', lpad((:w)::text, 32, '0')::uuid::text, true);"
"""What names workspace ``:w``, where public ids are the numbers of the rows."""


@dataclass(slots=True)
class Transaction:
    """One transaction of the load."""

    start: float
    """When it was due, in seconds of the clock: a wait for a free client counts."""
    end: float
    script: str

    @property
    def milliseconds(self) -> float:
        """How long the application waited for it."""
        return (self.end - self.start) * 1000


class Load:
    """pgbench at work.

    :param scripts: by name, the weight of each and its text.
    """

    def __init__(
        self, directory: Path, conninfo: str, scripts: Mapping[str, tuple[int, str]], seconds: int, *options: str
    ) -> None:
        self.directory, self.names = directory, list(scripts)
        files = []
        for name, (weight, text) in scripts.items():
            path = directory / f"{name}.sql"
            path.write_text(text)
            files.append(f"--file={path}@{weight}")
        for old in directory.glob("log.*"):
            old.unlink()
        log = ("--log", f"--log-prefix={directory / 'log'}")
        self.process = subprocess.Popen(
            [BIN / "pgbench", "--no-vacuum", "--jobs=2", f"--time={seconds}", *options, *log, *files, conninfo],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def finish(self) -> list[Transaction]:
        """Wait for its end, make sure that no transaction failed, and return them all."""
        output, _ = self.process.communicate()
        if self.process.returncode or "number of failed transactions: 0 " not in output:
            raise SystemExit(f"the load met an error:\n{output}")
        transactions = []
        for path in self.directory.glob("log.*"):
            for line in path.read_text().splitlines():
                _, _, microseconds, script, second, fraction, *_ = line.split()
                end = int(second) + int(fraction) / 1e6
                transactions.append(Transaction(end - int(microseconds) / 1e6, end, self.names[int(script)]))
        return transactions


def machine() -> str:
    """Return what the figures were measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GB of memory"
