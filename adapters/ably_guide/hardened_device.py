"""The pattern with its weak spots mended: the approver's side.

Owns the screen, which follows from the session's channel alone: all of its history, then live messages. An
answer bears an id; its receipt is either addressed to it, or the announcement of the decision.

Invariant: only the agent side's messages move the screen or end the wait for a receipt.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Final

from harness.adapter import Machine
from harness.messaging import ChannelError
from harness.model import CallId, Card, Decision, Person, Receipt, ReceiptStatus, RequestId, Settled

from .catch_up import GaplessChannel
from .protocol import (
    DECIDED,
    RECEIPT,
    Notice,
    answer_data,
    from_agent,
    keep_later,
    read_notice,
    read_receipt,
)
from .tool_calls import read_arguments
from .transport import REQUEST, RESPONSE, Dial, Incoming, Realtime, channel_of, is_refusal

RECEIPT_PATIENCE_S: Final = 30.0
"""Longer than a reconnect, shorter than a person's patience."""


class HardenedDevice:
    """One device of one person."""

    def __init__(self, machine: Machine, person: Person, dial: Dial) -> None:
        self._machine = machine
        self._dial = dial
        self._person = person
        self._token = ""
        self._realtime: Realtime | None = None
        self._channels: dict[str, GaplessChannel] = {}
        self._cards: dict[RequestId, Card] = {}
        self._where: dict[RequestId, str] = {}
        self._notices: dict[RequestId, Notice] = {}
        self._waiting: dict[str, tuple[RequestId, asyncio.Future[Receipt]]] = {}
        self._answers = 0

    async def join(self) -> None:
        """Connect and read every session of the person; who is refused sees an empty screen."""
        try:
            await self._connect(self._person.fresh_token())
        except ChannelError:
            return

    async def pending(self) -> Sequence[Card]:
        """Return what waits for an answer."""
        return tuple(self._cards.values())

    async def settled(self, request: RequestId) -> Settled | None:
        """Return how a request ended, None where this device does not know it."""
        notice = self._notices.get(request)
        return None if notice is None else notice.settled

    async def respond(self, request: RequestId, decision: Decision) -> Receipt:
        """Publish the answer and wait for what becomes of it."""
        self._answers += 1
        host, loop = self._machine.host, asyncio.get_running_loop()
        answer = f"{host.name}.{host.incarnation}.{self._answers}"
        host.spawn(self._send(answer, request, decision))
        notice = self._notices.get(request)
        if notice is not None:
            return notice.receipt_of(answer, self._person.id)
        told: asyncio.Future[Receipt] = loop.create_future()
        self._waiting[answer] = (request, told)
        timer = loop.call_later(RECEIPT_PATIENCE_S, self._told, answer, Receipt(ReceiptStatus.UNKNOWN))
        receipt = await told
        timer.cancel()
        return receipt

    async def _send(self, answer: str, request: RequestId, decision: Decision) -> None:
        """Publish with a token that says who the person is now."""
        try:
            await self._connect(self._person.fresh_token())
            name = self._where.get(request) or next(iter(self._channels))
            await self._channels[name].publish(RESPONSE, answer_data(answer, decision.choice), request)
        except ChannelError as error:
            status = ReceiptStatus.UNAUTHORISED if is_refusal(error) else ReceiptStatus.INVALID
            self._told(answer, Receipt(status, note=str(error)))

    async def _connect(self, token: str) -> None:
        """Connect with ``token`` unless it is in use; raises ChannelError where the service refuses it."""
        if token == self._token:
            return
        realtime, channels = self._dial(self._machine, token), {}
        for session in self._person.sessions:
            name = channel_of(self._person.tenant, session)
            channels[name] = GaplessChannel(
                realtime, name, partial(self._hear, name), self._machine.host.spawn
            )
        for channel in channels.values():
            await channel.open()
        before, self._realtime = self._realtime, realtime
        self._token, self._channels = token, channels
        if before is not None:
            await before.close()

    def _hear(self, channel: str, messages: Sequence[Incoming]) -> None:
        for message in messages:
            if from_agent(message) and message.tool_call_id:
                self._learn(channel, message)
        self._machine.observe.screen_changed()

    def _learn(self, channel: str, message: Incoming) -> None:
        request = RequestId(message.tool_call_id)
        if message.name == REQUEST:
            self._where[request] = channel
            if request not in self._notices:
                arguments = read_arguments(message.field("arguments"))
                self._cards[request] = Card(request, str(message.field("tool")), arguments, CallId(request))
        elif message.name == RECEIPT and message.field("to") == self._person.id:
            self._told(str(message.field("answerId")), read_receipt(message))
        elif message.name == DECIDED:
            notice = read_notice(message)
            keep_later(self._notices, notice)
            self._cards.pop(request, None)
            for answer, (about, _) in tuple(self._waiting.items()):
                if about == request:
                    self._told(answer, notice.receipt_of(answer, self._person.id))

    def _told(self, answer: str, receipt: Receipt) -> None:
        waiting = self._waiting.pop(answer, None)
        if waiting is not None:
            waiting[1].set_result(receipt)
