"""A control plane in a test's hand: requests as its clients send them, a clock, and what it reported.

Owns nothing of what is tested. Tokens are the identity provider's, keys are those of machines.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from adapters.inferable.plane import NS_PER_S, Pace, Plane, Reply
from adapters.inferable.rights import key_of
from adapters.inferable.rulings import HardenedRulings, VendorRulings
from adapters.inferable.store import Store
from harness.adapter import Identity, Standing
from harness.http.values import Request
from harness.identity import IdentityProvider
from harness.model import Arguments, CallId, Choice, DeviceId, PersonId, RequestId, Role
from harness.plan import DeviceSpec, PersonSpec

CLUSTER: Final = "acme"
SERVICE: Final = "publish"
PEOPLE: Final = tuple(
    PersonSpec(PersonId(name), Role(role), (DeviceSpec(DeviceId(f"{name}-phone")),))
    for name, role in (("ann", "publisher"), ("bob", "admin"), ("eve", "editor"))
)
_EPOCH_S: Final = 1_700_000_000


@dataclass(slots=True)
class Seen:
    """What the control plane reported."""

    published: list[str] = field(default_factory=list)
    decisions: list[tuple[str, Choice]] = field(default_factory=list)
    expired: list[str] = field(default_factory=list)

    def request_published(self, request: RequestId, call: CallId, arguments: Arguments) -> None:
        """Note a request."""
        del call, arguments
        self.published.append(request)

    def decision_taken(self, request: RequestId, choice: Choice, **more: object) -> None:
        """Note a decision."""
        del more
        self.decisions.append((request, choice))

    def request_expired(self, request: RequestId, *, call: CallId | None = None) -> None:
        """Note an expiry."""
        del call
        self.expired.append(request)

    def screen_changed(self) -> None:
        """Never happens here."""

    def adapter_failed(self, where: str, error: str) -> None:
        """Fail the test."""
        raise AssertionError(f"{where}: {error}")


@dataclass(frozen=True, slots=True)
class Known:
    """The identity provider's directory."""

    provider: IdentityProvider

    def verify(self, token: str) -> Identity:
        """Return whom a token speaks for."""
        return self.provider.verify(token, _EPOCH_S)

    def standing(self, person: PersonId) -> Standing | None:
        """Return the record of a person."""
        return self.provider.standing(person)


