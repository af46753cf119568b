"""The endpoint behind the webhook: what a company would run so that its people can click a button.

Owns the requests that were posted, one decision each, and everybody's list of them. It is a careful one: the
first decision of a member counts, who decided is read from a verified token, every click learns what became
of it. What a run shows of the webhook is therefore the round trip's doing.

Invariant: a request is decided once; what was decided is told to whoever posts it again.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from jwt import InvalidTokenError
from pydantic import JsonValue, TypeAdapter, ValidationError

from harness.adapter import Directory, Identity, Machine
from harness.http.server_side import HttpSide, RequestRefusedError, Upgrade
from harness.http.values import Request, Response
from harness.model import CallId, RequestId

from .protocol import ApprovalRequest, context_text, params_of

Reply = Callable[[int, Mapping[str, JsonValue]], None]

_REQUEST: Final = TypeAdapter(ApprovalRequest)
_CLICK: Final = TypeAdapter(dict[str, JsonValue])
_JSON: Final = TypeAdapter(Any)
OK, BAD, NO_TOKEN, UNKNOWN, DECIDED = 200, 400, 401, 404, 409


@dataclass(slots=True)
class Posted:
    """A request as it was posted; ``decision`` is the response to it once there is one."""

    request: ApprovalRequest
    waiting: list[Reply]
    decision: Mapping[str, JsonValue] | None = None

    def is_for(self, identity: Identity) -> bool:
        """Return whether a person is of the request's tenant and session."""
        session = context_text(self.request, "session_id")
        return identity.tenant == context_text(self.request, "tenant_id") and session in identity.sessions


class Endpoint:
    """The service; ``machine`` is the host that it runs on."""

    def __init__(self, machine: Machine, directory: Directory) -> None:
        self._machine = machine
        self._directory = directory
        self._posted: dict[str, Posted] = {}
        self._version = 0
        self._watching: list[tuple[Identity, Reply]] = []

    def connection(self) -> asyncio.Protocol:
        """Return the protocol of one connection."""
        return _Socket(self)

    def handle(self, request: Request, reply: Reply) -> None:
        """Answer a request, at once or when there is something to say."""
        try:
            match request.method, request.path:
                case "POST", ("approve",):
                    self._post(_REQUEST.validate_json(request.body), reply)
                case "POST", ("decide",):
                    self._decide(self._identity(request), _CLICK.validate_json(request.body), reply)
                case "GET", ("requests",):
                    self._list(self._identity(request), request.query.get("since", ""), reply)
                case _:
                    reply(UNKNOWN, {"error": "no such page"})
        except ValidationError as error:
            reply(BAD, {"error": f"the body cannot be read: {error.error_count()} flaws"})
        except InvalidTokenError as error:
            reply(NO_TOKEN, {"error": str(error)})

    def _identity(self, request: Request) -> Identity:
        identity = self._directory.verify(request.headers.get("authorization", "").removeprefix("Bearer "))
        standing = self._directory.standing(identity.person)
        if standing is None or not standing.active:
            raise InvalidTokenError("the person is no longer a member")
        return identity

    def _post(self, request: ApprovalRequest, reply: Reply) -> None:
        posted = self._posted.get(request["request_id"])
        if posted is None:
            posted = self._posted[request["request_id"]] = Posted(request, [])
            call = CallId(context_text(request, "correlation_id"))
            self._machine.observe.request_published(
                RequestId(request["request_id"]), call, params_of(request)
            )
            self._changed()
        if posted.decision is None:
            posted.waiting.append(reply)
        else:
            reply(OK, posted.decision)

    def _decide(self, identity: Identity, click: Mapping[str, JsonValue], reply: Reply) -> None:
        posted = self._posted.get(str(click.get("request_id")))
        status = click.get("status")
        if posted is None or not posted.is_for(identity):
            reply(UNKNOWN, {"error": "no such request"})
        elif status not in ("approved", "denied"):
            reply(BAD, {"error": "approve or deny"})
        elif posted.decision is not None:
            reply(DECIDED, posted.decision)
        else:
            reason = click.get("reason") or None
            posted.decision = {"status": status, "approver_id": identity.person, "reason": reason}
            waiting, posted.waiting = posted.waiting, []
            for answer in waiting:
                answer(OK, posted.decision)
            reply(OK, posted.decision)
            self._changed()

    def _list(self, identity: Identity, since: str, reply: Reply) -> None:
        """Reply with everything that a person may see, once it is newer than what they have."""
        if since == str(self._version):
            self._watching.append((identity, reply))
        else:
            reply(OK, self._view(identity))

    def _view(self, identity: Identity) -> dict[str, JsonValue]:
        mine = [it for it in self._posted.values() if it.is_for(identity)]
        return {
            "version": self._version,
            "pending": [_JSON.dump_python(it.request, mode="json") for it in mine if it.decision is None],
            "decided": {
                it.request["request_id"]: dict(it.decision) for it in mine if it.decision is not None
            },
        }

    def _changed(self) -> None:
        self._version += 1
        watching, self._watching = self._watching, []
        for identity, reply in watching:
            reply(OK, self._view(identity))


class _Socket(asyncio.Protocol):
    """One connection: requests in their order, each answered before the next is read."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._side = HttpSide()
        self._transport: asyncio.Transport | None = None
        self._busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport), "TCP"
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._side.feed(data)
        self._next()

    def _next(self) -> None:
        if self._busy or self._transport is None:
            return
        try:
            request, interim = self._side.next_request()
        except RequestRefusedError as refusal:
            self._transport.write(self._side.respond(refusal.response))
            self._transport.close()
            return
        self._transport.write(interim)
        if request is None:
            return
        if isinstance(request, Upgrade):
            request = request.request
        self._busy = True
        self._endpoint.handle(request, self._reply)

    def _reply(self, status: int, body: Mapping[str, JsonValue]) -> None:
        if self._transport is None:
            return
        headers = (("Content-Type", "application/json"),)
        self._transport.write(self._side.respond(Response(status, headers, _JSON.dump_json(body))))
        self._busy = False
        if self._side.keep_alive:
            self._next()
        else:
            self._transport.close()
