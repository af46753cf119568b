"""Values in records of any shape: paths, translated values, times.

Owns how a path is followed. A step may be a key that itself contains dots; a text that is JSON is entered as
what it says; a list of keys and values, as OpenTelemetry writes attributes, is entered by key. What is not
there is None.
"""

import json
from collections.abc import Mapping as Table
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from harness.audit.mapping import Unit, Value

_NS: Final = {Unit.S: 1_000_000_000, Unit.MS: 1_000_000, Unit.US: 1_000, Unit.NS: 1}
_WRAPPERS: Final = frozenset({"stringValue", "intValue", "boolValue", "doubleValue", "bytesValue"})
_MOMENT: Final = TypeAdapter(AwareDatetime)
_EPOCH: Final = _MOMENT.validate_python("1970-01-01T00:00:00Z")


def look_up(record: Any, path: str) -> Any:
    """Return what is at ``path`` in ``record``, None where nothing is; an empty path is the record."""
    return _follow(record, path.split(".")) if path else record


def _follow(value: Any, steps: Sequence[str]) -> Any:
    if not steps:
        return value
    value = entered(value)
    if isinstance(value, Table):
        for length in range(len(steps), 0, -1):
            key = ".".join(steps[:length])
            if key in value:
                return _follow(value[key], steps[length:])
        return None
    if isinstance(value, list) and steps[0].isdecimal() and int(steps[0]) < len(value):
        return _follow(value[int(steps[0])], steps[1:])
    return None


def entered(value: Any) -> Any:
    """Return a text that holds a JSON object or list as what it holds, anything else as it is."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def with_attributes(record: Any, names: Sequence[str]) -> Any:
    """Return ``record`` with its lists of keys and values turned into objects."""
    if not isinstance(record, dict):
        return record
    turned = {
        name: {it["key"]: _unwrapped(it.get("value")) for it in record[name] if _is_pair(it)}
        for name in names
        if isinstance(record.get(name), list)
    }
    return {**record, **turned}


def _is_pair(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("key"), str)


def _unwrapped(value: Any) -> Any:
    """Return an OpenTelemetry value without its type; 64-bit integers are written as text there."""
    if not isinstance(value, dict) or len(value) != 1:
        return value
    (kind, inner), *_ = value.items()
    if kind == "arrayValue" and isinstance(inner, dict):
        return [_unwrapped(item) for item in inner.get("values", [])]
    if kind == "kvlistValue" and isinstance(inner, dict):
        return {it["key"]: _unwrapped(it.get("value")) for it in inner.get("values", []) if _is_pair(it)}
    if kind == "intValue" and isinstance(inner, str) and inner.lstrip("-").isdecimal():
        return int(inner)
    return inner if kind in _WRAPPERS else value


def valued(record: Any, spec: Value) -> Any:
    """Return the value of a field in ``record``; None where the record does not say it."""
    if spec.path is None:
        return spec.value
    found = look_up(record, spec.path)
    if found is None:
        return spec.default
    return spec.values.get(_as_text(found), found) if spec.values else found


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def matches(record: Any, path: str, wanted: Any) -> bool:
    """Return whether ``record`` has at ``path`` what is wanted, or one of it where that is a tuple."""
    found = look_up(record, path)
    return any(
        type(found) is type(one) and found == one
        for one in (wanted if isinstance(wanted, tuple) else (wanted,))
    )


def nanoseconds(value: Any, unit: Unit) -> int | None:
    """Return a time since the epoch in nanoseconds; None for what is no time in ``unit``."""
    if isinstance(value, bool) or value is None:
        return None
    if unit is Unit.ISO:
        return _iso_ns(value) if isinstance(value, str) else None
    try:
        number = Decimal(str(value))
        return int(number * _NS[unit]) if number.is_finite() else None
    except InvalidOperation:
        return None


def moment_of(at_ns: int) -> str:
    """Return a time since the epoch as ISO 8601, to the second."""
    return _MOMENT.validate_python(at_ns // _NS[Unit.S]).isoformat().replace("+00:00", "Z")


def _iso_ns(text: str) -> int | None:
    try:
        since = _MOMENT.validate_python(text) - _EPOCH
    except ValidationError:
        return None
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1_000
