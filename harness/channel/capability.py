"""Capabilities: which operations a credential allows on which channels.

Owns parsing, matching with wildcards, intersection and the canonical text form (Ably capabilities: rights
of all matching resources are united; a trailing ``*`` segment stands for one or more segments, an inner one
for exactly one, ``foo*`` is a literal name). Does not decide what an operation needs; ``modes`` and
``publishing`` do.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from harness.channel.errors import refusal

OPERATIONS: Final = frozenset(
    {
        "subscribe",
        "publish",
        "presence",
        "history",
        "object-subscribe",
        "object-publish",
        "annotation-subscribe",
        "annotation-publish",
        "message-update-own",
        "message-update-any",
        "message-delete-own",
        "message-delete-any",
        "stats",
        "push-subscribe",
        "push-admin",
        "channel-metadata",
        "privileged-headers",
    }
)
ANY: Final = "*"
_QUALIFIED: Final = re.compile(r"\[([^\]]*)\](.*)", re.DOTALL)
_MEMO_MAX: Final = 1024
"""Channels remembered per capability; more cost the match again, memory stays bounded."""


class Capability:
    """An immutable map from resource pattern to operations. Compares by value; build with :meth:`parse`."""

    __slots__ = ("_memo", "_resources")

    def __init__(self, resources: Mapping[str, frozenset[str]]) -> None:
        self._resources = {pattern: resources[pattern] for pattern in sorted(resources)}
        self._memo: dict[str, frozenset[str]] = {}

    @property
    def resources(self) -> Mapping[str, frozenset[str]]:
        """Operations by resource pattern, sorted by pattern; ``*`` stands for all operations."""
        return self._resources

    @classmethod
    def parse(cls, value: str | Mapping[str, Sequence[str]]) -> "Capability":
        """Read JSON text or a mapping such as ``{"chat:*": ["subscribe"]}``.

        Malformed ones (unknown operation, ``*`` beside another operation, empty list) are 40000 refusals.
        """
        parsed: object = value
        if isinstance(value, str):
            try:
                parsed = json.loads(value)
            except (ValueError, RecursionError) as error:
                raise refusal(40000, f"the capability is not JSON: {error}") from None
        if not isinstance(parsed, Mapping):
            raise refusal(40000, 'the capability must be a map such as {"channel": ["subscribe"]}')
        return cls({_pattern(key): _operations(key, listed) for key, listed in parsed.items()})

    def operations(self, channel: str) -> frozenset[str]:
        """Return every operation allowed on ``channel``, united over all matching resources."""
        known = self._memo.get(channel)
        if known is None:
            known = frozenset[str]().union(
                *[ops for pattern, ops in self._resources.items() if matches(pattern, channel)]
            )
            known = OPERATIONS if ANY in known else known
            if len(self._memo) >= _MEMO_MAX:
                self._memo.clear()
            self._memo[channel] = known
        return known

    def permits(self, channel: str, operation: str) -> bool:
        """Whether ``operation`` is allowed on ``channel``."""
        return operation in self.operations(channel)

    def intersect(self, other: "Capability") -> "Capability":
        """Return what both allow, resource by resource and operation by operation; may be empty."""
        common: dict[str, frozenset[str]] = {}
        for mine, my_ops in self._resources.items():
            for theirs, their_ops in other.resources.items():
                pattern = meet(mine, theirs)
                ops = their_ops if ANY in my_ops else my_ops if ANY in their_ops else my_ops & their_ops
                if pattern is not None and ops:
                    both = common.get(pattern, frozenset()) | ops
                    common[pattern] = frozenset({ANY}) if ANY in both else both
        return Capability(common)

    def canonical(self) -> str:
        """Return JSON text without spaces, resources and operations sorted."""
        return json.dumps({key: sorted(ops) for key, ops in self._resources.items()}, separators=(",", ":"))

    def __bool__(self) -> bool:
        return bool(self._resources)

    def __eq__(self, other: object) -> bool:
        return self._resources == other._resources if isinstance(other, Capability) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.canonical())

    def __repr__(self) -> str:
        return f"Capability.parse({self.canonical()!r})"


def _pattern(key: object) -> str:
    if not isinstance(key, str) or not key:
        raise refusal(
            40000, f"the capability names the resource {key!r}; a resource is a channel name or pattern"
        )
    return key


def _operations(key: object, listed: object) -> frozenset[str]:
    if isinstance(listed, str) or not isinstance(listed, Sequence) or not listed:
        raise refusal(40000, f"the capability of {key!r} must be a list with at least one operation")
    for name in listed:
        if not isinstance(name, str) or (name != ANY and name not in OPERATIONS):
            raise refusal(40000, f"the capability of {key!r} names the unknown operation {name!r}")
    operations = frozenset[str](listed)
    if ANY in operations and len(operations) > 1:
        raise refusal(40000, f"the capability of {key!r} has '*' beside other operations; '*' stands alone")
    return operations


def split_qualifier(name: str) -> tuple[str, str]:
    """Split ``[meta]log`` into ``("meta", "log")``; an ordinary name has the qualifier ``""``."""
    match = _QUALIFIED.fullmatch(name) if name.startswith("[") else None
    return (match[1], match[2]) if match else ("", name)


@lru_cache(maxsize=_MEMO_MAX)
def matches(pattern: str, channel: str) -> bool:
    """Whether ``pattern`` covers ``channel``; ``*`` never covers a ``[qualified]`` name, ``[*]*`` does."""
    wanted, pattern = split_qualifier(pattern)
    found, channel = split_qualifier(channel)
    if wanted not in (found, ANY):
        return False
    parts, names = pattern.split(":"), channel.split(":")
    if parts[-1] == ANY:
        head = len(parts) - 1
        return len(names) > head and all(
            p in (ANY, n) for p, n in zip(parts[:head], names[:head], strict=True)
        )
    return len(parts) == len(names) and all(p in (ANY, n) for p, n in zip(parts, names, strict=True))


def meet(left: str, right: str) -> str | None:
    """Return the pattern of the channels that both cover, or ``None`` if there are none."""
    left_qualifier, left = split_qualifier(left)
    right_qualifier, right = split_qualifier(right)
    if left_qualifier == ANY:
        qualifier = right_qualifier
    elif right_qualifier in (ANY, left_qualifier):
        qualifier = left_qualifier
    else:
        return None
    segments = _meet_segments(left.split(":"), right.split(":"))
    if segments is None:
        return None
    name = ":".join(segments)
    return f"[{qualifier}]{name}" if qualifier else name


def _meet_segments(left: list[str], right: list[str]) -> list[str] | None:
    met: list[str] = []
    while left and right:
        if left == [ANY]:
            return met + right
        if right == [ANY]:
            return met + left
        a, b = left[0], right[0]
        if a != b and ANY not in (a, b):
            return None
        met.append(b if a == ANY else a)
        left, right = left[1:], right[1:]
    return None if left or right else met
