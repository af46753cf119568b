"""Random conversations with the whole server: sockets that come and go, honest frames among mutilated ones.

After every step: no exception escaped, every frame sent is one that an SDK can read, nothing is delivered
twice or out of order to an attachment, and what another app holds stays there.
"""

import os
from typing import Any, Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule
from websockets.frames import Frame, Opcode

from harness.ably.actions import Action
from harness.ably.codec import Format, encode
from tests.ably.wire import KEY, Client, World, jwt

EXAMPLES: Final = int(os.environ.get("HITL_FUZZ_EXAMPLES", "25"))
"""Few in the ordinary run; thousands for a long one."""
CHANNELS = st.sampled_from(["room", "mut:x", "persisted:p", "known:k", "[?rewind=2]room", "::", ""])
SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)
FIELDS = st.sampled_from(
    [
        *("action", "channel", "msgSerial", "messages", "presence", "flags", "params", "auth", "id"),
        *(
            "channelSerial",
            "name",
            "data",
            "encoding",
            "clientId",
            "extras",
            "serial",
            "version",
            "annotations",
        ),
    ]
)
TOKENS = st.sampled_from(
    [
        jwt({}),
        jwt({"x-ably-clientId": "alice", "ably.channel.*": "role"}),
        jwt({"x-ably-clientId": "*", "x-ably-capability": '{"room":["subscribe"]}'}),
        jwt({}, secret="forged"),
        "app.x",
        "",
    ]
)
CONNECTION_ACTIONS = (Action.CONNECTED, Action.DISCONNECTED, Action.CLOSED, Action.HEARTBEAT, Action.AUTH)
CHANNEL_ACTIONS = (Action.ATTACHED, Action.DETACHED, Action.MESSAGE, Action.PRESENCE, Action.SYNC)


