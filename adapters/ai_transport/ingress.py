"""The application's endpoint that wakes agents: an HTTP server from which agents fetch invocations.

Owns the invocations that wait. A client POSTs one to ``/agents/NAME/invocations`` and is told 202; the agent
GETs the next, with the number of the last one that it took. What was handed out and not taken is handed out
again on the agent's next connection, as a queue that delivers at least once does. So a wake-up is lost with
the client's connection or the agent that took it, doubled by a connection that breaks in between, and late
with its link.

Invariant: an agent gets its invocations in the order in which they came, and holds at most one question open.
"""

import asyncio
import json
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from harness.http.server_side import HttpSide, RequestRefusedError, Upgrade
from harness.http.values import Request, Response

_JSON: Final = (("Content-Type", "application/json"),)


@dataclass(slots=True)
class Queue:
    """The invocations of one agent that it has not taken yet, and the connection that asks for the next."""

    waiting: deque[tuple[int, object]] = field(default_factory=deque)
    asking: "Connection | None" = None
    last: int = 0

    def put(self, invocation: object) -> None:
        """Keep an invocation until the agent has taken it."""
        self.last += 1
        self.waiting.append((self.last, invocation))
        self.hand_out()

    def ask(self, connection: "Connection", done: int) -> None:
        """Note that all up to ``done`` were taken, and answer ``connection`` when there is another one."""
        while self.waiting and self.waiting[0][0] <= done:
            self.waiting.popleft()
        self.asking = connection
        self.hand_out()

    def hand_out(self) -> None:
        """Answer the question that is open, where there is something to say."""
        if self.asking is None or not self.waiting:
            return
        number, invocation = self.waiting[0]
        connection, self.asking = self.asking, None
        connection.answer(_json(200, {"number": number, "invocation": invocation}))


@dataclass(slots=True)
class Ingress:
    """The endpoint of one run."""

    queues: dict[str, Queue] = field(default_factory=dict)

    def connection(self) -> asyncio.Protocol:
        """Return the protocol of a new connection."""
        return Connection(self)

    def queue(self, agent: str) -> Queue:
        """Return the queue of an agent, which need not be there yet."""
        return self.queues.setdefault(agent, Queue())


class Connection(asyncio.Protocol):
    """One connection to the endpoint."""

    def __init__(self, ingress: Ingress) -> None:
        self._ingress = ingress
        self._http = HttpSide()
        self._transport: asyncio.Transport | None = None
        self._asked: Queue | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a question that nobody waits for any more."""
        del exc
        self._transport = None
        if self._asked is not None and self._asked.asking is self:
            self._asked.asking = None

    def data_received(self, data: bytes) -> None:
        """Read what came and serve the requests that are whole."""
        self._http.feed(data)
        self._serve()

    def answer(self, response: Response) -> None:
        """Answer the request that was handed out last, and close where the client does not go on."""
        if self._transport is None:
            return
        self._transport.write(self._http.respond(response))
        if not self._http.keep_alive:
            self._transport.close()

    def _serve(self) -> None:
        try:
            request, interim = self._http.next_request()
        except RequestRefusedError as refusal:
            self.answer(refusal.response)
            return
        if interim and self._transport is not None:
            self._transport.write(interim)
        if request is not None:
            self._route(request.request if isinstance(request, Upgrade) else request)

    def _route(self, request: Request) -> None:
        match request.method, request.path:
            case "POST", ("agents", agent, "invocations"):
                self._post(agent, request.body)
            case "GET", ("agents", agent, "invocations") if request.query.get("done", "0").isdecimal():
                self._asked = self._ingress.queue(agent)
                self._asked.ask(self, int(request.query.get("done", "0")))
            case _:
                self.answer(_json(404, {"error": "POST or GET /agents/NAME/invocations?done=NUMBER"}))

    def _post(self, agent: str, body: bytes) -> None:
        try:
            invocation = json.loads(body)
        except ValueError:
            self.answer(_json(400, {"error": "the body is no JSON"}))
            return
        self._ingress.queue(agent).put(invocation)
        self.answer(_json(202, {}))


def _json(status: int, record: object) -> Response:
    return Response(status, _JSON, json.dumps(record).encode())
