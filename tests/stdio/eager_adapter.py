"""An adapter that acts without asking where its option says so; nobody ever sees a card."""

from typing import Any

import hitl_adapter_kit as kit  # type: ignore[import-not-found]  # on the path of adapters' processes

OFFERS = {"no-execution-without-grant": {"sentence": "Nothing happens before somebody agreed."}}
MANIFEST = {"name": "eager", "version": "1", "summary": "acts at once", "offers": OFFERS}
TAKES = {"haste": "great or none"}


class Agent:
    def __init__(self, host: kit.Host) -> None:
        self.host = host

    async def call_tool(self, call: kit.Call) -> dict[str, Any]:
        await self.host.channel(call).publish("called", {"call": call.id})
        if self.host.options.get("haste") != "great":
            return {"status": "unknown"}
        return {"status": await call.carry_out(call.arguments)}


class Device:
    def __init__(self, host: kit.Host) -> None:
        self.host = host

    async def pending(self) -> list[dict[str, Any]]:
        return []

    async def settled(self, request: str) -> None:
        del request


def manifest(options: dict[str, str]) -> dict[str, Any]:
    if options.get("haste", "none") not in ("great", "none"):
        raise ValueError("haste is great or none")
    return {**MANIFEST, "takes": TAKES}


kit.serve(manifest, boot_agent=Agent, join_device=Device)
