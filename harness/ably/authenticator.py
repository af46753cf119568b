"""Who credentials speak for, in one app.

Owns the verdict on keys, Ably tokens and JWTs (codes 40101 to 40145, 40160), the memory of used nonces and of
revocations, and the issue of Ably tokens. The invariant: nothing is granted that the signing key does not
have. Does not know connections; whoever revokes has to ask again about the live ones.
"""

from collections import deque
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

from harness.ably.credentials import Credentials, KeyText, TokenText
from harness.ably.fields import refuse
from harness.ably.jwts import Claims, JsonWebToken, looks_like_jwt, parse_jwt, read_claims, verify_jwt
from harness.ably.keys import Key, KeyRing, parse_key
from harness.ably.tokens import (
    CLOCK_SKEW_MS_MAX,
    TTL_MS_MAX,
    AblyToken,
    TokenRequest,
    check_signature,
    granted,
    read_token,
    token_key_id,
    write_token,
)
from harness.channel.capability import Capability
from harness.channel.grants import ANY_CLIENT, Grant

NONCES_MAX: Final = 100_000
"""Nonces kept at once. Requests beyond that are refused: to forget one would allow its replay."""
REVOCATIONS_MAX: Final = 10_000
_EMBEDDING_DEPTH_MAX: Final = 1


def app_of(credentials: Credentials) -> str:
    """Return the app that credentials claim to be of.

    Refusals: 40101 malformed key or a token of no known form, 40144 JWT without a usable ``kid``.
    """
    match credentials:
        case KeyText(text):
            return parse_key(text).app_id
        case TokenText(text) if looks_like_jwt(text):
            token = parse_jwt(text)
            if token.embedded is not None:
                return app_of(TokenText(token.embedded))
            if token.kid is None or "." not in token.kid:
                raise refuse(40144, "the JWT names no key; put appId.keyId into its header as kid")
            return token.kid.partition(".")[0]
        case TokenText(text):
            app_id, dot, _ = text.partition(".")
            if not dot:
                raise refuse(40101, "the token is malformed")
            return app_id


@dataclass(frozen=True, slots=True)
class Revocation:
    """Tokens of one key that ``kind`` and ``value`` fit, issued before one time, are void from another on.

    ``kind`` is ``clientId``, ``channel`` or ``revocationKey``.
    """

    key_id: str
    kind: str
    value: str
    issued_before_ms: int
    applies_ms: int = 0


@dataclass(frozen=True, slots=True)
class _Token:
    """What revocation and expiry need to know of a token of either form."""

    key: Key
    issued_ms: int
    expires_ms: int
    capability: Capability
    client_id: str | None
    revocation_key: str | None
    text_hash: str


