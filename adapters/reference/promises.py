"""What the reference promises, guarantee by guarantee, and the manifest that says so.

Owns the claims. A variant of the reference makes the same claims, whichever store it keeps its records in;
an ablation makes them too, and does not keep one.
"""

from typing import Final

from harness.adapter import Claim, Manifest
from harness.model import Guarantee, OnUnauthorised, Style

VERSION: Final = "0.1.0"
HOMEPAGE: Final = "adapters/reference"

PROMISES: Final = {
    Guarantee.SINGLE_WINNER: "A request is decided once, by compare-and-set on its durable record.",
    Guarantee.FIRST_VALID_WINS: "Answers are judged in channel order, and the first admitted one decides.",
    Guarantee.NO_EXECUTION_WITHOUT_GRANT: "Only a durably approved request can be claimed for execution.",
    Guarantee.AT_MOST_ONE_EXECUTION: "The side effect starts after a durable claim that is never repeated.",
    Guarantee.FINALITY: "No step leads away from a decision, and every view is derived from it.",
    Guarantee.ARGUMENT_BINDING: "An answer names the digest of what was shown; that or its edit is executed.",
    Guarantee.ID_BINDING: "An answer reaches the one request it names, in that request's session.",
    Guarantee.PROVENANCE: "Requests live in the agent's store; devices show what the agent side published.",
    Guarantee.AUTHORITY: "The verified claim and the directory's current record both satisfy the policy.",
    Guarantee.SEPARATION_OF_DUTY: "A quorum counts distinct people, and excludes the requester where asked.",
    Guarantee.DEADLINE: "From the deadline on, by the agent's clock, a pending request can only expire.",
    Guarantee.CANCEL_IS_FINAL: "Cancelling is one more compare-and-set from pending, and nothing leaves it.",
    Guarantee.DURABILITY: "Requests and decisions are durable before anybody is told of them.",
    Guarantee.NO_ORPHAN: "An approval ends executed, failed, or reported unknown after a lost claim.",
    Guarantee.TRUTHFUL_RECEIPT: "Every answer gets a receipt by its id, after the fact, naming the winner.",
    Guarantee.VIEW_CONVERGENCE: "Every state is announced, and announced again after a crash.",
    Guarantee.DISCOVERABILITY: "Devices read all of a session's history up to the point where they attach.",
    Guarantee.ONLY_DELIBERATE: "Nothing but an answer message decides.",
    Guarantee.BATCH_ISOLATION: "Every call has a record of its own.",
    Guarantee.REINVOCATION: "The gated function is entered as its style says, and its effect runs once.",
    Guarantee.EARLY_RESPONSE: "The agent listens before it asks, and reads history after a gap.",
    Guarantee.SINGLE_USE: "An answer names its request and its own id, and counts once.",
    Guarantee.FAIL_CLOSED: "What cannot be read, established or made known is never an approval.",
    Guarantee.AUDIT_TRUTH: "The record keeps who decided, in which verified role, and how the request ended.",
    Guarantee.PROGRESS: "An answer is judged as soon as the agent hears of it, live or from history.",
    Guarantee.PAUSE_IS_FREE: "A pending request without a deadline holds one future and no timer.",
    Guarantee.ISOLATION: "A session has a channel of its own, and an answer counts on that channel only.",
}


def manifest(name: str, style: Style, summary: str) -> Manifest:
    """Return the manifest of a variant that promises everything."""
    return Manifest(
        name=name,
        version=VERSION,
        summary=summary,
        homepage=HOMEPAGE,
        offers={guarantee: Claim(sentence) for guarantee, sentence in PROMISES.items()},
        style=style,
        on_unauthorised=OnUnauthorised.IGNORE,
        options={"style": style.value},
    )
