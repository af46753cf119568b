"""Bytes to lines and documents, with limits.

Owns how much of a source is held in memory at once: one line of bounded length, or one document that was
asked for as a whole. Every refusal names the line.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Final

LINE_BYTES_MAX: Final = 16 * 1024 * 1024
"""Far above any event; a source without line ends is refused instead of filling the memory."""


class LogError(ValueError):
    """A log cannot be read at all; the text names the source, the line, what is wrong and what to do."""


def lines_of(stream: BinaryIO, name: str) -> Iterator[bytes]:
    """Yield the lines of a stream, ends included; raises LogError for one that is too long."""
    number = 0
    while line := stream.readline(LINE_BYTES_MAX + 1):
        number += 1
        if len(line) > LINE_BYTES_MAX:
            raise LogError(
                f"{name}:{number}: a line of more than {LINE_BYTES_MAX // 1024 // 1024} MiB. "
                "A log has one JSON object a line; is this one?",
            )
        yield line


def text_of(line: bytes, name: str, number: int) -> str:
    """Return a line as text; raises LogError where it is none."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise LogError(
            f"{name}:{number}: not UTF-8 text (byte {error.start} is {line[error.start]:#04x}). "
            "Is it compressed or cut in the middle of something else?",
        ) from error


def documents(lines: Iterable[bytes], name: str, *, whole: bool) -> Iterator[tuple[int, Any]]:
    """Yield the JSON values of a source, each with its line: one a line, or the ``whole`` of it as one.

    Raises LogError for what is no JSON.
    """
    if whole:
        text = b"".join(lines)
        yield 1, _json(text_of(text, name, 1), name, 1)
        return
    for number, line in enumerate(lines, start=1):
        text_line = text_of(line, name, number)
        if text_line.strip():
            yield number, _json(text_line, name, number)


def _json(text: str, name: str, number: int) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = number + error.lineno - 1
        raise LogError(f"{name}:{line}: not JSON: {error.msg} (column {error.colno}).") from error
    except RecursionError as error:
        raise LogError(f"{name}:{number}: JSON nested deeper than this harness follows.") from error
