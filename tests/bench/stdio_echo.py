"""A device of the Python kit that answers at once."""

import hitl_adapter_kit as kit  # type: ignore[import-not-found]  # on the path of adapters' processes


class Device:
    async def settled(self, _request: str) -> None:
        return None


kit.serve({"name": "echo", "version": "1", "summary": "s", "offers": {}}, None, lambda _host: Device())
