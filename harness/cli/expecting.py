"""``hitl run --update-expectations``: the lists of known violations, rewritten from what a run showed.

Owns which file belongs to which adapter, and what the user is told about each. What an entry becomes is the
business of :mod:`harness.expectations`.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.adapter import Adapter
from harness.catalog import Plugin
from harness.cli.errors import UserError
from harness.expectations import (
    FILE_NAME,
    NOT_EXPLAINED,
    Expectations,
    ExpectationsError,
    found,
    read_expectations,
    under,
    updated,
    write_expectations,
)
from harness.narrate import plural
from harness.results import AdapterResult


def bring_up_to_date(
    adapters: Sequence[Plugin[Adapter]], results: Sequence[AdapterResult], *, strikes: bool
) -> Iterator[AdapterResult]:
    """Rewrite the expectations of ``adapters`` and yield their results as judged under the new ones.

    ``strikes`` says whether the run was large enough to strike what it did not find. Raises UserError where a
    file cannot be used or written.
    """
    homes = {plugin.name: plugin.path.parent / FILE_NAME for plugin in adapters}
    renewed: dict[Path, Expectations] = {}
    for path in dict.fromkeys(homes.values()):
        own = [result for result in results if homes[result.adapter] == path]
        try:
            renewed[path] = _renewed(path, own, strikes=strikes)
        except ExpectationsError as error:
            raise UserError(str(error)) from error
    for result in results:
        known = renewed[homes[result.adapter]]
        yield under(result, known if strikes else found(result, known))


def _renewed(path: Path, results: Sequence[AdapterResult], *, strikes: bool) -> Expectations:
    before = read_expectations(path)
    after = updated(before, results, strikes=strikes)
    if write_expectations(path, after):
        unexplained = sum(entry.reason == NOT_EXPLAINED for entry in after.entries.values())
        print(
            f"hitl: {path}: {plural(len(after.entries), 'known violation')}, "
            f"{len(after.entries.keys() - before.entries.keys())} new, "
            f"{len(before.entries.keys() - after.entries.keys())} gone, {unexplained} not yet explained",
            file=sys.stderr,
        )
    return after
