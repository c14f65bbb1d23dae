"""Ask a real engine what the tests ask its model: `python hasura/check.py`.

Starts the database and the engine of docker-compose.yaml, migrates and fills the one, applies fragment.json to the
other, compares each answer with those of *_check.json under both settings of HASURA_GRAPHQL_INFER_FUNCTION_PERMISSIONS,
and removes both. Needs Docker with compose 2 and this package. Prints each difference; exit code 1 if there is one.
"""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
DATABASE = "postgresql://postgres:check@127.0.0.1:54318/postgres"
ENGINE = "http://127.0.0.1:58080"

Ask = Callable[[dict[str, Any]], Any]
"""Takes a case and returns the answer."""


def entities() -> list[str]:
    """Return what there is a check of."""
    return [path.name.removesuffix("_check.json") for path in sorted(HERE.glob("*_check.json"))]


def cases(entity: str) -> list[dict[str, Any]]:
    """Return what is asked, in its order, since the mutations change the rows of ``<entity>_check.sql``.

    Each has a ``role``, a ``workspace``, and an operation's name in ``query``, or its ``text``, or a REST path in
    ``get``; perhaps ``variables``; and the ``answer`` to it or the message of its ``error``, in which "*" is anything.
    """
    found: list[dict[str, Any]] = json.loads((HERE / f"{entity}_check.json").read_text(encoding="utf-8"))
    return found


def operations() -> dict[str, str]:
    """Return the text of each operation of the query collections by its name."""
    calls = json.loads((HERE / "fragment.json").read_text(encoding="utf-8"))["args"]
    collections = [call["args"] for call in calls if call["type"] == "create_query_collection"]
    return {query["name"]: query["query"] for each in collections for query in each["definition"]["queries"]}


def agrees(expected: Any, found: Any) -> bool:
    """Say whether an answer is the expected one."""
    match expected:
        case "*":
            return True
        case dict():
            return (
                isinstance(found, dict)
                and expected.keys() == found.keys()
                and all(agrees(inner, found[key]) for key, inner in expected.items())
            )
        case list():
            return isinstance(found, list) and len(expected) == len(found) and all(map(agrees, expected, found))
    return bool(expected == found)


def differences(entity: str, ask: Ask) -> Iterator[str]:
    """Ask each case and yield where the answer is another."""
    for case in cases(entity):
        found = ask(case)
        if "error" in case:
            errors = found.get("errors") or [{"message": found.get("error")}]
            right = found.get("data") is None and agrees(case["error"], errors[0]["message"]) and errors[0]["message"]
        else:
            right = agrees(case["answer"], found if "get" in case else found.get("data"))
        if not right:
            yield f"{json.dumps(case)}\n    found {json.dumps(found)}"


def send(path: str, body: Any = None, **headers: str) -> Any:
    """Send one request to the engine as its administrator and return the answer, whatever its status."""
    data = None if body is None else json.dumps(body).encode()
    headers |= {"Content-Type": "application/json", "X-Hasura-Admin-Secret": "check"}
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{ENGINE}{path}", data, headers), timeout=30) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        return json.load(error)


def ask(case: dict[str, Any]) -> Any:
    """Ask the engine as a client would, whose token names a role and a workspace."""
    session = {"X-Hasura-Role": case["role"], "X-Hasura-Workspace-Id": case["workspace"]}
    if "get" in case:
        return send(f"/api/rest/{case['get']}", **session)
    text = case.get("text") or operations()[case["query"]]
    return send("/v1/graphql", {"query": text, "variables": case.get("variables", {})}, **session)


def run(*command: str, text: str | None = None, **environment: str) -> None:
    """Run a program, with a script on its standard input if there is one."""
    subprocess.run(command, input=text, text=True, check=True, env={**os.environ, **environment})


def main() -> int:
    """Run the check and return the exit code."""
    compose = ("docker", "compose", "--file", str(HERE / "docker-compose.yaml"))
    psql = (*compose, "exec", "-T", "database", "psql", "--username=postgres", "--quiet", "--set=ON_ERROR_STOP=1")
    failed = []
    try:
        run(*compose, "up", "--detach", "--wait", "database")
        run(sys.executable, "-m", "connector_provenance.migrations.cli", "upgrade", DATABASE_URL=DATABASE)
        run(*psql, text=(HERE / "login.sql").read_text(encoding="utf-8") + "alter role hasura password 'check';")
        for setting in ("true", "false"):
            run(*compose, "up", "--detach", "engine", INFER_FUNCTION_PERMISSIONS=setting)
            wait()
            if setting == "true":
                applied = send("/v1/metadata", json.loads((HERE / "fragment.json").read_text(encoding="utf-8")))
                applied = applied if isinstance(applied, list) else [applied]
                failed += [f"metadata: {each}" for each in applied if each.get("message") != "success"]
            consistent = send("/v1/metadata", {"type": "get_inconsistent_metadata", "args": {}})
            failed += [f"metadata: {each}" for each in consistent["inconsistent_objects"]]
            for entity in entities():
                run(*psql, text=(HERE / f"{entity}_check.sql").read_text(encoding="utf-8"))
                failed += [f"inferred {setting}: {each}" for each in differences(entity, ask)]
    finally:
        run(*compose, "down", "--volumes")
    asked = sum(len(cases(entity)) for entity in entities())
    print(*failed, f"{asked} questions asked twice, {len(failed)} differences", sep="\n")
    return min(len(failed), 1)


def wait(seconds: int = 120) -> None:
    """Return when the engine answers.

    :raises TimeoutError: it does not, in so many seconds.
    """
    for _ in range(seconds):
        try:
            with urllib.request.urlopen(f"{ENGINE}/healthz", timeout=5):
                return
        except OSError:
            time.sleep(1)
    raise TimeoutError("the engine does not answer")


if __name__ == "__main__":
    sys.exit(main())
