"""What Ably's documentation promises of human-in-the-loop, and what the guard promises itself.

Owns the claims. A guarantee is offered where a published sentence promises it in plain words. What the pages
leave to the application (who may approve, a timeout) is offered by the guarded variants only, or by none.
"""

from typing import Final

from harness.adapter import Claim
from harness.model import Guarantee

PAGE: Final = "https://ably.com/docs/ai-transport/features/human-in-the-loop"
TOOLS: Final = "https://ably.com/docs/ai-transport/features/tool-calling"

_FIRST: Final = Claim(
    "Any device submits the approval; the first response wins.",
    f"{PAGE}#multi-device",
)
_IGNORED: Final = Claim(
    "The first response wins; the second submits to an already-resolved tool call and the agent ignores it.",
    f"{PAGE}#edge-cases",
)
_HISTORY: Final = Claim(
    "If the user is offline when the agent requests approval, the pending tool call persists in the channel "
    "history. On reconnect, the view loads the conversation including the pending request, and the approval "
    "UI appears.",
    f"{PAGE}#durable",
)
_DAYS: Final = Claim(
    "The continuation turn starts only when the user submits their response, minutes, hours, or days later.",
    f"{PAGE}#durable",
)
_RESUME: Final = Claim(
    "Your agents pause for human approval and resume the moment any client responds.",
    PAGE,
)
_STATUS: Final = Claim(
    "The view reconstructs tool state so the UI shows the correct status: pending, complete, or failed.",
    f"{TOOLS}#history",
)

_BOTH: Final = {
    Guarantee.SINGLE_WINNER: _FIRST,
    Guarantee.FIRST_VALID_WINS: _FIRST,
    Guarantee.AT_MOST_ONE_EXECUTION: _IGNORED,
    Guarantee.FINALITY: _IGNORED,
    Guarantee.DURABILITY: _HISTORY,
    Guarantee.VIEW_CONVERGENCE: _STATUS,
    Guarantee.DISCOVERABILITY: Claim(
        "The session is a shared Ably channel, so the approval request is visible on every connected device.",
        f"{PAGE}#multi-device",
    ),
    Guarantee.PROGRESS: _RESUME,
    Guarantee.PAUSE_IS_FREE: _DAYS,
}

NEEDS_APPROVAL: Final = _BOTH | {
    Guarantee.NO_EXECUTION_WITHOUT_GRANT: Claim(
        "The AI SDK calls needsApproval per tool call: while it returns true, the SDK emits an approval "
        "request instead of running execute, so the tool pauses for the user.",
        f"{PAGE}#approval-tool",
    ),
    Guarantee.ID_BINDING: Claim(
        "The response is addressed to the suspended assistant message by codecMessageId, and reusing the "
        "original runId keeps the resume on the same run.",
        f"{PAGE}#client-approval",
    ),
}
"""Of a tool that has an ``execute``, gated by ``needsApproval``."""

CLIENT_TOOL: Final = _BOTH | {
    Guarantee.NO_EXECUTION_WITHOUT_GRANT: Claim(
        "When the user approves, view.update() submits the result and triggers a continuation turn. The "
        "agent receives { approved: true } as the tool result and proceeds with the action.",
        PAGE,
    ),
    Guarantee.ID_BINDING: Claim(
        "The result is addressed to the suspended assistant message by codecMessageId. Reusing the original "
        "runId keeps the resume on the same run instead of starting a fresh one.",
        f"{TOOLS}#client-executed",
    ),
}
"""Of a tool without an ``execute``, whose result any client submits."""

_GUARD: Final = {
    Guarantee.AUTHORITY: Claim("Who answers is read from what the service stamped, and from the directory."),
    Guarantee.FAIL_CLOSED: Claim(
        "The tool runs after a durable claim on a durable approval, and never else."
    ),
    Guarantee.NO_ORPHAN: Claim("An approval ends executed, failed, or reported unknown."),
    Guarantee.TRUTHFUL_RECEIPT: Claim("Every answer learns what became of it, and who decided."),
    Guarantee.ONLY_DELIBERATE: Claim("Nothing but an answer message decides."),
    Guarantee.SINGLE_USE: Claim("An answer names its tool call, and a decided one takes no further answer."),
    Guarantee.BATCH_ISOLATION: Claim("Every tool call has a record and a run of its own."),
    Guarantee.ISOLATION: Claim("A session has a channel of its own, and an answer counts only there."),
}

GUARDED: Final = NEEDS_APPROVAL | _GUARD
GUARDED_CLIENT_TOOL: Final = CLIENT_TOOL | _GUARD
