"""``hitl list``, ``hitl explain``, ``hitl schema`` and ``hitl --version``: what there is, in words or JSON.

Owns no knowledge: everything shown comes from the catalogue, the registry of properties and the schemas
of the formats.
"""

import json
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final

from pydantic import TypeAdapter
from rich.console import Console

from harness import results
from harness.adapter import Requires
from harness.catalog import Catalog, suggest
from harness.cli.errors import UserError
from harness.cli.paint import page_width, paint
from harness.cli.plugins import catalog_with
from harness.install.folders import NotInstalledError
from harness.install.standing import standing
from harness.narrate import Line, Span, Tone, listing
from harness.plan import plan_schema
from harness.properties import PROFILES, PROPERTIES, Property, judge
from harness.results import Result
from harness.stdio.results import stdio_schema
from harness.trace import Trace
from harness.trace_file import event_schema


@dataclass(frozen=True, slots=True)
class _Section:
    """How one kind of thing is listed: its record as JSON, what a line says beside its name, and below it."""

    records: Callable[[Catalog], list[dict[str, Any]]]
    gist: str
    more: Callable[[Mapping[str, Any]], str] = lambda _record: ""


def _adapters(catalog: Catalog) -> list[dict[str, Any]]:
    manifests = [plugin.value.manifest for plugin in catalog.adapters.values()]
    return [
        {
            "name": it.name,
            "version": it.version,
            "summary": it.summary,
            "homepage": it.homepage,
            "style": it.style.value,
            "on_unauthorised": it.on_unauthorised.value,
            "offers": {
                guarantee.value: {"sentence": claim.sentence, "link": claim.link}
                for guarantee, claim in it.offers.items()
            },
            "options": dict(it.options),
            "takes": dict(it.takes),
            "lanes": list(it.lanes),
            "wraps": [_wrapped(requires) for requires in it.requires],
        }
        for it in manifests
    ]


def _wrapped(requires: Requires) -> dict[str, str]:
    """Return the record of a package that an adapter wraps, with where it is found."""
    try:
        found = standing(requires)
    except NotInstalledError as error:
        return {"package": requires.package, "version": "unknown", "found": str(error)}
    return {"package": found.package, "version": found.version, "found": found.words}


def _setting(record: Mapping[str, Any]) -> str:
    """Return in which lanes an adapter is played, and what it wraps, in words."""
    wraps = [f"wraps {it['package']} {it['version']} ({it['found']})" for it in record["wraps"]]
    takes = [f"--option {name}={words}" for name, words in record["takes"].items()]
    return "; ".join([f"lane: {' or '.join(record['lanes'])}", *wraps, *takes])


def _scenarios(catalog: Catalog) -> list[dict[str, Any]]:
    scenarios = [plugin.value for plugin in catalog.scenarios.values()]
    return [
        {
            "name": it.name,
            "summary": it.summary,
            "properties": list(it.properties),
            "faults": [cls.__dataclass_fields__["kind"].default for cls in it.faults],
        }
        for it in scenarios
    ]


def _properties(_catalog: Catalog) -> list[dict[str, Any]]:
    return [
        {
            "id": it.id,
            "name": it.guarantee.value,
            "level": it.level.value,
            "family": it.family,
            "profiles": [name for name, members in PROFILES.items() if it.id in members],
            "summary": it.statement,
            "why": it.why,
            "source": it.source,
        }
        for it in PROPERTIES.values()
    ]


def _reports(catalog: Catalog) -> list[dict[str, Any]]:
    return [{"name": name, "summary": plugin.value.summary} for name, plugin in catalog.reports.items()]


_SECTIONS: Final[Mapping[str, _Section]] = {
    "adapters": _Section(_adapters, "version", _setting),
    "scenarios": _Section(_scenarios, ""),
    "properties": _Section(_properties, "level"),
    "reports": _Section(_reports, ""),
}


def print_catalogue(kinds: Sequence[str], plugins: Sequence[str], *, as_json: bool) -> int:
    """Print what there is of each of ``kinds``; returns the exit code."""
    catalog = catalog_with(plugins)
    found = {kind: _SECTIONS[kind].records(catalog) for kind in kinds}
    if as_json:
        _print_json(found)
        return 0
    console = Console()
    for kind, records in found.items():
        paint(console, _section(kind, records, page_width(console), heading=len(found) > 1))
    return 0


