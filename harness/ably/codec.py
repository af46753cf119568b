"""The two wire formats, JSON and MessagePack: bytes to plain values and back.

Owns the distrust of encoded input: whatever ``decode`` returns is made of JSON values (plus ``bytes`` from
MessagePack), encodes again in either format, and cost no more memory than a small multiple of its bytes.
Does not know what the values mean.
"""

import json
from enum import StrEnum
from typing import Final, NoReturn

import msgpack  # type: ignore[import-untyped]  # ships no annotations

ITEMS_MAX: Final = 4096
"""Most items that one array or map may announce. Four times what one publish may carry; the decoder allocates
by the announcement, so that an unlimited one costs gigabytes at a few bytes a level."""

_ESCAPED: Final = b"\\u"


class Format(StrEnum):
    """How values are written; the text is that of the ``format`` parameter (spec RTN2a)."""

    JSON = "json"
    MSGPACK = "msgpack"

    @property
    def content_type(self) -> str:
        """The media type, exactly: one SDK does not recognise it with a ``charset``."""
        return "application/json" if self is Format.JSON else "application/x-msgpack"


class CodecError(ValueError):
    """The bytes are not a value of the format; the text says why."""


def encode(value: object, form: Format) -> bytes:
    """Write ``value``; in JSON it may hold no ``bytes``."""
    if form is Format.JSON:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    packed: bytes = msgpack.packb(value)
    return packed


def decode(data: bytes, form: Format) -> object:
    """Read one value that fills ``data``; raise :class:`CodecError` for anything else."""
    try:
        return _decode_json(data) if form is Format.JSON else _decode_msgpack(data)
    except RecursionError:
        raise CodecError("the value is nested too deeply") from None
    except (ValueError, TypeError, OverflowError, msgpack.UnpackException) as error:
        raise CodecError(f"the bytes are no {form}: {error}"[:200]) from None


def _decode_json(data: bytes) -> object:
    value: object = json.loads(
        data.decode(), parse_constant=_refuse_constant, parse_float=_finite, parse_int=_int64
    )
    if _ESCAPED in data:  # an escape can smuggle in half a surrogate pair, which no format can write
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON value")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("a number is too large")
    return number


def _int64(text: str) -> int:
    number = int(text)
    if not -(1 << 63) <= number < 1 << 64:
        raise ValueError("a whole number needs more than 64 bits")
    return number


def _decode_msgpack(data: bytes) -> object:
    return msgpack.unpackb(
        data,
        raw=False,
        strict_map_key=True,
        max_array_len=ITEMS_MAX,
        max_map_len=ITEMS_MAX,
        max_ext_len=0,
        ext_hook=_refuse_extension,
    )


def _refuse_extension(code: int, _data: bytes) -> NoReturn:
    raise ValueError(f"extension type {code} is not used by this protocol")
