"""Channel rules: what an operator configures per namespace.

Owns the rule value and the lookup: a rule covers exactly one namespace (the text before the first colon),
never a name that merely starts alike. Does not enforce: ``log``, ``attachments`` and ``publishing`` do.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

NS_PER_MS: Final = 1_000_000
NS_PER_S: Final = 1_000_000_000
LIVE_WINDOW_MS: Final = 120_000
"""How far back a resume reaches, and how long unpersisted messages are kept (Ably documentation)."""
DAY_MS: Final = 86_400_000
PERSISTED_MS: Final = 3 * DAY_MS
"""Default for persisted channels: 72 hours, the minimum of paid accounts."""
PERSIST_LAST_MS: Final = 365 * DAY_MS


@dataclass(frozen=True, slots=True)
class ChannelRule:
    """What holds for the channels of one namespace.

    ``history_ms`` is how long messages stay in history; ``persist_last`` keeps the newest one for a year;
    ``mutable`` allows update, delete and append (and implies persistence); ``identified_only`` keeps clients
    without an identity out.
    """

    history_ms: int = LIVE_WINDOW_MS
    persist_last: bool = False
    mutable: bool = False
    identified_only: bool = False
    live_window_ms: int = LIVE_WINDOW_MS
    replay_messages_max: int = 1000

    @property
    def retention_ms(self) -> int:
        """How long history reaches back: at least the live window; mutable channels are persisted."""
        return max(self.history_ms, self.live_window_ms, PERSISTED_MS if self.mutable else 0)


@dataclass(frozen=True, slots=True)
class ChannelRules:
    """The rules of all namespaces; ``default`` holds where none is listed."""

    by_namespace: Mapping[str, ChannelRule] = field(default_factory=dict[str, ChannelRule])
    default: ChannelRule = field(default_factory=ChannelRule)

    def rule_for(self, namespace: str) -> ChannelRule:
        """Return the rule of a namespace, by exact match."""
        return self.by_namespace.get(namespace, self.default)
