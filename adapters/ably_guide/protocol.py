"""What the hardened variant adds to the published messages: answer ids, receipts and announcements.

Owns the payloads. A request and an answer look as published, but for the ``answerId`` in the latter.
``approval-receipt`` tells one answer that it did not count; ``approval-decided`` says where a request stands
and which answer decided, and is the receipt of every answer to it.

Invariant: a device believes only what the service stamped as the agent's; a malformed answer is ignored.
"""

from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from harness.model import Choice, OutcomeStatus, PersonId, Receipt, ReceiptStatus, RequestId, Role, Settled

from .records import ENDS, Approval, State
from .transport import Incoming

RECEIPT: Final = "approval-receipt"
DECIDED: Final = "approval-decided"

_AGENT: Final = "agent"
_ANSWER_ID_LENGTH_MAX: Final = 128
"""A receipt repeats the id, so its length is bounded."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A person's answer; ``person`` and ``role`` were written by the service."""

    id: str
    tool_call_id: str
    person: PersonId
    role: Role | None
    choice: Choice


@dataclass(frozen=True, slots=True)
class Notice:
    """Where a request stands, as the agent announced it."""

    request: RequestId
    state: State
    approver: PersonId | None
    answer: str
    choice: Choice | None

    @property
    def ended(self) -> bool:
        """Whether nothing more will be announced."""
        return self.state in ENDS

    @property
    def settled(self) -> Settled:
        """How a device shows the request; its outcome is unknown while the tool runs."""
        status = OutcomeStatus(self.state.value) if self.ended else OutcomeStatus.UNKNOWN
        return Settled(status, self.choice, self.approver)

    def receipt_of(self, answer: str, person: PersonId) -> Receipt:
        """Return what this says about an answer: the winner is named, every other one lost."""
        won = (self.answer, self.approver) == (answer, person)
        status = ReceiptStatus.DECIDED if won else ReceiptStatus.ALREADY_DECIDED
        return Receipt(status, self.approver, self.choice)


def from_agent(message: Incoming) -> bool:
    """Return whether the service stamped ``message`` as the agent side's."""
    return message.client_id == _AGENT or message.client_id.startswith(f"{_AGENT}-")


def answer_data(answer: str, choice: Choice) -> dict[str, JsonValue]:
    """Return the payload of an answer."""
    return {"decision": choice.value, "answerId": answer}


def read_answer(message: Incoming) -> Answer | None:
    """Return the answer in a person's message, None where it is none that anybody could be told about."""
    answer, decision = message.field("answerId"), message.field("decision")
    if not isinstance(answer, str) or len(answer) > _ANSWER_ID_LENGTH_MAX or not message.client_id:
        return None
    if decision not in tuple(Choice) or not message.tool_call_id:
        return None
    role = None if message.role is None else Role(message.role)
    person = PersonId(message.client_id)
    return Answer(answer, message.tool_call_id, person, role, Choice(str(decision)))


def receipt_data(answer: Answer, status: ReceiptStatus, note: str) -> dict[str, JsonValue]:
    """Return the payload of a receipt."""
    return {"answerId": answer.id, "to": answer.person, "status": status.value, "note": note}


def read_receipt(message: Incoming) -> Receipt:
    """Return the receipt in an agent's message."""
    return Receipt(ReceiptStatus(str(message.field("status"))), note=str(message.field("note")))


def notice_data(approval: Approval) -> dict[str, JsonValue]:
    """Return the payload that announces where an approval stands."""
    return {
        "state": approval.state.value,
        "approver": approval.approver,
        "role": approval.role,
        "answerId": approval.answer,
        "decision": None if approval.choice is None else approval.choice.value,
    }


def read_notice(message: Incoming) -> Notice:
    """Return the announcement in an agent's message."""
    approver, choice = message.field("approver"), message.field("decision")
    return Notice(
        request=RequestId(message.tool_call_id),
        state=State(str(message.field("state"))),
        approver=None if approver is None else PersonId(str(approver)),
        answer=str(message.field("answerId")),
        choice=None if choice is None else Choice(str(choice)),
    )


def keep_later(notices: dict[RequestId, Notice], notice: Notice) -> None:
    """Keep ``notice`` unless one that ends its request is kept already."""
    known: Notice | None = notices.get(notice.request)
    if known is None or not known.ended:
        notices[notice.request] = notice
