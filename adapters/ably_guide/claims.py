"""What the guide's text promises, sentence by sentence, and what the hardened variant promises itself.

Owns the claims. A guarantee is offered where a published sentence promises it in plain words; each sentence
stands beside it with the page that says it.
"""

from typing import Final

from harness.adapter import Claim
from harness.model import Guarantee

GUIDE: Final = "https://ably.com/docs/guides/ai-transport/openai/openai-human-in-the-loop"
FEATURE: Final = "https://ably.com/docs/ai-transport/messaging/human-in-the-loop"
FIRST_DRAFT: Final = "https://github.com/ably/docs/pull/3133"

_RELIABLE: Final = Claim(
    "Using Ably for HITL workflows enables reliable, realtime communication between agents and human "
    "approvers.",
    FIRST_DRAFT,
)
_DELIVERED: Final = Claim(
    "The request-response pattern ensures approval requests are delivered and decisions are processed with "
    "proper authorization checks.",
    FIRST_DRAFT,
)
_ONLY_THEN: Final = Claim(
    "The tool waits for an approval-response from a human approver, verifies the approver has the required "
    "role using claims embedded in their JWT token, and only then executes the action.",
    GUIDE,
)
_CORRELATES: Final = Claim(
    "The tool call's id correlates the approval request with the response, enabling the agent to handle "
    "multiple concurrent approval flows.",
    GUIDE,
)
_RESOLVES: Final = Claim(
    "When an approval response arrives, the agent uses the toolCallId to retrieve the original tool call "
    "details, verify the approver's permissions for that specific action, execute the tool if approved, and "
    "resolve the pending approval.",
    FEATURE,
)

PUBLISHED: Final = {
    Guarantee.FIRST_VALID_WINS: _RESOLVES,
    Guarantee.NO_EXECUTION_WITHOUT_GRANT: Claim(
        "If the approver rejects or has insufficient permissions, the promise rejects and the tool is not "
        "executed.",
        GUIDE,
    ),
    Guarantee.AT_MOST_ONE_EXECUTION: _RESOLVES,
    Guarantee.ID_BINDING: _CORRELATES,
    Guarantee.AUTHORITY: Claim(
        "This ensures only users with sufficient privileges can approve sensitive operations.",
        GUIDE,
    ),
    Guarantee.DURABILITY: _RELIABLE,
    Guarantee.BATCH_ISOLATION: _CORRELATES,
    Guarantee.REINVOCATION: Claim(
        "The model calls the tool as normal, and the approval logic lives inside the tool's implementation.",
        GUIDE,
    ),
    Guarantee.FAIL_CLOSED: _ONLY_THEN,
    Guarantee.PROGRESS: _DELIVERED,
}

OLDER: Final = PUBLISHED | {Guarantee.SINGLE_WINNER: _RESOLVES}

HARDENED: Final = OLDER | {
    Guarantee.EARLY_RESPONSE: Claim("The agent listens before it asks, and reads history after a gap."),
    Guarantee.FINALITY: Claim("A decision is written once, and every view follows from its announcement."),
    Guarantee.PROVENANCE: Claim(
        "Devices show what the agent side published; the agent keeps its own records."
    ),
    Guarantee.NO_ORPHAN: Claim("An approval ends executed, failed, or reported unknown."),
    Guarantee.TRUTHFUL_RECEIPT: Claim("Every answer learns what became of it, and who decided."),
    Guarantee.VIEW_CONVERGENCE: Claim("Every decision is announced, and announced again after a crash."),
    Guarantee.DISCOVERABILITY: Claim("Devices read the whole history up to where they attach."),
    Guarantee.ONLY_DELIBERATE: Claim("Nothing but an answer message decides."),
    Guarantee.SINGLE_USE: Claim("An answer names its tool call, and a decided one takes no further answer."),
    Guarantee.PAUSE_IS_FREE: Claim("A pending approval holds one future and no timer."),
    Guarantee.ISOLATION: Claim("A session has a channel of its own, and an answer counts only there."),
}
