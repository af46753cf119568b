"""What a device shows of what the API answers."""

import asyncio
from collections.abc import Mapping
from typing import Any, Self, cast

import pytest

from adapters.inferable import device
from adapters.inferable.device import ApproverDevice
from adapters.inferable.http_client import Answered
from harness.adapter import Machine, ServicePort
from harness.model import Person, PersonId

CALL = {"context": {"call": "c1", "tool": "publish"}, "targetArgs": {"title": "Hello"}}
LISTED = {
    "/clusters/acme/runs": Answered(200, [{"id": "run1", "status": "paused"}]),
    "/clusters/acme/runs/run1/timeline": Answered(
        200, {"jobs": [{"id": "call1", "approvalRequested": True, "approved": None}]}
    ),
}


def shown(monkeypatch: pytest.MonkeyPatch, call: Answered) -> list[str]:
    """Return the requests on the screen of a device that gets ``call`` when it reads the pending call."""
    answers: Mapping[str, Answered] = {**LISTED, "/clusters/acme/calls/call1": call}

    class Api:
        def __init__(self, port: object, token: str) -> None:
            del port, token

        async def __aenter__(self) -> Self:
            return self

        async def __aexit__(self, *_: object) -> None:
            pass

        async def get(self, path: str) -> Answered:
            return answers[path]

    monkeypatch.setattr(device, "Connection", Api)
    none: Any = None
    ann = Person(PersonId("ann"), "acme", (), lambda: "token")
    screen = ApproverDevice(cast("Machine", none), ann, cast("ServicePort", none), 1)
    return [card.request for card in asyncio.run(screen.pending())]


def test_a_call_that_asks_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, Answered(200, CALL)) == ["call1"]


@pytest.mark.parametrize("status", [401, 404])
def test_a_call_that_its_person_may_no_longer_read_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    assert shown(monkeypatch, Answered(status, {"message": "no"})) == []
