"""Two tiny implementations for the command line's tests.

``forgetful`` keeps pending approvals in a dictionary of its process, so that a power cut loses them, and
believes every answer. ``clumsy`` is the same, but its devices raise.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from harness.adapter import Agent, Claim, Device, Environment, Implementation, Machine, Manifest
from harness.identity import channel_name
from harness.messaging import ChannelClient, ChannelError
from harness.model import (
    CallId,
    Card,
    Choice,
    Decision,
    Guarantee,
    JsonValue,
    Outcome,
    OutcomeStatus,
    Person,
    PersonId,
    Receipt,
    ReceiptStatus,
    RequestId,
    Settled,
    ToolCall,
    ToolFailedError,
)

OFFERS: Final = {
    Guarantee.SINGLE_WINNER: Claim("One answer decides."),
    Guarantee.AT_MOST_ONE_EXECUTION: Claim("A call is carried out once."),
    Guarantee.AUTHORITY: Claim("Only those who may, decide."),
}


@dataclass(slots=True)
class ForgetfulAgent:
    """Waits for an answer in memory."""

    machine: Machine
    client: ChannelClient
    pending: dict[str, asyncio.Future[tuple[Choice, PersonId]]] = field(default_factory=dict)

    async def call_tool(self, call: ToolCall) -> Outcome:
        """Ask, wait, act."""
        await call.before_gate(call.arguments, False)  # noqa: FBT003 - the contract
        channel = self.client.channel(channel_name(call.tenant, call.session))
        answered: asyncio.Future[tuple[Choice, PersonId]] = asyncio.get_running_loop().create_future()
        self.pending[call.id] = answered
        channel.subscribe(self._heard)
        try:
            await channel.attach()
            asked: dict[str, JsonValue] = {"call": call.id, "tool": call.tool}
            asked["arguments"] = dict(call.arguments)
            await channel.publish("ask", asked)
        except ChannelError as error:
            return Outcome(OutcomeStatus.CANCELLED, reason=str(error))
        self.machine.observe.request_published(RequestId(call.id), call.id, call.arguments)
        choice, person = await answered
        self.machine.observe.decision_taken(RequestId(call.id), choice, person=person, call=call.id)
        if choice is Choice.REJECTED:
            return Outcome(OutcomeStatus.REJECTED, choice=choice, decided_by=person)
        try:
            result = await call.effect(call.arguments)
        except ToolFailedError as error:
            return Outcome(OutcomeStatus.FAILED, choice=choice, decided_by=person, reason=str(error))
        return Outcome(OutcomeStatus.EXECUTED, result, choice, person)

    async def cancel(self, call: CallId) -> bool:
        """Never cancels."""
        return call not in self.pending

    def _heard(self, message: object) -> None:
        data = getattr(message, "data", None)
        if getattr(message, "name", "") != "answer" or not isinstance(data, dict):
            return
        waiting = self.pending.get(str(data["call"]))
        if waiting is not None and not waiting.done():
            waiting.set_result((Choice(data["choice"]), PersonId(str(getattr(message, "client_id", "")))))


@dataclass(slots=True)
class ForgetfulDevice:
    """Shows what it hears of while it is attached."""

    machine: Machine
    client: ChannelClient
    person: Person
    clumsy: bool
    cards: dict[str, Card] = field(default_factory=dict)

    async def join(self) -> None:
        """Attach to the person's sessions; whom the channel refuses sees nothing."""
        for session in self.person.sessions:
            channel = self.client.channel(channel_name(self.person.tenant, session))
            channel.subscribe(self._heard)
            with suppress(ChannelError):
                await channel.attach()

    async def pending(self) -> Sequence[Card]:
        """Return the cards."""
        return tuple(self.cards.values())

    async def respond(self, request: RequestId, decision: Decision) -> Receipt:
        """Send the answer and say no more than that."""
        if self.clumsy:
            raise RuntimeError("the button fell off")
        self.cards.pop(request, None)
        channel = self.client.channel(channel_name(self.person.tenant, self.person.sessions[0]))
        try:
            await channel.publish("answer", {"call": request, "choice": decision.choice.value})
        except ChannelError:
            return Receipt(ReceiptStatus.UNKNOWN)
        return Receipt(ReceiptStatus.SENT)

    async def settled(self, request: RequestId) -> Settled | None:  # noqa: ARG002 - the contract
        """Know nothing."""
        return None

    def _heard(self, message: object) -> None:
        data = getattr(message, "data", None)
        if getattr(message, "name", "") == "ask" and isinstance(data, dict):
            call = str(data["call"])
            self.cards[call] = Card(RequestId(call), str(data["tool"]), data["arguments"], CallId(call))


@dataclass(frozen=True, slots=True)
class Forgetful:
    """One instance."""

    environment: Environment
    clumsy: bool

    async def boot_agent(self, machine: Machine) -> Agent:
        """Start anew: nothing was kept."""
        return ForgetfulAgent(machine, machine.connect(self.environment.agent_token))

    async def join_device(self, machine: Machine, person: Person) -> Device:
        """Join."""
        client = machine.connect(person.fresh_token(), client_id=person.id)
        device = ForgetfulDevice(machine, client, person, self.clumsy)
        machine.host.spawn(device.join(), name="join")
        return device

    async def close(self) -> None:
        """Hold nothing."""


@dataclass(frozen=True, slots=True)
class ForgetfulAdapter:
    """How to start it."""

    manifest: Manifest
    clumsy: bool = False

    def open(self, environment: Environment) -> Implementation:
        """Return a fresh instance."""
        return Forgetful(environment, self.clumsy)


def _manifest(name: str) -> Manifest:
    return Manifest(name, "1", "loses what is pending", "tests", OFFERS)


ADAPTERS: Final = (
    ForgetfulAdapter(_manifest("forgetful")),
    ForgetfulAdapter(_manifest("clumsy"), clumsy=True),
)
