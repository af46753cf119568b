"""The webhook approver: one POST for each request, answered when a human has decided.

Owns the contract of the published plug-in: the request as JSON, ``{"status": "approved" | "denied"}`` with
an ``approver_id`` and a ``reason`` as the response, and a denial for everything else that can happen. Its
patience is its own configuration's; the request's ``timeout_seconds`` plays no part, as in the published
source.
"""

import asyncio
from typing import Any, Final

from harness.adapter import Machine, ServicePort

from .http_client import ExchangeError, exchange
from .protocol import ApprovalRequest, ApprovalResponse

WEBHOOK_APPROVER: Final = "webhook_approval_v1"
PATH: Final = "/approve"
PATIENCE_S: Final = 300.0
"""What the documentation's configuration says."""
_OK: Final = 200
_NS_PER_S: Final = 1_000_000_000


class WebhookApprover:
    """Asks the endpoint at ``port``."""

    plugin_id = WEBHOOK_APPROVER

    def __init__(self, machine: Machine, port: ServicePort) -> None:
        self._machine = machine
        self._port = port
        self._patience_s = PATIENCE_S

    async def setup(self, config: dict[str, Any] | None = None) -> None:
        """Take ``timeout_seconds`` from the configuration."""
        self._patience_s = float((config or {}).get("timeout_seconds", PATIENCE_S))

    async def teardown(self) -> None:
        """Hold no connection between requests."""

    async def request_approval(self, request: ApprovalRequest) -> ApprovalResponse:
        """Return what the endpoint says, a denial where it says nothing that can be read."""
        try:
            async with asyncio.timeout(self._patience_s):
                status, body = await exchange(await self._port.address(), "POST", PATH, request)
        except TimeoutError:
            return self._fallback(request, f"webhook timed out after {self._patience_s:g}s")
        except ExchangeError as error:
            return self._fallback(request, f"webhook call failed: {error}")
        decided = body.get("status") if isinstance(body, dict) else None
        if status != _OK or decided not in ("approved", "denied"):
            return self._fallback(request, f"webhook returned HTTP {status} without a decision")
        return ApprovalResponse(
            request_id=request["request_id"],
            status=decided,
            approver_id=str(body.get("approver_id", "webhook")),
            reason=body.get("reason"),
            timestamp=self._machine.now_ns() / _NS_PER_S,
        )

    def _fallback(self, request: ApprovalRequest, reason: str) -> ApprovalResponse:
        return ApprovalResponse(
            request_id=request["request_id"],
            status="denied",
            approver_id=f"{self.plugin_id}:fallback",
            reason=reason,
            timestamp=self._machine.now_ns() / _NS_PER_S,
        )
