"""Reading traces back from JSON Lines, and the schema of a line.

Owns every refusal of a foreign, future or damaged trace file; each names the line and what to do.
Writing is :meth:`harness.trace.Trace.lines`. This module judges nothing.
"""

import json
from collections.abc import Iterable
from typing import Annotated, Any, Final

from pydantic import Field, TypeAdapter, ValidationError

from harness.trace import FIELD_NAMES, FORMAT, KINDS, VERSION, Event, Trace


class TraceError(ValueError):
    """A trace file cannot be read; the text names the line, what is wrong with it and what to do."""


_EVENT: Final[TypeAdapter[Event]] = TypeAdapter(Annotated[Event, Field(discriminator="kind")])


def event_schema() -> dict[str, Any]:
    """Return the JSON schema of one event line."""
    schema = _EVENT.json_schema()
    schema["title"] = f"{FORMAT} {VERSION}, one line after the header"
    return schema


_FIELDS: Final = {kind: frozenset(FIELD_NAMES[cls]) for kind, cls in KINDS.items()}


class UnknownKindError(TraceError):
    """A line is an event of a kind that this version does not know."""


def read_trace(lines: Iterable[str], *, name: str = "trace") -> Trace:
    """Read the JSON Lines form back; ``name`` is how error texts call the source.

    Raises TraceError for a foreign or future header, a line that is no event, an unknown kind or
    field, and a sequence number that is missing, doubled or out of order.
    """
    numbered = enumerate(lines, start=1)
    header = parse_header(f"{name}:1", parse_object(f"{name}:1", next(numbered, (1, ""))[1]))
    events: list[Event] = []
    for number, line in numbered:
        if line.strip():
            where = f"{name}:{number}"
            record = parse_object(where, line)
            seq = record.pop("seq", None)
            if seq != len(events):
                raise TraceError(
                    f"{where}: sequence number {seq!r} where {len(events)} is due: "
                    "a line is missing, doubled or out of order.",
                )
            events.append(parse_event(where, record))
    return Trace(tuple(events), adapter=header.get("adapter", ""), scenario=header.get("scenario", ""))


def parse_object(where: str, line: str) -> dict[str, Any]:
    """Return the JSON object of a line; ``where`` begins every error text. Raises TraceError."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise TraceError(f"{where}: not a line of JSON: {error}.") from error
    if not isinstance(record, dict):
        raise TraceError(f"{where}: a JSON object is due here, not {type(record).__name__}.")
    return record


def parse_header(where: str, record: dict[str, Any]) -> dict[str, str]:
    """Return the texts of a header; raises TraceError for what is none, or one of another version."""
    if record.get("format") != FORMAT:
        raise TraceError(
            f"{where}: this is no {FORMAT} file: its first line has no "
            f'"format": "{FORMAT}". Traces are written by "hitl run" as trace.jsonl.',
        )
    version = record.get("version")
    if version != VERSION:
        raise TraceError(
            f"{where}: trace version {version!r} is not {VERSION}, which this harness reads. "
            "Install the harness that wrote it, or record the run again.",
        )
    return {key: value for key, value in record.items() if isinstance(value, str)}


def parse_event(where: str, record: dict[str, Any]) -> Event:
    """Return the event of a line without its ``seq``; raises TraceError, or UnknownKindError."""
    kind = str(record.get("kind"))
    known = _FIELDS.get(kind)
    if known is None:
        raise UnknownKindError(
            f"{where}: unknown kind {record.get('kind')!r}; "
            f"version {VERSION} knows {', '.join(sorted(KINDS))}.",
        )
    if not record.keys() <= known:
        unknown = ", ".join(map(repr, sorted(record.keys() - known)))
        raise TraceError(f"{where}: {kind} has no field {unknown}.")
    try:
        return _EVENT.validate_python(record)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"][1:])
        raise TraceError(f"{where}: {kind}.{place}: {first['msg']}.") from error
