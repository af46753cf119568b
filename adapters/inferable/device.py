"""A person's device: reads the pending calls of their cluster by the API, and answers by it.

Owns the screen. It asks again and again, less often while nothing changes, as an application in the
background does; whoever looks at it has it ask at once. It shows what the API says and remembers the last of
it where the network is gone. It has no way to edit arguments: the API has none.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from harness.adapter import Machine, ServicePort
from harness.model import (
    CallId,
    Card,
    Choice,
    Decision,
    OutcomeStatus,
    Person,
    PersonId,
    Receipt,
    ReceiptStatus,
    RequestId,
    Settled,
)

from .http_client import Answered, Connection, NoAnswerError
from .jobs import CANCELLED_TEXT, EXPIRED_TEXT

ANSWER_PATIENCE_S: Final = 30.0
"""How long a device waits for what became of an answer before it says that it does not know."""
LOOK_PATIENCE_S: Final = 8.0
"""How long somebody who looks at a screen waits for it to be refreshed."""
_SLOWEST: Final = 480
"""While nothing changes, the pauses grow up to so many times the first one, and beyond it"""
_OF_THE_QUIET: Final = 1 / 30
"""up to this part of the time in which nothing changed: a quiet month costs two hundred looks."""


class ApproverDevice:
    """One device; ``pace_s`` is its shortest pause between two looks."""

    def __init__(self, machine: Machine, person: Person, port: ServicePort, pace_s: float) -> None:
        self._machine = machine
        self._person = person
        self._port = port
        self._pace_s = pace_s
        self._cards: dict[str, Card] = {}
        self._shown: tuple[Card, ...] = ()
        self._is_fresh = False
        self.looking = 0
        """How many looks at this screen are under way."""

    def join(self) -> None:
        """Begin to watch; from now on the world is told when the screen changed."""
        self._machine.observe.screen_changed()
        self._machine.host.spawn(self._watch(), name="watch")

    async def pending(self) -> Sequence[Card]:
        """Return what waits for an answer, as the API says now or, without a network, last said."""
        if not self._is_fresh:
            try:
                async with self._look():
                    self._shown = await self._read()
            except (NoAnswerError, TimeoutError):
                return self._shown
        self._is_fresh = False
        return self._shown

    async def respond(self, request: RequestId, decision: Decision) -> Receipt:
        """Answer by the API; without an answer to that, its fate is unknown."""
        body = {"approved": decision.choice is Choice.APPROVED, "reason": decision.reason}
        try:
            async with asyncio.timeout(ANSWER_PATIENCE_S), self._connection() as api:
                return _receipt(await api.post(f"{self._cluster}/calls/{request}/approval", body))
        except (NoAnswerError, TimeoutError) as error:
            return Receipt(ReceiptStatus.UNKNOWN, note=str(error))

    async def settled(self, request: RequestId) -> Settled | None:
        """Return how a call stands, None where the API does not say."""
        try:
            async with self._look(), self._connection() as api:
                answered = await api.get(f"{self._cluster}/calls/{request}")
        except (NoAnswerError, TimeoutError):
            return None
        return _settled(answered.body) if answered.status == 200 else None  # noqa: PLR2004 - OK

    @asynccontextmanager
    async def _look(self) -> AsyncIterator[None]:
        self.looking += 1
        try:
            async with asyncio.timeout(LOOK_PATIENCE_S):
                yield
        finally:
            self.looking -= 1

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        pause_s, changed_s = self._pace_s, loop.time()
        while True:
            try:
                shown = await self._read()
            except NoAnswerError:
                shown = self._shown
            if shown != self._shown:
                self._shown, self._is_fresh = shown, True
                self._machine.observe.screen_changed()
                pause_s, changed_s = self._pace_s, loop.time()
            await asyncio.sleep(pause_s)
            quiet_s = loop.time() - changed_s
            pause_s = min(2 * pause_s, max(_SLOWEST * self._pace_s, _OF_THE_QUIET * quiet_s))

    async def _read(self) -> tuple[Card, ...]:
        async with self._connection() as api:
            return tuple([card async for card in self._asked(api)])

    async def _asked(self, api: Connection) -> AsyncIterator[Card]:
        """Go through the runs that are paused, and their calls that ask."""
        runs = await api.get(f"{self._cluster}/runs")
        for run in runs.body if runs.status == 200 else ():  # noqa: PLR2004 - OK
            if run["status"] != "paused":
                continue
            timeline = await api.get(f"{self._cluster}/runs/{run['id']}/timeline")
            for job in timeline.body["jobs"] if timeline.status == 200 else ():  # noqa: PLR2004 - OK
                asks = job["approvalRequested"] and job["approved"] is None
                if asks and (card := await self._card(api, job["id"])) is not None:
                    yield card

    async def _card(self, api: Connection, job_id: str) -> Card | None:
        """Return what a call asks, None to somebody who may no longer read it."""
        if job_id not in self._cards:
            answered = await api.get(f"{self._cluster}/calls/{job_id}")
            if answered.status != 200:  # noqa: PLR2004 - OK
                return None
            job, context = answered.body, answered.body["context"]
            call = CallId(context["call"])
            self._cards[job_id] = Card(RequestId(job_id), context["tool"], job["targetArgs"], call)
        return self._cards[job_id]

    def _connection(self) -> Connection:
        return Connection(self._port, self._person.fresh_token())

    @property
    def _cluster(self) -> str:
        return f"/clusters/{self._person.tenant}"


_RECEIPTS: Final[Mapping[int, ReceiptStatus]] = {
    204: ReceiptStatus.SENT,
    401: ReceiptStatus.UNAUTHORISED,
    404: ReceiptStatus.UNKNOWN_REQUEST,
}
"""What a status means where the body says nothing of a receipt: an empty success claims nothing."""


def _receipt(answered: Answered) -> Receipt:
    if answered.status != 200:  # noqa: PLR2004 - OK
        note = "" if answered.body is None else str(answered.body.get("message", ""))
        return Receipt(_RECEIPTS.get(answered.status, ReceiptStatus.INVALID), note=note)
    told = answered.body
    return Receipt(
        ReceiptStatus(told["status"]),
        None if told["winner"] is None else PersonId(told["winner"]),
        None if told["choice"] is None else Choice(told["choice"]),
        told["note"],
    )


def _settled(call: Mapping[str, Any]) -> Settled:
    decision = call["decision"] or {}
    by = decision.get("person")
    return Settled(_status(call), _choice(call), None if by is None else PersonId(by))


def _choice(call: Mapping[str, Any]) -> Choice | None:
    if call["approved"] is None:
        return None
    return Choice.APPROVED if call["approved"] else Choice.REJECTED


def _status(call: Mapping[str, Any]) -> OutcomeStatus:
    message = call["result"].get("message") if isinstance(call["result"], dict) else None
    if call["resultType"] == "resolution":
        return OutcomeStatus.EXECUTED
    if call["approved"] is False:
        return OutcomeStatus.REJECTED
    if message == CANCELLED_TEXT:
        return OutcomeStatus.CANCELLED
    if message == EXPIRED_TEXT:
        return OutcomeStatus.EXPIRED
    failed = call["resultType"] == "rejection" and call["result"].get("name") != "OutcomeUnknown"
    return OutcomeStatus.FAILED if failed else OutcomeStatus.UNKNOWN
