"""User claims: which of a token's role claims speaks for a channel.

Owns "the most specific pattern wins" (``ably.channel.<pattern>`` claims, copied into ``extras.userClaim``).
Does not read tokens: patterns arrive without the ``ably.channel.`` prefix, in :class:`Grant`.
"""

from collections.abc import Mapping

from harness.channel.capability import ANY, matches, split_qualifier


def user_claim(claims: Mapping[str, str], channel: str) -> str | None:
    """Return the claim text of the most specific pattern that covers ``channel``; ``None`` if none does."""
    if not claims:
        return None
    fitting = [pattern for pattern in claims if matches(pattern, channel)]
    if len(fitting) == 1:
        return claims[fitting[0]]
    return claims[min(fitting, key=_generality)] if fitting else None


def _generality(pattern: str) -> tuple[bool, tuple[int, ...], str]:
    """Sort key: a literal segment before an inner wildcard before a trailing one, from the left."""
    qualifier, name = split_qualifier(pattern)
    segments = name.split(":")
    ranks = [1 if segment == ANY else 0 for segment in segments]
    if ranks[-1]:
        ranks[-1] = 2
    return (qualifier == ANY, tuple(ranks), pattern)
