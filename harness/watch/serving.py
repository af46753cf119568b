"""A server of pages on a real loop: one listening socket on loopback, and pages brought up to date.

Owns the pace at which pages are sent what they show: soon after something changed, and not for each of many
changes at once. Does not know what is shown.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from harness.ably.listener import Sockets
from harness.ably.machine import fresh_text, wall_ns
from harness.watch.gate import LOOPBACK, Gate
from harness.watch.page_server import PageServer
from harness.watch.pages import Pages

PAUSE_S: Final = 0.1
"""Between two views sent to a page: faster is not seen."""


@dataclass(slots=True)
class ServedPages:
    """Pages that are being served at ``url``."""

    server: PageServer
    sockets: Sockets[PageServer]
    url: str
    _timer: asyncio.TimerHandle | None = field(default=None)

    def changed(self) -> None:
        """Send every page its view, soon."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PAUSE_S, self.refresh)

    def refresh(self) -> None:
        """Send every page its view, now."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self.sockets.act(self.server.refresh())

    def close(self) -> None:
        """Stop serving."""
        if self._timer is not None:
            self._timer.cancel()
        self.sockets.close()


async def serve_pages(pages: Pages, port: int) -> ServedPages:
    """Serve ``pages`` on loopback; port 0 chooses a free one. Raises OSError."""
    server = PageServer(pages)
    sockets = Sockets(server, wall_ns)
    bound = await sockets.listen(LOOPBACK, port)
    server.gate = Gate(fresh_text(), bound)
    return ServedPages(server, sockets, server.gate.url)
