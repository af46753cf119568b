"""One race played by hand, folded from the events of its run.

Owns what the players and onlookers are shown of it: what each device shows, who pressed what, what each was
told, who decided, and how often the tool was executed. It decides nothing: what the implementation did stands
in the events.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from harness.model import Card, Choice, DeviceId, OutcomeStatus, PersonId, ReceiptStatus
from harness.narrate import plural
from harness.trace import (
    AnswerSent,
    DecisionTaken,
    EffectExecuted,
    Event,
    OutcomeReported,
    ReceiptGiven,
    ScreenShown,
)


class Phase(StrEnum):
    """Where a round is."""

    SETTING_UP = "setting up"
    PLAYING = "playing"
    JUDGING = "judging"
    OVER = "over"


_DONE: Final = {Choice.APPROVED: "approved", Choice.REJECTED: "rejected"}
_ENDED: Final[Mapping[OutcomeStatus, str]] = {
    OutcomeStatus.EXECUTED: "the tool was executed",
    OutcomeStatus.REJECTED: "the call was rejected",
    OutcomeStatus.UNAUTHORISED: "the call ended because somebody without the authority answered",
    OutcomeStatus.EXPIRED: "the request expired",
    OutcomeStatus.CANCELLED: "the call was cancelled",
    OutcomeStatus.FAILED: "the tool failed",
    OutcomeStatus.UNKNOWN: "whether the tool was executed is unknown",
}
_TOLD: Final[Mapping[ReceiptStatus, str]] = {
    ReceiptStatus.DECIDED: "Your answer decided.",
    ReceiptStatus.COUNTED: "Your answer counts; more are needed.",
    ReceiptStatus.ALREADY_DECIDED: "Too late: it had been decided.",
    ReceiptStatus.UNAUTHORISED: "You may not decide this.",
    ReceiptStatus.EXPIRED: "Too late: the request had expired.",
    ReceiptStatus.CANCELLED: "Too late: the call had been cancelled.",
    ReceiptStatus.UNKNOWN_REQUEST: "No such request is known.",
    ReceiptStatus.INVALID: "Your answer is not valid.",
    ReceiptStatus.SENT: "Sent. Whether it counted, nobody says.",
    ReceiptStatus.UNKNOWN: "No receipt came: it may have counted or not.",
}


def name_of(person: PersonId) -> str:
    """Return a person's name as it is read."""
    return person.capitalize()


@dataclass(slots=True)
class Place:
    """One device and what happened on it."""

    device: DeviceId
    person: PersonId
    cards: tuple[Card, ...] = ()
    pressed: Choice | None = None
    waiting: bool = False
    """Whether an answer was sent and no receipt came yet."""
    told: str = ""


@dataclass(slots=True)
class Round:
    """The state of one race."""

    places: Mapping[DeviceId, Place]
    phase: Phase = Phase.SETTING_UP
    decisions: list[tuple[str, str]] = field(default_factory=list)
    """Who decided, and what, in order."""
    executions: int = 0
    outcome: str = ""
    _answers: dict[str, Place] = field(default_factory=dict)

    def apply(self, event: Event) -> None:
        """Take in the next event."""
        match event:
            case ScreenShown(device=device, cards=cards) if device in self.places:
                self.places[device].cards = cards
            case AnswerSent(device=device, answer=answer, choice=choice) if device in self.places:
                place = self._answers[answer] = self.places[device]
                place.pressed, place.waiting, place.told = choice, True, ""
            case ReceiptGiven(answer=answer) if answer in self._answers:
                place = self._answers[answer]
                place.waiting, place.told = False, told(event)
            case DecisionTaken(person=person, choice=choice):
                who = "Somebody" if person is None else name_of(person)
                self.decisions.append((who, _DONE[choice]))
            case EffectExecuted(occurrence=occurrence):
                self.executions = max(self.executions, occurrence)
            case OutcomeReported(status=status) if not self.outcome:
                self.outcome = _ENDED[status]

    @property
    def settled(self) -> bool:
        """Whether nothing is left to press: the call ended, and nobody has a card or waits for a receipt."""
        places = self.places.values()
        return bool(self.outcome) and not any(place.cards or place.waiting for place in places)

    @property
    def headline(self) -> str:
        """Who won."""
        who = dict.fromkeys(self.decisions)
        words = ", then ".join(f"{name} {done}" for name, done in who)
        if not who:
            return "Nobody decided."
        if len(self.decisions) == 1:
            return f"{self.decisions[0][0]} won: {self.decisions[0][1]}."
        return f"{plural(len(self.decisions), 'answer')} decided, where one may: {words}."

    def results(self) -> list[dict[str, Any]]:
        """Return what each pressed and was told."""
        return [
            {
                "name": name_of(place.person),
                "pressed": "" if place.pressed is None else _DONE[place.pressed],
                "told": place.told or ("No receipt came." if place.pressed is not None else "Did not press."),
            }
            for place in self.places.values()
        ]

    def shown_on(self, device: DeviceId) -> dict[str, Any]:
        """Return what the page of a device shows."""
        place = self.places[device]
        return {
            "cards": [_card(card) for card in place.cards],
            "pressed": "" if place.pressed is None else _DONE[place.pressed],
            "waiting": place.waiting,
            "told": place.told,
        }


def told(receipt: ReceiptGiven) -> str:
    """Return a receipt in words, with who decided what where it says so."""
    words = _TOLD[receipt.status]
    if receipt.status is ReceiptStatus.ALREADY_DECIDED and receipt.winner is not None:
        done = "decided" if receipt.choice is None else _DONE[receipt.choice]
        words = f"Too late: {name_of(receipt.winner)} had {done} it."
    return words


def _card(card: Card) -> dict[str, Any]:
    return {"request": card.request, "tool": card.tool, "arguments": _pairs(card.arguments)}


def _pairs(arguments: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    return [(name, str(value)) for name, value in arguments.items()]
