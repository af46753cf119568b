"""The fault of reading a token without verifying it.

Owns one ablation of P9. Devices connect through a gateway that speaks for the agent side, and put the
person's token into the message; the agent reads its claims without looking at the signature, the audience or
the times.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import jwt

from harness.ablation import Ablation
from harness.adapter import Device, Environment, Implementation, Machine, Manifest, Observer
from harness.messaging import ChannelClient, ChannelError, Message
from harness.model import Decision, Person, PersonId, Receipt, ReceiptStatus, RequestId, Role, Style
from harness.sim import Host

from .. import wire
from ..adapter import Parts, ReferenceImplementation
from ..agent import ReferenceAgent
from ..arbiter import Answer
from ..hostile import HostileDevice
from ..promises import manifest
from ..session import Session
from ..wire import MalformedAnswer

NAME: Final = "tokens-read-without-verifying"


@dataclass(frozen=True, slots=True)
class GatewayMachine:
    """A device's machine whose connections all bear the gateway's own token."""

    machine: Machine
    token: str

    @property
    def host(self) -> Host:
        """The device's host."""
        return self.machine.host

    @property
    def observe(self) -> Observer:
        """The device's observer."""
        return self.machine.observe

    def now_ns(self) -> int:
        """Return the device's clock."""
        return self.machine.now_ns()

    def connect(self, token: str, *, client_id: str | None = None) -> ChannelClient:
        """Connect as the gateway, whoever's token this is."""
        del token
        return self.machine.connect(self.token, client_id=client_id)

    def on_power_loss(self, kill: Callable[[], None]) -> None:
        """Have the device's machine call ``kill``."""
        self.machine.on_power_loss(kill)


class TokenInMessage(HostileDevice):
    """Sends the person's token along with the answer."""

    async def _send(self, answer: str, request: RequestId, decision: Decision) -> None:
        channel, card = self._shown.get(request) or (next(iter(self._feeds), ""), None)
        if channel not in self._feeds:
            self._told(answer, self._person.id, Receipt(ReceiptStatus.UNKNOWN_REQUEST))
            return
        data = wire.answer_data(answer, request, None if card is None else card.arguments, decision)
        try:
            await self._feeds[channel].publish(wire.ANSWER, {**data, "token": self._person.fresh_token()})
        except ChannelError as error:
            self._told(answer, self._person.id, Receipt(ReceiptStatus.INVALID, note=str(error)))


class UnverifiedSession(Session):
    """Takes the claims of a token in a message for verified ones."""

    def _from_agent(self, message: Message) -> bool:
        return message.name != wire.ANSWER and super()._from_agent(message)

    def _read(self, message: Message) -> Answer | MalformedAnswer | None:
        answer, data = super()._read(message), message.data
        if not isinstance(answer, Answer) or not isinstance(data, dict) or "token" not in data:
            return None
        claims: dict[str, Any] = jwt.decode(str(data["token"]), options={"verify_signature": False})
        role = claims.get("role")
        return Answer(
            id=answer.id,
            request=answer.request,
            channel=answer.channel,
            person=PersonId(str(claims["sub"])),
            claim=None if role is None else Role(str(role)),
            choice=answer.choice,
            shown=answer.shown,
            arguments=answer.arguments,
            reason=answer.reason,
        )


class UnverifyingAgent(ReferenceAgent):
    """Reads its channels with :class:`UnverifiedSession`."""

    SESSION = UnverifiedSession


class GatewayImplementation(ReferenceImplementation):
    """The reference with its devices behind a gateway."""

    async def join_device(self, machine: Machine, person: Person) -> Device:
        """Bring up a device behind the gateway."""
        gateway = GatewayMachine(machine, self.environment.agent_token)
        device = self.parts.device(gateway, person)
        await device.join()
        return device


@dataclass(frozen=True, slots=True)
class UnverifyingAdapter:
    """The reference behind a gateway, under a manifest that still promises everything."""

    manifest: Manifest

    def open(self, environment: Environment) -> Implementation:
        """Return a fresh instance for one run."""
        parts = Parts(agent=UnverifyingAgent, device=TokenInMessage)
        return GatewayImplementation(environment, self.manifest, parts)


UNVERIFIED: Final = (
    Ablation(
        NAME,
        UnverifyingAdapter(
            manifest(NAME, Style.INLINE, "the reference, broken on purpose: tokens are not verified")
        ),
        ("P9",),
        "synthetic: alg=none, wrong key, expired, other audience",
    ),
)
