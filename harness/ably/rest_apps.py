"""REST endpoints of the service itself: time, tokens, revocation, apps, statistics.

Owns the shapes of their requests and answers. Handlers whose callers need no credentials take the call only.
"""

from typing import Final

from harness.ably import fields, sandbox
from harness.ably.authenticator import Revocation
from harness.ably.calls import Answer, Call, Member
from harness.ably.credentials import KeyText
from harness.ably.fields import Fields, refuse
from harness.ably.keys import Key
from harness.ably.message_wire import Wire
from harness.ably.outbound import write_error
from harness.ably.tokens import HOUR_MS, read_request
from harness.channel.errors import RefusalError, error_info
from harness.channel.events import Effects
from harness.channel.rules import NS_PER_MS

_TARGETS: Final = frozenset({"clientId", "channel", "revocationKey"})
_TARGETS_MAX: Final = 100
_MARGIN_MS: Final = 30_001
"""More than 30 s from the time at which the request was made."""


def time(call: Call) -> Answer:
    """``GET /time`` (spec RSC16)."""
    return Answer([call.now_ms])


def request_token(call: Call) -> Answer:
    """``POST /keys/{keyName}/requestToken``: a signed request stands for itself, any other needs the key."""
    name = call.parts[0]
    app = call.apps.of(name.partition(".")[0])
    key = app.authenticator.keys.by_name(name)
    request = read_request(call.body_map())
    if request.key_name not in (None, name):
        raise refuse(40102, "the key named in the token request is not the one in the path")
    if request.mac is not None:
        app.authenticator.check_signed(request, key, call.now_ms)
    else:
        _require_key(call, key)
    text, token = app.authenticator.issue(request, key, call.now_ms)
    details: Wire = {
        "token": text,
        "keyName": name,
        "issued": token.issued_ms,
        "expires": token.expires_ms,
        "capability": token.capability.canonical(),
    }
    if token.client_id is not None:
        details["clientId"] = token.client_id
    return Answer(details, 201)


def _require_key(call: Call, key: Key) -> None:
    credentials = call.credentials()
    if not isinstance(credentials, KeyText):
        raise refuse(40101, "this needs basic authentication with the key")
    if call.apps.of(key.app_id).authenticator.keys.check(credentials.text) is not key:
        raise refuse(40101, f"this needs basic authentication with the key {key.name}")


def revoke_tokens(call: Call) -> Answer:
    """``POST /keys/{keyName}/revokeTokens`` (spec RSA17). With a margin, clients get 30 s to renew."""
    name = call.parts[0]
    app = call.apps.of(name.partition(".")[0])
    key = app.authenticator.keys.by_name(name)
    _require_key(call, key)
    if not key.revocable:
        raise refuse(40164, f"tokens of the key {name} are not revocable")
    body = call.body_map()
    targets = body.get("targets")
    if not isinstance(targets, list) or not 1 <= len(targets) <= _TARGETS_MAX:
        raise refuse(40000, f"name 1 to {_TARGETS_MAX} targets")
    before_ms = fields.whole(body, "issuedBefore")
    if before_ms is None:
        before_ms = call.now_ms
    if not call.now_ms - HOUR_MS <= before_ms <= call.now_ms:
        raise refuse(40003, "issuedBefore must lie within the last hour")
    applies_ms = call.now_ms + (_MARGIN_MS if body.get("allowReauthMargin") is True else 0)
    results = [_revoke(call, key, target, before_ms, applies_ms) for target in targets]
    failures = sum("error" in result for result in results)
    value = {"successCount": len(results) - failures, "failureCount": failures, "results": results}
    return Answer(value, 201, app=app, revoked_ns=applies_ms * NS_PER_MS)


def _revoke(call: Call, key: Key, target: object, before_ms: int, applies_ms: int) -> Wire:
    kind, colon, value = target.partition(":") if isinstance(target, str) else ("", "", "")
    if not colon or kind not in _TARGETS:
        unknown = error_info(40000, "a target reads clientId:..., channel:... or revocationKey:...")
        return {"target": target if isinstance(target, str) else "", "error": write_error(unknown)}
    app = call.apps.of(key.app_id)
    app.authenticator.revoke(Revocation(key.id, kind, value, before_ms + 1, applies_ms), call.now_ms)
    return {"target": target, "issuedBefore": before_ms, "appliesAt": applies_ms}


def create_app(call: Call) -> Answer:
    """``POST /apps``: a new tenant for a test suite."""
    wire: Fields = call.body_map()
    app = call.apps.create(lambda app_id, ids: sandbox.configure(wire, app_id, ids))
    try:
        sandbox.populate(app, wire, call.now_ms)
    except RefusalError:
        call.apps.remove(app.id)
        raise
    return Answer(
        sandbox.answer(app, wire, call.request.headers.get("host", ""), tls=call.apps.options.tls), 201
    )


def delete_app(call: Call, member: Member) -> Answer:
    """``DELETE /apps/{id}``: end its connections and forget it."""
    app = member.app
    if app.id != call.parts[0]:
        raise refuse(40400, "the credentials are those of another app")
    effects: Effects = ()
    for connection in app.service.connections():
        effects += app.service.forget(connection.id, call.now_ns)
    call.apps.remove(app.id)
    return Answer(None, 204, app=app, effects=effects)


def read_stats(_call: Call, _member: Member) -> Answer:
    """``GET /stats``: none are kept."""
    return Answer([], headers=(("Link", '<./stats?>; rel="first", <./stats?>; rel="current"'),))


def write_stats(_call: Call, _member: Member) -> Answer:
    """``POST /stats``: fixtures of test suites, accepted and dropped."""
    return Answer({}, 201)
