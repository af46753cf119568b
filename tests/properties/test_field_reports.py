"""Approval bugs that were reported in public, each told as a tiny trace, and who must object."""

from typing import Final

import pytest

from harness.model import Level, OnUnauthorised, OutcomeStatus, Policy, ReceiptStatus, Role, Style
from harness.properties import Terms, judge
from harness.properties.examples import (
    NO,
    OTHER_POST,
    PUBLISHERS,
    YES,
    answered,
    called,
    cancel,
    cancel_confirmed,
    card,
    crashed,
    decided,
    entered,
    executed,
    expired,
    joined,
    later,
    outcome,
    published,
    quiet,
    restarted,
    screen,
    settled,
    tale,
    told,
)
from harness.trace import Defect, Trace

TWO_CALLS: Final = (
    called("c1", batch="b"),
    called("c2", batch="b"),
    joined("ann"),
    entered(call="c1"),
    entered(call="c2"),
    published("r1", "c1"),
    published("r2", "c2"),
    screen("ann", card("r1", "c1"), card("r2", "c2")),
)
ASKED: Final = (called(), joined("ann"), entered(), published(), screen("ann", card()))
APPROVED: Final = (*ASKED, answered("a1", "ann"), decided("ann"), told("a1"))

REPORTS: Final[tuple[tuple[str, set[str], Trace], ...]] = (
    (
        "langgraph #6626: parallel interrupts share one id",
        {"P7"},
        tale(called("c1"), called("c2"), published("r1", "c1"), published("r1", "c2")),
    ),
    (
        "langgraph #5952: an answered interrupt fires again",
        {"P13", "P16"},
        tale(*APPROVED, executed(), outcome(), screen("ann"), quiet(), screen("ann", card())),
    ),
    (
        "langgraph #8039: a crash between effect and checkpoint",
        {"P4"},
        tale(
            *APPROVED, executed(), crashed(), restarted(), called(attempt=2), executed(), outcome(attempt=2)
        ),
    ),
    (
        "langgraph #4397: several results for one call",
        {"P14"},
        tale(*APPROVED, executed(), outcome(), outcome()),
    ),
    (
        "langchain #40172: cards are reordered and answers go by position",
        {"P7", "P19"},
        tale(*TWO_CALLS, answered("a1", "ann", request="r1", call="c1"), executed("c2")),
    ),
    (
        "langchain #40166: an edit skips the policy",
        {"P6"},
        tale(
            called(policy=Policy(edits_allowed=False)),
            answered("a1", "ann", edit=OTHER_POST),
            executed(arguments=OTHER_POST),
        ),
    ),
    (
        "langchain #37093: a rejected call still reaches the tool",
        {"P3", "P5"},
        tale(*ASKED, answered("a1", "ann", NO), decided("ann", NO), executed()),
    ),
    (
        "pydantic-ai #6968: a hook rewrites the arguments before execution",
        {"P6"},
        tale(*APPROVED, executed(arguments=OTHER_POST)),
    ),
    (
        "vercel/ai PR #16068: a client forges request and response",
        {"P3", "P8", "P18", "P23"},
        tale(*ASKED, decided("ann"), executed(), quiet()),
    ),
    (
        "agent-framework PR #4548: an approval replayed under another name",
        {"P7", "P8", "P22"},
        tale(*APPROVED, executed(), outcome(), called("c2"), published("r2", "c2"), executed("c2")),
    ),
    (
        "agent-framework #7125: the approval is dropped on one continuation path",
        {"P25"},
        tale(*ASKED, answered("a1", "ann"), told("a1", ReceiptStatus.SENT), quiet()),
    ),
    (
        "adk-java #1389: a planted confirmation call",
        {"P8"},
        tale(*ASKED, answered("a1", "ann"), executed("c9")),
    ),
    (
        "adk-python #7148: rejection is advisory only",
        {"P3"},
        tale(*ASKED, answered("a1", "ann", NO), executed()),
    ),
    (
        "adk-python #6732: the sibling's result is lost",
        {"P19", "P25"},
        tale(
            *TWO_CALLS,
            answered("a1", "ann", request="r1", call="c1"),
            told("a1"),
            answered("a2", "ann", request="r2", call="c2"),
            told("a2"),
            executed("c1"),
            executed("c2"),
            outcome(call="c1"),
            quiet(),
        ),
    ),
    (
        "hermes-agent #64001: a click on B resolves A",
        {"P7"},
        tale(*TWO_CALLS, answered("a1", "ann", request="r2", call="c2"), decided("ann", call="c1")),
    ),
    (
        "openclaw PR #110993: aborting leaves the grant alive",
        {"P12"},
        tale(*APPROVED, cancel(), cancel_confirmed(), executed()),
    ),
    (
        "syntara PR #327: a decision against a cancelling run",
        {"P12"},
        tale(*ASKED, cancel(), cancel_confirmed(), answered("a1", "ann"), decided("ann"), told("a1")),
    ),
    (
        "NeuralNote #119: the person is told OK, the run timed out",
        {"P11", "P15"},
        tale(
            called(deadline_s=6),
            *ASKED[1:],
            later(answered("a1", "ann"), 5.999),
            later(told("a1"), 6),
            later(expired(), 6),
            later(outcome(OutcomeStatus.EXPIRED), 6),
        ),
    ),
    (
        "hol-guard PR #1444: an expired approval is taken off a queue",
        {"P11"},
        tale(called(deadline_s=6), *ASKED[1:], later(answered("a1", "ann"), 5), later(decided("ann"), 8)),
    ),
    (
        "clairvoyance PR #769: silence approves",
        {"P3", "P23"},
        tale(*ASKED, later(executed(), 500), later(outcome(), 501), later(quiet(), 600)),
    ),
    (
        "agent-os #1564: a timeout is logged as a person's rejection",
        {"P24"},
        tale(called(deadline_s=6), *ASKED[1:], later(outcome(OutcomeStatus.REJECTED, "ann"), 6), quiet()),
    ),
    (
        "lobu PR #2055: a reaper kills the parked run",
        {"P26"},
        tale(*ASKED, later(outcome(OutcomeStatus.CANCELLED), 100_000), later(quiet(), 100_001)),
    ),
    (
        "executor #1347: pending requests are lost on restart",
        {"P13", "P17"},
        tale(*ASKED, crashed(), restarted(), screen("ann"), quiet(), screen("ann")),
    ),
    (
        "jarvis PR #486: a crash between approve and execute",
        {"P14", "P25"},
        tale(*APPROVED, crashed(), restarted(), called(attempt=2), quiet(), screen("ann")),
    ),
    (
        "activepieces #14024: a mail scanner's GET decides",
        {"P18"},
        tale(*ASKED, decided(None, NO), outcome(OutcomeStatus.REJECTED), quiet()),
    ),
    (
        "sentry #69252: a double click executes twice",
        {"P4"},
        tale(*ASKED, answered("a1", "ann"), answered("a2", "ann"), executed(), executed()),
    ),
    (
        "KiroCrew PR #5233: the failed answer's card says approved",
        {"P16"},
        tale(
            *ASKED,
            joined("bob"),
            screen("bob", card()),
            answered("a1", "ann"),
            told("a1", ReceiptStatus.UNKNOWN),
            quiet(),
            screen("ann"),
            settled("ann", OutcomeStatus.EXECUTED, choice=YES),
            screen("bob", card()),
        ),
    ),
    (
        "octomux PR #146: cards are not sent again on reconnect",
        {"P17"},
        tale(*ASKED, screen("ann"), crashed("ann-phone"), restarted("ann-phone"), quiet(), screen("ann")),
    ),
    (
        "ARTEX PR #133: pending requests pushed off the first history page",
        {"P17"},
        tale(*ASKED, joined("bob"), quiet(), screen("ann", card()), screen("bob")),
    ),
    (
        "inngest #1433: an answer before the wait is registered",
        {"P21", "P25"},
        tale(
            called(),
            joined("ann"),
            later(screen("ann", card()), 2),
            later(answered("a1", "ann"), 2.001),
            later(published(), 2.01),
            told("a1", ReceiptStatus.SENT),
            quiet(),
        ),
    ),
    (
        "mastra PR #20512: concurrent resume",
        {"P1", "P4", "P15"},
        tale(
            *ASKED,
            answered("a1", "ann"),
            answered("a2", "bob"),
            decided("ann"),
            decided("bob"),
            executed(),
            told("a1"),
            executed(),
            told("a2"),
        ),
    ),
    (
        "mcp-hangar #688: cross-tenant approval",
        {"P9", "P27"},
        tale(
            *ASKED,
            joined("zoe", tenant="umbrella"),
            answered("a1", "zoe", tenant="umbrella", shown=None),
            told("a1"),
            executed(),
        ),
    ),
    (
        "breeze PR #1662: self-approval",
        {"P10"},
        tale(
            called(policy=Policy(requester_may_decide=False), requester="ann"),
            joined("ann"),
            answered("a1", "ann"),
            executed(),
        ),
    ),
    (
        "Jenkins SECURITY-576: read access settles an input",
        {"P9"},
        tale(
            called(policy=PUBLISHERS),
            answered("a1", "eve", NO, role="reader"),
            decided("eve", NO),
            outcome(OutcomeStatus.REJECTED, "eve"),
        ),
    ),
    (
        "Agenta PR #5598: answered elsewhere, the run never resumes",
        {"P14", "P25"},
        tale(*APPROVED, quiet()),
    ),
    (
        "Ably guide: a weak role's answer ends the request for everyone",
        {"P9"},
        tale(
            called(policy=PUBLISHERS),
            answered("a1", "eve", role="editor"),
            outcome(OutcomeStatus.UNAUTHORISED),
        ),
    ),
    (
        "Ably guide: an unlisted required role passes everyone",
        {"P23", "P9"},
        tale(called(policy=Policy(minimum_role=Role("owner"))), answered("a1", "ann"), executed()),
    ),
    (
        "older Ably guide: the pending entry outlives the execution",
        {"P4"},
        tale(*ASKED, answered("a1", "ann"), executed(), answered("a2", "bob"), executed()),
    ),
    (
        "Slack card: the text follows the last click, not the decision",
        {"P15"},
        tale(
            *ASKED,
            answered("a1", "ann"),
            answered("a2", "bob", NO),
            decided("ann"),
            told("a1"),
            told("a2", ReceiptStatus.DECIDED, "bob", NO),
        ),
    ),
    *(
        (
            f"decoded without verifying: {defect}",
            {"P9"},
            tale(called(policy=PUBLISHERS), answered("a1", "eve", defect=defect), executed()),
        )
        for defect in Defect
        if defect is not Defect.NONE
    ),
)


