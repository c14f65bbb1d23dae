"""Ask one question of one variant: its rows, its time inside the server, its buffers, its plan."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

TIMED = "explain (analyze, timing off, buffers off, format json) "
COUNTED = "explain (analyze, timing off, buffers on, format json) "


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
        with self.connection.transaction():
            self.connection.execute("select set_config('app.workspace_id', %s, true)", (str(self.values["workspace"]),))
            return self.connection.execute(statement).fetchone()

    def _literal(self, text: str) -> str:
        return psycopg.ClientCursor(self.connection).mogrify(text, self.values)

    def _explain(self, how: str, statement: str) -> dict[str, Any]:
        return self._ask(how + statement)[0][0]

    def fingerprint(self) -> tuple[int, Any]:
        """Return how many rows the answer has and a sum over them that no other set of rows is likely to have."""
        text = f"select count(*), sum(hashtextextended(answer::text, 0)) from ({self.text}) as answer"  # noqa: S608
        return self._ask(self._literal(text))

    def milliseconds(self) -> float:
        """Return planning and execution time of the statement with literal values."""
        plan = self._explain(TIMED, self._literal(self.text))
        return plan["Planning Time"] + plan["Execution Time"]

    def buffers(self) -> int:
        """Return how many shared buffers the execution touches."""
        return touched(self._explain(COUNTED, self._literal(self.text)))

    def prepare(self, name: str) -> "Prepared":
        """Prepare the statement under a name, and let the server decide on its kind of plan: the sixth time counts."""
        names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", self.text)))
        text = self.text % {key: f"${place}" for place, key in enumerate(names, 1)}
        self.connection.execute(f"prepare {name} as {text}")
        arguments = ", ".join(f"%({key})s" for key in names)
        prepared = Prepared(self.connection, f"execute {name}" + (f"({arguments})" if names else ""), self.values)
        for _ in range(6):
            prepared.milliseconds()
        return prepared


class Prepared(Question):
    """The same as a prepared statement: its time is execution alone but for a look into the plan cache."""


def touched(plan: Mapping[str, Any]) -> int:
    """Return the shared buffers hit or read by an explained execution, planning aside."""
    node = plan["Plan"]
    return node["Shared Hit Blocks"] + node["Shared Read Blocks"]