class Bench:
    """One control plane; each client has a connection of its own, by its name."""

    def __init__(self, path: Path, *, hardened: bool) -> None:
        self.path = path
        self.hardened = hardened
        self.provider = IdentityProvider(PEOPLE, {}, _EPOCH_S)
        self.seen = Seen()
        self.now_ns = 0
        self.replies: dict[str, Reply] = {}
        self._connections: dict[str, int] = {}
        self.plane = self._made()

    def _made(self) -> Plane:
        rulings = HardenedRulings() if self.hardened else VendorRulings()
        pace = Pace(long_poll_ns=20 * NS_PER_S, retry_after_s=1)
        return Plane(Store(self.path), rulings, pace, Known(self.provider), self.seen)

    def killed_and_started_again(self) -> None:
        """Lose everything but the file."""
        self.plane.store.close()
        self.replies.clear()
        self.plane = self._made()

    def close(self) -> None:
        """Close the file."""
        self.plane.store.close()

    def later(self, seconds: float) -> None:
        """Let time pass, deadline by deadline."""
        end_ns = self.now_ns + int(seconds * NS_PER_S)
        while (due_ns := self.plane.next_deadline_ns()) is not None and due_ns <= end_ns:
            self.now_ns = max(self.now_ns, due_ns)
            self._took(self.plane.tick(self.now_ns))
        self.now_ns = end_ns

    # -- machines

    def register(self, retries: int = 0, timeout_s: float = 30) -> None:
        """Register the one service."""
        config = {"retryCountOnStall": retries, "timeoutSeconds": timeout_s}
        body = {"service": SERVICE, "functions": [{"name": SERVICE, "config": config}]}
        assert self.machine("w0", "POST", "/machines", body) == (200, {"clusterId": CLUSTER})

    def machine(self, name: str, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Send a request as a machine and return its answer."""
        headers = {"authorization": key_of(CLUSTER), "x-machine-id": name}
        return self._answer(name, method, path, headers, body)

    def poll(self, name: str) -> list[dict[str, Any]]:
        """Poll and return the calls that come at once."""
        path = f"/clusters/{CLUSTER}/calls?service={SERVICE}&acknowledge=true&limit=10"
        headers = {"authorization": key_of(CLUSTER), "x-machine-id": name}
        self._send(name, "GET", path, headers, None)
        return self.polled(name)

    def polled(self, name: str) -> list[dict[str, Any]]:
        """Return the calls that a machine's poll was answered with by now."""
        reply = self.replies.pop(name, None)
        calls: list[dict[str, Any]] = [] if reply is None else json.loads(reply.response.body)
        return calls

    def ask(self, name: str, call: str) -> None:
        """Return the approval request from the function."""
        self.result(name, call, "interrupt", {"type": "approval"})

    def result(self, name: str, call: str, kind: str = "resolution", result: object = "done") -> None:
        """Send the result of a function."""
        path = f"/clusters/{CLUSTER}/calls/{call}/result"
        told = self.machine(f"{name}", "POST", path, {"result": result, "resultType": kind, "meta": {}})
        assert told == (204, None)

    # -- callers

    def start(self, call: str, deadline_ns: int | None = None, quorum: int = 1) -> str:
        """Start a run and return the id of its call."""
        policy = {"minimum_role": "publisher", "quorum": quorum}
        context = {"call": call, "tool": "publish", "session": "main", "tenant": CLUSTER}
        context |= {"requester": None, "deadline_ns": deadline_ns, "policy": policy}  # type: ignore[dict-item]
        body = {
            "attachedFunctions": [{"service": SERVICE, "function": SERVICE}],
            "input": {"post": call},
            "context": context,
            "metadata": {"call": call},
        }
        status, run = self.machine("backend", "POST", f"/clusters/{CLUSTER}/runs", body)
        assert status == 201
        timeline = self.machine("backend", "GET", f"/clusters/{CLUSTER}/runs/{run['id']}/timeline")[1]
        job: str = timeline["jobs"][0]["id"]
        return job

    def cancel(self, call: str) -> tuple[int, Any]:
        """Cancel a call."""
        return self.machine("backend", "POST", f"/clusters/{CLUSTER}/calls/{call}/cancel")

    def read(self, call: str) -> dict[str, Any]:
        """Return a call as the API shows it."""
        status, body = self.machine("backend", "GET", f"/clusters/{CLUSTER}/calls/{call}")
        assert status == 200
        record: dict[str, Any] = body
        return record

    # -- people

    def answer(self, person: str, call: str, *, approved: bool = True) -> tuple[int, Any]:
        """Answer a call with a person's token."""
        token = self.provider.token(PersonId(person))
        path = f"/clusters/{CLUSTER}/calls/{call}/approval"
        headers = {"authorization": f"Bearer {token}"}
        return self._answer(person, "POST", path, headers, {"approved": approved})

    # -- the wire

    def _answer(
        self, name: str, method: str, path: str, headers: Mapping[str, str], body: object
    ) -> tuple[int, Any]:
        connection = f"{name} asks"
        self._send(connection, method, path, headers, body)
        response = self.replies.pop(connection).response
        return response.status, json.loads(response.body) if response.body else None

    def _send(self, name: str, method: str, path: str, headers: Mapping[str, str], body: object) -> None:
        number = self._connections.setdefault(name, len(self._connections) + 1)
        place, _, query = path.partition("?")
        parts = tuple(place.removeprefix("/").split("/"))
        pairs = dict(pair.split("=") for pair in query.split("&")) if query else {}
        content = b"" if body is None else json.dumps(body).encode()
        self._took(self.plane.request(number, Request(method, parts, pairs, headers, content), self.now_ns))

    def _took(self, replies: tuple[Reply, ...]) -> None:
        names = {number: name for name, number in self._connections.items()}
        for reply in replies:
            self.replies[names[reply.connection]] = reply
