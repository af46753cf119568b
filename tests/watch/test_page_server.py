"""Rules about who is let in and what a page is sent, at the level of bytes."""

import json
from collections.abc import Mapping

import h11
import pytest
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State

from harness.ably.server import CloseSocket, Output, Write
from harness.watch.gate import Gate
from harness.watch.page_server import PageServer
from harness.watch.pages import Document, Record, svg

GATE = Gate("s3cret", 4000)
HOST = "127.0.0.1:4000"


class TwoPages:
    """Pages with a topic, a picture, and an ear."""

    def __init__(self) -> None:
        self.count = 0
        self.heard: list[Record] = []
        self.sizes: Mapping[str, int] = {}

    def document(self, name: str) -> Document | None:
        return {"": Document(b"<p>hello", "text/html"), "p.svg": svg("<svg/>")}.get(name)

    def view(self, topic: str) -> Record | None:
        return {"count": self.count, "text": "a\u202eb</script>"} if topic == "counts" else None

    def said(self, topic: str, record: Record) -> None:
        self.heard.append({"topic": topic, **record})

    def audience(self, sizes: Mapping[str, int]) -> None:
        self.sizes = sizes


@pytest.fixture
def pages() -> TwoPages:
    return TwoPages()


@pytest.fixture
def server(pages: TwoPages) -> PageServer:
    made = PageServer(pages)
    made.gate = GATE
    return made


def written(outputs: tuple[Output, ...]) -> bytes:
    return b"".join(it.data for it in outputs if isinstance(it, Write))