class Authenticator:
    """The keys of one app and what was issued and revoked under them. Implements ``Authenticate``."""

    def __init__(self, keys: KeyRing) -> None:
        self.keys = keys
        self._nonces: dict[tuple[str, str], None] = {}
        self._nonces_by_age: deque[tuple[int, tuple[str, str]]] = deque()
        self._revocations: deque[tuple[int, Revocation]] = deque(maxlen=REVOCATIONS_MAX)
        self._expired: dict[str, int] = {}
        self._issued = 0

    def __call__(self, credentials: object, now_ms: int) -> Grant:
        """Return what credentials entitle to.

        Refusals: 40101, 40400, 40142 expired, 40143, 40144, 40145, 40141 revoked, 40160 no rights left.
        """
        match credentials:
            case KeyText(text):
                return Grant(ANY_CLIENT, self.keys.check(text).capability)
            case TokenText(text):
                return self._token_grant(text, now_ms, 0)
            case _:
                raise refuse(40101, "no credentials")

    # -- tokens ---------------------------------------------------------------------------------------------

    def _token_grant(self, text: str, now_ms: int, depth: int) -> Grant:
        if looks_like_jwt(text):
            jwt = parse_jwt(text)
            if jwt.embedded is not None:
                return self._embedded_grant(jwt, now_ms, depth)
            return self._jwt_grant(jwt, text, now_ms)
        key = self.keys.by_name(f"{text.partition('.')[0]}.{token_key_id(text)}")
        token = read_token(text, key)
        self._check(
            _Token(
                key,
                token.issued_ms,
                token.expires_ms,
                token.capability,
                token.client_id,
                None,
                _text_hash(text),
            ),
            now_ms,
        )
        return Grant(token.client_id, token.capability, expires_ms=token.expires_ms)

    def _jwt_grant(self, jwt: JsonWebToken, text: str, now_ms: int) -> Grant:
        key = self.keys.by_name(jwt.kid or "")
        claims = verify_jwt(text, key.secret)
        capability = (
            key.capability if claims.capability is None else claims.capability.intersect(key.capability)
        )
        if not capability:
            raise refuse(40160, "the JWT asks for no right that its key has")
        self._check_start(claims, now_ms)
        token = _Token(
            key,
            claims.issued_ms,
            claims.expires_ms,
            capability,
            claims.client_id,
            claims.revocation_key,
            _text_hash(text),
        )
        self._check(token, now_ms)
        return Grant(claims.client_id, capability, claims.user_claims, claims.expires_ms)

    def _embedded_grant(self, jwt: JsonWebToken, now_ms: int, depth: int) -> Grant:
        """Take the token inside for the credentials; the signature outside is not verified."""
        if depth >= _EMBEDDING_DEPTH_MAX or jwt.embedded is None:
            raise refuse(40144, "a token embedded in a JWT may not embed another")
        grant = self._token_grant(jwt.embedded, now_ms, depth + 1)
        outer = read_claims(jwt.claims)
        if grant.expires_ms is not None and outer.expires_ms > grant.expires_ms:
            raise refuse(40144, "the JWT expires after the token that it embeds")
        if outer.expires_ms <= now_ms:
            raise refuse(40142, "the JWT has expired")
        return replace(grant, expires_ms=outer.expires_ms)

    @staticmethod
    def _check_start(claims: Claims, now_ms: int) -> None:
        latest_ms = now_ms + CLOCK_SKEW_MS_MAX
        if claims.issued_ms > latest_ms or (claims.not_before_ms or 0) > latest_ms:
            raise refuse(40144, "the JWT is not valid yet")

    def _check(self, token: _Token, now_ms: int) -> None:
        if token.expires_ms <= now_ms or token.text_hash in self._expired:
            raise refuse(40142, "the token has expired")
        while self._revocations and self._revocations[0][0] < now_ms - TTL_MS_MAX:
            self._revocations.popleft()
        if any(it.applies_ms <= now_ms and _fits(it, token) for _, it in self._revocations):
            raise refuse(40141, "the token was revoked")

    # -- issuing and revoking -------------------------------------------------------------------------------

    def issue(self, request: TokenRequest, key: Key, now_ms: int) -> tuple[str, AblyToken]:
        """Issue a token for a request whose sender is authorised. Refusals: 40003, 40000, 40160."""
        ttl_ms, capability = granted(request, key)
        self._issued += 1
        number = f"{self._issued}-{request.nonce or ''}"[:64]
        token = AblyToken(key.id, now_ms, now_ms + ttl_ms, capability, request.client_id, number)
        return write_token(token, key), token

    def check_signed(self, request: TokenRequest, key: Key, now_ms: int) -> None:
        """Check the signature of a request and use up its nonce. Refusals: 40101, 40104, 40105."""
        check_signature(request, key, now_ms)
        while self._nonces_by_age and self._nonces_by_age[0][0] < now_ms - 2 * CLOCK_SKEW_MS_MAX:
            del self._nonces[self._nonces_by_age.popleft()[1]]
        used = (key.id, request.nonce or "")
        if used in self._nonces:
            raise refuse(40105, "the nonce of the token request was used before")
        if len(self._nonces) >= NONCES_MAX:
            raise refuse(42910, "too many token requests within four minutes; try again later")
        self._nonces[used] = None
        self._nonces_by_age.append((now_ms, used))

    def expire(self, credentials: Credentials, now_ms: int) -> None:
        """Treat one token as expired from now on (a fault for tests). Refusal: 40000 if it is no token."""
        if not isinstance(credentials, TokenText):
            raise refuse(40000, "the connection stands on a key, which does not expire")
        self._expired = {text: at_ms for text, at_ms in self._expired.items() if at_ms > now_ms - TTL_MS_MAX}
        self._expired[_text_hash(credentials.text)] = now_ms

    def revoke(self, revocation: Revocation, now_ms: int) -> None:
        """Make tokens void from now on."""
        self._revocations.append((now_ms, revocation))


def _text_hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _fits(revocation: Revocation, token: _Token) -> bool:
    if revocation.key_id != token.key.id or token.issued_ms >= revocation.issued_before_ms:
        return False
    match revocation.kind:
        case "clientId":
            return revocation.value == token.client_id
        case "revocationKey":
            return revocation.value == token.revocation_key
        case _:
            return revocation.value in token.capability.resources
