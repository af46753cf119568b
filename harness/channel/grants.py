"""Grants: what accepted credentials entitle to, and which identity a connection thereby has.

Owns the identity rules (Ably spec RSA7, RSA15): which claimed client id a grant allows, and which client id a
message may carry. Does not read tokens: an ``Authenticate`` function is injected, so no cryptography is here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from harness.channel.capability import Capability
from harness.channel.errors import refusal
from harness.channel.frozen_json import FrozenDict

ANY_CLIENT: Final = "*"


@dataclass(frozen=True, slots=True)
class Grant:
    """What credentials entitle to.

    ``client_id`` is a concrete identity, ``"*"`` (may assume any; also plain keys) or ``None`` (anonymous).
    ``user_claims`` maps channel patterns to role texts. ``expires_ms`` is Unix time, ``None`` for never.
    """

    client_id: str | None
    capability: Capability
    user_claims: Mapping[str, str] = FrozenDict()
    expires_ms: int | None = None


class Authenticate(Protocol):
    """Turns credentials into a grant."""

    def __call__(self, credentials: object, now_ms: int) -> Grant:
        """Return the grant, or raise :class:`~harness.channel.errors.AuthError`."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: the grant, the identity assumed under it, and the connection if there is one."""

    grant: Grant
    client_id: str | None
    connection_id: str | None = None

    @property
    def identity(self) -> str | None:
        """The one concrete client id this actor has; ``None`` for anonymous and wildcard actors."""
        return None if self.client_id == ANY_CLIENT else self.client_id


def assume_identity(grant: Grant, claimed: str | None) -> str | None:
    """Return the connection's client id for a claimed one.

    40012: an empty or wildcard claim. 40102: another identity than the token's, or any for an anonymous
    token.
    """
    if claimed is None:
        return grant.client_id
    if claimed in ("", ANY_CLIENT):
        raise refusal(40012, f"the client id {claimed!r} names nobody; give a concrete one or none")
    if grant.client_id not in (claimed, ANY_CLIENT):
        holder = "an anonymous client" if grant.client_id is None else repr(grant.client_id)
        raise refusal(40102, f"the credentials are those of {holder}; they can not speak as {claimed!r}")
    return claimed


def publishing_identity(actor: Actor, claimed: str | None) -> str | None:
    """Return the client id to stamp on a message (RSL1m, RTL6g); 40012 if the claim is not the actor's."""
    if claimed is None:
        return actor.identity
    if claimed in ("", ANY_CLIENT):
        raise refusal(
            40012, f"a message can not carry the client id {claimed!r}; give a concrete one or none"
        )
    if actor.client_id not in (claimed, ANY_CLIENT):
        raise refusal(40012, f"the message claims the client id {claimed!r}, which is not its publisher's")
    return claimed
