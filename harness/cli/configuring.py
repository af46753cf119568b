"""``--option NAME=VALUE``: words to options, and those to the adapters that take them.

Owns how an option is refused. One that none of the wanted adapters takes is an error of the user's; one that
only some take is set on these.
"""

from collections.abc import Sequence

from harness.adapter import Adapter, OptionError
from harness.catalog import Catalog, Plugin, UnknownNameError, suggest
from harness.cli.errors import UserError


def configured(
    catalog: Catalog, adapters: Sequence[Plugin[Adapter]], words: Sequence[str]
) -> list[Plugin[Adapter]]:
    """Return ``adapters`` with the options in ``words`` set on those that take them; raises UserError."""
    options = dict(_pair(word) for word in words)
    known = {name for plugin in adapters for name in plugin.value.manifest.takes}
    for name in options:
        if name not in known:
            names = ", ".join(plugin.name for plugin in adapters)
            raise UserError(f"--option {name}: {suggest('option', name, known)} Asked of: {names}.")
    return [_with(catalog, plugin, options) for plugin in adapters]


def _with(catalog: Catalog, plugin: Plugin[Adapter], options: dict[str, str]) -> Plugin[Adapter]:
    takes = plugin.value.manifest.takes
    try:
        return catalog.configured(plugin, {name: it for name, it in options.items() if name in takes})
    except (OptionError, UnknownNameError) as error:
        raise UserError(f"--option: {error}") from error


def _pair(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not name or not equals:
        raise UserError(f"--option {word}: NAME=VALUE is due here.")
    return name, value
