"""Rules about what players are shown of a race."""

from harness.model import (
    AnswerId,
    CallId,
    Card,
    Choice,
    DeviceId,
    HostName,
    OutcomeStatus,
    PersonId,
    ReceiptStatus,
    RequestId,
)
from harness.trace import (
    AnswerSent,
    Credential,
    DecisionTaken,
    EffectExecuted,
    Event,
    OutcomeReported,
    ReceiptGiven,
    ScreenShown,
)
from harness.watch.play_pages import PlayPages
from harness.watch.rounds import Round
from harness.watch.table import empty_round

C1, R1, AGENT = CallId("c1"), RequestId("r1"), HostName("agent")
CARD = Card(R1, "publish", {"title": "Hello"})


def shown(person: str, *cards: Card) -> Event:
    device = DeviceId(f"{person}-phone")
    return ScreenShown(0, HostName(device), device, PersonId(person), cards)


def pressed(person: str, choice: Choice = Choice.APPROVED) -> Event:
    device, who = DeviceId(f"{person}-phone"), PersonId(person)
    answer = AnswerId(f"of {person}")
    credential = Credential(who, None, "acme")
    return AnswerSent(0, HostName(device), answer, R1, C1, who, device, choice, credential)


def receipt(person: str, status: ReceiptStatus, winner: str | None = None) -> Event:
    by = None if winner is None else PersonId(winner)
    choice = None if winner is None else Choice.APPROVED
    return ReceiptGiven(0, HostName(f"{person}-phone"), AnswerId(f"of {person}"), status, by, choice)


def decided(person: str) -> Event:
    return DecisionTaken(0, AGENT, R1, C1, Choice.APPROVED, PersonId(person))


ENDED = OutcomeReported(0, AGENT, C1, 1, OutcomeStatus.EXECUTED)


def played(*events: Event) -> Round:
    made = empty_round()
    for event in (shown("alice", CARD), shown("bob", CARD), *events):
        made.apply(event)
    return made


def test_a_round_is_settled_once_nothing_is_left_to_press_or_to_be_told() -> None:
    events = [
        pressed("alice"),
        decided("alice"),
        ENDED,
        receipt("alice", ReceiptStatus.DECIDED),
        shown("alice"),
    ]
    assert not played(*events).settled
    assert played(*events, shown("bob")).settled
    late = [*events, pressed("bob"), shown("bob")]
    assert not played(*late).settled
    assert played(*late, receipt("bob", ReceiptStatus.ALREADY_DECIDED)).settled


def test_the_loser_is_told_who_won() -> None:
    done = played(pressed("bob"), receipt("bob", ReceiptStatus.ALREADY_DECIDED, winner="alice"))
    assert done.shown_on(DeviceId("bob-phone"))["told"] == "Too late: Alice had approved it."
    assert done.shown_on(DeviceId("alice-phone"))["told"] == ""


def test_two_decisions_are_called_what_they_are() -> None:
    assert played(decided("alice")).headline == "Alice won: approved."
    assert played().headline == "Nobody decided."
    twice = played(decided("alice"), decided("bob"), EffectExecuted(0, AGENT, C1, 2, {}))
    assert twice.headline == "2 answers decided, where one may: Alice approved, then Bob approved."
    assert twice.executions == 2


def test_what_makes_no_sense_changes_nothing() -> None:
    pages = PlayPages({})
    before = pages.view("table")
    for record in (
        {"do": "start", "adapter": "nobody", "network": "slow"},
        {"do": "start", "adapter": 7},
        {"do": "end"},
        {"do": "approve", "request": "r1"},
        {},
    ):
        pages.said("table", record)
        pages.said("alice-phone", record)
    assert pages.view("table") == before
    assert pages.view("mallory-phone") is None
    assert pages.document("../board.py") is None
