"""genie-tooling's approval protocol: a manager, its approvers, and a command runner that asks before it acts.

Owns five manifests. ``genie`` (the runner's automatic gate) and ``genie-manual`` (requests that an
application makes itself) ask over a channel, ``genie-webhook`` by an HTTP round trip, ``genie-cli`` on a
pseudo-terminal. ``genie-hardened`` is the same protocol over durable tickets. Known violations stand in
``expectations.toml``.
"""

from collections.abc import Mapping
from typing import Final

from harness.adapter import Claim, LaneName, Manifest
from harness.model import Guarantee

from . import claims
from .implementations import (
    GenieAdapter,
    open_channel,
    open_hardened,
    open_manual,
    open_terminal,
    open_webhook,
)
from .plugging import TAKES, published_version


def _adapter(
    name: str,
    summary: str,
    opener: GenieAdapter.Opener,
    offers: Mapping[Guarantee, Claim],
    *,
    approver: str,
    lanes: tuple[LaneName, ...] = ("virtual",),
) -> GenieAdapter:
    manifest = Manifest(
        name=name,
        version=published_version(),
        summary=summary,
        homepage=claims.GUIDE,
        offers=offers,
        options={"approver": approver},
        takes={"manager": TAKES},
        lanes=lanes,
    )
    return GenieAdapter(manifest, opener)


ADAPTERS: Final = (
    _adapter(
        "genie",
        "the documented protocol: a runner's gate, a chain that delegates, an approver over a channel",
        open_channel,
        claims.DOCUMENTED,
        approver="channel",
    ),
    _adapter(
        "genie-manual",
        "the same protocol, asked by an application's own code instead of the runner",
        open_manual,
        claims.DOCUMENTED,
        approver="channel",
    ),
    _adapter(
        "genie-hardened",
        "the protocol mended: durable tickets, roles from verified identity, truthful receipts",
        open_hardened,
        claims.HARDENED,
        approver="durable channel",
    ),
    _adapter(
        "genie-webhook",
        "the webhook approver: one HTTP round trip for each request, a denial where it fails",
        open_webhook,
        claims.WEBHOOK,
        approver="webhook",
        lanes=("virtual", "wall"),
    ),
    _adapter(
        "genie-cli",
        "the command-line approver: a process on a pseudo-terminal, and people who type",
        open_terminal,
        claims.DOCUMENTED,
        approver="command line",
        lanes=("wall",),
    ),
)
