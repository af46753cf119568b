"""Durable sessions whose pending approvals any device answers: ``@ably/ai-transport`` on Ably's own SDK.

Owns four manifests: the two documented forms of the pattern (a tool with an ``execute`` behind
``needsApproval``, and a tool without one whose result any client submits), each as documented and with the
guard that the documentation asks of applications. Agents and devices are processes of Node; the endpoint that
wakes agents is here. Known violations stand in ``expectations.toml``.
"""

from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from harness.adapter import (
    EXAMPLES_APART,
    Claim,
    Environment,
    Implementation,
    Machine,
    Manifest,
    NpmRequires,
    ServicePort,
)
from harness.install.node import node_variables
from harness.model import Guarantee, Style
from harness.stdio.adapter import StdioAdapter, ably_service
from harness.stdio.launch import Launch
from harness.stdio.messages import Services

from . import claims
from .ingress import Ingress

VERSION: Final = "0.8.0"
_HERE: Final = Path(__file__).resolve().parent
_REQUIRES: Final = NpmRequires("ai-transport", "@ably/ai-transport", _HERE / "package-lock.json")

Form = Literal["needs-approval", "client-tool"]
Guard = Literal["none", "store"]


@dataclass(slots=True)
class AiTransportAdapter:
    """One form of the pattern, with or without the guard."""

    manifest: Manifest
    form: Form
    guard: Guard
    _processes: StdioAdapter | None = field(default=None, repr=False)

    def open(self, environment: Environment) -> Implementation:
        """Return a fresh instance for one run; raises NotInstalledError where the packages are missing."""
        if self._processes is None:
            self._processes = StdioAdapter(self._launch(), self.manifest)
        run = copy(self._processes)
        run.services = Endpoints(environment.service.listen(Ingress().connection))
        return run.open(environment)

    def _launch(self) -> Launch:
        options = {"form": self.form, "guard": self.guard}
        return Launch(("node", str(_HERE / "main.mjs")), options, node_variables(_REQUIRES))


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What every host of one run is told of: the Ably service, and the endpoint that wakes agents."""

    ingress: ServicePort

    async def __call__(self, environment: Environment, machine: Machine, token: str) -> Services:
        """Return the endpoints as the current host reaches them."""
        host, port = await self.ingress.address()
        ably = await ably_service(environment, machine, token)
        return {**ably, "ingress": {"host": host, "port": port}}


def _variant(
    name: str, summary: str, form: Form, guard: Guard, offers: dict[Guarantee, Claim]
) -> AiTransportAdapter:
    manifest = Manifest(
        name=name,
        version=VERSION,
        summary=summary,
        style=Style.REINVOKING,
        homepage=claims.PAGE,
        offers=offers,
        options={"form": form, "guard": guard},
        requires=(_REQUIRES,),
        lanes=("virtual", "wall"),
        examples=EXAMPLES_APART,
    )
    return AiTransportAdapter(manifest, form, guard)


ADAPTERS: Final = (
    _variant(
        "ai-transport",
        "a tool behind needsApproval, answered from any device, as documented",
        "needs-approval",
        "none",
        claims.NEEDS_APPROVAL,
    ),
    _variant(
        "ai-transport-guarded",
        "the same with a durable store that takes the first valid answer",
        "needs-approval",
        "store",
        claims.GUARDED,
    ),
    _variant(
        "ai-transport-client-tool",
        "an approval tool without an execute, whose result any client submits, as documented",
        "client-tool",
        "none",
        claims.CLIENT_TOOL,
    ),
    _variant(
        "ai-transport-client-tool-guarded",
        "the same with a durable store that takes the first valid answer",
        "client-tool",
        "store",
        claims.GUARDED_CLIENT_TOOL,
    ),
)
