"""Faults in what an answer is about: other arguments, another request, a forged author, a later gate.

Owns the ablations of P6, P7, P8 and P22.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from harness.adapter import Environment, Machine
from harness.messaging import ChannelError, Message
from harness.model import (
    Arguments,
    CallId,
    Card,
    Decision,
    JsonValue,
    PersonId,
    Receipt,
    ReceiptStatus,
    RequestId,
    Role,
    Style,
    ToolCall,
)

from .. import request as requests
from .. import wire
from ..adapter import Parts
from ..agent import ReferenceAgent
from ..arbiter import Answer, Arbiter, edits_are_allowed
from ..hostile import HostileDevice
from ..request import Request, State, Vote
from ..session import Session
from ..store import Store
from ..wire import MalformedAnswer, StateNotice
from .variant import ablation


class RewrittenArguments(ReferenceAgent):
    """Lets a hook transform the arguments after they were approved."""

    async def _tried(self, call: ToolCall, claimed: Request) -> Request:
        async def transformed(arguments: Arguments) -> JsonValue:
            return await call.effect({**arguments, "published_by": "hook"})

        return await super()._tried(replace(call, effect=transformed), claimed)


class EditsLost(ReferenceAgent):
    """Runs what the model asked for, and not what the approver made of it."""

    async def _tried(self, call: ToolCall, claimed: Request) -> Request:
        async def unedited(_arguments: Arguments) -> JsonValue:
            return await call.effect(call.arguments)

        return await super()._tried(replace(call, effect=unedited), claimed)


class SharedId(ReferenceAgent):
    """Names a request after its tool, so that two calls of one tool share an id."""

    def _create(self, call: ToolCall) -> Request:
        request = requests.requested(call, f"approvals:{call.tenant}:{call.session}")
        shared = replace(request, id=RequestId(call.tool))
        return shared if self.store.replace(None, shared) else self._reload(call.id)

    async def _ask(self, request: Request) -> None:
        session = self._session(request.channel)
        try:
            await session.open()
            await session.publish(wire.REQUEST, wire.request_data(request))
        except ChannelError:
            return
        self._machine.observe.request_published(request.id, request.call, request.arguments)

    def _answered(self, session: Session, answer: Answer | MalformedAnswer) -> None:
        for request in self.store.all():
            if request.id == answer.request and request.state is State.PENDING:
                answer = replace(answer, request=RequestId(request.call))
                break
        super()._answered(session, answer)


def _oldest_pending(store: Store, channel: str) -> Request | None:
    waiting = (it for it in store.all() if it.state is State.PENDING and it.channel == channel)
    return next(waiting, None)


class PopsTheOldest(ReferenceAgent):
    """Takes every answer for one to the request that waits longest."""

    def _answered(self, session: Session, answer: Answer | MalformedAnswer) -> None:
        oldest = _oldest_pending(self.store, session.name)
        if oldest is not None and isinstance(answer, Answer):
            answer = replace(answer, request=oldest.id, shown=oldest.shown)
        super()._answered(session, answer)


class UnknownIsOldest(ReferenceAgent):
    """Takes an answer to an unknown id for one to the request that waits longest."""

    def _answered(self, session: Session, answer: Answer | MalformedAnswer) -> None:
        oldest = _oldest_pending(self.store, session.name)
        unknown = self.store.load(CallId(answer.request)) is None
        if unknown and oldest is not None and isinstance(answer, Answer):
            answer = replace(answer, request=oldest.id, shown=oldest.shown)
        super()._answered(session, answer)


class CardsByPosition(HostileDevice):
    """Shows the newest card first, and sends an answer to the card at that place from the other end."""

    async def respond(self, request: RequestId, decision: Decision) -> Receipt:
        """Answer by position."""
        cards = list(self._cards)
        if request in cards:
            request = cards[len(cards) - 1 - cards.index(request)]
        return await super().respond(request, decision)

    async def pending(self) -> Sequence[Card]:
        """Return the cards, newest first."""
        return tuple(reversed(self._cards.values()))


class AnswerIdsShared(ReferenceAgent):
    """Uses one idempotency key for all of a person's answers: the first one is taken for every later one."""

    def __init__(
        self, machine: Machine, environment: Environment, store: Store, arbiter: Arbiter, style: Style
    ) -> None:
        super().__init__(machine, environment, store, arbiter, style)
        self._keys: dict[PersonId, RequestId] = {}

    def _answered(self, session: Session, answer: Answer | MalformedAnswer) -> None:
        first = self._keys.setdefault(answer.person, answer.request)
        if first == answer.request:
            super()._answered(session, answer)
        else:
            self._tell(session, answer, Receipt(ReceiptStatus.DECIDED, answer.person))


