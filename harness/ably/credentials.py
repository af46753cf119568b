"""Credentials as they arrive: a key or a token, as text.

Owns the two forms and the reading of the places where they stand (connection query, ``Authorization`` header,
AUTH frame). Does not judge them (``authenticator`` does).
"""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from harness.ably.fields import refuse
from harness.channel.grants import ANY_CLIENT


@dataclass(frozen=True, slots=True)
class KeyText:
    """Basic credentials, ``appId.keyId:secret``."""

    text: str


@dataclass(frozen=True, slots=True)
class TokenText:
    """An Ably token or a JWT."""

    text: str


Credentials: TypeAlias = KeyText | TokenText


def from_query(query: Mapping[str, str]) -> Credentials:
    """Read the parameters of a connection (spec RTN2e).

    The SDKs disagree on the spelling of ``access_token``; both are read. No credentials: 40101.
    """
    token = query.get("access_token") or query.get("accessToken")
    if token:
        return TokenText(token)
    key = query.get("key")
    if key:
        return KeyText(key)
    raise refuse(40101, "no credentials: connect with key, or with access_token")


def claimed_identity(client_id: str | None) -> str | None:
    """Return the identity that a client claims. ``*`` claims none: such a client names one per message."""
    return None if client_id == ANY_CLIENT else client_id


def from_header(value: str) -> Credentials:
    """Read an ``Authorization`` header (spec RSA11, RSA3).

    SDKs write a token as base64 even if it is a JWT; a plain one is read too. Unusable: 40101.
    """
    scheme, _, rest = value.strip().partition(" ")
    rest = rest.strip()
    match scheme.lower():
        case "basic":
            decoded = _base64_text(rest)
            if decoded is None:
                raise refuse(40101, "the Authorization header holds no base64 after Basic")
            return KeyText(decoded)
        case "bearer" if rest:
            decoded = None if "." in rest else _base64_text(rest)
            return TokenText(rest if decoded is None else decoded)
        case _:
            raise refuse(40101, "the Authorization header is neither Basic nor Bearer")


def _base64_text(text: str) -> str | None:
    try:
        return b64decode(text, validate=True).decode()
    except (Base64Error, ValueError):
        return None
