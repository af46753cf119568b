"""One session's channel as an agent knows it: what was asked, answered and announced there.

Owns reading the channel for the agent. What the agent side itself published is learnt before any answer of
the same batch is judged, so that after a crash an answer that already has its receipt is left alone.

Invariant: answers are handed to the agent in channel order. Nothing is decided here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from pydantic import JsonValue

from harness.feed import Feed, Link, Spawn
from harness.messaging import ChannelError, Message
from harness.model import RequestId

from . import wire
from .arbiter import Answer
from .request import Request
from .wire import Data, MalformedAnswer, StateNotice


@dataclass(frozen=True, slots=True)
class Listener:
    """What an agent does about what it hears."""

    asked: Callable[["Session", RequestId], None]
    answered: Callable[["Session", Answer | MalformedAnswer], None]
    announced: Callable[[StateNotice], None]


class Session:
    """One session's channel on one agent process."""

    FEED: ClassVar[type[Feed]] = Feed

    def __init__(self, link: Link, name: str, listener: Listener, spawn: Spawn) -> None:
        self.name = name
        self.asked: set[RequestId] = set()
        self.announced: dict[RequestId, StateNotice] = {}
        self._unannounced: dict[RequestId, Request] = {}
        self._receipted: set[tuple[str, str]] = set()
        self._listener = listener
        self._spawn = spawn
        self._feed = self.FEED(link, name, self._hear, spawn)
        self._opening: Awaitable[None] | None = None

    async def open(self) -> None:
        """Return when everything so far was heard; raises ChannelError where the service refuses."""
        if self._opening is None:
            self._opening = self._spawn(self._feed.open())
        await self._opening

    def end(self) -> None:
        """Hear nothing more."""
        self._feed.end()

    async def publish(self, name: str, data: dict[str, JsonValue]) -> None:
        """Publish once the session is open; raises ChannelError where the service refuses."""
        await self.open()
        await self._feed.publish(name, data)

    def announce_soon(self, request: Request) -> None:
        """Announce where a request stands; what follows within the same instant is announced as one."""
        if not self._unannounced:
            asyncio.get_running_loop().call_soon(self._announce)
        self._unannounced[request.id] = request

    def publish_soon(self, name: str, data: dict[str, JsonValue]) -> None:
        """Publish in the background.

        A refusal is dropped: the store holds the truth, and the next process announces it again.
        """
        self._spawn(self._publish_or_drop(name, data))

    async def _publish_or_drop(self, name: str, data: dict[str, JsonValue]) -> None:
        try:
            await self.publish(name, data)
        except ChannelError:
            return

    def _announce(self) -> None:
        requests, self._unannounced = self._unannounced, {}
        for request in requests.values():
            self.publish_soon(wire.STATE, wire.state_data(request))

    def _hear(self, batch: Sequence[Message]) -> None:
        answers = []
        for message in batch:
            if not self._from_agent(message):
                if message.name == wire.ANSWER:
                    answers.append(message)
            elif isinstance(message.data, dict):
                self._learn(message.name, message.data)
        for message in answers:
            answer = self._read(message)
            if answer is not None and (answer.person, answer.id) not in self._receipted:
                self._listener.answered(self, answer)

    def _from_agent(self, message: Message) -> bool:
        return wire.from_agent(message)

    def _read(self, message: Message) -> Answer | MalformedAnswer | None:
        return wire.read_answer(message, self.name)

    def _learn(self, name: str | None, data: Data) -> None:
        match name:
            case wire.REQUEST:
                request = RequestId(str(data["request"]))
                self.asked.add(request)
                self._listener.asked(self, request)
            case wire.RECEIPT:
                self._receipted.add((str(data["to"]), str(data["answer"])))
            case wire.STATE:
                notice = wire.read_state(data)
                self.announced[notice.request] = notice
                self._receipted.add((notice.decided_by or "", notice.answer))
                self._listener.announced(notice)
            case _:
                return
