"""Logs of any shape, read through a mapping.

Owns how records become events: which are counted, in which order, and what stands in for what a log does not
say. Nothing is filled in that a property could hold against anybody: a host that is not named differs from
line to line, a role that is not recorded is not asked for.

Invariant: a request is judged only if the log shows how it began. What is known of others is left out whole,
so that a log which begins in the middle accuses nobody.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Mapping as Table
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final

from harness.audit.log import Doubt, Log, LogBuilder
from harness.audit.lookup import entered, look_up, matches, moment_of, nanoseconds, valued, with_attributes
from harness.audit.mapping import BEGINNINGS, MAPPABLE, Mapping, Rule
from harness.audit.source import documents
from harness.model import canonical_json
from harness.trace_file import TraceError, parse_event

_NOBODY_SAYS: Final = "-"
"""The tenant and the session of everything in a log that names none."""


@dataclass(slots=True)
class _Draft:
    """An event before it is one: its kind, its time since the epoch, its place and its fields."""

    kind: str
    at_ns: int
    place: int
    fields: dict[str, Any]
    call: str | None = None


@dataclass(slots=True)
class _Reading:
    """One log while it is read."""

    mapping: Mapping
    builder: LogBuilder
    seen: set[str] = field(default_factory=set)
    records: int = 0
    opened_ns: int | None = None
    """When the first document of a log that is sorted by time was written: what is older may be missing."""

    def drafts(self, lines: Iterable[bytes]) -> list[_Draft]:
        """Return the drafts of all events, in the order in which things happened."""
        wanted = self.mapping.input
        whole = wanted.form == "document"
        by_record: list[list[_Draft]] = []
        for line, document in documents(lines, self.builder.name, whole=whole):
            self._open(document)
            for record in _records(document, wanted.records):
                self.records += 1
                place = self.records if whole else line
                made = self._of(with_attributes(record, wanted.attributes), place)
                if made:
                    by_record.append(made)
        if wanted.order == "newest-first":
            by_record.reverse()
        drafts = [draft for made in by_record for draft in made]
        if wanted.order == "by-time":
            drafts.sort(key=lambda draft: draft.at_ns)
        return drafts

    def _open(self, document: Any) -> None:
        wanted = self.mapping.input
        if self.opened_ns is None and wanted.order == "by-time" and wanted.form == "lines":
            paths = (wanted.written or wanted.time, wanted.time)
            found = (look_up(record, path) for record in _records(document, wanted.records) for path in paths)
            times = [at_ns for at_ns in (nanoseconds(it, wanted.unit) for it in found) if at_ns is not None]
            self.opened_ns = max(times, default=None)

    def _of(self, record: Any, place: int) -> list[_Draft]:
        rules = [rule for rule in self.mapping.event if all(matches(record, *it) for it in rule.when.items())]
        if not rules or self._again(record, place):
            return []
        drafts = (self._draft(rule, record, place) for rule in rules)
        return [draft for draft in drafts if draft is not None]

    def _again(self, record: Any, place: int) -> bool:
        path = self.mapping.input.id
        found = None if path is None else look_up(record, path)
        if found is None:
            return False
        name = found if isinstance(found, str) else canonical_json(found)
        if name not in self.seen:
            self.seen.add(name)
            return False
        reason = f"the record {name} is there again and counted once"
        self.builder.reservations.add(place, reason, Doubt.NOTHING, kind="repeated record")
        return True

    def _draft(self, rule: Rule, record: Any, place: int) -> _Draft | None:
        wanted = self.mapping.input
        at_ns = nanoseconds(look_up(record, rule.time or wanted.time), wanted.unit)
        fields = {name: valued(record, spec) for name, spec in rule.fields.items()}
        missing = sorted(name for name in MAPPABLE[rule.kind].required if fields[name] is None)
        if at_ns is None:
            missing.append(f"a time in {wanted.unit.value}")
        if missing or at_ns is None:
            self.leave_out(place, f"{rule.kind} without {', '.join(missing)}")
            return None
        said = {name: value for name, value in fields.items() if value is not None}
        return _Draft(rule.kind, at_ns, place, said)

    def leave_out(self, place: int, what: str) -> None:
        """Leave an event out that should be there."""
        self.builder.reservations.add(place, f"left out: {what}", Doubt.ABSENCE, kind="left out")


def _records(document: Any, path: str) -> Iterator[Any]:
    """Yield the records at ``path``; every list on the way is entered item by item."""
    if isinstance(document, list):
        for item in document:
            yield from _records(item, path)
    elif not path:
        yield document
    elif isinstance(document, dict):
        step, _, rest = path.partition(".")
        if step in document:
            yield from _records(document[step], rest)


def read_mapped(lines: Iterable[bytes], name: str, mapping: Mapping) -> Log:
    """Read a log through ``mapping``. Raises LogError where the source is refused."""
    reading = _Reading(mapping, LogBuilder(name))
    drafts = reading.drafts(lines)
    if mapping.input.lossy:
        reading.builder.reservations.add(
            0, "the mapping says that records may be missing from this log", Doubt.ABSENCE, kind="lossy"
        )
    _name_calls(drafts)
    drafts = _begun(drafts, reading)
    start_ns = min((draft.at_ns for draft in drafts), default=0)
    last_ns = start_ns
    shape = _Shape(mapping, start_ns)
    for draft in drafts:
        if draft.at_ns < last_ns:
            reason = f"the time goes back by {last_ns - draft.at_ns} ns"
            reading.builder.reservations.add(draft.place, reason, Doubt.TIME, kind="time goes back")
        last_ns = max(last_ns, draft.at_ns)
        try:
            event = parse_event("", shape.record(draft))
        except TraceError as error:
            reading.leave_out(draft.place, str(error).removeprefix(": "))
        else:
            reading.builder.add(draft.place, event)
    log = reading.builder.log(reading.records)
    return replace(log, place=_place(mapping), since=moment_of(start_ns) if drafts else "")


def _place(mapping: Mapping) -> str:
    return "record" if mapping.input.form == "document" else "line"


def _name_calls(drafts: list[_Draft]) -> None:
    """Say of every draft which call it is about, where the log shows that anywhere."""
    by_request = {
        str(it.fields["request"]): str(it.fields.get("call", it.fields["request"]))
        for it in drafts
        if it.kind == "request-published"
    }
    by_answer: dict[str, str | None] = {}
    for draft in drafts:
        said, request = draft.fields.get("call"), draft.fields.get("request")
        if said is not None:
            draft.call = str(said)
        elif request is not None:
            draft.call = by_request.get(str(request), str(request))
        if draft.kind == "answer-sent":
            by_answer[str(draft.fields.get("answer"))] = draft.call
    for draft in drafts:
        if draft.kind == "receipt-given":
            draft.call = by_answer.get(str(draft.fields["answer"]))


def _begun(drafts: list[_Draft], reading: _Reading) -> list[_Draft]:
    """Return the drafts about calls that begin in the log; of the others, tell where each is first seen."""
    first: dict[str | None, _Draft] = {}
    for draft in drafts:
        first.setdefault(draft.call, draft)
    opened_ns = reading.opened_ns or 0
    older = {
        call
        for call, draft in first.items()
        if call is None or draft.kind not in BEGINNINGS or draft.at_ns < opened_ns
    }
    for call, draft in first.items():
        if call in older:
            who = f"the call {call} began" if call is not None else "something that is told here began"
            reason = f"{who} before the log does: it is not judged"
            reading.builder.reservations.add(draft.place, reason, Doubt.NOTHING, kind="older than the log")
    return [draft for draft in drafts if draft.call not in older]


class _Shape:
    """Fills drafts up to whole records, with what accuses nobody where the log says nothing."""

    def __init__(self, mapping: Mapping, start_ns: int) -> None:
        self._mapping = mapping
        self._place = _place(mapping)
        self._start_ns = start_ns
        self._counts: Counter[tuple[str, str | None]] = Counter()
        self._tenants: dict[str | None, str] = {}
        self._knows_roles = mapping.maps("answer-sent", "role")
        self._knows_tenants = mapping.maps("tool-called", "tenant") and mapping.maps("answer-sent", "tenant")

    def record(self, draft: _Draft) -> dict[str, Any]:
        """Return the whole record of one event."""
        self._counts[draft.kind, draft.call] += 1
        said = {name: _clean(name, value) for name, value in draft.fields.items()}
        record = {
            "kind": draft.kind,
            "at": draft.at_ns - self._start_ns,
            "host": f"{self._place} {draft.place}",
            **said,
        }
        if draft.kind != "receipt-given":
            record["call"] = draft.call
        fill = self._FILL.get(draft.kind)
        if fill is not None:
            fill(self, record, draft, self._counts[draft.kind, draft.call])
        return record

    def _tool_called(self, record: dict[str, Any], draft: _Draft, count: int) -> None:
        tenant = str(record.get("tenant", _NOBODY_SAYS)) if self._knows_tenants else _NOBODY_SAYS
        self._tenants[draft.call] = tenant
        policy = {name: record.pop(name) for name in _POLICY if name in record}
        if isinstance(policy.get("hierarchy"), str):
            policy["hierarchy"] = [role.strip() for role in policy["hierarchy"].split(",")]
        deadline_ns = nanoseconds(record.get("deadline"), self._mapping.input.unit)
        record |= {
            "attempt": record.get("attempt", count),
            "tool": record.get("tool", _NOBODY_SAYS),
            "arguments": record.get("arguments", {}),
            "session": record.get("session", _NOBODY_SAYS),
            "tenant": tenant,
            "policy": policy,
            "deadline": None if deadline_ns is None else deadline_ns - self._start_ns,
        }

    def _request_published(self, record: dict[str, Any], _draft: _Draft, _count: int) -> None:
        record.setdefault("arguments", {})

    def _answer_sent(self, record: dict[str, Any], draft: _Draft, _count: int) -> None:
        tenant, role = record.pop("tenant", _NOBODY_SAYS), record.pop("role", None)
        if not self._knows_tenants:
            tenant = self._tenants.get(draft.call, _NOBODY_SAYS)
        record.setdefault("answer", f"{self._place} {draft.place}")
        record.setdefault("device", record["person"])
        record["credential"] = {"person": record["person"], "role": role, "tenant": tenant}

    def _decision_taken(self, record: dict[str, Any], _draft: _Draft, _count: int) -> None:
        if not self._knows_roles:
            record.pop("role", None)

    def _outcome_reported(self, record: dict[str, Any], draft: _Draft, count: int) -> None:
        self._decision_taken(record, draft, count)
        record["attempt"] = count

    def _body_entered(self, record: dict[str, Any], _draft: _Draft, count: int) -> None:
        record |= {"entry": count, "arguments": record.get("arguments", {})}

    def _effect_executed(self, record: dict[str, Any], _draft: _Draft, count: int) -> None:
        record |= {"occurrence": count, "arguments": record.get("arguments", {})}

    _FILL: ClassVar[Table[str, Callable[["_Shape", dict[str, Any], _Draft, int], None]]] = {
        "tool-called": _tool_called,
        "request-published": _request_published,
        "answer-sent": _answer_sent,
        "decision-taken": _decision_taken,
        "outcome-reported": _outcome_reported,
        "body-entered": _body_entered,
        "effect-executed": _effect_executed,
    }


_POLICY: Final = ("minimum_role", "hierarchy", "quorum", "requester_may_decide", "edits_allowed")
_OBJECTS: Final = frozenset({"arguments", "shown"})
_TEXTS: Final = frozenset({"call", "request", "answer", "person", "role", "device", "host", "winner"})


def _clean(name: str, value: Any) -> Any:
    """Return a value in the type that its field has: objects out of JSON text, names as text."""
    if name in _OBJECTS:
        return entered(value)
    return str(value) if name in _TEXTS and isinstance(value, int) else value
