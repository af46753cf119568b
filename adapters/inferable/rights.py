"""Who speaks to the control plane: a machine by its cluster's key, or a person by a token.

Owns the reading of the ``authorization`` header. A cluster belongs to one tenant and bears its name. The
vendor's control plane knows one right to decide, that of managing the cluster, which it grants by the role in
the token; which roles have it is the deployment's choice and stands here.
"""

from dataclasses import dataclass
from typing import Final

import jwt

from harness.adapter import Directory, Identity
from harness.model import Role

KEY_PREFIX: Final = "sk_machine_"
"""The SDK refuses keys that do not begin with ``sk_``."""
MANAGERS: Final = frozenset({Role("publisher"), Role("admin")})
"""The roles whose holders manage the cluster of their tenant."""
_ANYBODY: Final = "*"


class NobodyError(Exception):
    """The header names nobody whom the control plane knows; the text says why."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A worker, or the backend that starts runs: whoever holds a cluster's key."""

    cluster: str


def key_of(cluster: str) -> str:
    """Return the key with which machines of a cluster authenticate."""
    return KEY_PREFIX + cluster


def caller(directory: Directory, authorization: str) -> Machine | Identity:
    """Return who sent a request; raises NobodyError."""
    if authorization.startswith(KEY_PREFIX):
        return Machine(authorization.removeprefix(KEY_PREFIX))
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise NobodyError("a key or a bearer token is asked for")
    try:
        return directory.verify(token)
    except jwt.InvalidTokenError as error:
        raise NobodyError(str(error)) from None


def is_of(who: Machine | Identity, cluster: str) -> bool:
    """Return whether somebody may read a cluster."""
    return cluster == (who.cluster if isinstance(who, Machine) else who.tenant)


def names_one_person(authorization: str) -> bool:
    """Return whether a verified bearer token speaks for one person, and not for whom its holder likes."""
    claims = jwt.decode(authorization.partition(" ")[2], options={"verify_signature": False})
    return claims.get("x-ably-clientId") != _ANYBODY
