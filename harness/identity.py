"""The identity provider of a simulated world: real JWTs, verified claims, current standing.

Owns who people are: it mints their tokens with PyJWT, verifies tokens for implementations, keeps the
directory (role changes, revocations), and turns a token into the grant that the channel service acts on.
Credentials with a defect are minted here too, so that what is wrong with them is known in truth.

Invariant: a role comes from a verified claim, never from a message. Minting and signature checks are
pure functions of their input and are cached; validity in time is checked on every use.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

import jwt

from harness.adapter import AblyToken, Identity, Standing
from harness.channel.capability import Capability
from harness.channel.errors import AuthError, error_info
from harness.channel.grants import ANY_CLIENT, Grant
from harness.model import PersonId, Role, canonical_json
from harness.plan import PersonSpec
from harness.trace import Credential, Defect

AUDIENCE: Final = "approvals"
KEY_NAME: Final = "sim.people"
_SECRET: Final = "the signing key of simulated people: public, worthless, 32+ bytes"  # noqa: S105 - no secret
_FORGER_SECRET: Final = "a key that the identity provider never issued, 32+ bytes"  # noqa: S105 - no secret
TOKEN_TTL_S: Final = 90 * 86_400
"""Long enough for a pending month; expiry is tested by tokens that are minted expired."""
ABLY_TTL_S: Final = 86_400
"""The longest that Ably accepts of a JWT."""
AGENT: Final = "agent"
STRANGE_TENANT: Final = "globex"
"""The tenant of a person whose credential bears the defect ``other-tenant``."""

_ABLY_BAD_TOKEN: Final = 40144
_ABLY_EXPIRED_TOKEN: Final = 40142
_ABLY_REVOKED_TOKEN: Final = 40141


def channel_name(tenant: str, session: str) -> str:
    """Return the channel on which one session's approvals travel."""
    return f"approvals:{tenant}:{session}"


@dataclass(frozen=True, slots=True)
class _Record:
    """One person as the directory knows them now."""

    role: Role | None
    tenant: str
    sessions: tuple[str, ...]
    defect: Defect
    revoked: bool = False


