"""A person's page of the webhook's endpoint: a list that follows it, and two buttons.

Owns one device. It watches the list by requests that are answered when it changes; a click is one request.

Invariant: the page shows what the endpoint last said; a click whose response is lost is unknown.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from harness.adapter import Machine, ServicePort
from harness.model import (
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

from .channel import card_of
from .endpoint import DECIDED, NO_TOKEN, OK, UNKNOWN
from .http_client import ExchangeError, exchange

RETRY_S: Final = 1.0
WATCH_S: Final = 3_600.0
"""How long one request for news may wait."""
CLICK_S: Final = 30.0
_CHOICES: Final = {"approved": Choice.APPROVED, "denied": Choice.REJECTED}
_REFUSALS: Final = {NO_TOKEN: ReceiptStatus.UNAUTHORISED, UNKNOWN: ReceiptStatus.UNKNOWN_REQUEST}


class ClickerDevice:
    """One device of one person."""

    def __init__(self, machine: Machine, person: Person, port: ServicePort) -> None:
        self._machine = machine
        self._person = person
        self._port = port
        self._cards: dict[RequestId, Card] = {}
        self._decided: dict[RequestId, Any] = {}

    def join(self) -> None:
        """Begin to watch the list."""
        self._machine.host.spawn(self._watch())

    async def pending(self) -> Sequence[Card]:
        """Return the list."""
        return tuple(self._cards.values())

    async def settled(self, request: RequestId) -> Settled | None:
        """Return what was decided; whether the tool ran, the endpoint does not know."""
        decided = self._decided.get(request)
        if decided is None:
            return None
        choice = _CHOICES[decided["status"]]
        status = OutcomeStatus.REJECTED if choice is Choice.REJECTED else OutcomeStatus.UNKNOWN
        return Settled(status, choice, PersonId(decided["approver_id"]))

    async def respond(self, request: RequestId, decision: Decision) -> Receipt:
        """Click; the response says what became of it."""
        if decision.arguments is not None:
            return Receipt(ReceiptStatus.INVALID, note="the protocol carries no edits: approve or deny")
        choice = "approved" if decision.choice is Choice.APPROVED else "denied"
        click = {"request_id": request, "status": choice, "reason": decision.reason}
        try:
            async with asyncio.timeout(CLICK_S):
                status, body = await self._ask("POST", "/decide", click)
        except (ExchangeError, TimeoutError) as error:
            return Receipt(ReceiptStatus.UNKNOWN, note=str(error))
        if status in (OK, DECIDED):
            winner = PersonId(body["approver_id"])
            told = ReceiptStatus.DECIDED if status == OK else ReceiptStatus.ALREADY_DECIDED
            return Receipt(told, winner, _CHOICES[body["status"]])
        return Receipt(_REFUSALS.get(status, ReceiptStatus.INVALID), note=body["error"])

    async def _ask(self, method: str, target: str, body: object = None) -> tuple[int, Any]:
        token = self._person.fresh_token()
        return await exchange(await self._port.address(), method, target, body, token=token)

    async def _watch(self) -> None:
        version = ""
        while True:
            try:
                async with asyncio.timeout(WATCH_S):
                    status, body = await self._ask("GET", f"/requests?since={version}")
            except TimeoutError:
                continue
            except ExchangeError:
                await asyncio.sleep(RETRY_S)
                continue
            if status != OK:
                return
            version = str(body["version"])
            self._cards = {card.request: card for card in map(card_of, body["pending"])}
            self._decided = {RequestId(request): it for request, it in body["decided"].items()}
            self._machine.observe.screen_changed()
