import asyncio
import json
from dataclasses import dataclass, field

from adapters.ai_transport.ingress import Connection, Ingress


@dataclass
class Wire(asyncio.Transport):
    """What a connection wrote, and whether it was closed."""

    sent: bytes = b""
    closed: bool = False
    extra: dict[str, object] = field(default_factory=dict)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += bytes(data)

    def close(self) -> None:
        self.closed = True


@dataclass
class Client:
    """One connection to the endpoint, with its end in the test's hand."""

    ingress: Ingress
    wire: Wire = field(default_factory=Wire)

    def __post_init__(self) -> None:
        made = self.ingress.connection()
        assert isinstance(made, Connection)
        self.connection = made
        self.connection.connection_made(self.wire)

    def ask(self, method: str, target: str, body: str = "") -> None:
        head = f"{method} {target} HTTP/1.1\r\nHost: here\r\nContent-Length: {len(body)}\r\n\r\n"
        self.connection.data_received((head + body).encode())

    def answer(self) -> tuple[int, object]:
        """The one answer that came since the last look."""
        head, _, body = self.wire.sent.partition(b"\r\n\r\n")
        self.wire.sent = b""
        return int(head.split()[1]), json.loads(body)


def post(ingress: Ingress, agent: str, invocation: object) -> int:
    client = Client(ingress)
    client.ask("POST", f"/agents/{agent}/invocations", json.dumps(invocation))
    return client.answer()[0]


def test_an_agent_that_waits_is_handed_an_invocation_when_it_comes() -> None:
    ingress = Ingress()
    agent = Client(ingress)
    agent.ask("GET", "/agents/agent/invocations?done=0")
    assert agent.wire.sent == b""
    assert post(ingress, "agent", {"inputEventId": "e1"}) == 202
    assert agent.answer() == (200, {"number": 1, "invocation": {"inputEventId": "e1"}})


def test_invocations_come_in_order_and_each_once_while_they_are_taken() -> None:
    ingress = Ingress()
    for name in ("e1", "e2"):
        post(ingress, "agent", name)
    agent = Client(ingress)
    agent.ask("GET", "/agents/agent/invocations?done=0")
    assert agent.answer() == (200, {"number": 1, "invocation": "e1"})
    agent.ask("GET", "/agents/agent/invocations?done=1")
    assert agent.answer() == (200, {"number": 2, "invocation": "e2"})
    agent.ask("GET", "/agents/agent/invocations?done=2")
    assert agent.wire.sent == b""


def test_an_invocation_whose_taking_was_not_said_is_handed_out_again() -> None:
    ingress = Ingress()
    post(ingress, "agent", "e1")
    first = Client(ingress)
    first.ask("GET", "/agents/agent/invocations?done=0")
    first.connection.connection_lost(None)
    second = Client(ingress)
    second.ask("GET", "/agents/agent/invocations?done=0")
    assert second.answer() == first.answer()


def test_what_comes_while_the_agent_is_away_waits_for_it() -> None:
    ingress = Ingress()
    gone = Client(ingress)
    gone.ask("GET", "/agents/agent/invocations?done=0")
    gone.connection.connection_lost(None)
    post(ingress, "agent", "e1")
    back = Client(ingress)
    back.ask("GET", "/agents/agent/invocations?done=0")
    assert back.answer() == (200, {"number": 1, "invocation": "e1"})
    assert gone.wire.sent == b""


def test_every_agent_gets_its_own_invocations() -> None:
    ingress = Ingress()
    post(ingress, "agent-2", "for the other")
    agent = Client(ingress)
    agent.ask("GET", "/agents/agent/invocations?done=0")
    assert agent.wire.sent == b""


def test_what_is_no_invocation_is_refused_and_said_so() -> None:
    for method, target, body, status in (
        ("POST", "/agents/agent/invocations", "{", 400),
        ("GET", "/agents/agent/invocations?done=soon", "", 404),
        ("DELETE", "/agents/agent/invocations", "", 404),
        ("GET", "/", "", 404),
    ):
        client = Client(Ingress())
        client.ask(method, target, body)
        assert client.answer()[0] == status, (method, target)


def test_bytes_that_are_no_http_end_the_connection() -> None:
    client = Client(Ingress())
    client.connection.data_received(b"\x16\x03\x01 hello\r\n\r\n")
    assert client.wire.sent.startswith(b"HTTP/1.1 400")
    assert client.wire.closed
