"""What the vendor's documentation promises, sentence by sentence, and what the hardened form promises itself.

Owns the claims. A guarantee is offered where a published sentence promises it in plain words; each sentence
stands beside it with the page that says it.
"""

from collections.abc import Mapping
from typing import Final

from harness.adapter import Claim
from harness.model import Guarantee

HOMEPAGE: Final = "https://docs.inferable.ai"
HITL: Final = f"{HOMEPAGE}/pages/human-in-the-loop"
RESILIENT: Final = f"{HOMEPAGE}/pages/resilient-functions"
FAILURES: Final = f"{HOMEPAGE}/pages/failures"

_AGAIN: Final = Claim(
    "If the approval is successful, the agent will resume execution, and will call the function again with "
    "the same input.",
    HITL,
)
_ONLY_APPROVED: Final = Claim("The function can not continue since context.approved is false.", HITL)

PUBLISHED: Final[Mapping[Guarantee, Claim]] = {
    Guarantee.NO_EXECUTION_WITHOUT_GRANT: _ONLY_APPROVED,
    Guarantee.FAIL_CLOSED: _ONLY_APPROVED,
    Guarantee.AUTHORITY: Claim(
        "An authorized user must approve or reject the request using the API or the App UI.", HITL
    ),
    Guarantee.DURABILITY: Claim(
        "Inferable's durable execution engine will save the state of the run and resume it when the approval "
        "is resolved.",
        HITL,
    ),
    Guarantee.REINVOCATION: _AGAIN,
    Guarantee.PROGRESS: Claim(
        "The agent will receive the result of the function call and continue execution.", HITL
    ),
    Guarantee.PAUSE_IS_FREE: Claim(
        "The run can be paused for an indefinite amount of time. There's no theoretical upper limit on how "
        "long a run can be paused for.",
        HITL,
    ),
    Guarantee.AT_MOST_ONE_EXECUTION: Claim(
        "By default, Inferable will not retry failed function executions. This is because not all functions "
        "are idempotent (safe to retry).",
        RESILIENT,
    ),
}

RETRYING: Final[Mapping[Guarantee, Claim]] = {
    **{name: claim for name, claim in PUBLISHED.items() if name is not Guarantee.AT_MOST_ONE_EXECUTION},
    Guarantee.NO_ORPHAN: Claim(
        "Inferable transparently handles machine failures by periodically sending heartbeats from the SDK, "
        "catching and retrying failed operations on a healthy worker.",
        FAILURES,
    ),
}

HARDENED: Final[Mapping[Guarantee, Claim]] = {
    Guarantee.SINGLE_WINNER: Claim("A call is decided by compare-and-set while it asks, once."),
    Guarantee.FIRST_VALID_WINS: Claim("The first admitted answer that suffices decides."),
    Guarantee.NO_EXECUTION_WITHOUT_GRANT: _ONLY_APPROVED,
    Guarantee.AT_MOST_ONE_EXECUTION: Claim("The side effect starts after a durable claim, never repeated."),
    Guarantee.FINALITY: Claim("A call that is over stays as it is, and so does one that is decided."),
    Guarantee.ID_BINDING: Claim("An answer reaches the one call it names, in its session."),
    Guarantee.AUTHORITY: Claim("The verified claim and the directory's record both satisfy the policy."),
    Guarantee.SEPARATION_OF_DUTY: Claim("A quorum counts distinct people, the requester where allowed."),
    Guarantee.DEADLINE: Claim("From its deadline on, a call that asks can only expire."),
    Guarantee.CANCEL_IS_FINAL: Claim("Cancelling is one more compare-and-set before the decision."),
    Guarantee.DURABILITY: Claim("Requests and decisions are in the store before anybody is told of them."),
    Guarantee.NO_ORPHAN: Claim("An approval ends executed, failed, or reported unknown."),
    Guarantee.TRUTHFUL_RECEIPT: Claim("Every answer is told what became of it, and who decided."),
    Guarantee.VIEW_CONVERGENCE: Claim("A screen shows what the store says."),
    Guarantee.DISCOVERABILITY: Claim("Every call that asks is listed, to everybody of its session."),
    Guarantee.ONLY_DELIBERATE: Claim("Nothing but an answer decides."),
    Guarantee.BATCH_ISOLATION: Claim("Every call has a run and a record of its own."),
    Guarantee.REINVOCATION: _AGAIN,
    Guarantee.EARLY_RESPONSE: Claim("A call can be answered as soon as it can be seen."),
    Guarantee.SINGLE_USE: Claim("An answer names its call, and a decided one takes no further answer."),
    Guarantee.FAIL_CLOSED: _ONLY_APPROVED,
    Guarantee.AUDIT_TRUTH: Claim("The record keeps who decided, in which role, and how the call ended."),
    Guarantee.PROGRESS: Claim("Calls of a silent machine are handed out again."),
    Guarantee.PAUSE_IS_FREE: Claim("A call that asks is a row in the store."),
    Guarantee.ISOLATION: Claim("A cluster is one tenant's, and a call is shown to its session only."),
}
