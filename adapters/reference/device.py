"""A person's device: shows what the agent side asks, sends answers, and says what became of them.

Owns the screen. It is derived from the session's channel alone (all of its history, then live messages), so
a device that joins late, restarts or was cut off for days shows the same as one that was always there.

Invariant: only what the agent side published moves the screen, and only a receipt from the agent side, or
its announcement of a decision, says what became of an answer. Where neither comes in time the device says
that it does not know.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import ClassVar, Final

from pydantic import JsonValue

from harness.adapter import Machine
from harness.feed import Feed, Link
from harness.messaging import ChannelError, Message
from harness.model import Card, Decision, Person, Receipt, ReceiptStatus, RequestId, Settled

from . import wire
from .agent import channel_of
from .wire import Data, StateNotice

RECEIPT_PATIENCE_S: Final = 30.0
"""Longer than a reconnect, shorter than a person's patience with a spinning button."""

_AUTHORISATION_CODES: Final = range(40100, 40200)


class ReferenceDevice:
    """One device of one person."""

    FEED: ClassVar[type[Feed]] = Feed

    def __init__(self, machine: Machine, person: Person) -> None:
        self._machine = machine
        self._person = person
        self._token = ""
        self._link: Link | None = None
        self._feeds: dict[str, Feed] = {}
        self._cards: dict[RequestId, Card] = {}
        self._notices: dict[RequestId, StateNotice] = {}
        self._shown: dict[RequestId, tuple[str, Card]] = {}
        self._waiting: dict[str, tuple[RequestId, asyncio.Future[Receipt]]] = {}
        self._answers = 0

    async def join(self) -> None:
        """Connect and read every session of the person; a person who is refused sees an empty screen."""
        try:
            await self._connect(self._person.fresh_token())
        except ChannelError:
            return

    def end(self) -> None:
        """Let go of every channel; nothing more will be asked of this device."""
        self._feeds = {}

    async def pending(self) -> Sequence[Card]:
        """Return the requests that wait for an answer, in the order in which they were asked."""
        return tuple(self._cards.values())

    async def settled(self, request: RequestId) -> Settled | None:
        """Return how a request that is no longer pending stands, None where this device does not know it."""
        notice = self._notices.get(request)
        return None if notice is None else notice.settled

    async def respond(self, request: RequestId, decision: Decision) -> Receipt:
        """Send an answer and wait for its receipt."""
        self._answers += 1
        host, loop = self._machine.host, asyncio.get_running_loop()
        answer = f"{host.name}.{host.incarnation}.{self._answers}"
        host.spawn(self._send(answer, request, decision))
        notice = self._notices.get(request)
        if notice is not None:
            return notice.receipt_of(answer, self._person.id)
        told: asyncio.Future[Receipt] = loop.create_future()
        self._waiting[answer] = (request, told)
        timer = loop.call_later(RECEIPT_PATIENCE_S, self._give_up, answer, request)
        receipt = await told
        timer.cancel()
        return receipt

    async def _send(self, answer: str, request: RequestId, decision: Decision) -> None:
        """Publish an answer with a token that says who the person is now."""
        try:
            await self._connect(self._person.fresh_token())
            channel, card = self._shown.get(request) or (next(iter(self._feeds), ""), None)
            if channel not in self._feeds:
                self._told(answer, self._person.id, Receipt(ReceiptStatus.UNKNOWN_REQUEST))
                return
            shown = None if card is None else card.arguments
            data = wire.answer_data(answer, request, shown, decision)
            await self._feeds[channel].publish(wire.ANSWER, data)
        except ChannelError as error:
            refused = error.code in _AUTHORISATION_CODES
            status = ReceiptStatus.UNAUTHORISED if refused else ReceiptStatus.INVALID
            self._told(answer, self._person.id, Receipt(status, note=str(error)))

    async def _connect(self, token: str) -> None:
        """Connect with ``token`` unless it is in use; raises ChannelError where the service refuses it."""
        if token == self._token:
            return
        link = Link(self._machine.connect(token))
        feeds = {}
        for session in self._person.sessions:
            name = channel_of(self._person.tenant, session)
            feeds[name] = self.FEED(link, name, partial(self._hear, name), self._machine.host.spawn)
        for feed in feeds.values():
            await feed.open()
        before, self._link = self._link, link
        self._token, self._feeds = token, feeds
        if before is not None:
            await before.client.close()

    def _give_up(self, answer: str, request: RequestId) -> None:
        """Say what is certain without a receipt: a connected device knows every request of its sessions."""
        connected = self._link is not None and self._link.client.state == "connected"
        known = request in self._shown or not connected
        status = ReceiptStatus.UNKNOWN if known else ReceiptStatus.UNKNOWN_REQUEST
        self._told(answer, self._person.id, Receipt(status))

    def _hear(self, channel: str, batch: Sequence[Message]) -> None:
        for message in batch:
            if wire.from_agent(message) and isinstance(message.data, dict):
                self._learn(channel, message.name, message.data)

    def _learn(self, channel: str, name: str | None, data: Data) -> None:
        match name:
            case wire.REQUEST:
                card = wire.read_card(data)
                self._shown.setdefault(card.request, (channel, card))
                if card.request not in self._notices:
                    self._cards[card.request] = card
            case wire.RECEIPT:
                self._told(str(data["answer"]), data["to"], wire.read_receipt(data))
            case wire.STATE:
                self._retire(wire.read_state(data))
            case _:
                return
        self._machine.observe.screen_changed()

    def _retire(self, notice: StateNotice) -> None:
        known = self._notices.get(notice.request)
        if known is None or known.rank < notice.rank:
            self._notices[notice.request] = notice
        self._cards.pop(notice.request, None)
        for answer, (request, _) in tuple(self._waiting.items()):
            if request == notice.request:
                self._told(answer, self._person.id, notice.receipt_of(answer, self._person.id))

    def _told(self, answer: str, addressee: JsonValue, receipt: Receipt) -> None:
        """End the wait for a receipt; one addressed to somebody else who used the same id is not ours."""
        if addressee == self._person.id and answer in self._waiting:
            _, told = self._waiting.pop(answer)
            told.set_result(receipt)
