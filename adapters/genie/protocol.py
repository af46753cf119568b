"""The plug-in protocol of genie-tooling, by shape: a request, a response, an approver, a manager.

Owns the shapes that its documentation publishes, as structural types: whatever has these methods is an
approver or a manager here, the package's own classes included. ``timeout_seconds`` is a whole number in the
published type; here it may have a fraction, so that no deadline moves.

``data_approved`` is in the published webhook approver's response and in no published type. It is how an
approver's edit of the parameters would travel; only the hardened variant reads it.
"""

from collections.abc import Mapping
from typing import Any, Literal, NotRequired, Protocol, TypeAlias, cast, runtime_checkable

from pydantic import JsonValue
from typing_extensions import TypedDict

Status: TypeAlias = Literal["pending", "approved", "denied", "timeout", "error", "ask_human"]


class ApprovalRequest(TypedDict):
    """What an approver is asked; ``data_to_approve`` holds ``tool_id`` and ``params`` for a gated tool."""

    request_id: str
    prompt: str
    data_to_approve: dict[str, JsonValue]
    context: NotRequired[dict[str, JsonValue] | None]
    timeout_seconds: NotRequired[float | None]


class ApprovalResponse(TypedDict):
    """What an approver answers; ``approver_id`` is the human who decided, ``timestamp`` is Unix time."""

    request_id: str
    status: Status
    approver_id: NotRequired[str | None]
    reason: NotRequired[str | None]
    timestamp: NotRequired[float | None]
    data_approved: NotRequired[dict[str, JsonValue] | None]


@runtime_checkable
class Approver(Protocol):
    """A ``HumanApprovalRequestPlugin``: brings a request before a human and returns what they said."""

    @property
    def plugin_id(self) -> str:
        """The name under which configurations and chains refer to it."""

    async def setup(self, config: dict[str, Any] | None = None) -> None:
        """Take the configuration; called once, before the first request."""

    async def request_approval(self, request: ApprovalRequest) -> ApprovalResponse:
        """Return the decision, or what came instead of one."""

    async def teardown(self) -> None:
        """Release what it holds."""


@runtime_checkable
class Manager(Protocol):
    """An ``HITLManager`` or ``genie.human_in_loop``: everything that a gate needs of it."""

    async def request_approval(self, request: ApprovalRequest) -> ApprovalResponse:
        """Return the decision of the configured approver or chain."""


class Plugins(Protocol):
    """What managers load approvers from: the one method of the package's ``PluginManager`` that they call."""

    async def get_plugin_instance(
        self, plugin_id: str, config: dict[str, Any] | None = None, **kwargs: Any
    ) -> Approver | None:
        """Return the approver of that name, set up; None where there is none."""


class PluginsOf:
    """The approvers of one agent process, by name."""

    def __init__(self, approvers: Mapping[str, Approver]) -> None:
        self._approvers = approvers
        self._ready: set[str] = set()

    async def get_plugin_instance(
        self, plugin_id: str, config: dict[str, Any] | None = None, **kwargs: Any
    ) -> Approver | None:
        """Return an approver, set up at its first use; None where there is none of that name."""
        del kwargs
        approver = self._approvers.get(plugin_id)
        if approver is not None and plugin_id not in self._ready:
            self._ready.add(plugin_id)
            await approver.setup(config or {})
        return approver


def tool_request(
    request_id: str,
    tool: str,
    params: Mapping[str, JsonValue],
    context: Mapping[str, JsonValue],
    timeout_seconds: float | None,
) -> ApprovalRequest:
    """Return the request that the command runner makes before it executes a tool."""
    request = ApprovalRequest(
        request_id=request_id,
        prompt=f"Approve execution of tool '{tool}' with params: {dict(params)}?",
        data_to_approve={"tool_id": tool, "params": dict(params)},
        context=dict(context),
    )
    if timeout_seconds is not None:
        request["timeout_seconds"] = timeout_seconds
    return request


def payload_of(request: ApprovalRequest) -> dict[str, JsonValue]:
    """Return a request as the plain JSON object that it is."""
    return cast("dict[str, JsonValue]", dict(request))


def params_of(request: ApprovalRequest) -> dict[str, JsonValue]:
    """Return the tool's parameters in a request; a manual request's data as a whole."""
    data = request["data_to_approve"]
    params = data.get("params", data)
    return params if isinstance(params, dict) else data


def context_text(request: ApprovalRequest, key: str) -> str:
    """Return a text of the request's context, empty where there is none."""
    value = (request.get("context") or {}).get(key)
    return value if isinstance(value, str) else ""
