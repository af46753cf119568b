"""Channel names: which are valid, and the parameters a qualified name carries.

Owns the 40010 rule and the split of ``[?rewind=1]room`` into the channel ``room`` and its parameters.
Does not interpret parameters (``attachments`` does).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from harness.channel.capability import split_qualifier
from harness.channel.errors import refusal
from harness.channel.frozen_json import FrozenDict

_VALID: Final = re.compile(r"[^:,\s\[][^\n\r]*")
_DERIVED: Final = frozenset({"meta", "queue"})
NO_PARAMS: Final[Mapping[str, str]] = FrozenDict()


@dataclass(frozen=True, slots=True)
class ChannelName:
    """A checked name. ``base`` is the channel itself, ``params`` come from a ``[?...]`` qualifier."""

    base: str
    namespace: str
    params: Mapping[str, str] = NO_PARAMS


def parse_channel_name(name: str) -> ChannelName:
    """Check a channel name; a bad one is a 40010 refusal.

    Valid: not empty; no leading ``:``, ``,``, white space or ``[`` unless it opens a qualifier; no line
    breaks. The namespace is the text before the first colon, the whole name if there is none.
    """
    qualifier, base = split_qualifier(name)
    if not _VALID.fullmatch(base):
        raise refusal(
            40010,
            f"{name!r} is no channel name: it may not be empty, start with ':', ',', '[' or white space, "
            "or contain line breaks",
        )
    namespace = base.partition(":")[0]
    if not qualifier:
        return ChannelName(base, namespace)
    if qualifier.startswith("?"):
        return ChannelName(base, namespace, FrozenDict(dict(parse_qsl(qualifier[1:]))))
    if qualifier in _DERIVED:
        return ChannelName(f"[{qualifier}]{base}", namespace)
    raise refusal(
        40010, f"{name!r} has a qualifier that this service does not know; [?params], [meta] and [queue] are"
    )
