"""API keys: names, secrets and rights.

Owns the form ``appId.keyId:secret`` and the comparison of secrets. Does not authenticate anybody.
"""

import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from harness.ably.fields import refuse
from harness.channel.capability import Capability
from harness.channel.errors import ErrorInfo, RefusalError

_KEY: Final = re.compile(r"([\w-]{1,64})\.([\w-]{1,64}):(.{1,256})", re.DOTALL | re.ASCII)
EVERYTHING: Final = Capability.parse({"*": ["*"]})


@dataclass(frozen=True, slots=True)
class Key:
    """One API key. Tokens of a ``revocable`` key live one hour at most."""

    app_id: str
    id: str
    secret: str
    capability: Capability = EVERYTHING
    revocable: bool = False

    @property
    def name(self) -> str:
        """``appId.keyId``, which may be told to anybody."""
        return f"{self.app_id}.{self.id}"

    @property
    def text(self) -> str:
        """The whole key, as it is given to an SDK."""
        return f"{self.name}:{self.secret}"


def parse_key(text: str) -> Key:
    """Read ``appId.keyId:secret``.

    Refusal: 40101. The error catalogue has 40005 for an unparsable key too; the service itself answers 40101.
    """
    match = _KEY.fullmatch(text)
    if match is None:
        raise refuse(40101, "the key is malformed; a key reads appId.keyId:secret")
    return Key(match[1], match[2], match[3])


class KeyRing:
    """The keys of one app, by id."""

    __slots__ = ("_keys", "app_id")

    def __init__(self, app_id: str, keys: Iterable[Key]) -> None:
        self.app_id = app_id
        self._keys = {key.id: key for key in keys}

    @property
    def keys(self) -> tuple[Key, ...]:
        """All keys, in the order given."""
        return tuple(self._keys.values())

    def by_name(self, name: str) -> Key:
        """Find a key. Refusal: 40400 with HTTP status 401, as the service has it for a key of a known app."""
        app_id, _, key_id = name.partition(".")
        key = self._keys.get(key_id) if app_id == self.app_id else None
        if key is None:
            raise RefusalError(ErrorInfo(40400, 401, f"no key has the name {name[:80]!r}"))
        return key

    def check(self, text: str) -> Key:
        """Return the key that ``text`` is. Refusals: 40400 unknown, 40101 malformed or wrong secret."""
        claimed = parse_key(text)
        key = self.by_name(claimed.name)
        if not hmac.compare_digest(key.secret.encode(), claimed.secret.encode()):
            raise refuse(40101, f"the secret of the key {key.name} is wrong")
        return key
