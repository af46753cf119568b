"""The hardened variant's screen: it follows from the session's channel alone, and every answer has a receipt.

Owns one device. Its channels are read with all of their history, so that a device that joins late, restarts
or was cut off for days shows the same as one that was always there.

Invariant: only what the agent side published moves the screen or ends the wait for a receipt. Where nothing
comes in time the device says that it does not know.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from harness.adapter import Machine
from harness.feed import Feed, Link
from harness.messaging import ChannelError, Message
from harness.model import Card, Decision, Person, Receipt, ReceiptStatus, RequestId, Settled

from .channel import REQUEST, RESPONSE, card_of, channel_of, from_agent, is_refusal
from .notices import RECEIPT, STATE, Notice, answer_data, keep_later, read_notice, read_receipt

RECEIPT_PATIENCE_S: Final = 30.0
"""Longer than a reconnect, shorter than a person's patience with a spinning button."""


class HardenedDevice:
    """One device of one person."""

    def __init__(self, machine: Machine, person: Person) -> None:
        self._machine = machine
        self._person = person
        self._token = ""
        self._link: Link | None = None
        self._feeds: dict[str, Feed] = {}
        self._cards: dict[RequestId, Card] = {}
        self._shown: dict[RequestId, tuple[str, Card]] = {}
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
        """Return how a request stands, None where this device knows of no end."""
        notice = self._notices.get(request)
        return None if notice is None else notice.settled

    async def respond(self, request: RequestId, decision: Decision) -> Receipt:
        """Send an answer and wait for what becomes of it."""
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
        """Publish with a token that says who the person is now."""
        try:
            await self._connect(self._person.fresh_token())
            channel, card = self._shown.get(request) or (next(iter(self._feeds), ""), None)
            if channel not in self._feeds:
                self._told(answer, Receipt(ReceiptStatus.UNKNOWN_REQUEST))
                return
            shown = None if card is None else card.arguments
            await self._feeds[channel].publish(RESPONSE, answer_data(answer, request, shown, decision))
        except ChannelError as error:
            status = ReceiptStatus.UNAUTHORISED if is_refusal(error) else ReceiptStatus.INVALID
            self._told(answer, Receipt(status, note=str(error)))

    async def _connect(self, token: str) -> None:
        """Connect with ``token`` unless it is in use; raises ChannelError where the service refuses it."""
        if token == self._token:
            return
        link, feeds = Link(self._machine.connect(token)), {}
        for session in self._person.sessions:
            name = channel_of(self._person.tenant, session)
            feeds[name] = Feed(link, name, partial(self._hear, name), self._machine.host.spawn)
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
        self._told(answer, Receipt(ReceiptStatus.UNKNOWN if known else ReceiptStatus.UNKNOWN_REQUEST))

    def _hear(self, channel: str, batch: Sequence[Message]) -> None:
        for message in batch:
            if from_agent(message) and isinstance(message.data, dict):
                self._learn(channel, message.name, message.data)
        self._machine.observe.screen_changed()

    def _learn(self, channel: str, name: str | None, data: Mapping[str, Any]) -> None:
        if name == REQUEST:
            card = card_of(data)
            self._shown.setdefault(card.request, (channel, card))
            if card.request not in self._notices:
                self._cards[card.request] = card
        elif name == RECEIPT and data["to"] == self._person.id:
            self._told(str(data["answer_id"]), read_receipt(data))
        elif name == STATE:
            self._retire(read_notice(data))

    def _retire(self, notice: Notice) -> None:
        keep_later(self._notices, notice)
        self._cards.pop(notice.request, None)
        for answer, (request, _) in tuple(self._waiting.items()):
            if request == notice.request:
                self._told(answer, notice.receipt_of(answer, self._person.id))

    def _told(self, answer: str, receipt: Receipt) -> None:
        waiting = self._waiting.pop(answer, None)
        if waiting is not None:
            waiting[1].set_result(receipt)