class BelievedName(Session):
    """Believes what a message says about its sender."""

    def _read(self, message: Message) -> Answer | MalformedAnswer | None:
        answer, data = super()._read(message), message.data
        if not isinstance(answer, Answer) or not isinstance(data, dict) or "person" not in data:
            return answer
        return replace(answer, person=PersonId(str(data["person"])), claim=Role(str(data["role"])))


class BelievesNames(ReferenceAgent):
    """Reads its channels with :class:`BelievedName`."""

    SESSION = BelievedName


class AnybodysHistory(Session):
    """Reads announcements whoever wrote them."""

    def _from_agent(self, message: Message) -> bool:
        return message.name == wire.STATE or super()._from_agent(message)


class AdoptsTheHistory(ReferenceAgent):
    """Adopts the decisions that it finds in the channel's history, whoever put them there."""

    SESSION = AnybodysHistory

    def _announced(self, notice: StateNotice) -> None:
        request = self.store.load(CallId(notice.request))
        adopted = request is not None and request.state is State.PENDING and notice.choice is not None
        if adopted and request is not None and notice.choice is not None and notice.decided_by is not None:
            vote = Vote(notice.decided_by, None, notice.choice, notice.answer)
            self.advance(request, requests.decided(request, vote))
        super()._announced(notice)


class RemembersTools(ReferenceAgent):
    """Approves a call by itself once somebody approved the same tool before."""

    def _create(self, call: ToolCall) -> Request:
        request = super()._create(call)
        for earlier in self.store.all():
            same = (earlier.tool, earlier.channel) == (request.tool, request.channel)
            if same and earlier.state is State.EXECUTED and earlier.decision is not None:
                self.advance(request, requests.decided(request, earlier.decision))
                return self._reload(call.id)
        return request


class KeepsSurplus(ReferenceAgent):
    """Keeps an answer that came too late, and uses it at the next gate."""

    def __init__(
        self, machine: Machine, environment: Environment, store: Store, arbiter: Arbiter, style: Style
    ) -> None:
        super().__init__(machine, environment, store, arbiter, style)
        self._surplus: list[Vote] = []

    def _ruled(self, request: Request, answer: Answer) -> Receipt | None:
        receipt = super()._ruled(request, answer)
        if receipt is not None and receipt.status is ReceiptStatus.ALREADY_DECIDED:
            self._surplus.append(Vote(answer.person, answer.claim, answer.choice, answer.id))
        return receipt

    def _create(self, call: ToolCall) -> Request:
        request = super()._create(call)
        if self._surplus and request.state is State.PENDING:
            self.advance(request, requests.decided(request, self._surplus.pop()))
            return self._reload(call.id)
        return request


BINDING: Final = (
    ablation(
        "arguments-rewritten-after-the-approval",
        Parts(agent=RewrittenArguments),
        "P6",
        report="pydantic-ai #6968: a hook rewrites arguments before execution",
    ),
    ablation(
        "edits-lost-at-execution",
        Parts(agent=EditsLost),
        "P6",
        report="openclaw #124738: what is run is not what was approved",
    ),
    ablation(
        "edits-not-checked-against-the-policy",
        Parts(arbiter=Arbiter().without(edits_are_allowed)),
        "P6",
        report="langchain #40166: an edit skips the policy",
    ),
    ablation(
        "one-id-for-all-calls-of-a-tool",
        Parts(agent=SharedId),
        "P7",
        report="langgraph #6626: parallel interrupts share one id",
    ),
    ablation(
        "answers-pop-the-oldest-request",
        Parts(agent=PopsTheOldest),
        "P7",
        report="hermes-agent #64001: a click on B resolves A",
    ),
    ablation(
        "an-unknown-id-answers-the-oldest-request",
        Parts(agent=UnknownIsOldest),
        "P7",
        report="hermes-agent #64001: the same, for ids that match nothing",
    ),
    ablation(
        "answers-go-by-position",
        Parts(device=CardsByPosition),
        "P7",
        report="langchain #40172: the UI reorders cards, answers go by position",
    ),
    ablation(
        "one-idempotency-key-for-all-requests",
        Parts(agent=AnswerIdsShared),
        "P25",
        report="dbos-ts PR #1307: the idempotency key is not per recipient",
    ),
    ablation(
        "the-name-in-the-message-is-believed",
        Parts(agent=BelievesNames),
        "P8",
        report="vercel/ai PR #16068: the client forges request and response",
    ),
    ablation(
        "decisions-in-the-history-are-adopted",
        Parts(agent=AdoptsTheHistory),
        "P8",
        report="adk-java #1389: a planted confirmation is accepted from any author",
    ),
    ablation(
        "an-approved-tool-stays-approved",
        Parts(agent=RemembersTools),
        "P22",
        report="agent-framework PR #4548: no registry of what is pending",
    ),
    ablation(
        "surplus-answers-kept-for-the-next-gate",
        Parts(agent=KeepsSurplus),
        "P22",
        report="agent-framework PR #4548: a replayed approval satisfies a later gate",
    ),
)
