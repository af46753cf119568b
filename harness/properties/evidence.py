"""What in a trace shows that a call was decided, how, and by whom.

Owns the reading of decisions: as an adapter reports them, and as receipts, effects and outcomes show them on
their own, so that no verdict rests on an implementation's account of itself where the world saw the same.

Invariant: evidence is listed in the order of the trace and none is preferred by who benefits. This module
does not say whether a decision was right; it compares arguments by their JSON, never by Python's looser
equality.
"""

from collections.abc import Mapping

from harness.model import Arguments, Choice, PersonId
from harness.properties.records import AnswerRecord, CallRecord, Evidence


def winner(shown: list[Evidence]) -> Evidence | None:
    """Return the evidence that best names a call's decision, None where nothing shows one.

    A reported decision comes first, then a receipt, then whatever showed first.
    """
    for item in shown:
        if item.observed:
            return item
    for item in shown:
        if item.answer is not None:
            return item
    return shown[0] if shown else None


def backing(call: CallRecord, item: Evidence) -> list[AnswerRecord]:
    """Return the answers that can stand behind ``item``: same choice, sent before it, by whom it names."""
    if item.answer is not None:
        return [item.answer]
    answers = call.answers if item.person is None else call.answers_by(item.person)
    return [it for it in answers if it.seq < item.seq and it.event.choice is item.choice]


def is_backed(call: CallRecord, item: Evidence) -> bool:
    """Return whether :func:`backing` finds any answer."""
    first = call.first_sent(item.choice, item.person)
    return item.answer is not None or (first is not None and first < item.seq)


def first_of_each(shown: list[Evidence]) -> list[Evidence]:
    """Return ``shown`` without what only repeats an earlier sign of one choice by one person.

    An answer that can stand behind the first sign can stand behind the later ones too. Receipts are all kept.
    """
    known: set[tuple[Choice, PersonId | None]] = set()
    kept = []
    for item in shown:
        if item.answer is None:
            if (item.choice, item.person) in known:
                continue
            known.add((item.choice, item.person))
        kept.append(item)
    return kept


def approvals_before(call: CallRecord, seq: int) -> list[AnswerRecord]:
    """Return the approving answers to ``call`` that were sent before the event ``seq``."""
    return [answer for answer in call.answers if answer.seq < seq and answer.event.choice is Choice.APPROVED]


def first_approval(shown: list[Evidence]) -> Evidence | None:
    """Return the first evidence of an approval."""
    for item in shown:
        if item.choice is Choice.APPROVED:
            return item
    return None


def acknowledged(shown: list[Evidence]) -> Evidence | None:
    """Return the first acknowledgement of a decision: a device was told, or it was reported."""
    for item in shown:
        if item.observed or item.answer is not None:
            return item
    return None


def rejection(shown: list[Evidence]) -> tuple[Evidence, int | None] | None:
    """Return the acknowledged rejection that came first, and where an approval was acknowledged after it.

    None where nothing was acknowledged, or an approval first.
    """
    first = acknowledged(shown)
    if first is None or first.choice is not Choice.REJECTED:
        return None
    for item in shown:
        if item.choice is Choice.APPROVED and (item.observed or item.answer is not None):
            return first, item.seq
    return first, None


def decided_arguments(answer: AnswerRecord) -> Arguments | None:
    """Return the arguments that an answer binds: its edit, else what it was shown, None if blind."""
    sent = answer.event
    return sent.shown if sent.arguments is None else sent.arguments


def same_json(one: object, other: object) -> bool:
    """Return whether two JSON values have one canonical text: ``true`` is not 1, and 1 is not 1.0."""
    if one is other:
        return True
    if isinstance(one, Mapping):
        return (
            isinstance(other, Mapping)
            and one.keys() == other.keys()
            and all(same_json(value, other[key]) for key, value in one.items())
        )
    if isinstance(one, list | tuple):
        return isinstance(other, list | tuple) and len(one) == len(other) and all(map(same_json, one, other))
    return type(one) is type(other) and one == other