class Conversations(RuleBasedStateMachine):
    """Several clients of one server."""

    clients = Bundle("clients")

    @initialize()
    def start(self) -> None:
        self.world = World(heartbeat_ms=15_000)
        self.keys: list[str] = []
        self.serials: list[str] = []
        self.channel_serials: list[str] = []
        self.newest: dict[tuple[int, str], str] = {}
        self.world.http(
            "POST", "/channels/persisted:p/messages", {"name": "secret"}, auth="other.root:other_secret"
        )

    @rule(target=clients, form=st.sampled_from(Format), token=st.none() | TOKENS, data=st.data())
    def connect(self, form: Format, token: str | None, data: st.DataObject) -> Client:
        query: dict[str, str] = {} if token is None else {"access_token": token}
        if data.draw(st.booleans(), label="resume") and self.keys:
            query["resume"] = data.draw(st.sampled_from(self.keys), label="key")
        if data.draw(st.booleans(), label="named"):
            query["clientId"] = data.draw(st.sampled_from(["alice", "bob", "", "*"]), label="clientId")
        return self.world.connect(form, **query)

    @rule(client=clients, channel=CHANNELS, serial=st.integers(0, 3), data=st.data())
    def act(self, client: Client, channel: str, serial: int, data: st.DataObject) -> None:
        frame: dict[str, Any] = {
            "action": data.draw(
                st.sampled_from([0, 7, 10, 10, 12, 14, 15, 15, 15, 16, 17, 21]), label="action"
            ),
            "channel": channel,
            "msgSerial": serial,
        }
        message: dict[str, Any] = {"name": "n", "data": data.draw(st.sampled_from(["x", "", None]))}
        if data.draw(st.booleans(), label="operation") and self.serials:
            message |= {
                "serial": data.draw(st.sampled_from(self.serials)),
                "action": data.draw(st.integers(0, 6)),
            }
        match frame["action"]:
            case Action.MESSAGE:
                frame["messages"] = [message] * data.draw(st.integers(0, 3))
            case Action.PRESENCE:
                frame["presence"] = [{"action": data.draw(st.integers(0, 5)), "clientId": "alice"}]
            case Action.ATTACH if data.draw(st.booleans(), label="continue") and self.channel_serials:
                frame["channelSerial"] = data.draw(st.sampled_from(self.channel_serials))
            case Action.AUTH:
                frame["auth"] = {"accessToken": data.draw(TOKENS)}
            case Action.HEARTBEAT:
                frame["id"] = "ping"
        for _ in range(data.draw(st.integers(0, 1), label="mutilations")):
            frame[data.draw(FIELDS)] = data.draw(JSON)
        self._send(client, frame)

    @staticmethod
    def _send(client: Client, frame: dict[str, Any]) -> None:
        try:
            payload = encode(frame, client.form)
        except (UnicodeEncodeError, OverflowError):
            return  # the format can not say this
        client.send_bytes(payload)

    @rule(
        client=clients, payload=st.binary(max_size=40), opcode=st.sampled_from([Opcode.TEXT, Opcode.BINARY])
    )
    def send_garbage(self, client: Client, payload: bytes, opcode: Opcode) -> None:
        client.send_bytes(payload, opcode)

    @rule(client=clients, data=st.binary(max_size=40))
    def break_framing(self, client: Client, data: bytes) -> None:
        self.world.give(client, data)

    @rule(client=clients, cut=st.integers(1, 30))
    def send_in_two_parts(self, client: Client, cut: int) -> None:
        frame = Frame(Opcode.TEXT, b'{"action":0,"id":"ping"}').serialize(mask=True)
        self.world.give(client, frame[:cut])
        self.world.give(client, frame[cut:])

    @rule(client=consumes(clients))
    def drop(self, client: Client) -> None:
        client.drop()

    @rule(
        method=st.sampled_from(["GET", "POST", "PATCH", "DELETE"]),
        path=st.sampled_from(
            [
                "/channels/room/messages",
                "/channels/mut:x/messages/s",
                "/keys/app.root/requestToken",
                "/messages",
            ]
        ),
        query=st.dictionaries(
            st.sampled_from(["limit", "start", "cursor", "from_serial"]), st.text("09x-:@", max_size=6)
        ),
        body=JSON,
    )
    def call(self, method: str, path: str, query: dict[str, str], body: Any) -> None:
        text = "&".join(f"{key}={value}" for key, value in query.items())
        try:
            reply = self.world.http(method, f"{path}?{text}", body, form=Format.JSON)
        except UnicodeEncodeError:
            return
        assert reply.status < 500

    @rule(
        body=st.dictionaries(
            st.sampled_from(["fault", "delayMs", "durationMs"]),
            st.sampled_from(["drop", "delay", "blackhole", "heal", "forget", "disconnect", 0, 50, 20_000]),
        )
    )
    def make_fault(self, body: dict[str, Any]) -> None:
        assert self.world.http("POST", "/control/faults", body, auth=None).status < 500

    @rule(seconds=st.sampled_from([0.0, 0.1, 16.0, 31.0, 130.0, 3700.0]))
    def pass_time(self, seconds: float) -> None:
        self.world.pass_s(seconds)

    @invariant()
    def everything_sent_can_be_read(self) -> None:
        for client in self.world.clients.values():
            for frame in client.frames():
                self._check(client, frame)

    def _check(self, client: Client, frame: dict[str, Any]) -> None:
        action = Action(frame["action"])
        assert ("channel" in frame) == (action in CHANNEL_ACTIONS) or action in (
            Action.ERROR,
            Action.ACK,
            Action.NACK,
        )
        match action:
            case Action.CONNECTED:
                self.keys.append(frame["connectionDetails"]["connectionKey"])
            case Action.ACK:
                assert frame["count"] == 1
                self.serials += [serial for serial in frame["res"][0]["serials"] if serial]
            case Action.NACK:
                assert frame["error"]["statusCode"] < 500
            case Action.ATTACHED:
                self.channel_serials.append(frame["channelSerial"])
                self.newest.pop((client.session, frame["channel"]), None)
            case Action.MESSAGE:
                place = (client.session, frame["channel"])
                assert frame["channelSerial"] > self.newest.get(place, "")
                self.newest[place] = frame["channelSerial"]
                assert all(message.get("name") != "secret" for message in frame["messages"])

    def teardown(self) -> None:
        for client in tuple(self.world.clients.values()):
            client.drop()
        self.world.pass_s(400)
        assert self.world.server.sessions() == ()
        assert self.world.server.next_deadline_ns() is None
        assert KEY.secret not in repr(self.world.server.sessions())


TestConversations = Conversations.TestCase
TestConversations.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=30,
    suppress_health_check=[HealthCheck.too_slow],
    deadline=None,
    derandomize=True,
    database=None,
)
