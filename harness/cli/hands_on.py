"""``hitl watch --play``: a race for one request, played by hand in two tabs.

Owns which implementations can be played, and the life of the server. Those over real sockets can,
at the pace of a hand. One whose package lives in an environment of its own is played there, as runs are.
"""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Mapping
from typing import Final

from harness.adapter import Adapter
from harness.catalog import Catalog, Plugin, UnknownNameError
from harness.cli.apart import Lineup, lineup, run_worker
from harness.cli.errors import UserError
from harness.cli.plugins import catalog_with
from harness.stdio.command import CommandError

DEFAULT_ADAPTERS: Final = ("ably-hardened", "ably", "ably-older")
"""One pattern three times: mended, as it is published, and its older form, which may execute twice."""


def play_by_hand(names: tuple[str, ...], plugins: tuple[str, ...], port: int) -> int:
    """Serve the table until a signal ends it; returns the exit code. Raises UserError."""
    catalog = catalog_with(plugins)
    wanted = [_playable(catalog, name) for name in names or DEFAULT_ADAPTERS]
    line = lineup(wanted, skips=False)
    if not line.apart:
        return asyncio.run(_serve({it.name: it.value for it in line.here}, port))
    return _in_its_environment(line, plugins, port)


def _playable(catalog: Catalog, name: str) -> Plugin[Adapter]:
    try:
        plugin = catalog.adapter(name)
    except UnknownNameError as error:
        raise UserError(f'{error} "hitl list adapters" shows all.') from error
    except CommandError as error:
        raise UserError(str(error)) from error
    if "wall" not in plugin.value.manifest.lanes:
        raise UserError(
            f"--play: {name} has no wall lane, and simulated time runs faster than a hand. "
            '"hitl list adapters" shows the lanes of all.'
        )
    return plugin


def _in_its_environment(line: Lineup, plugins: tuple[str, ...], port: int) -> int:
    """Have the environment that holds the packages serve the table."""
    pythons = {*line.apart.values()}
    if line.here or len(pythons) > 1:
        apart = ", ".join(line.apart)
        raise UserError(
            f"--play: the packages of {apart} live in an environment of their own, which can not be shared "
            "with the others: name adapters of one environment."
        )
    (python,) = pythons
    words = ["watch", "--play", "--port", str(port), *line.apart]
    for plugin in plugins:
        words += ["--plugin", plugin]
    return run_worker(python, words)


async def _serve(adapters: Mapping[str, Adapter], port: int) -> int:
    from harness.watch.play_pages import PlayPages  # noqa: PLC0415 - real sockets need an extra
    from harness.watch.serving import serve_pages  # noqa: PLC0415 - as above

    pages = PlayPages(adapters)
    try:
        served = await serve_pages(pages, port)
    except OSError as error:
        text = f"127.0.0.1:{port}: {error.strerror or error}"
        raise UserError(f"the page cannot be served: {text}. Try --port 0, which picks a free one.") from None
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def failed(error: BaseException) -> None:
        if not ended.done():
            ended.set_exception(error)

    def told() -> None:
        if not ended.done():
            ended.set_result(None)

    pages.changed, pages.failed = served.changed, failed
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # not on Windows, where Ctrl-C raises instead
            loop.add_signal_handler(number, told)
    print(f"Play at {served.url} until Ctrl-C.", file=sys.stderr, flush=True)
    try:
        await ended
    finally:
        await pages.stop()
        served.close()
    return 0
