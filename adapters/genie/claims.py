"""What genie-tooling's documentation promises, sentence by sentence, and what the hardened variant promises.

Owns the claims. A guarantee is offered where a published sentence promises it in plain words. Nothing is said
there of roles, edits, durability, several executions, withdrawal or receipts: those are not offered.
"""

from typing import Final

from harness.adapter import Claim
from harness.model import Guarantee

_SOURCE: Final = "https://github.com/genie-tooling/genie-tooling/blob/main"
GUIDE: Final = f"{_SOURCE}/docs/guides/using_human_in_loop.md"
MANAGER: Final = f"{_SOURCE}/src/genie_tooling/hitl/manager.py"
TYPES: Final = f"{_SOURCE}/src/genie_tooling/hitl/types.py"

_GATE: Final = Claim(
    "If approved, execute the tool. If denied or timed out, return an error/message.",
    GUIDE,
)
_FIRST_WINS: Final = Claim("First non-ask_human response wins.", MANAGER)
_PAUSED: Final = Claim(
    "allowing critical actions or ambiguous decisions to be paused for human review and approval before "
    "proceeding",
    GUIDE,
)

WEBHOOK: Final = {
    Guarantee.SINGLE_WINNER: _FIRST_WINS,
    Guarantee.FIRST_VALID_WINS: _FIRST_WINS,
    Guarantee.NO_EXECUTION_WITHOUT_GRANT: _GATE,
    Guarantee.NO_ORPHAN: _GATE,
    Guarantee.DEADLINE: Claim("timeout_seconds: How long to wait for approval", TYPES),
    Guarantee.REINVOCATION: Claim(
        "The most common use case for HITL is to require approval before a tool selected by "
        "genie.run_command() is executed.",
        GUIDE,
    ),
    Guarantee.AUDIT_TRUTH: Claim("approver_id: Identifier of the human who approved/denied", TYPES),
}
"""Not that only people decide: the guide says of the webhook that it denies on timeout or HTTP error."""

DOCUMENTED: Final = WEBHOOK | {Guarantee.ONLY_DELIBERATE: _PAUSED}

HARDENED: Final = DOCUMENTED | {
    Guarantee.SINGLE_WINNER: Claim("A ticket is decided once, by compare-and-set."),
    Guarantee.FIRST_VALID_WINS: Claim("Answers are judged in channel order, and the first admitted decides."),
    Guarantee.AT_MOST_ONE_EXECUTION: Claim("The tool starts after a durable claim that is never repeated."),
    Guarantee.FINALITY: Claim("No step leads away from a decision, and every view follows from it."),
    Guarantee.ARGUMENT_BINDING: Claim(
        "An answer names the digest of what was shown; that or its edit is run."
    ),
    Guarantee.ID_BINDING: Claim("An answer reaches the one request it names, in that request's session."),
    Guarantee.PROVENANCE: Claim("Tickets are the agent's own; screens show what the agent side published."),
    Guarantee.AUTHORITY: Claim("The verified claim and the directory's present record satisfy the policy."),
    Guarantee.SEPARATION_OF_DUTY: Claim("A quorum counts distinct people, and never a barred requester."),
    Guarantee.DEADLINE: Claim(
        "From the deadline on, by the agent's clock, a pending ticket can only expire."
    ),
    Guarantee.DURABILITY: Claim("Requests and decisions are durable before anybody is told of them."),
    Guarantee.NO_ORPHAN: Claim("An approval ends executed, failed, or reported unknown."),
    Guarantee.TRUTHFUL_RECEIPT: Claim("Every answer learns what became of it, and who decided."),
    Guarantee.VIEW_CONVERGENCE: Claim("Every state is announced, and announced again after a crash."),
    Guarantee.DISCOVERABILITY: Claim("Devices read the whole history of their sessions."),
    Guarantee.ONLY_DELIBERATE: Claim("Nothing but an answer message decides."),
    Guarantee.BATCH_ISOLATION: Claim("Every call has a ticket of its own."),
    Guarantee.EARLY_RESPONSE: Claim("The agent listens before it asks, and reads history after a gap."),
    Guarantee.SINGLE_USE: Claim("An answer names its request and its own id, and counts once."),
    Guarantee.FAIL_CLOSED: Claim("What cannot be read, established or made known is never an approval."),
    Guarantee.AUDIT_TRUTH: Claim("The ticket keeps who decided, in which verified role, and how it ended."),
    Guarantee.PROGRESS: Claim("An answer is judged as soon as the agent hears of it, live or from history."),
    Guarantee.PAUSE_IS_FREE: Claim("A pending ticket without a deadline holds one future and no timer."),
    Guarantee.ISOLATION: Claim("A session has a channel of its own, and an answer counts only there."),
}
