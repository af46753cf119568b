"""The messages of the hardened variant beside the request: answers, receipts, and how a request stands.

Owns their shapes, and what a notice says about any answer to its request. Who sent a message, and in which
role, is what the channel service stamped on it.

Invariant: what people send is parsed here, once; what cannot be read is refused as a whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import JsonValue

from harness.messaging import Message
from harness.model import (
    Arguments,
    Choice,
    Decision,
    OutcomeStatus,
    PersonId,
    Receipt,
    ReceiptStatus,
    RequestId,
    Role,
    Settled,
    digest,
)

from .tickets import OUTCOMES, State, Ticket

RECEIPT: Final = "hitl-receipt"
STATE: Final = "hitl-state"
ANSWER_ID_MAX: Final = 128
"""Far above what devices make; a receipt repeats the id, so its length is bounded."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer as it arrived; ``person`` and ``claim`` were written by the channel service."""

    id: str
    request: str
    channel: str
    person: PersonId
    claim: Role | None
    choice: Choice | None
    """None for an answer that cannot be read."""
    shown: str = ""
    arguments: Arguments | None = None
    reason: str = ""


def answer_data(
    answer: str, request: RequestId, shown: Arguments | None, decision: Decision
) -> dict[str, JsonValue]:
    """Return the payload of one press of a button."""
    return {
        "answer_id": answer,
        "request_id": request,
        "status": "approved" if decision.choice is Choice.APPROVED else "denied",
        "shown": "" if shown is None else digest(shown),
        "params": None if decision.arguments is None else dict(decision.arguments),
        "reason": decision.reason,
    }


_CHOICES: Final[Mapping[Any, Choice]] = {"approved": Choice.APPROVED, "denied": Choice.REJECTED}


def read_answer(message: Message, channel: str) -> Answer | None:
    """Return what a message answers, None where it names no answer at all."""
    data = message.data
    if not isinstance(data, dict) or not isinstance(answer := data.get("answer_id"), str):
        return None
    if not answer or len(answer) > ANSWER_ID_MAX:
        return None
    person = PersonId(message.client_id or "")
    claim = None if message.user_claim is None else Role(message.user_claim)
    status, params, reason = data.get("status"), data.get("params"), data.get("reason")
    choice = _CHOICES.get(status) if isinstance(status, str) else None
    if not isinstance(params, dict | None) or not isinstance(reason, str):
        choice, params, reason = None, None, ""
    request, shown = str(data.get("request_id")), str(data.get("shown"))
    return Answer(answer, request, channel, person, claim, choice, shown, params, reason)


def receipt_data(answer: Answer, status: ReceiptStatus, note: str) -> dict[str, JsonValue]:
    """Return the payload of a receipt for one answer."""
    return {"to": answer.person, "answer_id": answer.id, "status": status.value, "note": note}


def read_receipt(data: Mapping[str, Any]) -> Receipt:
    """Return the receipt that the agent side published."""
    return Receipt(ReceiptStatus(data["status"]), note=str(data["note"]))


@dataclass(frozen=True, slots=True)
class Notice:
    """The agent side's announcement of where a request stands, and which answer decided it."""

    request: RequestId
    state: State
    choice: Choice | None
    approver: PersonId | None
    answer: str

    @property
    def ended(self) -> bool:
        """Whether nothing more can happen."""
        return self.state in OUTCOMES

    @property
    def settled(self) -> Settled:
        """How a screen shows the request; its outcome stays unknown while the tool runs."""
        return Settled(OUTCOMES.get(self.state, OutcomeStatus.UNKNOWN), self.choice, self.approver)

    def receipt_of(self, answer: str, person: PersonId) -> Receipt:
        """Return what this says about any answer to the request: the winner is named, others lost."""
        if self.approver == person and self.answer == answer:
            return Receipt(ReceiptStatus.DECIDED, person, self.choice)
        if self.state is State.TIMEOUT:
            return Receipt(ReceiptStatus.EXPIRED)
        if self.state is State.ERROR:
            return Receipt(ReceiptStatus.CANCELLED)
        return Receipt(ReceiptStatus.ALREADY_DECIDED, self.approver, self.choice)


def notice_data(ticket: Ticket) -> dict[str, JsonValue]:
    """Return the payload that announces where a ticket stands."""
    return {
        "request_id": ticket.request_id,
        "state": ticket.state.value,
        "choice": None if ticket.choice is None else ticket.choice.value,
        "approver": ticket.approver,
        "answer_id": ticket.answer,
    }


def read_notice(data: Mapping[str, Any]) -> Notice:
    """Return the notice that the agent side published."""
    choice, approver = data["choice"], data["approver"]
    return Notice(
        RequestId(str(data["request_id"])),
        State(data["state"]),
        None if choice is None else Choice(choice),
        None if approver is None else PersonId(approver),
        str(data["answer_id"]),
    )


def keep_later(notices: dict[RequestId, Notice], notice: Notice) -> None:
    """Keep ``notice`` unless one that says more is known."""
    known = notices.get(notice.request)
    if known is None or notice.ended or not known.ended:
        notices[notice.request] = notice
