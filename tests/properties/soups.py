"""Hypothesis strategies for event soups: well-formed events in any order, telling no sensible story.

Owns small pools of names, so that events refer to each other by chance, and a strategy that changes a
sensible trace a little, because soups alone seldom get far into a story.
"""

from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from harness.model import (
    AnswerId,
    Arguments,
    CallId,
    Card,
    Choice,
    DeviceId,
    ForgeryKind,
    HostName,
    OutcomeStatus,
    PersonId,
    Policy,
    ReceiptStatus,
    RequestId,
    Role,
    Settled,
)
from harness.properties import PROPERTIES
from harness.trace import (
    AdapterFailed,
    AnswerSent,
    BodyEntered,
    CancelConfirmed,
    CancelRequested,
    Credential,
    DecisionTaken,
    Defect,
    DeviationFired,
    DeviceJoined,
    EffectExecuted,
    Event,
    ForgerySent,
    HostCrashed,
    HostRestarted,
    MessageMoved,
    OutcomeReported,
    Quiet,
    ReceiptGiven,
    RequestExpired,
    RequestPublished,
    ScreenShown,
    SettledShown,
    StandingChanged,
    ToolCalled,
    Trace,
)

TIMES = st.integers(0, 6).map(lambda step: step * 20_000_000_000_000)
CALLS = st.sampled_from(["c1", "c2"]).map(CallId)
REQUESTS = st.sampled_from(["r1", "r2", "r9"]).map(RequestId)
ANSWERS = st.sampled_from(["a1", "a2", "a3"]).map(AnswerId)
PEOPLE = st.sampled_from(["ann", "bob"]).map(PersonId)
DEVICES = st.sampled_from(["ann-phone", "bob-phone"]).map(DeviceId)
HOSTS = st.sampled_from(["agent", "agent-2", "ann-phone", "bob-phone", "world"]).map(HostName)
ROLES = st.sampled_from(["editor", "publisher", "owner"]).map(Role)
ARGUMENTS: st.SearchStrategy[Arguments] = st.sampled_from(
    [{"post": 7}, {"post": 8}, {"post": True}, {"post": [1, {"deep": None}]}, {}],
)
TENANTS = st.sampled_from(["acme", "umbrella"])
SESSIONS = st.sampled_from(["main", "side"])
CHOICES = st.sampled_from(Choice)
CARDS = st.builds(Card, REQUESTS, st.just("publish"), ARGUMENTS, st.none() | CALLS)
POLICIES = st.builds(
    Policy,
    minimum_role=st.none() | ROLES,
    quorum=st.integers(1, 2),
    requester_may_decide=st.booleans(),
    edits_allowed=st.booleans(),
)
CREDENTIALS = st.builds(Credential, PEOPLE, st.none() | ROLES, TENANTS, st.sampled_from(Defect))
SETTLED = st.builds(Settled, st.sampled_from(OutcomeStatus), st.none() | CHOICES, st.none() | PEOPLE)
DEVIATIONS = st.sampled_from(["cut-link", "skew-clock", "spoil-credential", "double-tap", "unheard-of"])

EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        ToolCalled,
        TIMES,
        HOSTS,
        CALLS,
        st.integers(1, 3),
        st.just("publish"),
        ARGUMENTS,
        POLICIES,
        SESSIONS,
        TENANTS,
        st.none() | PEOPLE,
        st.none() | TIMES,
        st.none() | st.just("batch"),
    ),
    st.builds(RequestPublished, TIMES, HOSTS, REQUESTS, CALLS, ARGUMENTS),
    st.builds(
        DeviceJoined,
        TIMES,
        HOSTS,
        DEVICES,
        PEOPLE,
        TENANTS,
        st.none() | ROLES,
        st.lists(SESSIONS, max_size=2).map(tuple),
    ),
    st.builds(ScreenShown, TIMES, HOSTS, DEVICES, PEOPLE, st.lists(CARDS, max_size=3).map(tuple)),
    st.builds(SettledShown, TIMES, HOSTS, DEVICES, PEOPLE, REQUESTS, st.none() | CALLS, st.none() | SETTLED),
    st.builds(
        AnswerSent,
        TIMES,
        HOSTS,
        ANSWERS,
        REQUESTS,
        st.none() | CALLS,
        PEOPLE,
        DEVICES,
        CHOICES,
        CREDENTIALS,
        st.none() | ARGUMENTS,
        st.none() | ARGUMENTS,
        st.sampled_from(["", "why"]),
    ),
    st.builds(ForgerySent, TIMES, HOSTS, PEOPLE, DEVICES, st.sampled_from(ForgeryKind), REQUESTS, CALLS),
    st.builds(
        ReceiptGiven,
        TIMES,
        HOSTS,
        ANSWERS,
        st.sampled_from(ReceiptStatus),
        st.none() | PEOPLE,
        st.none() | CHOICES,
    ),
    st.builds(
        DecisionTaken,
        TIMES,
        HOSTS,
        REQUESTS,
        st.none() | CALLS,
        CHOICES,
        st.none() | PEOPLE,
        st.none() | ROLES,
        st.none() | ARGUMENTS,
    ),
    st.builds(RequestExpired, TIMES, HOSTS, REQUESTS, st.none() | CALLS),
    st.builds(BodyEntered, TIMES, HOSTS, CALLS, st.integers(1, 3), st.booleans(), ARGUMENTS),
    st.builds(EffectExecuted, TIMES, HOSTS, CALLS, st.integers(1, 3), ARGUMENTS, st.booleans()),
    st.builds(
        OutcomeReported,
        TIMES,
        HOSTS,
        CALLS,
        st.integers(1, 3),
        st.sampled_from(OutcomeStatus),
        st.none() | CHOICES,
        st.none() | PEOPLE,
        st.none() | ROLES,
        st.sampled_from(["", "why"]),
    ),
    st.builds(CancelRequested, TIMES, HOSTS, CALLS),
    st.builds(CancelConfirmed, TIMES, HOSTS, CALLS, st.booleans()),
    st.builds(StandingChanged, TIMES, HOSTS, PEOPLE, st.none() | ROLES, st.booleans()),
    st.builds(HostCrashed, TIMES, HOSTS),
    st.builds(HostRestarted, TIMES, HOSTS),
    st.builds(DeviationFired, TIMES, HOSTS, st.integers(0, 3), DEVIATIONS),
    st.builds(AdapterFailed, TIMES, HOSTS, st.just("agent.call_tool(c1)"), st.just("ValueError")),
    st.builds(Quiet, TIMES, HOSTS),
    st.builds(
        MessageMoved, TIMES, HOSTS, st.just("sent"), st.integers(0, 9), HOSTS, HOSTS, st.just("answer")
    ),
)


@st.composite
def soups(draw: DrawFn) -> Trace:
    """Draw a trace of unrelated events, in the order of their times."""
    events = draw(st.lists(EVENTS, max_size=40))
    return Trace(tuple(sorted(events, key=lambda event: event.at)))


STORIES = tuple(trace for it in PROPERTIES.values() for trace in (it.holding, it.violating))


@st.composite
def spoilt_stories(draw: DrawFn) -> Trace:
    """Draw a hand-written trace with up to four events dropped, doubled, moved or put in from a soup."""
    events = list(draw(st.sampled_from(STORIES)).events)
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(events)))
        what = draw(st.sampled_from(["drop", "double", "move", "add"]))
        if what == "add" or not events:
            at = events[place - 1].at if place else 0
            events.insert(place, replace(draw(EVENTS), at=at))
            continue
        place = min(place, len(events) - 1)
        event = events[place]
        if what != "double":
            del events[place]
        if what != "drop":
            events.insert(draw(st.integers(0, len(events))), event)
    return Trace(tuple(events))
