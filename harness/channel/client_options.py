"""Settings of a client.

Owns the defaults, which are those of Ably's SDKs. Does not act on them.
"""

from dataclasses import dataclass

from harness.channel.rules import NS_PER_S


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """Settings of a client; the durations are those of Ably's SDKs (realtimeRequestTimeout and friends).

    ``publish_timeout_ns`` bounds the wait for an ACK (the SDKs wait for ever, so does ``None``); after it
    the outcome is unknown and the frame is not sent again. ``can_renew`` is false for a client that was
    given a token and no way to get another.
    """

    credentials: object
    client_id: str | None = None
    echo: bool = True
    can_renew: bool = True
    connect_timeout_ns: int = 10 * NS_PER_S
    request_timeout_ns: int = 10 * NS_PER_S
    publish_timeout_ns: int | None = None
    disconnected_retry_ns: int = 15 * NS_PER_S
    suspended_retry_ns: int = 30 * NS_PER_S
    channel_retry_ns: int = 15 * NS_PER_S
    state_ttl_ns: int = 120 * NS_PER_S
    """Until the service tells its own."""
