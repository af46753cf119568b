"""The process that serves the page of a run, apart from the process that runs.

Owns both ends of the pipe between them. The run writes one JSON object a line; what the page's process does,
and whether it still lives, changes nothing in the run. It ends when the run's process closes the pipe, and
ignores Ctrl-C, which is meant for the run.
"""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from harness.watch.pages import Record
from harness.watch.run_pages import RunPages
from harness.watch.serving import ServedPages, serve_pages

_ROOT: Final = Path(__file__).resolve().parents[2]
_ENTRY: Final = (
    "import sys; sys.path[:0] = {paths!r}; from harness.watch.page_process import main; main({port!r})"
)
_LINE_BYTES_MAX: Final = 16 * 1024 * 1024
"""A record holds at most one picture, of some tens of kilobytes."""
_TICK_S: Final = 0.5
"""How often a page is sent how fast the run goes while nothing else happens."""


class PageError(Exception):
    """The page cannot be served; the text says why."""


@dataclass(slots=True)
class PageProcess:
    """The run's end of the pipe."""

    process: "subprocess.Popen[str]"
    url: str
    lost: bool = False
    """Whether the page's process went away; nothing is told to it any more."""

    def tell(self, record: Record) -> None:
        """Write one record."""
        if self.lost or self.process.stdin is None:
            return
        try:
            self.process.stdin.write(json.dumps(record) + "\n")
            self.process.stdin.flush()
        except OSError:
            self.lost = True


@contextmanager
def page_process(port: int) -> Iterator[PageProcess]:
    """Start a page's process and end it afterwards. Raises PageError where it cannot serve."""
    paths = [str(_ROOT), *(str(Path(entry).resolve()) for entry in sys.path if entry)]
    command = [sys.executable, "-P", "-c", _ENTRY.format(paths=paths, port=port)]
    with subprocess.Popen(  # noqa: S603 - this harness
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        try:
            assert process.stdout is not None, "a pipe was asked for"
            line = process.stdout.readline()
            greeting: dict[str, str] = json.loads(line) if line else {"error": "its process ended at once"}
            if "error" in greeting:
                raise PageError(greeting["error"])
            yield PageProcess(process, greeting["url"])
        finally:
            with suppress(OSError):
                process.communicate()


def main(port: int) -> None:
    """Serve the page of the run whose feed comes on standard input, until that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(_serve(port))


async def _serve(port: int) -> None:
    pages = RunPages(asyncio.get_running_loop().time)
    try:
        served = await serve_pages(pages, port)
    except OSError as error:
        _say({"error": f"127.0.0.1:{port}: {error.strerror or error}"})
        return
    _say({"url": served.url})
    ticking = asyncio.create_task(_tick(pages, served))
    try:
        await _follow(pages, served)
    finally:
        ticking.cancel()
        served.close()


def _say(record: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(record) + "\n")
    sys.stdout.flush()


async def _follow(pages: RunPages, served: ServedPages) -> None:
    """Take in the feed to its end; the last view is sent before the sockets are closed."""
    reader = asyncio.StreamReader(limit=_LINE_BYTES_MAX)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        pages.board.apply(json.loads(line), pages.clock())
        served.changed()
    pages.board.apply({"kind": "gone"}, pages.clock())
    served.refresh()


async def _tick(pages: RunPages, served: ServedPages) -> None:
    while pages.board.going:
        await asyncio.sleep(_TICK_S)
        served.changed()
