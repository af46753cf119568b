"""What stands on every screen at an instant of a trace: devices, agents, and the channel between them.

Owns how events add up to faces. A face says what people could see there, or what that process had done by
then; it judges nothing. Plain data, so that a page can step through it without knowing events.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, TypeAlias

from harness.model import CallId, Card, HostName, canonical_json
from harness.narrate import event_phrase, plural
from harness.narrate.events import message_label
from harness.plan import SERVICE_HOST
from harness.report.markup import shortened
from harness.trace import (
    AnswerSent,
    BodyEntered,
    CancelConfirmed,
    CancelRequested,
    DecisionTaken,
    DeviceJoined,
    EffectExecuted,
    Event,
    HostCrashed,
    HostRestarted,
    MessageMoved,
    OutcomeReported,
    ReceiptGiven,
    RequestExpired,
    RequestPublished,
    ScreenShown,
    SettledShown,
    ToolCalled,
)

_ARGUMENTS_LENGTH_MAX: Final = 160
_CHANNEL_LABELS_MAX: Final = 4


class FaceKind(StrEnum):
    """What a face belongs to."""

    DEVICE = "device"
    AGENT = "agent"
    CHANNEL = "channel"


class FactKind(StrEnum):
    """What a line of a face is."""

    CARD = "card"
    TOLD = "told"
    SETTLED = "settled"
    STATE = "state"
    DONE = "done"
    MESSAGE = "message"


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a face: a heading, and what it says."""

    kind: FactKind
    head: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Face:
    """What one host shows; without power it shows nothing."""

    host: HostName
    kind: FaceKind
    title: str
    up: bool = True
    facts: tuple[Fact, ...] = ()


Moment: TypeAlias = tuple[Face, ...]


def moments(events: Iterable[Event], lanes: Iterable[HostName], places: Iterable[int]) -> tuple[Moment, ...]:
    """Return the faces of ``lanes`` right after each of the ``places``, which are in order.

    A host has a face from its first event on.
    """
    stage = _Stage()
    hosts, wanted = tuple(lanes), list(places)
    taken: list[Moment] = []
    for place, event in enumerate(events):
        stage.see(event)
        while len(taken) < len(wanted) and wanted[len(taken)] <= place:
            taken.append(stage.faces(hosts))
    taken.extend(stage.faces(hosts) for _ in wanted[len(taken) :])
    return tuple(taken)


@dataclass(slots=True)
class _Stage:
    """All hosts while a trace is read."""

    devices: dict[HostName, "_Screen"] = field(default_factory=dict)
    agents: dict[HostName, dict[CallId, "_Work"]] = field(default_factory=dict)
    down: dict[HostName, bool] = field(default_factory=dict)
    published: list[str] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    made: dict[HostName, Face] = field(default_factory=dict)

    def see(self, event: Event) -> None:
        """Take one event in."""
        host = event.host
        match event:
            case HostCrashed():
                self.down[host] = True
                works = self.agents.get(host, {})
                works.update({call: work.after(event) for call, work in works.items()})
            case HostRestarted():
                self.down[host] = False
            case MessageMoved(moved="delivered", target=target, label=label):
                if target != SERVICE_HOST or not label.startswith("publish "):
                    return
                self.published.append(message_label(label.removeprefix("publish ")))
                host = target
            case MessageMoved():
                return
            case DeviceJoined() | ScreenShown() | SettledShown() | AnswerSent() | ReceiptGiven():
                self._see_device(event)
            case _:
                self._see_agent(event)
        self.made.pop(host, None)

    def _see_device(
        self, event: DeviceJoined | ScreenShown | SettledShown | AnswerSent | ReceiptGiven
    ) -> None:
        screen = self.devices.setdefault(event.host, _Screen())
        match event:
            case DeviceJoined(person=person, role=role):
                screen.owner = f"{person}, {role or 'no role'}"
            case ScreenShown(cards=cards):
                screen.cards = cards
            case SettledShown(request=request):
                screen.settled[request] = event_phrase(event)
            case AnswerSent(answer=answer, call=call, request=request, choice=choice):
                about = f"{choice.value} {call or request}"
                self.answers[answer] = about
                screen.told[answer] = (about, "sent, no receipt yet")
            case ReceiptGiven(answer=answer):
                about = self.answers.get(answer, answer)
                screen.told[answer] = (about, event_phrase(event).removeprefix("is told: "))

    def _see_agent(self, event: Event) -> None:
        if not isinstance(event, _ABOUT_CALLS) or event.call is None:
            return
        calls = self.agents.setdefault(event.host, {})
        before = calls.get(event.call, _Work())
        calls[event.call] = before.after(event)

    def faces(self, hosts: tuple[HostName, ...]) -> Moment:
        """Return the faces of all hosts that have shown themselves."""
        for host in hosts:
            if host not in self.made and (face := self._face(host)) is not None:
                self.made[host] = face
        return tuple(self.made[host] for host in hosts if host in self.made)

    def _face(self, host: HostName) -> Face | None:
        up = not self.down.get(host, False)
        if host == SERVICE_HOST:
            # Where messages are bytes on a socket nobody can tell what they publish.
            known = bool(self.published) or not up
            return (
                Face(host, FaceKind.CHANNEL, "history", up, tuple(_history(self.published)))
                if known
                else None
            )
        if host in self.devices:
            screen = self.devices[host]
            return Face(host, FaceKind.DEVICE, screen.owner, up, tuple(screen.facts()) if up else ())
        if host in self.agents:
            facts = tuple(fact for call, work in self.agents[host].items() for fact in work.facts(call))
            return Face(host, FaceKind.AGENT, "agent", up, facts)
        return Face(host, FaceKind.AGENT, "", up) if not up else None


