"""Faults in deciding once, for the first valid answer, for good, and only when somebody answered.

Owns the ablations of P1, P2, P5, P15 and P18.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from pydantic import JsonValue

from harness.adapter import Environment, Machine
from harness.messaging import Message
from harness.model import CallId, Choice, Decision, Receipt, ReceiptStatus, RequestId, Style

from .. import wire
from ..adapter import Parts
from ..agent import ReferenceAgent
from ..arbiter import Answer, Arbiter, Case, Ruling, still_pending
from ..hostile import HostileDevice
from ..request import Request, State, Vote
from ..session import Session
from ..store import DiskStore, Store
from ..wire import Data, MalformedAnswer
from .variant import ablation

_ROUND_TRIP_S: Final = 0.005
_GRACE_S: Final = 1.0


class LoadJudgeSave(ReferenceAgent):
    """Loads, judges, and saves over whatever is there by then."""

    def _ruled(self, request: Request, answer: Answer) -> Receipt | None:
        self._machine.host.spawn(self._judge_and_save(request, answer))
        return None

    async def _judge_and_save(self, request: Request, answer: Answer) -> None:
        await asyncio.sleep(_ROUND_TRIP_S)
        ruling = self._ruling(request, answer)
        if ruling.request is not request:
            self.advance(self._reload(request.call), ruling.request)


class CachedStore(DiskStore):
    """Trusts what this process read or wrote last, and writes without looking."""

    def load(self, call: CallId) -> Request | None:
        """Return the cached record."""
        known = self._read.get(call)
        return super().load(call) if known is None else known[1]

    def replace(self, before: Request | None, after: Request) -> bool:
        """Compare with the cache only."""
        if self.load(after.call) != before:
            return False
        return super().replace(super().load(after.call), after)


def overwrite(case: Case, vote: Vote) -> Ruling:
    """Let a vote decide whatever was decided before."""
    state = State.APPROVED if vote.choice is Choice.APPROVED else State.REJECTED
    return Ruling(
        replace(case.request, state=state, decision=vote),
        Receipt(ReceiptStatus.DECIDED, vote.person, vote.choice),
    )


def pending_or_regretted(case: Case) -> Ruling | None:
    """Let whoever decided a request decide it again."""
    winner = case.request.decision
    if winner is not None and winner.person == case.answer.person and winner.choice is not case.answer.choice:
        return None
    return still_pending(case)


class GracePeriod(ReferenceAgent):
    """Acknowledges the first answer at once, and decides a second later by the latest one."""

    def __init__(
        self, machine: Machine, environment: Environment, store: Store, arbiter: Arbiter, style: Style
    ) -> None:
        super().__init__(machine, environment, store, arbiter, style)
        self._latest: dict[CallId, Answer] = {}

    def _ruled(self, request: Request, answer: Answer) -> Receipt | None:
        receipt = self._ruling(request, answer).receipt
        if request.state is not State.PENDING or receipt.status is not ReceiptStatus.DECIDED:
            return super()._ruled(request, answer)
        if request.call not in self._latest:
            self._machine.host.spawn(self._decide_later(request.call))
        self._latest[request.call] = answer
        self._tell(self._session(request.channel), answer, receipt)
        return None

    async def _decide_later(self, call: CallId) -> None:
        await asyncio.sleep(_GRACE_S)
        super()._ruled(self._reload(call), self._latest.pop(call))


class Debouncing(ReferenceAgent):
    """Takes the first press for a bouncing button: it is called surplus, and dropped."""

    def __init__(
        self, machine: Machine, environment: Environment, store: Store, arbiter: Arbiter, style: Style
    ) -> None:
        super().__init__(machine, environment, store, arbiter, style)
        self._pressed: set[CallId] = set()

    def _ruled(self, request: Request, answer: Answer) -> Receipt | None:
        if request.call in self._pressed:
            return super()._ruled(request, answer)
        self._pressed.add(request.call)
        self._tell(self._session(request.channel), answer, Receipt(ReceiptStatus.ALREADY_DECIDED))
        return None


class LastClickOnScreen(HostileDevice):
    """Shows the choice of whoever pressed last, not the decision."""

    def _hear(self, channel: str, batch: Sequence[Message]) -> None:
        super()._hear(channel, batch)
        for message in batch:
            pressed = wire.read_answer(message, channel) if message.name == wire.ANSWER else None
            notice = self._notices.get(pressed.request) if isinstance(pressed, Answer) else None
            if notice is not None and isinstance(pressed, Answer):
                shown = replace(notice, choice=pressed.choice, decided_by=pressed.person)
                self._notices[notice.request] = shown


class AcknowledgeFirst(ReferenceAgent):
    """Tells every answerer that the answer decided, and looks whether it did afterwards."""

    def _answered(self, session: Session, answer: Answer | MalformedAnswer) -> None:
        self._tell(session, answer, Receipt(ReceiptStatus.DECIDED))
        super()._answered(session, answer)


class DeliveredIsDecided(HostileDevice):
    """Says "decided" as soon as the answer is delivered."""

    async def _send(self, answer: str, request: RequestId, decision: Decision) -> None:
        await super()._send(answer, request, decision)
        self._told(answer, self._person.id, Receipt(ReceiptStatus.DECIDED))


class ReaderIsWinner(HostileDevice):
    """Names whoever reads a receipt as the winner of the race."""

    def _told(self, answer: str, addressee: JsonValue, receipt: Receipt) -> None:
        if receipt.status is ReceiptStatus.ALREADY_DECIDED:
            receipt = replace(receipt, winner=self._person.id)
        super()._told(answer, addressee, receipt)


class ReadingApproves(HostileDevice):
    """Follows the approval link as soon as it is shown, as a mail scanner does."""

    def _learn(self, channel: str, name: str | None, data: Data) -> None:
        super()._learn(channel, name, data)
        if name == wire.REQUEST:
            request = RequestId(str(data["request"]))
            link = f"{self._machine.host.name}.link.{request}"
            self._machine.host.spawn(self._send(link, request, Decision(Choice.APPROVED)))


class LostConnectionRejects(HostileDevice):
    """Takes a lost connection for a closed dialog, and a closed dialog for a rejection."""

    async def _connect(self, token: str) -> None:
        before = self._link
        await super()._connect(token)
        if self._link is not None and self._link is not before:
            self._link.client.on_state(self._closed)

    def _closed(self, state: str) -> None:
        if state == "disconnected":
            for request in self._cards:
                dialog = f"{self._machine.host.name}.closed.{request}"
                self._machine.host.spawn(self._send(dialog, request, Decision(Choice.REJECTED)))


def roles_equal(policy: object, role: object) -> bool:
    """Admit exactly the role that is asked for, and nobody above it."""
    return role == getattr(policy, "minimum_role", None)


_NOT_ASKING_IF_PENDING: Final = replace(Arbiter().without(still_pending), count=overwrite)
_REGRETS: Final = replace(
    Arbiter(),
    rules=tuple(pending_or_regretted if rule is still_pending else rule for rule in Arbiter().rules),
    count=overwrite,
)

DECIDING: Final = (
    ablation(
        "load-judge-save-without-a-lock",
        Parts(agent=LoadJudgeSave),
        "P1",
        report="mastra PR #20512: concurrent resume",
    ),
    ablation(
        "each-process-trusts-its-own-cache",
        Parts(store=lambda environment, _machine: CachedStore(environment.shared_disk)),
        "P4",
        report="synthetic: two workers on one store, compare-and-set on a cached value",
    ),
    ablation(
        "decided-requests-stay-open",
        Parts(arbiter=_NOT_ASKING_IF_PENDING),
        "P1",
        report="@ably/ai-transport 0.8.0: the reducer keeps the answer with the last serial",
    ),
    ablation(
        "a-grace-period-for-second-opinions",
        Parts(agent=GracePeriod),
        "P2",
        report="synthetic: acknowledged first, decided by who came last",
    ),
    ablation(
        "a-debounce-swallows-the-first-answer",
        Parts(agent=Debouncing),
        "P2",
        report="synthetic: a valid answer is called surplus, a later one decides",
    ),
    ablation(
        "text-follows-the-last-click",
        Parts(device=LastClickOnScreen),
        "P5",
        report="Slack card: the text follows the last click, not the decision",
    ),
    ablation(
        "a-decision-can-be-taken-back",
        Parts(arbiter=_REGRETS),
        "P5",
        report="synthetic: whoever decided may change their mind afterwards",
    ),
    ablation(
        "acknowledge-before-compare-and-set",
        Parts(agent=AcknowledgeFirst),
        "P15",
        report="NeuralNote #119: the person is told OK before the decision is stored",
    ),
    ablation(
        "a-delivered-answer-is-called-decided",
        Parts(device=DeliveredIsDecided),
        "P15",
        report="KiroCrew PR #5233: delivery is taken for effect",
    ),
    ablation(
        "every-reader-is-named-the-winner",
        Parts(device=ReaderIsWinner),
        "P15",
        report="synthetic: losers are told that they won",
    ),
    ablation(
        "valid-roles-above-the-minimum-are-refused",
        Parts(arbiter=replace(Arbiter(), admits=roles_equal)),
        "P15",
        report="synthetic: roles compared for equality instead of rank",
    ),
    ablation(
        "reading-the-card-approves-it",
        Parts(device=ReadingApproves),
        "P18",
        report="activepieces #14024: a mail scanner's GET decides",
    ),
    ablation(
        "a-lost-connection-rejects",
        Parts(device=LostConnectionRejects),
        "P18",
        report="synthetic: a disconnect is read as a closed dialog",
    ),
)
