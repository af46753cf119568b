"""Reading fields of untrusted maps.

Owns the rule that null means absent (both SDKs send explicit nulls) and that a field of the wrong type is
refused by name, with the code of whoever reads it. Does not know any message.
"""

from collections.abc import Mapping
from typing import Final

from harness.channel.errors import RefusalError, error_info

Fields = Mapping[object, object]
"""A decoded map: keys may be anything that the format allows."""

_INT64_MAX: Final = (1 << 63) - 1


def refuse(code: int, text: str) -> RefusalError:
    """Return the refusal to raise."""
    return RefusalError(error_info(code, text))


def text(fields: Fields, name: str, code: int = 40000) -> str | None:
    """Return a text field or ``None``; another type is a refusal with ``code``."""
    value = fields.get(name)
    if value is None or isinstance(value, str):
        return value
    raise refuse(code, f"the field {name} is a {type(value).__name__}; it must be text")


def whole(fields: Fields, name: str, code: int = 40000) -> int | None:
    """Return a whole number from 0 to 2^63-1 or ``None``."""
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _INT64_MAX:
        return value
    raise refuse(code, f"the field {name} must be a whole number that is not negative")


def mapping(fields: Fields, name: str, code: int = 40000) -> Fields | None:
    """Return a map field or ``None``."""
    value = fields.get(name)
    if value is None or isinstance(value, Mapping):
        return value
    raise refuse(code, f"the field {name} is a {type(value).__name__}; it must be a map")


def texts(fields: Fields, name: str, code: int = 40000) -> dict[str, str]:
    """Return a map from text to text, empty if absent; numbers and booleans are taken as their JSON text."""
    read: dict[str, str] = {}
    for key, value in (mapping(fields, name, code) or {}).items():
        if not isinstance(key, str) or not isinstance(value, str | int | float):
            raise refuse(code, f"the field {name} must map text to text")
        read[key] = str(value).lower() if isinstance(value, bool) else str(value)
    return read


def items(fields: Fields, name: str, code: int = 40000) -> list[Fields]:
    """Return a list of maps, empty if absent."""
    value = fields.get(name)
    if value is None:
        return []
    if isinstance(value, list):
        return maps(value, f"the field {name}", code)
    raise refuse(code, f"the field {name} is a {type(value).__name__}; it must be a list")


def maps(values: list[object], where: str, code: int = 40000) -> list[Fields]:
    """Return ``values`` if every one is a map."""
    found = [value for value in values if isinstance(value, Mapping)]
    if len(found) != len(values):
        raise refuse(code, f"{where} must hold maps only")
    return found
