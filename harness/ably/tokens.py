"""Ably tokens: signed statements of one key, and the requests that ask for them.

Owns the token's form (``appId.<payload and signature>``, self-contained, so that a restarted server knows the
tokens it gave out and nobody fills its memory by asking for more), the MAC of a TokenRequest and its checks.
Does not keep nonces or revocations (``authenticator`` does).
"""

import hmac
import json
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from harness.ably import fields
from harness.ably.fields import Fields, refuse
from harness.ably.keys import Key
from harness.channel.capability import Capability
from harness.channel.errors import RefusalError

HOUR_MS: Final = 3_600_000
TTL_MS_MAX: Final = 24 * HOUR_MS
REVOCABLE_TTL_MS_MAX: Final = HOUR_MS
CLOCK_SKEW_MS_MAX: Final = 120_000
"""How far a token request's timestamp may be off (Ably token request specification)."""
_SIGNATURE_BYTES: Final = 16
_PURPOSE: Final = b"ably token 1\n"
"""Keeps a token's signature apart from every other use of the key's secret."""
_NONCE_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class AblyToken:
    """What a token says. Times are Unix milliseconds; ``number`` tells tokens apart."""

    key_id: str
    issued_ms: int
    expires_ms: int
    capability: Capability
    client_id: str | None
    number: str


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A request for a token (spec TE). ``None`` is absent."""

    key_name: str | None
    ttl_ms: int | None
    capability: str | None
    client_id: str | None
    timestamp_ms: int | None
    nonce: str | None
    mac: str | None


def write_token(token: AblyToken, key: Key) -> str:
    """Return the token's text, signed with the key's secret."""
    payload = json.dumps(
        [
            token.key_id,
            token.issued_ms,
            token.expires_ms,
            token.capability.canonical(),
            token.client_id,
            token.number,
        ],
        separators=(",", ":"),
        ensure_ascii=False,
    ).encode()
    body = _signature(payload, key) + payload
    return f"{key.app_id}.{urlsafe_b64encode(body).decode().rstrip('=')}"


def token_key_id(text: str) -> str:
    """Return the id of the key that a token claims to be of; 40145 for one that is unreadable."""
    return _payload(text)[1].key_id


def read_token(text: str, key: Key) -> AblyToken:
    """Read and verify a token. Refusals: 40145 unreadable, 40143 not one that this key issued."""
    body, token = _payload(text)
    if not hmac.compare_digest(body[:_SIGNATURE_BYTES], _signature(body[_SIGNATURE_BYTES:], key)):
        raise refuse(40143, "the token is not one that this server issued")
    return token


def _signature(payload: bytes, key: Key) -> bytes:
    return hmac.digest(key.secret.encode(), _PURPOSE + payload, "sha256")[:_SIGNATURE_BYTES]


def _payload(text: str) -> tuple[bytes, AblyToken]:
    encoded = text.partition(".")[2]
    try:
        body = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        key_id, issued_ms, expires_ms, capability, client_id, number = json.loads(body[_SIGNATURE_BYTES:])
        token = AblyToken(
            str(key_id), int(issued_ms), int(expires_ms), Capability.parse(capability), client_id, str(number)
        )
    except (Base64Error, ValueError, TypeError, RecursionError, OverflowError, RefusalError):
        raise refuse(40145, "the token is not readable") from None
    return body, token


def read_request(wire: Fields) -> TokenRequest:
    """Read a token request. Refusals: 40003 ttl, 40012 client id, 40000 anything else."""
    capability = wire.get("capability")
    if isinstance(capability, dict):  # not signed: some callers send the map itself
        capability = Capability.parse(capability).canonical()
    if capability is not None and not isinstance(capability, str):
        raise refuse(40000, "the capability of a token request must be JSON text")
    client_id = fields.text(wire, "clientId", 40012)
    if client_id == "":
        raise refuse(40012, "the client id of a token request is empty; leave it out")
    return TokenRequest(
        fields.text(wire, "keyName"),
        fields.whole(wire, "ttl", 40003),
        capability,
        client_id,
        fields.whole(wire, "timestamp"),
        fields.text(wire, "nonce"),
        fields.text(wire, "mac"),
    )


def request_mac(request: TokenRequest, secret: str) -> str:
    """Return the MAC that a request must carry: its fields, one a line, absent ones empty."""
    lines = (
        request.key_name,
        request.ttl_ms,
        request.capability,
        request.client_id,
        request.timestamp_ms,
        request.nonce,
    )
    text = "".join(f"{'' if line is None else line}\n" for line in lines)
    return b64encode(hmac.new(secret.encode(), text.encode(), sha256).digest()).decode()


def check_signature(request: TokenRequest, key: Key, now_ms: int) -> None:
    """Check what stands in for credentials. Refusals: 40101 MAC, 40104 timestamp, 40105 no nonce."""
    if request.mac is None or not hmac.compare_digest(
        request_mac(request, key.secret).encode(), request.mac.encode()
    ):
        raise refuse(40101, "the MAC of the token request is wrong")
    if request.timestamp_ms is None or abs(request.timestamp_ms - now_ms) > CLOCK_SKEW_MS_MAX:
        raise refuse(
            40104, "the timestamp of the token request is not within two minutes of the server's time"
        )
    if not request.nonce or len(request.nonce) > _NONCE_MAX:
        raise refuse(40105, "the token request needs a nonce of 1 to 256 characters")


def granted(request: TokenRequest, key: Key) -> tuple[int, Capability]:
    """Return the ttl in ms and the capability of the token to issue.

    Refusals: 40003 ttl, 40000 capability, 40160 nothing left of it under the key's.
    """
    ttl_ms_max = REVOCABLE_TTL_MS_MAX if key.revocable else TTL_MS_MAX
    ttl_ms = HOUR_MS if request.ttl_ms is None else request.ttl_ms
    if ttl_ms > ttl_ms_max:
        raise refuse(40003, f"the ttl of {ttl_ms} ms is more than the {ttl_ms_max} ms that are allowed")
    if not request.capability:
        return ttl_ms, key.capability
    capability = Capability.parse(request.capability)
    common = capability.intersect(key.capability)
    if capability and not common:
        raise refuse(40160, "the key has none of the rights that the token request asks for")
    return ttl_ms, common
