"""A trace sorted for judging: events by call, by answer, by person and by host, built once in linear time.

Owns which call a request, an answer or a decision is about, what each device showed last, and which hosts
lived. Every property reads the same index. It states facts of the trace only; what shows that a call was
decided is in :mod:`harness.properties.evidence`, who might decide it in :mod:`harness.properties.validity`.

Invariant: building reads each event once and each card of each screen at most twice; movements on the
network are skipped by their class alone. Events that refer to nothing known are kept apart, never dropped
into a guess.
"""

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from harness.model import AnswerId, CallId, Card, DeviceId, HostName, PersonId, RequestId
from harness.properties.records import AnswerRecord, CallRecord, Placed
from harness.trace import (
    AdapterFailed,
    AnswerSent,
    BodyEntered,
    CancelConfirmed,
    CancelRequested,
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

E_co = TypeVar("E_co", bound=Event, covariant=True)

HARMLESS = frozenset(
    {
        "seeded-schedule",
        "priority-schedule",
        "pick",
        "skew-clock",
        "double-tap",
        "answer-again",
        "answer-at",
        "answer-unknown-request",
        "answer-foreign",
        "forge",
        "hand-out-again",
        "sleep-on",
        "switch-device",
        "spoil-credential",
        "change-role",
        "chatter",
        "revoke-person",
        "require-role",
        "cancel-call",
        "tool-fails",
    },
)
"""Deviations that lose nothing on its way; any other, known or not, counts as a fault of network or host."""


@dataclass(slots=True)
class Index:
    """One trace, sorted. ``quiet`` is the place of the end of the run, None in a trace that has none."""

    events: tuple[Event, ...]
    groups: dict[type[Any], list[Placed[Any]]]
    calls: dict[CallId, CallRecord] = field(default_factory=dict)
    answers: dict[AnswerId, AnswerRecord] = field(default_factory=dict)
    unplaced_answers: list[AnswerRecord] = field(default_factory=list)
    unplaced_decisions: list[Placed[DecisionTaken]] = field(default_factory=list)
    stray_receipts: list[Placed[ReceiptGiven]] = field(default_factory=list)
    calls_by_request: dict[RequestId, dict[CallId, int]] = field(default_factory=dict)
    first_seen: dict[RequestId, int] = field(default_factory=dict)
    devices: dict[DeviceId, DeviceJoined] = field(default_factory=dict)
    standings: dict[PersonId, list[Placed[StandingChanged]]] = field(default_factory=dict)
    crashes: dict[HostName, list[int]] = field(default_factory=dict)
    last_restart: dict[HostName, int] = field(default_factory=dict)
    final_screens: dict[DeviceId, Placed[ScreenShown]] = field(default_factory=dict)
    final_cards: dict[CallId, list[tuple[Placed[ScreenShown], Card]]] = field(default_factory=dict)
    own_forgeries: dict[CallId, int | None] = field(default_factory=dict)
    """Where a forger who may approve first forged an approval of each call; filled when asked."""
    bad_tokens: set[PersonId] = field(default_factory=set)
    good_tokens: set[PersonId] = field(default_factory=set)
    tokens_spoilt: bool = False
    faulted: bool = False
    """Whether any fault of network or host fired, so that something may have been lost."""
    quiet: int | None = None

    @classmethod
    def of(cls, trace: Trace) -> "Index":
        """Sort ``trace``; never raises on a well-formed one, however strange its story."""
        groups: dict[type[Any], list[Placed[Any]]] = defaultdict(list)
        for seq, event in enumerate(trace.events):
            kind = type(event)
            if kind is not MessageMoved:
                groups[kind].append(Placed(seq, event))
        index = cls(trace.events, dict(groups))
        index._place_calls()
        index._place_people_and_hosts()
        index._place_screens()
        index._place_answers()
        index._place_what_followed()
        index._place_last_views()
        return index

    def all(self, kind: type[E_co]) -> list[Placed[E_co]]:
        """Return the events of one class, in the order of the trace."""
        return cast("list[Placed[E_co]]", self.groups.get(kind, ()))

    @property
    def complete(self) -> bool:
        """Return whether the trace ends in quiet: then what it does not show did not happen.

        What an adapter reports (requests published, decisions taken, requests expired) is the exception.
        """
        return self.quiet is not None

    @property
    def knows_answers(self) -> bool:
        """Return whether an absent answer means that nobody pressed a button."""
        return self.complete or AnswerSent in self.groups

    @property
    def knows_effects(self) -> bool:
        """Return whether an absent effect means that nothing was executed."""
        return self.complete or EffectExecuted in self.groups

    @property
    def knows_requests(self) -> bool:
        """Return whether a request id that was never published or shown is one that was never issued."""
        return RequestPublished in self.groups or ScreenShown in self.groups

    @property
    def adapter_failed(self) -> bool:
        """Return whether an adapter raised: then what is missing at the end may be its fault alone."""
        return AdapterFailed in self.groups

    def skewed(self, *hosts: HostName) -> bool:
        """Return whether the wall clock of one of ``hosts`` was set wrong."""
        return any(
            fired.event.deviation == "skew-clock" and fired.event.host in hosts
            for fired in self.all(DeviationFired)
        )

    def call_of_request(self, request: RequestId) -> CallId | None:
        """Return the one call that a request id stands for; None for an unknown or ambiguous id."""
        calls = self.calls_by_request.get(request)
        return next(iter(calls)) if calls is not None and len(calls) == 1 else None

    def call_of_card(self, card: Card) -> CallId | None:
        """Return the call that a card is about: as it says itself, else as its request id tells."""
        return card.call or self.call_of_request(card.request)

    def alive_at_end(self, host: HostName) -> bool:
        """Return whether ``host`` is up after the last event."""
        return host not in self.crashes or self.crashes[host][-1] < self.last_restart.get(host, -1)

    def crashed_after(self, host: HostName, seq: int) -> bool:
        """Return whether ``host`` lost power after the event ``seq``."""
        return host in self.crashes and self.crashes[host][-1] > seq

    def crashed_between(self, host: HostName, first_seq: int, last_seq: int) -> bool:
        """Return whether ``host`` lost power between two events."""
        crashes = self.crashes.get(host, ())
        place = bisect_right(crashes, first_seq)
        return place < len(crashes) and crashes[place] < last_seq

    def agent_alive(self, call: CallRecord) -> bool:
        """Return whether a host that made ``call`` is up at the end."""
        return any(self.alive_at_end(called.event.host) for called in call.called)

    def may_be_locked_out(self, person: PersonId) -> bool:
        """Return whether a person's devices may be refused: the standing changed, or a token is bad.

        Where tokens were spoilt, only whoever answered with a good one is known to have one.
        """
        if person in self.standings or person in self.bad_tokens:
            return True
        return self.tokens_spoilt and person not in self.good_tokens

    def _call(self, call: CallId) -> CallRecord:
        record = self.calls.get(call)
        if record is None:
            record = self.calls[call] = CallRecord(call)
        return record

    def _name(self, request: RequestId, call: CallId, seq: int) -> None:
        calls = self.calls_by_request.get(request)
        if calls is None:
            self.calls_by_request[request] = {call: seq}
        elif call not in calls:
            calls[call] = seq

    def _place_calls(self) -> None:
        for called in self.all(ToolCalled):
            self._call(called.event.call).called.append(called)
        for published in self.all(RequestPublished):
            event = published.event
            self._call(event.call).published.append(published)
            self._name(event.request, event.call, published.seq)
            self.first_seen.setdefault(event.request, published.seq)
        quiets = self.all(Quiet)
        self.quiet = quiets[0].seq if quiets else None

    def _place_people_and_hosts(self) -> None:
        for joined in self.all(DeviceJoined):
            self.devices[joined.event.device] = joined.event
        for changed in self.all(StandingChanged):
            self.standings.setdefault(changed.event.person, []).append(changed)
        for crashed in self.all(HostCrashed):
            self.crashes.setdefault(crashed.event.host, []).append(crashed.seq)
        for restarted in self.all(HostRestarted):
            self.last_restart[restarted.event.host] = restarted.seq
        fired = {event.deviation for _, event in self.all(DeviationFired)}
        self.faulted = bool(self.crashes) or not fired <= HARMLESS
        self.tokens_spoilt = "spoil-credential" in fired

    def _place_screens(self) -> None:
        for shown in self.all(ScreenShown):
            for card in shown.event.cards:
                if card.call is not None:
                    self._name(card.request, card.call, shown.seq)
                earlier = self.first_seen.get(card.request)
                if earlier is None or shown.seq < earlier:
                    self.first_seen[card.request] = shown.seq

    def _place_answers(self) -> None:
        for sent in self.all(AnswerSent):
            if sent.event.call is not None and sent.event.request not in self.calls_by_request:
                self._name(sent.event.request, sent.event.call, sent.seq)
        for sent in self.all(AnswerSent):
            answer = AnswerRecord(sent.seq, sent.event)
            flawless = sent.event.credential.defect is Defect.NONE
            (self.good_tokens if flawless else self.bad_tokens).add(sent.event.person)
            self.answers.setdefault(sent.event.answer, answer)
            call = sent.event.call or self.call_of_request(sent.event.request)
            if call is None:
                self.unplaced_answers.append(answer)
            else:
                self._call(call).answers.append(answer)
        for given in self.all(ReceiptGiven):
            asked = self.answers.get(given.event.answer)
            if asked is None:
                self.stray_receipts.append(given)
            else:
                asked.receipts.append(given)

    def _place_what_followed(self) -> None:
        for taken in self.all(DecisionTaken):
            decided = taken.event.call or self.call_of_request(taken.event.request)
            if decided is None:
                self.unplaced_decisions.append(taken)
            else:
                self._call(decided).decisions.append(taken)
        for expired in self.all(RequestExpired):
            ended = expired.event.call or self.call_of_request(expired.event.request)
            if ended is not None:
                self._call(ended).expiries.append(expired)
        self._place_what_is_known_by_call()

    def _place_what_is_known_by_call(self) -> None:
        for entered in self.all(BodyEntered):
            self._call(entered.event.call).bodies.append(entered)
        for executed in self.all(EffectExecuted):
            self._call(executed.event.call).effects.append(executed)
        for reported in self.all(OutcomeReported):
            self._call(reported.event.call).outcomes.append(reported)
        for asked in self.all(CancelRequested):
            self._call(asked.event.call).cancels.append(asked)
        for forged in self.all(ForgerySent):
            self._call(forged.event.call).forgeries.append(forged)
        for confirmed in self.all(CancelConfirmed):
            self._call(confirmed.event.call).confirmations.append(confirmed)

    def _place_last_views(self) -> None:
        for shown in self.all(ScreenShown):
            for card in shown.event.cards:
                record = self.calls.get(self.call_of_card(card) or CallId(""))
                if record is not None and record.first_screen is None:
                    record.first_screen, record.first_card = shown, card
            if self.quiet is not None and shown.seq > self.quiet:
                self.final_screens[shown.event.device] = shown
        for last in self.final_screens.values():
            for card in last.event.cards:
                call = self.call_of_card(card)
                if call is not None:
                    self.final_cards.setdefault(call, []).append((last, card))
        for settled in self.all(SettledShown):
            known = settled.event.call or self.call_of_request(settled.event.request)
            if known is not None:
                self._call(known).settled.append(settled)
