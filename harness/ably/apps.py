"""Apps: isolated tenants, each with its keys, its rules and a channel service of its own.

Owns the registry and the making of apps, those given at the start and those that test suites ask for
(``POST /apps``). The invariant: nothing of one app is reachable with credentials of another. Does not read
requests.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from harness.ably.authenticator import Authenticator
from harness.ably.fields import refuse
from harness.ably.keys import Key, KeyRing
from harness.channel.connections import IdMint
from harness.channel.errors import RefusalError
from harness.channel.frames import Store
from harness.channel.messages import MESSAGE_BYTES_MAX
from harness.channel.presence import MEMBERS_MAX
from harness.channel.rules import ChannelRules
from harness.channel.service import ChannelService, ServiceOptions

APPS_MAX: Final = 1000
"""Apps kept at once; test suites make one per file and delete it, more is a leak."""


@dataclass(frozen=True, slots=True)
class AppConfig:
    """What an operator decides about an app.

    ``rules`` cover its channels; ``series`` continues the serials of an earlier boot over the same store;
    ``store`` keeps frames (``None``: nothing survives); ``members_max`` limits presence on each channel.
    """

    id: str
    keys: tuple[Key, ...]
    rules: ChannelRules = field(default_factory=ChannelRules)
    series: str | None = None
    store: Store | None = None
    members_max: int = MEMBERS_MAX


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Settings of a server; ``*_ms`` as in :class:`harness.channel.service.ServiceOptions`.

    ``heartbeat_ms`` is also what clients are told as the longest silence (``maxIdleInterval``); 0 sends none
    and tells them to expect none. Heartbeats are always frames: one SDK does not count WebSocket pings.
    Rates are per second, ``None`` is unlimited: ``messages_per_s`` of one connection (42911), of one channel
    (42913), ``frames_per_s`` of one connection (42924, fatal). ``tls`` is whether sockets are encrypted, for
    those who are told where to connect.
    """

    heartbeat_ms: int = 15_000
    state_ttl_ms: int = 120_000
    presence_grace_ms: int = 15_000
    message_bytes_max: int = MESSAGE_BYTES_MAX
    messages_per_s: int | None = None
    channel_messages_per_s: int | None = None
    frames_per_s: int | None = None
    sandbox: bool = False
    tls: bool = False
    control: bool = False


class App:
    """One tenant."""

    __slots__ = ("authenticator", "config", "id", "message_ids", "service")

    def __init__(self, config: AppConfig, seed_text: str, options: ServerOptions) -> None:
        self.id = config.id
        self.config = config
        self.authenticator = Authenticator(KeyRing(config.id, config.keys))
        self.message_ids = IdMint(f"{seed_text}:{config.id}:messages")
        self.service = ChannelService(
            f"{seed_text}:{config.id}",
            self.authenticator,
            ServiceOptions(
                series=config.series,
                state_ttl_ms=options.state_ttl_ms,
                heartbeat_ms=options.heartbeat_ms,
                message_bytes_max=options.message_bytes_max,
                members_max=config.members_max,
                presence_grace_ms=options.presence_grace_ms,
                rules=config.rules,
            ),
            config.store,
        )

    def knows(self, connection_key: str) -> bool:
        """Whether a live or resumable connection of this app has this key."""
        try:
            self.service.connection_of(connection_key)
        except RefusalError:
            return False
        return True


class Apps:
    """All apps of one server."""

    def __init__(self, seed_text: str, options: ServerOptions, configs: Iterable[AppConfig]) -> None:
        self._seed_text = seed_text
        self.options = options
        self._ids = IdMint(f"{seed_text}:apps")
        self._apps: dict[str, App] = {}
        for config in configs:
            self.add(config)

    def __iter__(self) -> Iterator[App]:
        return iter(tuple(self._apps.values()))

    @property
    def by_id(self) -> Mapping[str, App]:
        """All apps."""
        return self._apps

    def add(self, config: AppConfig) -> App:
        """Add an app."""
        app = self._apps[config.id] = App(config, self._seed_text, self.options)
        return app

    def create(self, configure: Callable[[str, IdMint], AppConfig]) -> App:
        """Make an app with a new id; ``configure`` gets the id and a source of secrets. Refusal: 42910."""
        if len(self._apps) >= APPS_MAX:
            raise refuse(42910, f"the server has {APPS_MAX} apps, the most it may; delete some")
        return self.add(configure(self._ids.next()[0], self._ids))

    def remove(self, app_id: str) -> None:
        """Forget an app; its connections must have been ended before."""
        del self._apps[app_id]

    def of(self, app_id: str) -> App:
        """Find an app. Refusal: 40400."""
        app = self._apps.get(app_id)
        if app is None:
            raise refuse(40400, f"no app has the id {app_id[:80]!r}")
        return app
