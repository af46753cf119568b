"""Channel modes: what an attachment may do, and which capability grants which mode.

Owns the mode bits (numbers of Ably spec TR3, so a wire protocol passes them on unchanged) and the mapping
from operations. Does not hold attachments.
"""

from enum import IntFlag
from functools import lru_cache
from typing import Final

from harness.channel.errors import refusal


class Mode(IntFlag):
    """What one attachment may do (spec TR3)."""

    NONE = 0
    PRESENCE = 1 << 16
    PUBLISH = 1 << 17
    SUBSCRIBE = 1 << 18
    PRESENCE_SUBSCRIBE = 1 << 19
    ANNOTATION_PUBLISH = 1 << 21
    ANNOTATION_SUBSCRIBE = 1 << 22
    OBJECT_SUBSCRIBE = 1 << 24
    OBJECT_PUBLISH = 1 << 25


DEFAULT_MODES: Final = (
    Mode.PUBLISH | Mode.SUBSCRIBE | Mode.PRESENCE | Mode.PRESENCE_SUBSCRIBE | Mode.ANNOTATION_PUBLISH
)
"""Granted to an attach that names no mode; naming any mode replaces all of them."""

_MODES_BY_OPERATION: Final = (
    ("subscribe", Mode.SUBSCRIBE | Mode.PRESENCE_SUBSCRIBE | Mode.OBJECT_SUBSCRIBE),
    ("publish", Mode.PUBLISH),
    ("presence", Mode.PRESENCE),
    ("annotation-publish", Mode.ANNOTATION_PUBLISH),
    ("annotation-subscribe", Mode.ANNOTATION_SUBSCRIBE),
    ("object-publish", Mode.OBJECT_PUBLISH),
    ("object-subscribe", Mode.OBJECT_SUBSCRIBE),
)


@lru_cache(maxsize=256)
def permitted_modes(operations: frozenset[str]) -> Mode:
    """Return every mode that these operations allow."""
    permitted = Mode.NONE
    for operation, modes in _MODES_BY_OPERATION:
        if operation in operations:
            permitted |= modes
    return permitted


@lru_cache(maxsize=1024)
def granted_modes(requested: Mode, operations: frozenset[str]) -> Mode:
    """Return the requested modes that these operations allow (remembered: flag arithmetic is slow)."""
    return requested & permitted_modes(operations)


@lru_cache(maxsize=1024)
def includes(modes: Mode, mode: Mode) -> bool:
    """Whether ``mode`` is among ``modes``; remembered like :func:`granted_modes`."""
    return mode in modes


def parse_modes(text: str) -> Mode:
    """Read a comma list such as ``subscribe,publish`` (channel parameter ``modes``); 40003 if unknown."""
    modes = Mode.NONE
    for word in text.split(","):
        mode = Mode.__members__.get(word.strip().upper().replace("-", "_"))
        if not mode:
            raise refusal(40003, f"the channel parameter modes names {word.strip()!r}, which is no mode")
        modes |= mode
    return modes
