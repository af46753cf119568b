"""An approver over a channel, as the documentation wants a custom plug-in to be, and its people's side.

Owns the two messages: an ``ApprovalRequest`` as the agent publishes it on its session's channel, and an
``ApprovalResponse`` as a person does. Nothing is lost on the way: both sides read the channel's history. What
this form does not keep, it does not keep because the protocol has no place for it: a request lives in the
coroutine that waits for it, and nobody is told how it ended.

Invariant: ``approver_id`` is the client id that the channel service wrote, never what a message says.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from pydantic import JsonValue

from harness.adapter import Machine
from harness.feed import Feed, Link
from harness.messaging import ChannelError, Message
from harness.model import (
    CallId,
    Card,
    Choice,
    Decision,
    Person,
    Receipt,
    ReceiptStatus,
    RequestId,
    Settled,
)

from .protocol import ApprovalRequest, ApprovalResponse, context_text, params_of, payload_of

CHANNEL_APPROVER: Final = "channel_approver"
REQUEST: Final = "hitl-request"
RESPONSE: Final = "hitl-response"
PUBLISH_PATIENCE_S: Final = 30.0
_AUTHORISATION_CODES: Final = range(40100, 40200)
_NS_PER_S: Final = 1_000_000_000
_TIMER_LATE_S: Final = 1e-6
"""A timer in float seconds may be early by less than this; what came in time is told by the clock."""


def channel_of(tenant: str, session: str) -> str:
    """Return the name of a session's channel."""
    return f"approvals:{tenant}:{session}"


def from_agent(message: Message) -> bool:
    """Return whether the channel service stamped ``message`` as the agent side's."""
    return message.client_id == "agent" or (message.client_id or "").startswith("agent-")


def is_refusal(error: ChannelError) -> bool:
    """Return whether the service refused for want of authority."""
    return error.code in _AUTHORISATION_CODES


def card_of(request: Mapping[str, Any]) -> Card:
    """Return what a screen shows for a published request."""
    data = request["data_to_approve"]
    context = request.get("context") or {}
    call = context.get("correlation_id")
    params = data.get("params", data)
    return Card(
        RequestId(str(request["request_id"])),
        str(data.get("tool_id", request["prompt"])),
        params,
        CallId(call) if isinstance(call, str) else None,
    )


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A request whose coroutine waits; None of ``deadline_ns`` waits without limit."""

    channel: str
    deadline_ns: int | None
    response: asyncio.Future[ApprovalResponse | None]
    """None for one that came too late."""


class ChannelApprover:
    """Asks whoever listens on the session's channel; their first response is the answer."""

    plugin_id = CHANNEL_APPROVER

    def __init__(self, machine: Machine, agent_token: str) -> None:
        self._machine = machine
        self._link = Link(machine.connect(agent_token))
        self._feeds: dict[str, asyncio.Task[Feed]] = {}
        self._waiting: dict[str, _Waiting] = {}

    async def setup(self, config: dict[str, Any] | None = None) -> None:
        """Take no configuration: whom to ask stands in each request's context."""

    async def teardown(self) -> None:
        """Hold nothing that outlives the process."""

    async def request_approval(self, request: ApprovalRequest) -> ApprovalResponse:
        """Publish the request and wait for a response, no longer than it says."""
        timeout_s = request.get("timeout_seconds")
        deadline_ns = None if timeout_s is None else self._machine.now_ns() + round(timeout_s * _NS_PER_S)
        channel = channel_of(context_text(request, "tenant_id"), context_text(request, "session_id"))
        response: asyncio.Future[ApprovalResponse | None] = asyncio.get_running_loop().create_future()
        request_id = request["request_id"]
        self._waiting[request_id] = _Waiting(channel, deadline_ns, response)
        publishing = self._machine.host.spawn(self._publish(channel, request))
        try:
            async with asyncio.timeout(None if timeout_s is None else timeout_s + _TIMER_LATE_S):
                decided = await response
        except TimeoutError:
            decided = None
        finally:
            self._waiting.pop(request_id, None)
            publishing.cancel()
        if decided is not None:
            return decided
        call = CallId(context_text(request, "correlation_id"))
        self._machine.observe.request_expired(RequestId(request_id), call=call)
        return ApprovalResponse(
            request_id=request_id,
            status="timeout",
            reason="nobody answered in time",
            timestamp=self._timestamp(),
        )

    async def _publish(self, channel: str, request: ApprovalRequest) -> None:
        payload = payload_of(request)
        request_id = request["request_id"]
        waiting = self._waiting.get(request_id)
        try:
            feed = await self._feed(channel)
            await feed.publish(REQUEST, payload)
        except ChannelError as error:
            if waiting is not None and not waiting.response.done():
                failed = ApprovalResponse(request_id=request_id, status="error", reason=str(error))
                waiting.response.set_result(failed)
            return
        call = CallId(context_text(request, "correlation_id"))
        if waiting is not None and not waiting.response.done():
            self._machine.observe.request_published(RequestId(request_id), call, params_of(request))

    async def _feed(self, channel: str) -> Feed:
        if channel not in self._feeds:
            self._feeds[channel] = self._machine.host.spawn(self._open(channel))
        return await self._feeds[channel]

    async def _open(self, channel: str) -> Feed:
        feed = Feed(self._link, channel, partial(self._hear, channel), self._machine.host.spawn)
        await feed.open()
        return feed

    def _hear(self, channel: str, batch: Sequence[Message]) -> None:
        for message in batch:
            if message.name == RESPONSE and isinstance(message.data, dict):
                self._respond(channel, message, message.data)

    def _respond(self, channel: str, message: Message, data: Mapping[str, JsonValue]) -> None:
        waiting = self._waiting.get(str(data.get("request_id")))
        status = data.get("status")
        if waiting is None or waiting.channel != channel or waiting.response.done():
            return
        if status not in ("approved", "denied"):
            return
        if waiting.deadline_ns is not None and self._machine.now_ns() >= waiting.deadline_ns:
            waiting.response.set_result(None)
            return
        reason = data.get("reason")
        waiting.response.set_result(
            ApprovalResponse(
                request_id=str(data["request_id"]),
                status="approved" if status == "approved" else "denied",
                approver_id=message.client_id,
                reason=reason if isinstance(reason, str) and reason else None,
                timestamp=self._timestamp(),
            )
        )

    def _timestamp(self) -> float:
        return self._machine.now_ns() / _NS_PER_S


