"""A manager as the documentation describes it: one approver, or a chain that delegates on ``ask_human``.

Owns the order in which a chain is asked and what comes of its failures: the first response other than
``ask_human`` counts; a chain that is exhausted is a denial; a lone approver that is missing is a denial, one
that raises an error. Longer chains skip what is missing or raises, as the published manager does.

Invariant: nothing but an approver's own ``approved`` is one.
"""

from collections.abc import Sequence
from typing import Final

from .protocol import ApprovalRequest, ApprovalResponse, Approver, Plugins

NOBODY: Final = "No HITL approver configured."


class ChainManager:
    """Asks the approvers of ``chain``, by name, in their order."""

    def __init__(self, plugins: Plugins, chain: Sequence[str]) -> None:
        self._plugins = plugins
        self._chain = tuple(chain)

    async def request_approval(
        self, request: ApprovalRequest, approver_id: str | None = None
    ) -> ApprovalResponse:
        """Return the first decisive response; an ``approver_id`` is asked alone."""
        chain = self._chain if approver_id is None else (approver_id,)
        last: ApprovalResponse | None = None
        for name in chain:
            response = await self._ask(name, request)
            skipped = response["status"] == "error" and response.get("approver_id") is None and len(chain) > 1
            if skipped:
                continue
            last = response
            if response["status"] != "ask_human":
                return response
        if last is None:
            reason = NOBODY if not chain else "HITL chain exhausted without a usable approver."
            return _denied(request, reason)
        reason = f"{last.get('reason') or 'policy requested human review'}: nobody was left to ask"
        return _denied(request, reason, last.get("approver_id"))

    async def _ask(self, name: str, request: ApprovalRequest) -> ApprovalResponse:
        """Return one approver's response; what it raises is an error, and never an approval."""
        try:
            approver: Approver | None = await self._plugins.get_plugin_instance(name)
            if approver is not None:
                return await approver.request_approval(request)
        except Exception as error:  # noqa: BLE001 - the boundary to approvers that anybody may plug in
            reason = f"Error in approval process: {error}"
            return ApprovalResponse(request_id=request["request_id"], status="error", reason=reason)
        if len(self._chain) > 1:
            return ApprovalResponse(request_id=request["request_id"], status="error", reason="unavailable")
        return _denied(request, f"HITL approver '{name}' unavailable.")


def _denied(request: ApprovalRequest, reason: str, approver_id: str | None = None) -> ApprovalResponse:
    return ApprovalResponse(
        request_id=request["request_id"], status="denied", approver_id=approver_id, reason=reason
    )
