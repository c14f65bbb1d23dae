"""Ask one question of one variant: its rows, its time inside the server, its buffers."""

import re
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

EXPLAIN = "explain (analyze, timing off, buffers {}, format json) "
BUDGET = 1.0  # seconds for the interleaved runs of one question, once each variant has had its least number
RUNS = range(5, 201)


@dataclass(frozen=True)
class Question:
    """A statement as one login role asks it, in a transaction that names its workspace as production does.

    :param connection: the login's own, in autocommit mode.
    :param text: SQL with psycopg's named parameters.
    :param values: the parameters; ``workspace`` is also what ``app.workspace_id`` is set to.
    """

    connection: psycopg.Connection
    text: str
    values: Mapping[str, Any]

    def _ask(self, statement: str) -> Any:
        text = psycopg.ClientCursor(self.connection).mogrify(statement, self.values)
        with self.connection.transaction(force_rollback=True):
            self.connection.execute("select set_config('app.workspace_id', %s, true)", (str(self.values["workspace"]),))
            return self.connection.execute(text).fetchone()

    def _explain(self, buffers: str) -> dict[str, Any]:
        return self._ask(EXPLAIN.format(buffers) + self.text)[0][0]

    def fingerprint(self) -> tuple[int, Any]:
        """Return how many rows the answer has and a sum over them that no other set of rows is likely to have."""
        return self._ask(f"select count(*), sum(hashtextextended(answer::text, 0)) from ({self.text}) as answer")

    def milliseconds(self) -> float:
        """Return the time inside the server: planning and execution."""
        plan = self._explain("off")
        return plan["Planning Time"] + plan["Execution Time"]

    def once(self) -> tuple[float, int]:
        """Return the time of one execution that also counts its buffers, and these."""
        plan = self._explain("on")
        return plan["Planning Time"] + plan["Execution Time"], touched(plan)

    def shape(self) -> str:
        """Return how the plan combines tables, the outermost first, and by which indexes it reads them, each once."""
        steps, sources = [], []
        nodes = [self._ask("explain (format json) " + self.text)[0][0]["Plan"]]
        while nodes:
            node = nodes.pop(0)
            nodes[:0] = node.get("Plans", ())
            if "Join Type" in node or "Sort" in node["Node Type"]:
                steps.append(node["Node Type"])
            if "SubPlan" in node.get("Filter", ""):
                steps.append("hashed SubPlan" if "hashed SubPlan" in node["Filter"] else "SubPlan")
            if "Index Name" in node or node["Node Type"] == "Seq Scan":
                sources.append(node.get("Index Name") or f"all of {node['Relation Name']}")
        return ", ".join(dict.fromkeys(steps)) + ": " + ", ".join(dict.fromkeys(sources))

    def prepare(self) -> "Question":
        """Return the question as a prepared statement, asked often enough for the server to settle on a plan."""
        names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", self.text)))
        text = self.text % {name: f"${place}" for place, name in enumerate(names, 1)}
        arguments = "(" + ", ".join(f"%({name})s" for name in names) + ")" if names else ""
        self.connection.execute("deallocate all")
        self.connection.execute(f"prepare asked as {text}")
        prepared = Question(self.connection, f"execute asked{arguments}", self.values)
        for _ in range(6):
            prepared.milliseconds()
        return prepared

    def round_trip(self) -> float:
        """Return the milliseconds a client waits for a whole transaction: begin, name the workspace, ask, commit."""
        started = time.perf_counter()
        with self.connection.transaction():
            if self.connection.info.user == "bench_member":
                self.connection.execute(
                    "select set_config('app.workspace_id', %s, true)", (str(self.values["workspace"]),), prepare=True
                )
            self.connection.execute(self.text, self.values, prepare=True).fetchall()
        return (time.perf_counter() - started) * 1000


def touched(plan: Mapping[str, Any]) -> int:
    """Return the shared buffers hit or read by an explained execution, its planning aside."""
    node = plan["Plan"]
    return node["Shared Hit Blocks"] + node["Shared Read Blocks"]


def interleaved(runs: Mapping[str, Any]) -> dict[str, float]:
    """Return the median of each of several callables that measure themselves, called in turn.

    :param runs: callables that return milliseconds.
    """
    times: dict[str, list[float]] = {name: [] for name in runs}
    started = time.monotonic()
    for count in range(RUNS.stop):
        if count >= RUNS.start and time.monotonic() - started > BUDGET:
            break
        for name, run in runs.items():
            times[name].append(run())
    return {name: statistics.median(values) for name, values in times.items()}