def _section(kind: str, records: Sequence[Mapping[str, Any]], width: int, *, heading: bool) -> Iterator[Line]:
    if heading:
        yield (Span(kind, Tone.TITLE),)
    section = _SECTIONS[kind]
    gist = section.gist
    names = [" ".join(filter(None, (record.get("id"), record["name"]))) for record in records]
    left = max(map(len, names), default=0) + 2
    gists = [str(record.get(gist, "")) for record in records]
    middle = max(map(len, gists), default=0) + (2 if gist else 0)
    room = max(width - left - middle - 2, 24)
    for name, short, record in zip(names, gists, records, strict=True):
        summary = textwrap.wrap(record["summary"], room) or [""]
        yield (
            Span(f"  {name:<{left}}", Tone.COMMAND),
            Span(f"{short:<{middle}}", Tone.FAINT),
            Span(summary[0]),
        )
        for more in summary[1:]:
            yield (Span(" " * (2 + left + middle)), Span(more))
        for more in textwrap.wrap(section.more(record), room):
            yield (Span(" " * (2 + left + middle)), Span(more, Tone.FAINT))
    if heading:
        yield ()


def print_property(name: str) -> int:
    """Print one property, by id or name; returns the exit code, raises UserError."""
    prop = _property(name)
    console = Console()
    paint(console, _explanation(prop, page_width(console)))
    return 0


def _property(name: str) -> Property:
    by_name = {it.guarantee.value: it for it in PROPERTIES.values()}
    wanted = name.strip()
    prop = PROPERTIES.get(wanted.upper()) or by_name.get(wanted.lower().replace("_", "-"))
    if prop is None:
        raise UserError(
            f'{suggest("property", name, [*PROPERTIES, *by_name])} "hitl list properties" shows all.'
        )
    return prop


def _explanation(prop: Property, width: int) -> Iterator[Line]:
    profiles = ", ".join(name for name, members in PROFILES.items() if prop.id in members) or "none"
    yield (
        Span(f"{prop.id} {prop.guarantee.value}", Tone.TITLE),
        Span(f"  {prop.level.value}, profile {profiles}"),
    )
    yield ()
    for label, text in (("", prop.statement), ("why ", prop.why), ("from ", prop.source)):
        for number, piece in enumerate(textwrap.wrap(text, width - len(label) - 2)):
            yield (Span((label if number == 0 else " " * len(label)), Tone.LABEL), Span(piece))
        yield ()
    yield (Span("a trace that keeps it", Tone.GOOD),)
    yield from _picture(prop, prop.holding, width)
    yield ()
    yield (Span("a trace that breaks it", Tone.BAD), Span(" (✗ marks what shows it)"))
    yield from _picture(prop, prop.violating, width)
    for finding in judge(prop.violating, prop.terms, (prop.id,))[prop.id].findings:
        for piece in textwrap.wrap(f"✗ {finding.sentence}", width - 2):
            yield (Span(f"  {piece}", Tone.BAD),)


def _picture(prop: Property, trace: Trace, width: int) -> Iterator[Line]:
    findings = judge(trace, prop.terms, (prop.id,))[prop.id].findings
    marked = [event for finding in findings for event in finding.events]
    for line in listing(trace, marked, width - 2):
        yield (Span("  "), *line)


def print_schema(kind: str) -> int:
    """Print the JSON schema of one format; returns the exit code."""
    _print_json(_SCHEMAS[kind]())
    return 0


def _result_schema() -> dict[str, Any]:
    schema = TypeAdapter(Result).json_schema(mode="serialization")
    schema["properties"] |= {"format": {"const": results.FORMAT}, "version": {"const": results.VERSION}}
    schema["required"] = ["format", "version", *schema.get("required", [])]
    schema["title"] = f"{results.FORMAT} {results.VERSION}"
    return schema


_SCHEMAS: Final[Mapping[str, Callable[[], dict[str, Any]]]] = {
    "plan": plan_schema,
    "stdio": stdio_schema,
    "trace": event_schema,
    "result": _result_schema,
}


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def print_version() -> None:
    """Print the installed version."""
    sys.stdout.write(f"hitl-harness {version('hitl-harness')}\n")