class ChannelDevice:
    """One device of one person: shows what was asked and not yet answered on it."""

    def __init__(self, machine: Machine, person: Person) -> None:
        self._machine = machine
        self._person = person
        self._link = Link(machine.connect(person.fresh_token()))
        self._feeds: dict[str, Feed] = {}
        self._cards: dict[RequestId, Card] = {}
        self._where: dict[RequestId, str] = {}

    async def join(self) -> None:
        """Read every session of the person; who is refused sees an empty screen."""
        for session in self._person.sessions:
            name = channel_of(self._person.tenant, session)
            feed = Feed(self._link, name, partial(self._hear, name), self._machine.host.spawn)
            self._feeds[name] = feed
            try:
                await feed.open()
            except ChannelError:
                return

    async def pending(self) -> Sequence[Card]:
        """Return what this device was asked and did not answer."""
        return tuple(self._cards.values())

    async def settled(self, request: RequestId) -> Settled | None:
        """Return None: the protocol tells nobody how a request ended."""
        del request
        return None

    async def respond(self, request: RequestId, decision: Decision) -> Receipt:
        """Publish the response; the device learns that it is sent, and no more."""
        if decision.arguments is not None:
            return Receipt(ReceiptStatus.INVALID, note="the protocol carries no edits: approve or deny")
        if self._cards.pop(request, None) is not None:
            self._machine.observe.screen_changed()
        feed = self._feeds[self._where.get(request, next(iter(self._feeds)))]
        data: dict[str, JsonValue] = {
            "request_id": request,
            "status": "approved" if decision.choice is Choice.APPROVED else "denied",
            "reason": decision.reason,
        }
        try:
            await asyncio.wait_for(feed.publish(RESPONSE, data), PUBLISH_PATIENCE_S)
        except ChannelError as error:
            status = ReceiptStatus.UNAUTHORISED if is_refusal(error) else ReceiptStatus.UNKNOWN
            return Receipt(status, note=str(error))
        except TimeoutError:
            return Receipt(ReceiptStatus.UNKNOWN)
        return Receipt(ReceiptStatus.SENT)

    def _hear(self, channel: str, batch: Sequence[Message]) -> None:
        for message in batch:
            if message.name == REQUEST and from_agent(message):
                card = card_of(message.data)
                if card.request not in self._where:
                    self._where[card.request] = channel
                    self._cards[card.request] = card
        self._machine.observe.screen_changed()
