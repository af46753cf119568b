"""What a trace says about one answer and about one call, each list in the order of the trace.

Owns the records that the index fills and every property reads, and what in them shows that a call was
decided: as an adapter reports it, and as receipts, effects and outcomes show it on their own, so that no
verdict rests on an implementation's account of itself where the world saw the same.

Invariant: evidence is listed in the order of the trace, and none is preferred by who benefits. Nothing here
says whether a decision was right.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Generic, NamedTuple, TypeVar

from harness.model import CallId, Card, Choice, OutcomeStatus, PersonId, ReceiptStatus
from harness.trace import (
    AnswerSent,
    BodyEntered,
    CancelConfirmed,
    CancelRequested,
    DecisionTaken,
    EffectExecuted,
    Event,
    ForgerySent,
    OutcomeReported,
    ReceiptGiven,
    RequestExpired,
    RequestPublished,
    ScreenShown,
    SettledShown,
    ToolCalled,
)

E_co = TypeVar("E_co", bound=Event, covariant=True)

CHOICE_SHOWN: Final = {
    OutcomeStatus.EXECUTED: Choice.APPROVED,
    OutcomeStatus.REJECTED: Choice.REJECTED,
}
"""The choice that an outcome's status shows by itself; a failure shows none, it may precede the gate."""

WORDS: Final = {
    OutcomeStatus.EXECUTED: "executed",
    OutcomeStatus.REJECTED: "rejected",
    OutcomeStatus.UNAUTHORISED: "ended by an unauthorised answer",
    OutcomeStatus.EXPIRED: "expired",
    OutcomeStatus.CANCELLED: "cancelled",
    OutcomeStatus.FAILED: "failed",
    OutcomeStatus.UNKNOWN: "of unknown outcome",
}


class Placed(NamedTuple, Generic[E_co]):
    """An event and its place in the trace. A named tuple because there is one for every event."""

    seq: int
    event: E_co


@dataclass(slots=True)
class AnswerRecord:
    """One press of a button and what the device was told about it."""

    seq: int
    event: AnswerSent
    receipts: list[Placed[ReceiptGiven]] = field(default_factory=list)

    def told(self, status: ReceiptStatus) -> Placed[ReceiptGiven] | None:
        """Return the first receipt with ``status``, None where there is none."""
        for receipt in self.receipts:
            if receipt.event.status is status:
                return receipt
        return None


class Evidence(NamedTuple):
    """One event that shows a choice; ``person`` if it names who decided, ``answer`` if it is a receipt."""

    seq: int
    at: int
    choice: Choice
    person: PersonId | None
    words: str
    answer: AnswerRecord | None = None
    observed: bool = False


@dataclass(slots=True)
class _Sent:
    """The answers to one call by sender, and where each choice was first sent, by whom or by anybody."""

    by_person: dict[PersonId, list[AnswerRecord]] = field(default_factory=dict)
    first: dict[tuple[PersonId | None, Choice], int] = field(default_factory=dict)


@dataclass(slots=True)
class CallRecord:
    """Everything a trace says about one gated tool call, each list in the order of the trace."""

    id: CallId
    called: list[Placed[ToolCalled]] = field(default_factory=list)
    published: list[Placed[RequestPublished]] = field(default_factory=list)
    answers: list[AnswerRecord] = field(default_factory=list)
    decisions: list[Placed[DecisionTaken]] = field(default_factory=list)
    expiries: list[Placed[RequestExpired]] = field(default_factory=list)
    bodies: list[Placed[BodyEntered]] = field(default_factory=list)
    effects: list[Placed[EffectExecuted]] = field(default_factory=list)
    outcomes: list[Placed[OutcomeReported]] = field(default_factory=list)
    cancels: list[Placed[CancelRequested]] = field(default_factory=list)
    confirmations: list[Placed[CancelConfirmed]] = field(default_factory=list)
    settled: list[Placed[SettledShown]] = field(default_factory=list)
    forgeries: list[Placed[ForgerySent]] = field(default_factory=list)
    first_screen: Placed[ScreenShown] | None = None
    first_card: Card | None = None
    _evidence: list[Evidence] | None = None
    _sent: _Sent | None = None

    @property
    def spec(self) -> ToolCalled | None:
        """Return the call as it was first made, None where the trace does not tell."""
        return self.called[0].event if self.called else None

    @property
    def asked_seq(self) -> int | None:
        """Return where the request is first seen to be known: published, or on a screen."""
        places = [self.published[0].seq] if self.published else []
        if self.first_screen is not None:
            places.append(self.first_screen.seq)
        return min(places, default=None)

    @property
    def cancelled(self) -> Placed[CancelConfirmed] | None:
        """Return the confirmation that the cancellation took effect, None where there is none."""
        for confirmation in self.confirmations:
            if confirmation.event.cancelled:
                return confirmation
        return None

    @property
    def evidence(self) -> list[Evidence]:
        """Return what shows that the call was decided, in the order of the trace. Read once all is placed."""
        if self._evidence is None:
            self._evidence = _evidence(self)
        return self._evidence

    def answers_by(self, person: PersonId) -> list[AnswerRecord]:
        """Return the answers that ``person`` sent, in the order of the trace."""
        return self._sorted().by_person.get(person, [])

    def first_sent(self, choice: Choice, person: PersonId | None = None) -> int | None:
        """Return where ``choice`` was first sent, by ``person`` or by anybody; None if it never was."""
        return self._sorted().first.get((person, choice))

    def _sorted(self) -> _Sent:
        if self._sent is None:
            self._sent = sent = _Sent()
            for answer in self.answers:
                person, choice = answer.event.person, answer.event.choice
                sent.by_person.setdefault(person, []).append(answer)
                sent.first.setdefault((person, choice), answer.seq)
                sent.first.setdefault((None, choice), answer.seq)
        return self._sent


def _evidence(call: CallRecord) -> list[Evidence]:
    """Return what shows that ``call`` was decided, in the order of the trace."""
    found = [
        Evidence(seq, event.at, event.choice, event.person, f"reported as {event.choice}", observed=True)
        for seq, event in call.decisions
    ]
    for answer in call.answers:
        receipt = answer.told(ReceiptStatus.DECIDED)
        if receipt is not None:
            words = f"told to {answer.event.person} as decided"
            sent = answer.event
            at = receipt.event.at
            found.append(Evidence(receipt.seq, at, sent.choice, sent.person, words, answer))
    for seq, effect in call.effects:
        found.append(Evidence(seq, effect.at, Choice.APPROVED, None, "executed"))
    for seq, outcome in call.outcomes:
        choice = CHOICE_SHOWN.get(outcome.status) or outcome.choice
        if choice is not None:
            words = f"reported to the caller as {WORDS[outcome.status]}"
            found.append(Evidence(seq, outcome.at, choice, outcome.decided_by, words))
    found.sort(key=_seq)
    return found


def _seq(item: Evidence) -> int:
    return item.seq


def people(answers: Iterable[AnswerRecord]) -> frozenset[PersonId]:
    """Return the people who sent ``answers``; one person on two devices counts once."""
    return frozenset(answer.event.person for answer in answers)
