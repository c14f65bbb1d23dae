"""Write a record type's files, which are company's with two words changed: ``make entity NAME=bill PLURAL=bills``."""

import re
import sys
from collections.abc import Callable
from hashlib import md5

from connector_provenance.migrations import contract, sqlfile

FOLDERS = ("migrations/versions", "sql", "policies", "hasura", "clients")
FILES = (".sql", ".py", ".json", ".yaml", ".json5", ".ts", ".mjs")
LISTS = FILES[3:]
WORD = re.compile(r"compan(?:y|ies)", re.I)
ENTRY = re.compile(r'^( *)(- |"|export ).*compan(?:y|ies).*\n(?:\1 +.*\n)*', re.M | re.I)
"""An item of a YAML list, a line of JSON5 or an export of a module that names company in its first line."""
BODY = re.compile(r"^    (?:AS \$_*\$(.*?)\$_*\$|(BEGIN ATOMIC\n.*?|RETURN .*?));\n\n", re.M | re.S)
"""A function's body in sql/schema.sql, as the contract hashes it."""


def render(text: str, name: str, plural: str) -> str:
    """Return the text with the two words changed, each in the case it had, and the article before a vowel."""
    for own, new in (("company", name), ("companies", plural)):
        pascal = new.title().replace("_", "")
        text = text.replace(own.upper(), new.upper()).replace(own.capitalize(), pascal)
        text = re.sub(f"{own}(?=[A-Z])", pascal[0].lower() + pascal[1:], text)
        text = text.replace(f"{own}-", f"{new.replace('_', '-')}-")
        article = r"\1n" if new[0] in "aeiou" else r"\1"
        text = re.sub(rf"\b([Aa]) {own}\b", f"{article} {new}", text).replace(own, new)
    return text


def files(name: str, plural: str) -> dict[str, str]:
    """Return the sibling's files, and those that gain entries of its, each with its whole text; nothing is written.

    :raises ValueError: a name is no snake_case word, is taken, or is longer than PostgreSQL or Alembic bear.
    """
    for given in (name, plural):
        if not re.fullmatch("(?!workspace(_connector)?s?$)[a-z][a-z0-9]*(_[a-z0-9]+)*", given) or WORD.search(given):
            raise ValueError(f"NAME and PLURAL are words in snake_case, of no other record type: not {given!r}")
    revisions = sorted(path.stem for path in (sqlfile.ROOT / "migrations/versions").glob("[0-9]*.py"))
    after = int(revisions[-1][:4]) + 1
    numbers = {own[:4]: f"{after + place:04}" for place, own in enumerate(filter(WORD.search, revisions))}
    number = re.compile(rf"(?<![\w-])({'|'.join(numbers)})(?=_|: | down: )")

    def sibling(text: str) -> str:
        return render(number.sub(lambda found: numbers[found[1]], text), name, plural)

    def with_copy(entry: re.Match[str]) -> str:
        own, copy = entry[0], sibling(entry[0])
        return copy.rstrip(",\n") + ",\n" + own if entry[2] == '"' else own + copy  # JSON's last has no comma

    result = {"sql/verify.sql": verify(sibling)}
    paths = sorted(path for folder in FOLDERS for path in (sqlfile.ROOT / folder).rglob("*.*"))
    for path in (path for path in paths if path.suffix in FILES and "node_modules" not in path.parts):
        own, text = path.relative_to(sqlfile.ROOT).as_posix(), path.read_text(encoding="utf-8")
        if WORD.search(own):
            target = sibling(own)
            if target in result or (sqlfile.ROOT / target).exists():
                raise ValueError(f"{target} is there already")
            result[target] = sibling(text)
            if path.parent.name == "versions":
                result[target] = re.sub("(?m)^down_revision = .*", f'down_revision = "{revisions[-1]}"', result[target])
                revisions.append(target.split("/")[-1].removesuffix(".py"))
        elif path.suffix in LISTS and ENTRY.search(text):
            result[own] = ENTRY.sub(with_copy, text)
    words = sorted({word for text in result.values() for word in re.findall(r"\w+", text)})
    limits = (("Alembic", 32, revisions), ("PostgreSQL", 63, words))
    long = [f"{w}: {len(w)} bytes, {who} bears {most}" for who, most, names in limits for w in names if len(w) > most]
    if long:
        raise ValueError("\n".join(long))
    return result


def verify(sibling: Callable[[str], str]) -> str:
    """Return the text of sql/verify.sql with the sibling's facts among the others.

    :raises ValueError: a body that the contract hashes is not in sql/schema.sql, which is then out of date.
    """
    bodies = ["".join(found) for found in BODY.findall(sqlfile.read("sql/schema.sql"))]
    hashes = {md5(body.encode()).hexdigest(): md5(sibling(body).encode()).hexdigest() for body in bodies}  # noqa: S324

    def copy(fact: contract.Fact) -> contract.Fact:
        definition = re.sub("(?<=, body )[0-9a-f]{32}$", lambda found: hashes[found[0]], sibling(fact.definition))
        return contract.Fact(fact.section, sibling(fact.object), definition, fact.only_with and sibling(fact.only_with))

    facts = contract.facts()
    try:
        return contract.compile_verify(facts + [copy(fact) for fact in facts if WORD.search(fact.object)])
    except KeyError:
        raise ValueError("sql/schema.sql is out of date: run `make generate`") from None


if __name__ == "__main__":
    try:
        for path, text in files(*sys.argv[1:]).items():
            (sqlfile.ROOT / path).write_text(text, encoding="utf-8")
            print(path)
    except ValueError as error:
        sys.exit(str(error))
