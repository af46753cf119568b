"""A deterministic first link of a chain: allow, deny, or ask a human, by tool and parameters.

Owns the matching of rules: the first one that matches decides; where none does, a human is asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final, Literal

from pydantic import JsonValue

from .protocol import ApprovalRequest, ApprovalResponse, Status, params_of

PERMISSIONS: Final = "permissions"
_STATUS: Final[Mapping[str, Status]] = {"allow": "approved", "deny": "denied", "ask": "ask_human"}


@dataclass(frozen=True, slots=True)
class Rule:
    """``tool`` is a glob; every entry of ``params`` must be there, texts as globs, all else exactly."""

    decision: Literal["allow", "deny", "ask"]
    tool: str = "*"
    params: Mapping[str, JsonValue] = field(default_factory=dict)

    def matches(self, tool: str, params: Mapping[str, JsonValue]) -> bool:
        """Return whether the rule is about this call."""
        return fnmatchcase(tool, self.tool) and all(
            key in params and _fits(wanted, params[key]) for key, wanted in self.params.items()
        )


def _fits(wanted: JsonValue, given: JsonValue) -> bool:
    if isinstance(wanted, str) and isinstance(given, str):
        return fnmatchcase(given, wanted)
    return wanted == given


class PermissionsApprover:
    """The rules as an approver."""

    plugin_id = PERMISSIONS

    def __init__(self, rules: Sequence[Rule] = ()) -> None:
        self._rules = tuple(rules)

    async def setup(self, config: dict[str, Any] | None = None) -> None:
        """Take nothing: the rules are given."""

    async def teardown(self) -> None:
        """Hold nothing."""

    async def request_approval(self, request: ApprovalRequest) -> ApprovalResponse:
        """Return the first matching rule's decision, ``ask_human`` where none matches."""
        tool = str(request["data_to_approve"].get("tool_id", ""))
        matching = (rule for rule in self._rules if rule.matches(tool, params_of(request)))
        decision = next((rule.decision for rule in matching), "ask")
        return ApprovalResponse(
            request_id=request["request_id"],
            status=_STATUS[decision],
            approver_id=self.plugin_id,
            reason=f"the rules say: {decision}",
        )
