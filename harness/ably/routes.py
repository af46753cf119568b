"""The REST interface: which handler answers which method and path, and what happens around every call.

Owns the table of endpoints, authentication before a handler that needs it, and the conversion of refusals.
Does not know what an endpoint does.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final, TypeAlias, TypeVar

from harness.ably import rest_apps, rest_channels
from harness.ably.apps import Apps
from harness.ably.authenticator import app_of
from harness.ably.calls import Answer, Call, Member, negotiate, write_answer, write_refusal
from harness.channel.errors import RefusalError, error_info
from harness.http.values import Request, Response

Open: TypeAlias = Callable[[Call], Answer]
Closed: TypeAlias = Callable[[Call, Member], Answer]
Pattern: TypeAlias = tuple[str, ...]
Handler = TypeVar("Handler")

VARIABLE: Final = "*"
"""Stands for any segment that is not empty."""

OPEN_ROUTES: Final[Mapping[tuple[str, Pattern], Open]] = MappingProxyType(
    {
        ("GET", ("time",)): rest_apps.time,
        ("POST", ("keys", VARIABLE, "requestToken")): rest_apps.request_token,
        ("POST", ("keys", VARIABLE, "revokeTokens")): rest_apps.revoke_tokens,
    }
)
"""Callers are not authenticated, or by the handler in a way of its own."""

SANDBOX_ROUTES: Final[Mapping[tuple[str, Pattern], Open]] = MappingProxyType(
    {("POST", ("apps",)): rest_apps.create_app}
)

ROUTES: Final[Mapping[tuple[str, Pattern], Closed]] = MappingProxyType(
    {
        ("POST", ("channels", VARIABLE, "messages")): rest_channels.publish,
        ("GET", ("channels", VARIABLE, "messages")): rest_channels.history,
        ("GET", ("channels", VARIABLE, "messages", VARIABLE)): rest_channels.get_message,
        ("PATCH", ("channels", VARIABLE, "messages", VARIABLE)): rest_channels.patch_message,
        ("GET", ("channels", VARIABLE, "messages", VARIABLE, "versions")): rest_channels.get_versions,
        (
            "POST",
            ("channels", VARIABLE, "messages", VARIABLE, "annotations"),
        ): rest_channels.refuse_annotation,
        ("GET", ("channels", VARIABLE, "messages", VARIABLE, "annotations")): rest_channels.refuse_annotation,
        ("GET", ("channels", VARIABLE, "presence")): rest_channels.presence,
        ("GET", ("channels", VARIABLE, "presence", "history")): rest_channels.presence_history,
        ("GET", ("channels", VARIABLE)): rest_channels.status,
        ("POST", ("messages",)): rest_channels.batch_publish,
        ("GET", ("presence",)): rest_channels.batch_presence,
        ("DELETE", ("apps", VARIABLE)): rest_apps.delete_app,
        ("GET", ("stats",)): rest_apps.read_stats,
        ("POST", ("stats",)): rest_apps.write_stats,
    }
)

_CORS: Final = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Expose-Headers", "Link,X-Ably-Errorcode,X-Ably-Errormessage"),
)
_PREFLIGHT: Final = (
    *_CORS,
    ("Access-Control-Allow-Methods", "GET,POST,PATCH,DELETE"),
    ("Access-Control-Allow-Headers", "Authorization,Content-Type,X-Ably-Version,Ably-Agent,X-Ably-ClientId"),
)


class Rest:
    """Answers requests. Pages of any origin may call: nothing here rests on cookies or on the address."""

    def __init__(self, apps: Apps, *, sandbox: bool) -> None:
        self._apps = apps
        self._open = {**OPEN_ROUTES, **(SANDBOX_ROUTES if sandbox else {})}

    def handle(self, request: Request, now_ns: int) -> tuple[Response, Answer]:
        """Return the response, and the answer whose effects are to be carried out."""
        if request.method == "OPTIONS":
            return Response(204, _PREFLIGHT), Answer()
        form = negotiate(request)
        try:
            answer = self._answer(Call(self._apps, request, (), now_ns, form))
            response = write_answer(answer, form)
        except RefusalError as refused:
            answer = Answer()
            response = write_refusal(refused.info, form)
        return Response(response.status, (*response.headers, *_CORS), response.body), answer

    def _answer(self, call: Call) -> Answer:
        found = _find(self._open, call.request)
        if found is not None:
            handler, parts = found
            return handler(replace(call, parts=parts))
        member_found = _find(ROUTES, call.request)
        if member_found is None:
            path = "/".join(call.request.path)[:80]
            raise RefusalError(error_info(40400, f"nothing answers {call.request.method} /{path}"))
        member_handler, parts = member_found
        call = replace(call, parts=parts)
        return member_handler(call, authenticate(call))


def authenticate(call: Call) -> Member:
    """Return who calls. Refusals: 40101 and all of the authenticator's."""
    credentials = call.credentials()
    app = call.apps.of(app_of(credentials))
    return Member(app, app.service.identify(credentials, call.claimed_client_id(), call.now_ns))


def _find(
    routes: Mapping[tuple[str, Pattern], Handler], request: Request
) -> tuple[Handler, tuple[str, ...]] | None:
    """Return the handler of a request and the segments that its pattern leaves open; no two overlap."""
    for (method, pattern), handler in routes.items():
        if method == request.method and len(pattern) == len(request.path):
            pairs = tuple(zip(pattern, request.path, strict=True))
            if all(wanted == found or (wanted == VARIABLE and found) for wanted, found in pairs):
                return handler, tuple([found for wanted, found in pairs if wanted == VARIABLE])
    return None
