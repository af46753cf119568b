"""A small finished run, written by hand, for the tests of all reports.

It holds every kind of verdict, two counterexamples with traces, one without, and a plan with a cut. Names
are plain, or hostile where a test asks for that.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Final

from harness.catalog import Plugin, load_catalog
from harness.deviations import CrashAtBoundary, CutLink
from harness.model import (
    AnswerId,
    CallId,
    Card,
    Choice,
    DeviceId,
    HostName,
    Level,
    OutcomeStatus,
    PersonId,
    Policy,
    ReceiptStatus,
    RequestId,
    Role,
)
from harness.plan import MS, SECOND, AnswerSpec, CallSpec, DeviceSpec, PersonSpec, Plan
from harness.properties import PROPERTIES, Finding, Status
from harness.report import FinishedRun, Report
from harness.results import AdapterResult, Counterexample, Expected, Nearest, Result, Verdict
from harness.trace import (
    AnswerSent,
    Credential,
    DecisionTaken,
    DeviationFired,
    DeviceJoined,
    EffectExecuted,
    Event,
    HostCrashed,
    HostRestarted,
    MessageMoved,
    OutcomeReported,
    Quiet,
    ReceiptGiven,
    RequestPublished,
    ScreenShown,
    ToolCalled,
    Trace,
)

HOSTILE: Final = (
    "</script><script>window.hacked=1</script>"
    "<img src=x onerror=window.hacked=1>\"'`]]>&amp;{{7*7}}\u202e\x00"
)
AGENT: Final = HostName("agent")
CHANNEL: Final = HostName("channel")
CALL: Final = CallId("c1")


def sample_plan() -> Plan:
    """Return a plan with a cut and a crash."""
    bob = PersonSpec(
        PersonId("bob"), Role("publisher"), (DeviceSpec(DeviceId("bob-phone")),), (AnswerSpec(CALL),)
    )
    return Plan(
        scenario="durable_pending",
        people=(bob,),
        calls=(CallSpec(CALL),),
        deviations=(
            CrashAtBoundary(host=AGENT, k=0, down_ns=5 * MS, step="effect"),
            CutLink(one=AGENT, other=CHANNEL, at_ns=1_100 * MS, for_ns=30 * SECOND),
        ),
    )


def sample_trace(phone: str = "bob-phone", person: str = "bob", tool: str = "publish") -> Trace:
    """Return a trace in which a call is executed twice; the effects stand at the places 11 and 20."""
    host, device, who = HostName(phone), DeviceId(phone), PersonId(person)
    arguments = {"title": tool}
    card = Card(RequestId("r1"), tool, arguments, CALL)
    ids = iter(range(100))

    def move(
        at_ms: int, how: str, source: HostName, target: HostName, label: str, number: int
    ) -> MessageMoved:
        at_host = target if how == "delivered" else source
        return MessageMoved(at_ms * MS, at_host, how, number, source, target, label)

    ask, answer, again = next(ids), next(ids), next(ids)
    events: tuple[Event, ...] = (
        DeviceJoined(0, host, device, who, "acme", Role("publisher"), ("main",)),
        ToolCalled(0, AGENT, CALL, 1, tool, arguments, Policy(), "main", "acme"),
        move(5, "sent", AGENT, CHANNEL, "publish approval-request", ask),
        move(10, "delivered", AGENT, CHANNEL, "publish approval-request", ask),
        RequestPublished(15 * MS, AGENT, RequestId("r1"), CALL, arguments),
        ScreenShown(15 * MS, host, device, who, (card,)),
        AnswerSent(
            1_015 * MS,
            host,
            AnswerId("a1"),
            RequestId("r1"),
            CALL,
            who,
            device,
            Choice.APPROVED,
            Credential(who, Role("publisher"), "acme"),
        ),
        move(1_015, "sent", host, CHANNEL, "publish approval-response", answer),
        ScreenShown(1_015 * MS, host, device, who, ()),
        move(1_020, "delivered", host, CHANNEL, "publish approval-response", answer),
        DecisionTaken(1_025 * MS, AGENT, RequestId("r1"), CALL, Choice.APPROVED, who),
        EffectExecuted(1_025 * MS, AGENT, CALL, 1, arguments),
        DeviationFired(1_025 * MS, AGENT, 0, "crash-at-boundary"),
        HostCrashed(1_025 * MS, AGENT, "effect"),
        HostRestarted(1_030 * MS, AGENT),
        ToolCalled(1_030 * MS, AGENT, CALL, 2, tool, arguments, Policy(), "main", "acme"),
        ReceiptGiven(1_040 * MS, host, AnswerId("a1"), ReceiptStatus.SENT),
        DeviationFired(1_100 * MS, AGENT, 1, "cut-link"),
        move(1_110, "sent", CHANNEL, AGENT, "deliver approval-response", again),
        move(1_115, "lost", CHANNEL, AGENT, "deliver approval-response", again),
        EffectExecuted(40 * SECOND, AGENT, CALL, 2, arguments),
        OutcomeReported(40 * SECOND, AGENT, CALL, 2, OutcomeStatus.EXECUTED, Choice.APPROVED, who),
        Quiet(90 * SECOND, HostName("world")),
    )
    return Trace(events, "acme", "durable_pending")


def passing_trace(phone: str = "bob-phone", person: str = "bob", tool: str = "publish") -> Trace:
    """Return the trace of the same plan without its deviations: the call is executed once."""
    before = sample_trace(phone, person, tool).events[:12]
    at_ns, by = 1_025 * MS, PersonId(person)
    after: tuple[Event, ...] = (
        OutcomeReported(at_ns, AGENT, CALL, 1, OutcomeStatus.EXECUTED, Choice.APPROVED, by),
        ReceiptGiven(1_040 * MS, HostName(phone), AnswerId("a1"), ReceiptStatus.SENT),
        Quiet(60 * SECOND, HostName("world")),
    )
    return Trace((*before, *after), "acme", "durable_pending")


def verdict(name: str, status: Status, level: Level = Level.MUST, note: str = "") -> Verdict:
    """Return a verdict without a counterexample."""
    return Verdict(name, PROPERTIES[name].guarantee.value, level, status, 3, note)


def sample_run(hostile: str = "") -> FinishedRun:
    """Return a run with every kind of verdict; ``hostile`` stands wherever a run brings its own text."""
    sentence = f"call c1 was executed twice{hostile}"
    # Places among the events at the boundary: the trace without its messages.
    near = Nearest(sample_plan().but(), "1" * 64)
    twice = Counterexample("durable_pending", sample_plan(), Finding(sentence, (7, 14)), "0" * 64, 9, near)
    lonely = replace(twice, nearest=None)
    known = Expected(f"it tells nothing more{hostile}", "https://example.com/known")
    name = f"acme{hostile}"
    verdicts = (
        replace(verdict("P4", Status.VIOLATED), counterexample=twice),
        replace(verdict("P7", Status.VIOLATED, Level.SHOULD), counterexample=twice, expected=known),
        replace(verdict("P13", Status.VIOLATED, Level.SHOULD), counterexample=lonely),
        verdict("P1", Status.HOLDS),
        verdict("P5", Status.NOT_OFFERED),
        verdict("P25", Status.INCONCLUSIVE, note=f"never exercised{hostile}"),
        replace(verdict("P19", Status.HOLDS), expected=known),
    )
    result = Result(
        seed=0,
        examples=20,
        scenarios=("durable_pending",),
        adapters=(
            AdapterResult(name, f"1.0{hostile}", 120, verdicts, {"crash-at-boundary": 4}),
            AdapterResult("calm", "2.0", 80, (verdict("P1", Status.HOLDS), verdict("P4", Status.HOLDS)), {}),
        ),
    )
    names = [f"{it}{hostile}" for it in ("bob-phone", "bob", "publish")]
    trace = sample_trace(*names)
    return FinishedRun(
        result,
        {(name, "P4"): trace, (name, "P7"): trace},
        ".hitl/runs/001",
        made_with={"harness": "0.1.0", "python": "3.11.0"},
        notes=(f"a note{hostile}",) if hostile else (),
        nearest={(name, "P4"): passing_trace(*names)},
    )


@cache
def _reports() -> Mapping[str, Plugin[Report]]:
    return load_catalog().reports


def rendered(report: str, run: FinishedRun) -> dict[str, str]:
    """Return the files that a built-in report makes of ``run``, as texts."""
    files = _reports()[report].value.render(run)
    return {name: it if isinstance(it, str) else it.decode() for name, it in files.items()}