class IdentityProvider:
    """Mints and verifies tokens for the people of one plan; ``epoch_s`` is the wall clock at time 0."""

    def __init__(
        self, people: tuple[PersonSpec, ...], defects: Mapping[PersonId, Defect], epoch_s: int
    ) -> None:
        self._epoch_s = epoch_s
        self._records = {person.id: _record(person, defects.get(person.id, Defect.NONE)) for person in people}

    def token(self, person: PersonId) -> str:
        """Return a token for ``person`` as the provider (or a forger) would issue it now."""
        record = self._records[person]
        return _token(person, record.role, record.tenant, record.sessions, record.defect, self._epoch_s)

    def agent_token(self) -> str:
        """Return the token with which the agent side connects: every channel, no role."""
        return _agent_token(self._epoch_s)

    def credential(self, person: PersonId) -> Credential:
        """Return the truth about the token that ``person`` holds now."""
        record = self._records[person]
        role = None if record.defect in _ROLELESS else record.role
        defect = Defect.REVOKED if record.revoked else record.defect
        return Credential(person, role, record.tenant, defect)

    def change_role(self, person: PersonId, role: Role | None) -> None:
        """Give ``person`` another role from now on."""
        self._records[person] = replace(self._records[person], role=role)

    def revoke(self, person: PersonId) -> None:
        """Revoke ``person`` and every token they hold."""
        self._records[person] = replace(self._records[person], revoked=True, role=None)

    def standing(self, person: PersonId) -> Standing | None:
        """Return the directory's current record of a person, None where there is none."""
        record = self._records.get(person)
        if record is None:
            return None
        return Standing(person, record.tenant, record.role, active=not record.revoked)

    def verify(self, token: str, now_s: float) -> Identity:
        """Return whom ``token`` speaks for; raises jwt.InvalidTokenError with the reason otherwise."""
        claims = _verified(token)
        _check_times(claims, now_s)
        person = PersonId(str(claims["sub"]))
        record = self._records.get(person)
        if record is not None and (record.revoked or record.defect is Defect.REVOKED):
            raise RevokedTokenError("the token's holder is revoked")
        role = claims.get("role")
        return Identity(
            person=person,
            tenant=str(claims.get("tenant", "")),
            role=Role(role) if isinstance(role, str) else None,
            sessions=tuple(claims.get("sessions", ())),
            expires_s=int(claims["exp"]),
        )

    def ably_token(self, token: str, now_s: int, key: "AblyKey") -> AblyToken:
        """Return the holder of ``token``'s JWT for an Ably service, issued now: same claims, same flaws.

        A token for another audience becomes one of another app, which is what audiences are there. Raises
        RevokedTokenError where the holder is revoked.
        """
        claims = _unverified(token)
        record = self._records.get(PersonId(str(claims["sub"])))
        if record is not None and (record.revoked or record.defect is Defect.REVOKED):
            raise RevokedTokenError("the token's holder is revoked")
        defect = Defect.NONE if record is None else record.defect
        text = _ably_token(token, defect, now_s, key)
        return AblyToken(text, str(claims["x-ably-clientId"]))

    def authenticate(self, token: str, now_ms: int) -> Grant:
        """Return what the channel service grants the holder of ``token``; raises AuthError."""
        try:
            self.verify(token, now_ms / 1000)
        except jwt.ExpiredSignatureError as error:
            raise AuthError(error_info(_ABLY_EXPIRED_TOKEN, str(error))) from error
        except RevokedTokenError as error:
            raise AuthError(error_info(_ABLY_REVOKED_TOKEN, str(error))) from error
        except jwt.InvalidTokenError as error:
            raise AuthError(error_info(_ABLY_BAD_TOKEN, str(error))) from error
        return _grant(token)


@dataclass(frozen=True, slots=True)
class AblyKey:
    """An API key of an Ably app: ``name`` is ``appId.keyId``."""

    name: str
    secret: str


SIM_KEY: Final = AblyKey(KEY_NAME, _SECRET)
"""The key of simulated Ably apps, with which the identity provider signs."""


def _times(epoch_s: int) -> dict[str, int | str]:
    return {"iat": epoch_s, "exp": epoch_s + TOKEN_TTL_S, "aud": AUDIENCE}


@lru_cache(maxsize=64)
def _agent_token(epoch_s: int) -> str:
    rights = canonical_json({"*": ["*"]})
    claims = {**_times(epoch_s), "sub": AGENT, "x-ably-clientId": AGENT, "x-ably-capability": rights}
    return _signed(canonical_json(claims), Defect.NONE)


@lru_cache(maxsize=4096)
def _token(
    person: PersonId,
    role: Role | None,
    tenant: str,
    sessions: tuple[str, ...],
    defect: Defect,
    epoch_s: int,
) -> str:
    channels = {channel_name(tenant, session): ["*"] for session in sessions}
    roles = {} if role is None else {"role": role, f"ably.channel.approvals:{tenant}:*": role}
    claims = {
        **_times(epoch_s),
        **roles,
        "sub": person,
        "tenant": tenant,
        "sessions": list(sessions),
        "x-ably-clientId": person,
        "x-ably-capability": canonical_json(channels),
    }
    return _signed(_spoil(canonical_json(claims), defect), defect)


def _record(person: PersonSpec, defect: Defect) -> _Record:
    tenant = STRANGE_TENANT if defect is Defect.OTHER_TENANT else person.tenant
    return _Record(person.role, tenant, person.sessions, defect)


@lru_cache(maxsize=4096)
def _unverified(token: str) -> Mapping[str, Any]:
    """Return what a token claims."""
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


