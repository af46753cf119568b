"""Which manager is used: one that the user names, genie-tooling's own where it is importable, or ours.

Owns the public contract for plugging in a manager that is not published. The option ``manager`` holds, or
where it is not set the environment variable ``HITL_GENIE_MANAGER``,

- ``package.module:name``, or the name of an entry point in the group ``hitl_harness.genie_managers``: either
  an object with ``request_approval(request)``, used as it is, or a callable that is called with the
  approvers and the names of the chain, ``factory(plugins, chain)``, and returns such an object or an
  awaitable of one;
- ``built-in``: this package's own manager, also where genie-tooling is importable;
- nothing: genie-tooling's ``HITLManager`` where it is importable, else this package's own.

``plugins`` has the one method of genie-tooling's ``PluginManager`` that managers call,
``get_plugin_instance``.
"""

import importlib
import inspect
import os
from collections.abc import Awaitable, Callable, Sequence
from importlib.metadata import PackageNotFoundError, entry_points, version
from typing import Any, Final, TypeAlias, cast

from harness.adapter import OptionError, ServicePort

from .manager import ChainManager
from .protocol import ApprovalRequest, ApprovalResponse, Manager, Plugins
from .webhook import PATH, PATIENCE_S, WEBHOOK_APPROVER

VARIABLE: Final = "HITL_GENIE_MANAGER"
TAKES: Final = "package.module:name, an entry point or built-in"
"""What the option ``manager`` may be."""
GROUP: Final = "hitl_harness.genie_managers"
BUILT_IN: Final = "built-in"
PACKAGE: Final = "genie_tooling"

ManagerOf: TypeAlias = Callable[[Plugins, Sequence[str]], Awaitable[Manager]]


class ManagerNotFoundError(OptionError):
    """The manager that was named cannot be used; the text says why and what is due there."""


def manager_of(reference: str | None = None) -> ManagerOf:
    """Return what makes the manager that ``reference`` names, or where it is None the environment variable.

    Raises ManagerNotFoundError.
    """
    wanted = os.environ.get(VARIABLE, "") if reference is None else reference
    if wanted == BUILT_IN:
        return _built_in
    if wanted:
        return _plugged(_named(wanted), wanted)
    published = published_part("hitl.manager", "HITLManager")
    return _built_in if published is None else _published(published)


def published_part(module: str, name: str) -> Any | None:
    """Return a part of genie-tooling, None where the package is not importable or has no such part."""
    try:
        return getattr(importlib.import_module(f"{PACKAGE}.{module}"), name, None)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] == PACKAGE:
            return None
        raise


def published_version() -> str:
    """Return the version of genie-tooling that is installed, else which one's documentation is followed."""
    try:
        return version("genie-tooling")
    except PackageNotFoundError:
        return "0.2, by shape"


async def _built_in(plugins: Plugins, chain: Sequence[str]) -> Manager:
    return ChainManager(plugins, chain)


def _published(manager: Any) -> ManagerOf:
    """Return what makes the package's manager; older ones know one approver and no chain."""
    chains = "default_approver_chain" in inspect.signature(manager).parameters

    async def make(plugins: Plugins, chain: Sequence[str]) -> Manager:
        if chains:
            return cast("Manager", manager(plugins, default_approver_chain=list(chain)))
        return cast("Manager", manager(plugins, default_approver_id=chain[-1]))

    return make


def _plugged(found: Any, reference: str) -> ManagerOf:
    if not isinstance(found, type) and isinstance(found, Manager):
        ready = found

        async def give(plugins: Plugins, chain: Sequence[str]) -> Manager:
            del plugins, chain
            return ready

        return give
    if not callable(found):
        raise ManagerNotFoundError(_useless(reference, found))

    async def make(plugins: Plugins, chain: Sequence[str]) -> Manager:
        made = found(plugins, chain)
        if inspect.isawaitable(made):
            made = await made
        if not isinstance(made, Manager):
            raise ManagerNotFoundError(_useless(reference, made))
        return made

    return make


def _named(reference: str) -> Any:
    if ":" not in reference:
        found = [it for it in entry_points(group=GROUP) if it.name == reference]
        if not found:
            known = ", ".join(sorted(it.name for it in entry_points(group=GROUP))) or "none"
            raise ManagerNotFoundError(
                f"the manager {reference}: the group {GROUP} has no such entry point (known: {known}). "
                f"Name one of them, {BUILT_IN}, or package.module:name."
            )
        return found[0].load()
    module, _, name = reference.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ManagerNotFoundError(
            f"the manager {reference}: {error}. Is it on the path of Python?"
        ) from error


def _useless(reference: str, found: object) -> str:
    return (
        f"the manager {reference}: {type(found).__name__} has no request_approval(request). An object with "
        "it is due, or factory(plugins, chain) that returns one."
    )


class PublishedWebhook:
    """genie-tooling's own webhook approver, pointed at the run's endpoint."""

    plugin_id = WEBHOOK_APPROVER

    def __init__(self, plugin: Any, port: ServicePort) -> None:
        self._plugin = plugin
        self._port = port

    async def setup(self, config: dict[str, Any] | None = None) -> None:
        """Configure the plug-in by the names that its source reads."""
        host, port = await self._port.address()
        ours = {"url": f"http://{host}:{port}{PATH}", "timeout_seconds": PATIENCE_S}
        await self._plugin.setup(ours | (config or {}))

    async def request_approval(self, request: ApprovalRequest) -> ApprovalResponse:
        """Ask through the plug-in."""
        return cast("ApprovalResponse", await self._plugin.request_approval(request))

    async def teardown(self) -> None:
        """Let the plug-in release its client."""
        await self._plugin.teardown()
