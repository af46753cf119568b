"""JSON Web Tokens signed with an API key (HS256).

Owns the reading of the compact form, the signature check and the claims that this protocol knows. The
algorithm is fixed: a token can not choose it, so that ``alg: none`` and key confusion have no door to come
in by. Does not compare times with a clock (``authenticator`` does).
"""

import hmac
import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from harness.ably.fields import refuse
from harness.channel.capability import Capability
from harness.channel.errors import RefusalError

_SEGMENT: Final = re.compile(r"[A-Za-z0-9_-]+")
_CLAIM_PREFIX: Final = "ably.channel."
_EMBEDDED: Final = "x-ably-token"
LIFETIME_S_MAX: Final = 24 * 3600


@dataclass(frozen=True, slots=True)
class JsonWebToken:
    """A JWT taken apart, nothing verified. ``embedded`` is the token that a wrapping JWT carries."""

    kid: str | None
    algorithm: object
    signed: bytes
    signature: bytes
    claims: Mapping[str, Any]
    embedded: str | None


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified JWT says. Times are Unix milliseconds; ``capability`` ``None`` inherits the key's."""

    issued_ms: int
    expires_ms: int
    capability: Capability | None
    client_id: str | None
    user_claims: Mapping[str, str]
    revocation_key: str | None
    not_before_ms: int | None


def looks_like_jwt(text: str) -> bool:
    """Whether ``text`` has the three segments of a JWT; an Ably token has two."""
    return text.count(".") == 2  # noqa: PLR2004 - see the docstring


def parse_jwt(text: str) -> JsonWebToken:
    """Take a JWT apart. Refusal: 40144 unreadable."""
    segments = text.split(".")
    if len(segments) != 3 or not all(map(_SEGMENT.fullmatch, segments[:2])):  # noqa: PLR2004 - header, claims, MAC
        raise refuse(40144, "the JWT is malformed")
    header, claims = _json(segments[0]), _json(segments[1])
    kid, embedded = header.get("kid"), header.get(_EMBEDDED, claims.get(_EMBEDDED))
    signature = _decoded(segments[2]) if _SEGMENT.fullmatch(segments[2]) else b""
    return JsonWebToken(
        kid if isinstance(kid, str) else None,
        header.get("alg"),
        f"{segments[0]}.{segments[1]}".encode(),
        signature,
        claims,
        embedded if isinstance(embedded, str) else None,
    )


def _decoded(segment: str) -> bytes:
    try:
        return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except ValueError:
        raise refuse(40144, "the JWT is not base64") from None


def _json(segment: str) -> dict[str, Any]:
    try:
        value = json.loads(_decoded(segment))
    except (ValueError, RecursionError):
        raise refuse(40144, "the JWT holds no JSON") from None
    if not isinstance(value, dict):
        raise refuse(40144, "the JWT holds JSON that is no map")
    return value


def verify_jwt(token: JsonWebToken, secret: str) -> Claims:
    """Check the signature and read the claims. Refusals: 40144; 40000 capability, 40012 client id."""
    if token.algorithm != "HS256":
        raise refuse(40144, "the JWT is not signed with HS256")
    if not hmac.compare_digest(hmac.digest(secret.encode(), token.signed, "sha256"), token.signature):
        raise refuse(40144, "the signature of the JWT is wrong")
    return read_claims(token.claims)


def read_claims(claims: Mapping[str, Any]) -> Claims:
    """Read the claims of a JWT. Refusals: 40144 for a missing or ill-typed one, 40012 for the client id."""
    issued_ms, expires_ms = _time_ms(claims, "iat"), _time_ms(claims, "exp")
    if issued_ms is None or expires_ms is None:
        raise refuse(40144, "the JWT must have the claims iat and exp, in seconds")
    if expires_ms - issued_ms > LIFETIME_S_MAX * 1000:
        raise refuse(40144, "the JWT is valid for longer than 24 hours")
    client_id = claims.get("x-ably-clientId")
    if client_id is not None and (not isinstance(client_id, str) or not client_id):
        raise refuse(40012, "the claim x-ably-clientId must be text that is not empty")
    revocation_key = claims.get("x-ably-revocation-key")
    return Claims(
        issued_ms,
        expires_ms,
        _capability(claims.get("x-ably-capability")),
        client_id,
        {
            name.removeprefix(_CLAIM_PREFIX): value
            for name, value in claims.items()
            if name.startswith(_CLAIM_PREFIX) and isinstance(value, str)
        },
        revocation_key if isinstance(revocation_key, str) else None,
        _time_ms(claims, "nbf"),
    )


def _capability(value: object) -> Capability | None:
    """Read the capability claim.

    ``None`` if absent, which inherits the key's rights: the newest documentation calls the claim required,
    older documentation and the reference server do not.
    """
    if value is None:
        return None
    if not isinstance(value, str):
        raise refuse(40144, "the claim x-ably-capability must be JSON text")
    try:
        return Capability.parse(value)
    except RefusalError as refused:
        raise refuse(40144, f"the claim x-ably-capability is unusable: {refused.info.message}") from None


def _time_ms(claims: Mapping[str, Any], name: str) -> int | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:  # noqa: PLR2004 - year 5138
        raise refuse(40144, f"the claim {name} must be a number of seconds since 1970")
    return int(value * 1000)
