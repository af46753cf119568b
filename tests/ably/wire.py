"""A world for protocol tests: a sans-IO server, a clock that tests move, and clients made of bytes."""

import hmac
import json
from base64 import b64encode, urlsafe_b64encode
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urlencode

from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side

from harness.ably.actions import Action
from harness.ably.apps import AppConfig, ServerOptions
from harness.ably.codec import Format, decode, encode
from harness.ably.keys import Key
from harness.ably.server import CloseSocket, Output, Server
from harness.channel.capability import Capability
from harness.channel.rules import PERSISTED_MS, ChannelRule, ChannelRules

NS_PER_S: Final = 1_000_000_000
START_NS: Final = 1_700_000_000 * NS_PER_S
KEY: Final = Key("app", "root", "a_secret")
READER: Final = Key("app", "reader", "another_secret", Capability.parse({"*": ["subscribe"]}))
REVOCABLE: Final = Key("app", "revocable", "a_third_secret", revocable=True)
RULES: Final = ChannelRules(
    {
        "mut": ChannelRule(mutable=True),
        "persisted": ChannelRule(history_ms=PERSISTED_MS),
        "known": ChannelRule(identified_only=True),
    }
)
APP: Final = AppConfig("app", (KEY, READER, REVOCABLE), RULES)
OTHER: Final = AppConfig("other", (Key("other", "root", "other_secret"),))
NO_HEARTBEATS: Final = ServerOptions(heartbeat_ms=0, sandbox=True, control=True)


def jwt(claims: dict[str, Any], secret: str = KEY.secret, header: dict[str, Any] | None = None) -> str:
    """Sign claims as an application server would; ``iat`` and ``exp`` are filled in, ``None`` is left out."""
    times = {"iat": START_NS // NS_PER_S, "exp": START_NS // NS_PER_S + 3600}
    head = {"alg": "HS256", "typ": "JWT", "kid": KEY.name, **(header or {})}
    present = {name: value for name, value in head.items() if value is not None}
    signed = f"{_segment(present)}.{_segment({**times, **claims})}"
    mac = hmac.digest(secret.encode(), signed.encode(), "sha256")
    return f"{signed}.{urlsafe_b64encode(mac).decode().rstrip('=')}"


def _segment(value: dict[str, Any]) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@dataclass
class Reply:
    """An HTTP response taken apart."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def value(self) -> Any:
        form = Format.MSGPACK if "msgpack" in self.headers.get("content-type", "") else Format.JSON
        return decode(self.body, form)

    @property
    def code(self) -> int:
        code: int = self.value["error"]["code"]
        return code


@dataclass
class Client:
    """One socket with a client on it."""

    world: "World"
    session: int
    form: Format = Format.JSON
    closed: bool = False
    raw: bytes = b""
    _protocol: Protocol | None = None
    _frames: list[dict[str, Any]] = field(default_factory=list)

    def upgrade(self, query: dict[str, str]) -> None:
        key = b64encode(b"sixteen bytes ok").decode()
        self.world.give(
            self,
            f"GET /?{urlencode(query)} HTTP/1.1\r\nHost: test:80\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode(),
        )
        head, _, rest = self.raw.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101"), head
        self.raw = b""
        self._protocol = Protocol(Side.CLIENT, max_size=None)
        self.take(rest)

    def take(self, data: bytes) -> None:
        if self._protocol is None:
            self.raw += data
            return
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.BINARY):
                form = Format.JSON if event.opcode is Opcode.TEXT else Format.MSGPACK
                frame = decode(bytes(event.data), form)
                assert isinstance(frame, dict)
                self._frames.append(frame)

    def send(self, **frame: Any) -> "Client":
        self.send_bytes(encode(frame, self.form))
        return self

    def send_bytes(self, payload: bytes, opcode: Opcode | None = None) -> None:
        chosen = opcode or (Opcode.TEXT if self.form is Format.JSON else Opcode.BINARY)
        self.world.give(self, Frame(chosen, payload).serialize(mask=True))

    def frames(self, *actions: Action) -> list[dict[str, Any]]:
        """Take what arrived, of these actions or all."""
        frames, self._frames = self._frames, []
        return [frame for frame in frames if not actions or frame["action"] in actions]

    def frame(self, action: Action) -> dict[str, Any]:
        found = self.frames(action)
        assert len(found) == 1, found
        return found[0]

    def attach(self, channel: str, **more: Any) -> dict[str, Any]:
        self.send(action=Action.ATTACH, channel=channel, **more)
        return self.frame(Action.ATTACHED)

    def publish(self, channel: str, serial: int, *messages: dict[str, Any], **more: Any) -> "Client":
        return self.send(
            action=Action.MESSAGE, channel=channel, msgSerial=serial, messages=list(messages), **more
        )

    def drop(self) -> None:
        self.world.lose(self)


class World:
    """The server and its clock."""

    def __init__(self, options: ServerOptions = NO_HEARTBEATS, *apps: AppConfig, **changes: Any) -> None:
        self.now_ns = START_NS
        self.server = Server("tests", replace(options, **changes), apps or (APP, OTHER))
        self.clients: dict[int, Client] = {}

    def open(self, form: Format = Format.JSON) -> Client:
        session = self.server.opened(self.now_ns)
        client = self.clients[session] = Client(self, session, form)
        return client

    def give(self, client: Client, data: bytes) -> None:
        self.carry_out(self.server.received(client.session, data, self.now_ns))

    def lose(self, client: Client) -> None:
        self.carry_out(self.server.lost(client.session, self.now_ns))

    def carry_out(self, outputs: tuple[Output, ...]) -> None:
        for output in outputs:
            client = self.clients[output.session]
            if isinstance(output, CloseSocket):
                client.closed = True
            else:
                client.take(output.data)

    def pass_s(self, seconds: float) -> None:
        """Let time pass, stopping at every deadline as a timer would."""
        end_ns = self.now_ns + int(seconds * NS_PER_S)
        while (due_ns := self.server.next_deadline_ns()) is not None and due_ns <= end_ns:
            self.now_ns = max(self.now_ns, due_ns)
            self.carry_out(self.server.tick(self.now_ns))
        self.now_ns = end_ns

    def connect(self, form: Format = Format.JSON, /, **query: str) -> Client:
        """Open a connection; the key is used unless there is a token."""
        client = self.open(form)
        credentials = {} if {"access_token", "accessToken", "key"} & query.keys() else {"key": KEY.text}
        client.upgrade({**credentials, **query, "v": "6", "format": form.value})
        return client

    def http(
        self,
        method: str,
        target: str,
        body: Any = None,
        *,
        auth: str | None = KEY.text,
        form: Format = Format.JSON,
        **headers: str,
    ) -> Reply:
        """Send one request on a socket of its own. ``auth`` is a key, or a token if it has no colon."""
        lines = {"Host": "test:80", "Accept": form.content_type}
        if auth is not None:
            scheme = "Basic" if ":" in auth else "Bearer"
            lines["Authorization"] = f"{scheme} {b64encode(auth.encode()).decode()}"
        payload = b""
        if body is not None:
            payload = encode(body, form)
            lines["Content-Type"] = form.content_type
            lines["Content-Length"] = str(len(payload))
        lines |= {name.replace("_", "-"): value for name, value in headers.items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return self.raw_http(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode() + payload)

    def raw_http(self, data: bytes) -> Reply:
        client = self.open()
        self.give(client, data)
        return read_reply(client.raw)


def read_reply(data: bytes) -> Reply:
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(": ") for line in lines)
    headers = {name.lower(): value for name, _, value in pairs}
    return Reply(int(status.split()[1]), headers, body)