@pytest.mark.parametrize(("expected", "trace"), [row[1:] for row in REPORTS], ids=[row[0] for row in REPORTS])
def test_a_bug_seen_in_the_field_is_noticed(expected: set[str], trace: Trace) -> None:
    noticed = {key for key, it in judge(trace, Terms()).items() if it.findings}
    assert expected <= noticed


REINVOKING: Final = Terms(style=Style.REINVOKING)


@pytest.mark.parametrize(
    "trace",
    [
        tale(*APPROVED, entered(2, approved=True), executed(), executed()),
        tale(*ASKED, answered("a1", "ann", NO), entered(2, approved=True), executed()),
        tale(*APPROVED, executed()),
        tale(called(), entered(1, approved=True), answered("a1", "ann"), executed()),
    ],
    ids=[
        "opencompany #438: approving re-runs upstream effects",
        "Inferable: resume warns 'not approved' and goes on",
        "the gate is passed without entering the function again",
        "the first entry is already approved",
    ],
)
def test_a_reinvocation_bug_seen_in_the_field_is_noticed(trace: Trace) -> None:
    assert judge(trace, REINVOKING, ["P20"])["P20"].findings


def test_ending_a_request_for_a_weak_answer_is_a_should_where_it_is_declared() -> None:
    trace = tale(
        called(policy=PUBLISHERS),
        answered("a1", "eve", role="editor"),
        outcome(OutcomeStatus.UNAUTHORISED),
    )
    levels = [
        [it.level for it in judge(trace, Terms(on_unauthorised=option), ["P9"])["P9"].findings]
        for option in (OnUnauthorised.IGNORE, OnUnauthorised.REJECT)
    ]
    assert levels == [[Level.MUST], [Level.SHOULD]]
