"""JSON Web Tokens signed with an API key (HS256), by PyJWT.

Owns the claims that this protocol knows and the code (40144) that everything unreadable or forged is refused
with. The algorithm is fixed: a token can not choose it, so that ``alg: none`` and key confusion have no door
to come in by. Does not compare times with a clock (``authenticator`` does).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import jwt

from harness.ably.fields import refuse
from harness.channel.capability import Capability
from harness.channel.errors import RefusalError

ALGORITHM: Final = "HS256"
LIFETIME_S_MAX: Final = 24 * 3600
_CLAIM_PREFIX: Final = "ably.channel."
_EMBEDDED: Final = "x-ably-token"
_REMEMBERED: Final = 64
_UNVERIFIED: Final[Any] = {"verify_signature": False}
"""PyJWT then takes a token apart and judges neither its signature nor its times."""


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


@lru_cache(maxsize=_REMEMBERED)
def parse_jwt(text: str) -> JsonWebToken:
    """Take a JWT apart (remembered: one is read several times for every use). Refusal: 40144 unreadable."""
    try:
        parts = jwt.decode_complete(text, options=_UNVERIFIED)
    except jwt.InvalidTokenError as error:
        raise refuse(40144, f"the JWT is malformed: {error}") from None
    except (RecursionError, ValueError):
        raise refuse(40144, "the JWT is malformed") from None
    header, claims = parts["header"], parts["payload"]
    embedded = header.get(_EMBEDDED, claims.get(_EMBEDDED))
    return JsonWebToken(
        header.get("kid"),
        header.get("alg"),
        text.rpartition(".")[0].encode(),
        parts["signature"],
        claims,
        embedded if isinstance(embedded, str) else None,
    )


@lru_cache(maxsize=_REMEMBERED)
def verify_jwt(text: str, secret: str) -> Claims:
    """Check the signature and read the claims (remembered, as above; times are checked by the caller).

    Refusals: 40144; 40000 capability, 40012 client id.
    """
    token = parse_jwt(text)
    if token.algorithm != ALGORITHM:
        raise refuse(40144, f"the JWT is not signed with {ALGORITHM}")
    algorithm = jwt.get_algorithm_by_name(ALGORITHM)
    try:
        key = algorithm.prepare_key(secret)
    except jwt.InvalidKeyError as error:
        raise refuse(40144, f"the key can not sign JWTs: {error}") from None
    if not algorithm.verify(token.signed, key, token.signature):
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
