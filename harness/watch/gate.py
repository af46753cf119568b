"""Who may come in: the one who holds the token, from a page of this very server.

Owns the three checks of every request. The token stands first in the path, so that other programs' pages
cannot guess an address. The name by which the server is called must be one of loopback, so that a name which
was rebound to loopback opens nothing. And a request that says which page it comes from must come from here.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from harness.http.values import Request

LOOPBACK: Final = "127.0.0.1"
_NAMES: Final = (LOOPBACK, "localhost")


@dataclass(frozen=True, slots=True)
class Gate:
    """The token of a server, and the port on which it listens."""

    token: str
    port: int

    @property
    def url(self) -> str:
        """The address to open; whoever has it may come in."""
        return f"http://{LOOPBACK}:{self.port}/{self.token}/"

    def refusal(self, request: Request, *, websocket: bool = False) -> str | None:
        """Return why ``request`` may not come in, None where it may. A WebSocket must name its origin."""
        host, origin = request.headers.get("host", ""), request.headers.get("origin")
        if host not in [f"{name}:{self.port}" for name in _NAMES]:
            return "This server answers only as 127.0.0.1 or localhost, with its port."
        if origin != f"http://{host}" and (websocket or origin is not None):
            return "This request comes from a page of another origin."
        if not _same(request.path[0] if request.path else "", self.token):
            return "The token in the address is missing or wrong: copy the whole address that hitl printed."
        return None

    def headers(self, request_headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """Return what every response of a page carries: nothing but this server's own files counts."""
        host = request_headers.get("host", "")
        policy = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
            f"connect-src 'self' ws://{host}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        return ("Content-Security-Policy", policy), *ALWAYS


ALWAYS: Final = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)
"""The address holds the token: it is neither handed on nor kept."""


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), token.encode())