_ABOUT_CALLS: Final = (
    ToolCalled,
    RequestPublished,
    DecisionTaken,
    RequestExpired,
    BodyEntered,
    EffectExecuted,
    OutcomeReported,
    CancelRequested,
    CancelConfirmed,
)


@dataclass(slots=True)
class _Screen:
    """One device."""

    owner: str = ""
    cards: tuple[Card, ...] = ()
    settled: dict[str, str] = field(default_factory=dict)
    told: dict[str, tuple[str, str]] = field(default_factory=dict)

    def facts(self) -> Iterator[Fact]:
        for card in self.cards:
            arguments = shortened(canonical_json(card.arguments), _ARGUMENTS_LENGTH_MAX)
            yield Fact(FactKind.CARD, f"{card.tool} ({card.call or card.request})", arguments)
        for about, text in self.told.values():
            yield Fact(FactKind.TOLD, about, text)
        for words in self.settled.values():
            yield Fact(FactKind.SETTLED, words)


@dataclass(frozen=True, slots=True)
class _Work:
    """What one agent has done about one call, over all its processes."""

    state: str = ""
    effects: int = 0
    decision: str = ""

    def after(self, event: Event) -> "_Work":
        """Return the work after ``event``, which is about its call or a loss of power."""
        work = replace(self, state=_state(event, self.state))
        match event:
            case DecisionTaken(choice=choice, person=person):
                decision = f"{choice.value} by {person}" if person else choice.value
                return replace(work, decision=decision)
            case EffectExecuted():
                return replace(work, effects=self.effects + 1)
            case _:
                return work

    def facts(self, call: CallId) -> Iterator[Fact]:
        decided = f"; {self.decision}" if self.decision and self.state != "decided" else ""
        text = f"decided: {self.decision}" if self.state == "decided" else f"{self.state}{decided}"
        yield Fact(FactKind.STATE, call, text)
        if self.effects:
            yield Fact(FactKind.DONE, call, f"executed {plural(self.effects, 'time')}")


def _state(event: Event, before: str) -> str:
    """Return what an agent is at with a call after ``event``."""
    state = before
    match event:
        case ToolCalled(attempt=attempt):
            state = f"called, attempt {attempt}" if attempt > 1 else "called"
        case BodyEntered(entry=entry):
            state = f"in the function, entry {entry}"
        case OutcomeReported(status=status):
            state = f"reported {status.value}"
        case CancelConfirmed(cancelled=cancelled):
            state = "cancelled" if cancelled else "too late to cancel"
        case HostCrashed():
            state = before if before.startswith("reported") else "its process is gone"
        case _:
            state = _STATES.get(type(event), before)
    return state


_STATES: Final[Mapping[type[object], str]] = {
    RequestPublished: "waits for an answer",
    DecisionTaken: "decided",
    EffectExecuted: "executing",
    RequestExpired: "expired",
    CancelRequested: "asked to cancel",
}


def _history(published: list[str]) -> Iterator[Fact]:
    if len(published) > _CHANNEL_LABELS_MAX:
        yield Fact(FactKind.STATE, plural(len(published), "message"))
    first = max(len(published) - _CHANNEL_LABELS_MAX, 0)
    for number, label in enumerate(published[first:], start=first + 1):
        yield Fact(FactKind.MESSAGE, f"{number}", label)


def faces_table(taken: Iterable[Moment]) -> tuple[list[dict[str, object]], list[list[int]]]:
    """Return each different face once as JSON data, and for every moment the numbers of its faces."""
    numbers: dict[Face, int] = {}
    table: list[dict[str, object]] = []
    steps: list[list[int]] = []
    for moment in taken:
        for face in moment:
            if face not in numbers:
                numbers[face] = len(table)
                table.append(_face_record(face))
        steps.append([numbers[face] for face in moment])
    return table, steps


def _face_record(face: Face) -> dict[str, object]:
    facts = [[fact.kind.value, fact.head, fact.text] for fact in face.facts]
    return {"host": face.host, "kind": face.kind.value, "title": face.title, "up": face.up, "facts": facts}