def asked(server: PageServer, target: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Return the status, the headers and the body of the answer to a GET."""
    client = h11.Connection(h11.CLIENT)
    lines = {"Host": HOST, **headers}
    request = h11.Request(method="GET", target=target, headers=[*lines.items()])
    sent = (client.send(request) or b"") + (client.send(h11.EndOfMessage()) or b"")
    client.receive_data(written(server.received(server.opened(0), sent, 0)))
    answer = client.next_event()
    assert isinstance(answer, h11.Response)
    body = client.next_event()
    names = {name.decode().lower(): value.decode() for name, value in answer.headers}
    return answer.status_code, names, bytes(body.data) if isinstance(body, h11.Data) else b""


UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


def opened(server: PageServer, target: str, **headers: str) -> tuple[int, bytes]:
    """Return the session of a WebSocket that was asked for, and the bytes of the answer."""
    lines = {"Host": HOST, "Origin": f"http://{HOST}", **UPGRADE, **headers}
    head = f"GET {target} HTTP/1.1\r\n" + "".join(f"{it}: {lines[it]}\r\n" for it in lines if lines[it])
    session = server.opened(0)
    return session, written(server.received(session, f"{head}\r\n".encode(), 0))


def views(data: bytes) -> list[dict[str, object]]:
    """Return what frames to a client carry."""
    client = Protocol(Side.CLIENT, state=State.OPEN)
    client.receive_data(data)
    frames = [it for it in client.events_received() if isinstance(it, Frame) and it.opcode is Opcode.TEXT]
    return [json.loads(bytes(it.data)) for it in frames]


def said(server: PageServer, session: int, data: bytes, opcode: Opcode = Opcode.TEXT) -> tuple[Output, ...]:
    return server.received(session, Frame(opcode, data).serialize(mask=True), 0)


def test_the_page_is_sent_to_who_has_the_token(server: PageServer) -> None:
    status, headers, body = asked(server, "/s3cret/")
    assert (status, body) == (200, b"<p>hello")
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("target", ["/", "/s3cre/", "/s3cret0/", "/S3CRET/", "//s3cret/", "/%00/", "/é/"])
def test_without_the_token_nothing_is_sent(server: PageServer, target: str) -> None:
    status, _, body = asked(server, target.replace("é", "%C3%A9"))
    assert (status, b"token" in body) == (403, True)


@pytest.mark.parametrize("host", ["evil.example:4000", "127.0.0.1", "127.0.0.1:4001", "localhost.evil:4000"])
def test_under_another_name_nothing_is_sent(server: PageServer, host: str) -> None:
    assert asked(server, "/s3cret/", Host=host)[0] == 403


def test_a_page_of_another_origin_is_refused(server: PageServer) -> None:
    assert asked(server, "/s3cret/", Origin="http://evil.example")[0] == 403
    assert asked(server, "/s3cret/", Origin=f"http://{HOST}")[0] == 200


@pytest.mark.parametrize(
    "origin", ["", "null", "http://evil.example", f"https://{HOST}", "http://localhost:4000"]
)
def test_a_feed_is_opened_only_by_a_page_of_this_server(server: PageServer, origin: str) -> None:
    _, answer = opened(server, "/s3cret/feed/counts", Origin=origin)
    assert answer.startswith(b"HTTP/1.1 403")


def test_a_feed_needs_the_token_and_a_topic_that_exists(server: PageServer) -> None:
    assert opened(server, "/wrong/feed/counts")[1].startswith(b"HTTP/1.1 403")
    assert opened(server, "/s3cret/feed/other")[1].startswith(b"HTTP/1.1 404")
    assert opened(server, "/s3cret/counts")[1].startswith(b"HTTP/1.1 404")


def test_a_page_is_sent_its_view_and_again_only_where_it_differs(server: PageServer, pages: TwoPages) -> None:
    _, answer = opened(server, "/s3cret/feed/counts")
    head, _, frames = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101")
    assert [it["count"] for it in views(frames)] == [0]
    assert server.refresh() == ()
    pages.count = 7
    assert [it["count"] for it in views(written(server.refresh()))] == [7]


def test_what_turns_the_direction_of_text_does_not_reach_a_page(server: PageServer) -> None:
    _, answer = opened(server, "/s3cret/feed/counts")
    (view,) = views(answer.partition(b"\r\n\r\n")[2])
    assert view["text"] == "a\ufffdb</script>"


def test_the_audience_of_a_topic_is_counted(server: PageServer, pages: TwoPages) -> None:
    first, _ = opened(server, "/s3cret/feed/counts")
    opened(server, "/s3cret/feed/counts")
    assert pages.sizes == {"counts": 2}
    server.lost(first, 0)
    assert pages.sizes == {"counts": 1}


def test_a_page_says_one_object_at_a_time(server: PageServer, pages: TwoPages) -> None:
    session, _ = opened(server, "/s3cret/feed/counts")
    said(server, session, b'{"do": "end"}')
    assert pages.heard == [{"topic": "counts", "do": "end"}]


@pytest.mark.parametrize(
    ("data", "opcode"),
    [
        (b"not JSON", Opcode.TEXT),
        (b"[]", Opcode.TEXT),
        (b"[" * 4000, Opcode.TEXT),
        (b'{"do": "end"}', Opcode.BINARY),
        (b'{"do": "' + b"x" * 5000 + b'"}', Opcode.TEXT),
        (b"\xff\xfe", Opcode.TEXT),
    ],
    ids=["no JSON", "no object", "deep", "binary", "long", "no UTF-8"],
)
def test_what_no_page_of_ours_says_ends_the_socket_unheard(
    server: PageServer, pages: TwoPages, data: bytes, opcode: Opcode
) -> None:
    session, _ = opened(server, "/s3cret/feed/counts")
    client = Protocol(Side.CLIENT, state=State.OPEN)
    client.receive_data(written(said(server, session, data, opcode)))
    assert client.close_rcvd is not None
    assert pages.heard == []


def test_a_picture_opened_by_itself_runs_nothing(server: PageServer) -> None:
    _, headers, _ = asked(server, "/s3cret/p.svg")
    assert headers["content-type"].startswith("image/svg+xml")
    assert headers["content-security-policy"].endswith("sandbox")
    assert "script-src" not in headers["content-security-policy"]


def test_who_never_finishes_a_request_is_cut_off(server: PageServer) -> None:
    session = server.opened(0)
    server.received(session, b"GET /s3cret/ HTTP/1.1\r\n", 0)
    due_ns = server.next_deadline_ns()
    assert due_ns is not None
    assert CloseSocket(session) in server.tick(due_ns)
    assert server.next_deadline_ns() is None


def test_only_reading_is_served(server: PageServer) -> None:
    session = server.opened(0)
    data = f"POST /s3cret/ HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 0\r\n\r\n"
    assert written(server.received(session, data.encode(), 0)).startswith(b"HTTP/1.1 405")
