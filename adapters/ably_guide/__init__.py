"""Approval over a channel with roles in the token, as Ably's guide publishes it, and mended.

Owns six manifests: ``ably-guide`` (the published pattern), ``ably-guide-older`` (its older form) and
``ably-guide-hardened`` over simulated messages; ``ably``, ``ably-older`` and ``ably-hardened``, the same code
over the vendor's own SDK. Known violations stand in ``expectations.toml``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.adapter import (
    Agent,
    Device,
    Environment,
    Implementation,
    LaneName,
    Machine,
    Manifest,
    PythonRequires,
)
from harness.model import OnUnauthorised, Person

from . import claims
from .hardened import HardenedAgent
from .hardened_device import HardenedDevice
from .older import OlderAgent, OlderDevice
from .over_messages import Dialler as MessageDialler
from .published import PublishedAgent, PublishedDevice
from .tool_calls import ANTHROPIC, OPENAI, Vendor
from .transport import Dial, Realtime

VERSION: Final = "2026-02"
"""The guide has no version of its own; this is the month of the text that is wrapped."""
SDK: Final = "ably 3.1"
"""The Python SDK whose behaviour under faults is known; see ``docs/ably-lanes.md``."""

REQUIRES: Final = PythonRequires("ably", "ably", "ably", Path(__file__).with_name("requirements.txt"))
SDK_LANES: Final[tuple[LaneName, ...]] = ("virtual", "wall", "live")


class SdkMissingError(Exception):
    """Ably's Python SDK is not installed; the text says how to."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One form of the pattern: how its agent boots and its device comes up."""

    boot: Callable[[Machine, Environment, Realtime, Vendor], Agent]
    join: Callable[[Machine, Person, Dial], PublishedDevice | HardenedDevice]


@dataclass(frozen=True, slots=True)
class GuideImplementation:
    """One isolated instance."""

    environment: Environment
    variant: Variant
    vendor: Vendor
    dial: Dial

    async def boot_agent(self, machine: Machine) -> Agent:
        """Start an agent process."""
        realtime = self.dial(machine, self.environment.agent_token)
        return self.variant.boot(machine, self.environment, realtime, self.vendor)

    async def join_device(self, machine: Machine, person: Person) -> Device:
        """Bring up a device."""
        device = self.variant.join(machine, person, self.dial)
        await device.join()
        return device

    async def close(self) -> None:
        """End connections to services outside of the run."""
        await self.dial.close()


@dataclass(frozen=True, slots=True)
class GuideAdapter:
    """A variant under a manifest; ``vendor`` spells its tool calls, ``tier`` carries its messages."""

    manifest: Manifest
    variant: Variant
    vendor: Vendor
    tier: Callable[[Environment], Dial]

    def open(self, environment: Environment) -> Implementation:
        """Return a fresh instance for one run."""
        return GuideImplementation(environment, self.variant, self.vendor, self.tier(environment))


def _boot_hardened(machine: Machine, environment: Environment, realtime: Realtime, vendor: Vendor) -> Agent:
    agent = HardenedAgent(machine, environment, realtime, vendor)
    agent.recover()
    return agent


def message_tier(environment: Environment) -> Dial:
    """Carry the pattern over simulated messages."""
    del environment
    return MessageDialler()


def socket_tier(environment: Environment) -> Dial:
    """Carry the pattern over the vendor's SDK; raises SdkMissingError where it is not installed."""
    try:
        from .over_sdk import Dialler as SdkDialler  # noqa: PLC0415 - the other forms run without the SDK
    except ModuleNotFoundError as error:
        raise SdkMissingError(f"{error}: hitl adapter install ably") from error
    return SdkDialler(environment.ably)


PUBLISHED: Final = Variant(
    lambda machine, _environment, realtime, vendor: PublishedAgent(machine, realtime, vendor),
    PublishedDevice,
)
OLDER: Final = Variant(
    lambda machine, _environment, realtime, vendor: OlderAgent(machine, realtime, vendor),
    OlderDevice,
)
MENDED: Final = Variant(_boot_hardened, HardenedDevice)

ADAPTERS: Final = (
    GuideAdapter(
        Manifest(
            name="ably-guide",
            version=VERSION,
            summary="the published pattern: pending approvals in the process, roles from the user claim",
            homepage=claims.GUIDE,
            offers=claims.PUBLISHED,
            on_unauthorised=OnUnauthorised.REJECT,
            options={"tool-calls": OPENAI.name},
        ),
        PUBLISHED,
        OPENAI,
        message_tier,
    ),
    GuideAdapter(
        Manifest(
            name="ably-guide-older",
            version="2026-01",
            summary="its older form: ids minted by the agent, the entry taken away after the execution",
            homepage=claims.FEATURE,
            offers=claims.OLDER,
            on_unauthorised=OnUnauthorised.IGNORE,
            options={"tool-calls": OPENAI.name},
        ),
        OLDER,
        OPENAI,
        message_tier,
    ),
    GuideAdapter(
        Manifest(
            name="ably-guide-hardened",
            version=VERSION,
            summary="the pattern mended: durable records, history, truthful receipts, announcements",
            homepage=claims.GUIDE,
            offers=claims.HARDENED,
            on_unauthorised=OnUnauthorised.IGNORE,
            options={"tool-calls": ANTHROPIC.name},
        ),
        MENDED,
        ANTHROPIC,
        message_tier,
    ),
    GuideAdapter(
        Manifest(
            name="ably",
            version=VERSION,
            summary="the published pattern on Ably's Python SDK, byte by byte against the embedded server",
            homepage=claims.GUIDE,
            offers=claims.PUBLISHED,
            on_unauthorised=OnUnauthorised.REJECT,
            options={"tool-calls": OPENAI.name, "sdk": SDK},
            lanes=SDK_LANES,
            requires=(REQUIRES,),
        ),
        PUBLISHED,
        OPENAI,
        socket_tier,
    ),
    GuideAdapter(
        Manifest(
            name="ably-older",
            version="2026-01",
            summary="its older form on Ably's Python SDK, in real time",
            homepage=claims.FEATURE,
            offers=claims.OLDER,
            on_unauthorised=OnUnauthorised.IGNORE,
            options={"tool-calls": OPENAI.name, "sdk": SDK},
            lanes=SDK_LANES[1:],
            requires=(REQUIRES,),
        ),
        OLDER,
        OPENAI,
        socket_tier,
    ),
    GuideAdapter(
        Manifest(
            name="ably-hardened",
            version=VERSION,
            summary="the mended pattern on Ably's Python SDK, byte by byte against the embedded server",
            homepage=claims.GUIDE,
            offers=claims.HARDENED,
            on_unauthorised=OnUnauthorised.IGNORE,
            options={"tool-calls": ANTHROPIC.name, "sdk": SDK},
            lanes=SDK_LANES,
            requires=(REQUIRES,),
        ),
        MENDED,
        ANTHROPIC,
        socket_tier,
    ),
)
