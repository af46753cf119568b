"""An embedded Ably server for the people of one plan.

Owns how the server of a run is set up: one app whose key the identity provider signs with, a year of history,
and the plan's backlog. Needs the libraries of the extra ``ably``.
"""

from collections.abc import Callable
from typing import Final

from harness.ably.apps import AppConfig, ServerOptions
from harness.ably.credentials import KeyText
from harness.ably.keys import Key
from harness.ably.listener import Listener
from harness.ably.server import Server
from harness.channel.messages import Message
from harness.channel.rules import ChannelRule, ChannelRules
from harness.identity import SIM_KEY, channel_name
from harness.messaging import RETENTION_MS
from harness.plan import Plan

RULES: Final = ChannelRules(default=ChannelRule(history_ms=RETENTION_MS, mutable=True))
"""Messages are kept for a year, as in the channel service of the message tier, and may be appended to."""
SILENT: Final = ServerOptions(heartbeat_ms=0)


async def serve_simulated(plan: Plan, now_ns: Callable[[], int], port: int) -> None:
    """Listen on the current simulated host, without heartbeats."""
    server = embedded_server(f"world {plan.seed}", SILENT)
    preload(server, plan, now_ns())
    await Listener(server, now_ns).listen("0.0.0.0", port)  # noqa: S104 - a simulated host's address


def embedded_server(seed_text: str, options: ServerOptions) -> Server:
    """Return a server with one app, whose key the identity provider signs with."""
    app_id, _, key_id = SIM_KEY.name.partition(".")
    return Server(seed_text, options, [AppConfig(app_id, (Key(app_id, key_id, SIM_KEY.secret),), RULES)])


def preload(server: Server, plan: Plan, now_ns: int) -> None:
    """Put the plan's backlog into the history of its channels, as if published before the run."""
    (app,) = server.apps
    actor = app.service.identify(KeyText(f"{SIM_KEY.name}:{SIM_KEY.secret}"), None, now_ns)
    for name in dict.fromkeys(channel_name(call.tenant, call.session) for call in plan.calls):
        for number in range(plan.backlog):
            note = (Message(name="note", data=f"unrelated {number}"),)
            app.service.hub.publish(actor, name, note, f"backlog:{number}", now_ns // 1_000_000, {})