@lru_cache(maxsize=4096)
def _ably_token(token: str, defect: Defect, now_s: int, key: AblyKey) -> str:
    claims = {name: value for name, value in _unverified(token).items() if name not in ("aud", "nbf")}
    claims |= {"iat": now_s, "exp": now_s + ABLY_TTL_S}
    name = key.name
    match defect:
        case Defect.EXPIRED:
            claims |= {"iat": now_s - 2 * _PAST_S, "exp": now_s - _PAST_S}
        case Defect.NOT_YET_VALID:
            claims |= {"nbf": now_s + ABLY_TTL_S - _PAST_S}
        case Defect.WRONG_AUDIENCE:
            name = f"billing.{name.partition('.')[2]}"
        case _:
            pass
    if defect is Defect.UNSIGNED:
        return jwt.encode(claims, None, algorithm="none", headers={"kid": name})
    secret = _FORGER_SECRET if defect is Defect.FORGED else key.secret
    return jwt.encode(claims, secret, algorithm="HS256", headers={"kid": name})


class RevokedTokenError(jwt.InvalidTokenError):
    """The token is well formed and in time, but its holder was revoked."""


_ROLELESS: Final = (Defect.MISSING_ROLE, Defect.MALFORMED_ROLE)
_PAST_S: Final = 3_600


def _spoil(claims_text: str, defect: Defect) -> str:
    claims: dict[str, Any] = json.loads(claims_text)
    roles = [key for key in claims if key == "role" or key.startswith("ably.channel.")]
    match defect:
        case Defect.MISSING_ROLE:
            claims = {key: value for key, value in claims.items() if key not in roles}
        case Defect.MALFORMED_ROLE:
            claims |= dict.fromkeys(roles, "[admin]")
        case Defect.EXPIRED:
            claims |= {"iat": claims["iat"] - 2 * _PAST_S, "exp": claims["iat"] - _PAST_S}
        case Defect.NOT_YET_VALID:
            claims |= {"nbf": claims["exp"] - _PAST_S}
        case Defect.WRONG_AUDIENCE:
            claims |= {"aud": "billing"}
        case Defect.WILDCARD:
            claims |= {"x-ably-clientId": ANY_CLIENT}
        case Defect.NONE | Defect.REVOKED | Defect.FORGED | Defect.UNSIGNED | Defect.OTHER_TENANT:
            pass
    return canonical_json(claims)


@lru_cache(maxsize=4096)
def _signed(claims_text: str, defect: Defect) -> str:
    claims = json.loads(claims_text)
    if defect is Defect.UNSIGNED:
        return jwt.encode(claims, None, algorithm="none", headers={"kid": KEY_NAME})
    secret = _FORGER_SECRET if defect is Defect.FORGED else _SECRET
    return jwt.encode(claims, secret, algorithm="HS256", headers={"kid": KEY_NAME})


@lru_cache(maxsize=4096)
def _verified(token: str) -> Mapping[str, Any]:
    """Return the claims of a token whose signature and audience hold; times are checked by the caller."""
    untimed = {
        "verify_exp": False,
        "verify_nbf": False,
        "verify_iat": False,
        "require": ["exp", "iat", "sub"],
    }
    return jwt.decode(token, _SECRET, algorithms=["HS256"], audience=AUDIENCE, options=untimed)  # type: ignore[arg-type]


def _check_times(claims: Mapping[str, Any], now_s: float) -> None:
    if now_s >= claims["exp"]:
        raise jwt.ExpiredSignatureError("the token has expired")
    if now_s < claims.get("nbf", 0):
        raise jwt.ImmatureSignatureError("the token is not yet valid")


@lru_cache(maxsize=4096)
def _grant(token: str) -> Grant:
    claims = _verified(token)
    prefix = "ably.channel."
    return Grant(
        client_id=str(claims["x-ably-clientId"]),
        capability=Capability.parse(claims["x-ably-capability"]),
        user_claims={
            key.removeprefix(prefix): value for key, value in claims.items() if key.startswith(prefix)
        },
        expires_ms=int(claims["exp"]) * 1000,
    )
