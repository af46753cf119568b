"""Known violations: a TOML file beside an adapter, one entry a violation, each with its reason.

Owns reading, checking, bringing up to date and writing that file. An unexpected violation fails a run, and
so does an expected one that stopped happening: the list must stay true. Only an entry that is ``seldom``
drawn, and proven by other means, may be missing from a run.
"""

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.model import Level
from harness.properties import Status
from harness.results import AdapterResult, Expected, Verdict

FILE_NAME: Final = "expectations.toml"
NOT_EXPLAINED: Final = "not yet explained"
"""The reason of an entry that nobody has looked at."""


class ExpectationsError(ValueError):
    """An expectations file cannot be used; the text names the file, the entry and the mend."""


class _Violation(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    adapter: str
    property: str
    reason: str
    link: str = ""
    seldom: bool = False


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    violation: tuple[_Violation, ...] = ()


@dataclass(frozen=True, slots=True)
class Expectations:
    """The known violations of some adapters, by adapter name and property id."""

    entries: Mapping[tuple[str, str], Expected]

    def of(self, adapter: str) -> Mapping[str, Expected]:
        """Return the known violations of one adapter by property id."""
        return {prop: entry for (name, prop), entry in self.entries.items() if name == adapter}


def read_expectations(path: Path) -> Expectations:
    """Read an expectations file; a missing one expects nothing. Raises ExpectationsError."""
    if not path.exists():
        return Expectations({})
    try:
        file = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ExpectationsError(f"{path}: not a TOML file: {error}.") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ExpectationsError(
            f"{path}: {where}: {first['msg']}. "
            "An entry is [[violation]] with adapter, property, reason, link, seldom.",
        ) from error
    entries: dict[tuple[str, str], Expected] = {}
    for entry in file.violation:
        key = (entry.adapter, entry.property)
        if key in entries:
            raise ExpectationsError(f"{path}: {entry.adapter} {entry.property} is listed twice.")
        entries[key] = Expected(entry.reason, entry.link, seldom=entry.seldom)
    return Expectations(entries)


def updated(known: Expectations, results: Iterable[AdapterResult], *, strikes: bool) -> Expectations:
    """Return ``known`` brought up to date with what ``results`` show.

    Entries that still happen keep their reason and link, and what is newly violated at MUST is added as not
    yet explained. Those that hold now are gone where the run ``strikes``: only one that is large enough to
    find everything known may, and it spares what is seldom found. What was not judged stays, and so do the
    entries of an adapter that itself failed: it says nothing about the implementation.
    """
    entries = dict(known.entries)
    seldom = {key for key, entry in entries.items() if entry.seldom}
    for result in results:
        if result.failures:
            continue
        for verdict in result.verdicts:
            key = (result.adapter, verdict.property)
            if verdict.status is Status.HOLDS and strikes and key not in seldom:
                entries.pop(key, None)
            elif verdict.status is Status.VIOLATED and verdict.level is Level.MUST:
                entries.setdefault(key, Expected(NOT_EXPLAINED))
    return Expectations(dict(sorted(entries.items(), key=_place)))


def _place(entry: tuple[tuple[str, str], Expected]) -> tuple[str, int]:
    (adapter, property_id), _ = entry
    return adapter, int(property_id.removeprefix("P")) if property_id[1:].isdecimal() else 0


def found(result: AdapterResult, known: Expectations) -> Expectations:
    """Return the entries of ``known`` that ``result`` shows: a small run is held to no others."""
    seen = {verdict.property for verdict in result.verdicts if verdict.status is Status.VIOLATED}
    return Expectations({key: it for key, it in known.entries.items() if key[1] in seen})


def under(result: AdapterResult, known: Expectations) -> AdapterResult:
    """Return ``result`` with the entries of ``known`` beside its verdicts."""
    of_adapter = known.of(result.adapter)

    def expected(verdict: Verdict) -> Verdict:
        return replace(verdict, expected=of_adapter.get(verdict.property))

    return replace(result, verdicts=tuple(map(expected, result.verdicts)))


def write_expectations(path: Path, known: Expectations) -> bool:
    """Write an expectations file, keeping the comment at its head; returns whether anything changed.

    Where nothing is known and there is no file, none is made. Raises ExpectationsError where it cannot be
    written.
    """
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    head = re.match(r"(?:[ \t]*(?:#.*)?\n)*", before)
    text = "" if head is None else head.group().rstrip("\n")
    blocks = [text, *(_block(*entry) for entry in known.entries.items())]
    after = "\n\n".join(block for block in blocks if block) + "\n"
    if after == before or (not known.entries and not before):
        return False
    try:
        path.write_text(after, encoding="utf-8")
    except OSError as error:
        raise ExpectationsError(f"{path}: cannot be written: {error.strerror}.") from error
    return True


def _block(key: tuple[str, str], expected: Expected) -> str:
    adapter, property_id = key
    fields = {"adapter": adapter, "property": property_id, "reason": expected.reason, "link": expected.link}
    lines = [f"{name} = {_toml(value)}" for name, value in fields.items() if value or name != "link"]
    return "\n".join(["[[violation]]", *lines, *(["seldom = true"] if expected.seldom else [])])


def _toml(text: str) -> str:
    """Return ``text`` as a basic string: JSON's escapes are TOML's, but for the delete character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")
