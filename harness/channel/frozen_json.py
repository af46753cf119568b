"""Deeply immutable JSON values that still are ``dict`` and ``tuple`` to an encoder.

Owns the guarantee that one receiver's careless edit of a delivered message can not change what another
receiver sees: all subscribers of a channel share one message object.
Does not parse JSON text.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn, TypeAlias, TypeVar

from harness.channel.errors import refusal

Json: TypeAlias = "str | int | float | bool | Mapping[str, Json] | Sequence[Json] | None"
"""A JSON value as callers hand it in."""

DEPTH_MAX: Final = 32
"""Nesting limit: far above what headers need, far below Python's recursion limit."""


V = TypeVar("V")


class FrozenDict(dict[str, V]):
    """A ``dict`` whose mutators raise ``TypeError``; compares and encodes like an ordinary one."""

    __slots__ = ()

    def _refuse(self, *_args: object, **_kwargs: object) -> NoReturn:
        raise TypeError(
            "a delivered message is shared by all its receivers; copy it with dict(...) to change it"
        )

    __setitem__ = _refuse
    __delitem__ = _refuse
    __ior__ = _refuse
    clear = _refuse
    pop = _refuse
    popitem = _refuse
    setdefault = _refuse
    update = _refuse

    def __hash__(self) -> int:  # type: ignore[override]  # an immutable mapping may have one
        return hash(frozenset(self.items()))

    def __reduce__(self) -> tuple[type["FrozenDict[V]"], tuple[dict[str, V]]]:
        return (FrozenDict, (dict(self),))


def freeze(value: object, code: int, where: str, depth: int = 0) -> Json:
    """Copy ``value`` into immutable containers; anything that is no JSON is a refusal with ``code``.

    ``where`` names the value in the error text, for example ``extras.headers``.
    """
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, FrozenDict):
        return value
    if depth >= DEPTH_MAX:
        raise refusal(code, f"{where} is nested deeper than {DEPTH_MAX} levels; flatten it")
    if isinstance(value, Mapping):
        return freeze_mapping(value, code, where, depth)
    if isinstance(value, (list, tuple)):
        return tuple(freeze(item, code, f"{where}[{i}]", depth + 1) for i, item in enumerate(value))
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise refusal(
        code, f"{where} is a {type(value).__name__}, which is no JSON value; send text, numbers or maps"
    )


def freeze_mapping(value: Mapping[Any, Any], code: int, where: str, depth: int = 0) -> FrozenDict[Json]:
    """Like :func:`freeze` for a mapping, whose keys must be text."""
    if isinstance(value, FrozenDict):
        return value
    frozen: dict[str, Json] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise refusal(code, f"{where} has the key {key!r}; keys must be text")
        frozen[key] = freeze(item, code, f"{where}.{key}", depth + 1)
    return FrozenDict(frozen)


def as_mapping(value: Json) -> Mapping[str, Json] | None:
    """Return ``value`` if it is a mapping, else ``None``."""
    return value if isinstance(value, Mapping) else None
