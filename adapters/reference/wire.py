"""The four messages of the protocol, as they are written to the session's channel and read from it.

Owns names and shapes. ``approval-request``, ``approval-receipt`` and ``approval-state`` come from the agent
side, ``approval-answer`` from people. Who sent a message is what the channel service stamped on it
(``client_id``, ``userClaim``); nothing in a payload says so.

Invariant: what people send is parsed here, once; a malformed answer is refused as a whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from pydantic import JsonValue

from harness.messaging import Message
from harness.model import (
    Arguments,
    CallId,
    Card,
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

from .arbiter import Answer
from .request import OUTCOMES, Request, State

REQUEST: Final = "approval-request"
ANSWER: Final = "approval-answer"
RECEIPT: Final = "approval-receipt"
STATE: Final = "approval-state"

AGENT: Final = "agent"
ANSWER_ID_LENGTH_MAX: Final = 128
"""Far above what devices make; a receipt repeats the id, so its length is bounded."""

Data: TypeAlias = Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class MalformedAnswer:
    """An answer that cannot be read: whom to tell, and why."""

    id: str
    person: PersonId
    request: RequestId
    why: str


@dataclass(frozen=True, slots=True)
class StateNotice:
    """The agent's announcement of where a request stands and which answer decided it."""

    request: RequestId
    state: State
    choice: Choice | None = None
    decided_by: PersonId | None = None
    answer: str = ""

    @property
    def rank(self) -> int:
        """How far along the request is; of two notices the higher rank is the later one."""
        return 1 + (self.state in OUTCOMES)

    @property
    def settled(self) -> Settled:
        """How a device shows the request; its outcome stays unknown while it is being carried out."""
        return Settled(OUTCOMES.get(self.state, OutcomeStatus.UNKNOWN), self.choice, self.decided_by)

    def receipt_of(self, answer: str, person: PersonId) -> Receipt:
        """Return what this notice says about any answer to its request: the winner is named, others lost."""
        if self.answer == answer and self.decided_by == person:
            return Receipt(ReceiptStatus.DECIDED, person, self.choice)
        status = _ENDED_WITHOUT_DECISION.get(self.state, ReceiptStatus.ALREADY_DECIDED)
        return Receipt(status, self.decided_by, self.choice)


_ENDED_WITHOUT_DECISION: Final = {
    State.EXPIRED: ReceiptStatus.EXPIRED,
    State.CANCELLED: ReceiptStatus.CANCELLED,
}


def from_agent(message: Message) -> bool:
    """Return whether the channel service stamped ``message`` as published by the agent side."""
    return message.client_id == AGENT or (message.client_id or "").startswith(f"{AGENT}-")


def request_data(request: Request) -> dict[str, JsonValue]:
    """Return the payload that makes a request known."""
    return {
        "request": request.id,
        "call": request.call,
        "tool": request.tool,
        "arguments": dict(request.arguments),
        "deadline_ns": request.deadline_ns,
    }


def read_card(data: Data) -> Card:
    """Return the card that a device shows for a request."""
    arguments = data["arguments"]
    assert isinstance(arguments, dict), "the agent side publishes an object"
    return Card(RequestId(str(data["request"])), str(data["tool"]), arguments, CallId(str(data["call"])))


def answer_data(
    answer: str, request: RequestId, shown: Arguments | None, decision: Decision
) -> dict[str, JsonValue]:
    """Return the payload of one press of a button; ``shown`` None where the device never showed it."""
    return {
        "answer": answer,
        "request": request,
        "shown": "" if shown is None else digest(shown),
        "choice": decision.choice.value,
        "arguments": None if decision.arguments is None else dict(decision.arguments),
        "reason": decision.reason,
    }


def read_answer(message: Message, channel: str) -> Answer | MalformedAnswer | None:
    """Parse what a person sent; None where there is nobody to tell that it makes no sense."""
    data = message.data
    if not isinstance(data, dict) or not message.client_id:
        return None
    answer, request = data.get("answer"), data.get("request")
    if not isinstance(answer, str) or not isinstance(request, str):
        return None
    if max(len(answer), len(request)) > ANSWER_ID_LENGTH_MAX:
        return None
    person, request_id = PersonId(message.client_id), RequestId(request)
    complaint = _complaint(data)
    if complaint is not None:
        return MalformedAnswer(answer, person, request_id, complaint)
    arguments, claim = data.get("arguments"), message.extras.get("userClaim")
    return Answer(
        id=answer,
        request=request_id,
        channel=channel,
        person=person,
        claim=Role(claim) if isinstance(claim, str) else None,
        choice=Choice(str(data["choice"])),
        shown=str(data["shown"]),
        arguments=arguments if isinstance(arguments, dict) else None,
        reason=str(data["reason"]),
    )


def _complaint(data: Data) -> str | None:
    if data.get("choice") not in tuple(Choice):
        return "the choice is neither approved nor rejected"
    if not isinstance(data.get("shown"), str) or not isinstance(data.get("reason"), str):
        return "shown and reason are texts"
    if not isinstance(data.get("arguments"), dict | None):
        return "edited arguments are an object, or null"
    return None


def receipt_data(answer: Answer | MalformedAnswer, receipt: Receipt) -> dict[str, JsonValue]:
    """Return the payload of a receipt, addressed to one answer of one person."""
    return {
        "answer": answer.id,
        "to": answer.person,
        "request": answer.request,
        "status": receipt.status.value,
        "winner": receipt.winner,
        "choice": receipt.choice,
        "note": receipt.note,
    }


def read_receipt(data: Data) -> Receipt:
    """Return the receipt in a payload."""
    winner = data["winner"]
    return Receipt(
        status=ReceiptStatus(str(data["status"])),
        winner=None if winner is None else PersonId(str(winner)),
        choice=_choice(data["choice"]),
        note=str(data["note"]),
    )


def state_data(request: Request) -> dict[str, JsonValue]:
    """Return the payload that announces where a request stands; it is the winner's receipt too."""
    vote = request.decision
    return {
        "request": request.id,
        "state": request.state.value,
        "choice": None if vote is None else vote.choice.value,
        "decided_by": None if vote is None else vote.person,
        "role": None if vote is None else vote.role,
        "answer": "" if vote is None else vote.answer,
        "reason": ("" if vote is None else vote.reason) or request.note,
    }


def read_state(data: Data) -> StateNotice:
    """Return the announcement in a payload."""
    decided_by = data["decided_by"]
    return StateNotice(
        request=RequestId(str(data["request"])),
        state=State(str(data["state"])),
        choice=_choice(data["choice"]),
        decided_by=None if decided_by is None else PersonId(str(decided_by)),
        answer=str(data["answer"]),
    )


def _choice(value: JsonValue) -> Choice | None:
    return None if value is None else Choice(str(value))
