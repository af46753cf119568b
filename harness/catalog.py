"""The catalogue: finds plug-ins in the three built-in folders and wherever a user points.

Owns discovery and nothing else. A plug-in module exports ``ADAPTERS``, ``SCENARIOS`` or ``REPORTS``, a
tuple of objects with a name; beside adapters it may export ``ABLATIONS``, broken variants of them. In a
checkout the built-in folders are the top-level ones; an installed harness carries the same folders inside
its package. Both are searched in sorted order, so that a run does not depend on the disk.

Invariant: built-in plug-ins have no privileged path, and a broken plug-in never stops the others: it is
reported with its file and line.
"""

import difflib
import hashlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, Final, Generic, TypeVar

from harness.ablation import Ablation
from harness.adapter import Adapter, Configurable
from harness.report import Report
from harness.scenario import Scenario
from harness.stdio.command import PREFIX as COMMAND
from harness.stdio.command import CommandError, adapter_of, script_of

T = TypeVar("T")

_PACKAGE: Final = Path(__file__).resolve().parent
_FOLDERS: Final = ("adapters", "scenarios", "reports")
_EXPORTS: Final = {
    "adapters": "ADAPTERS",
    "scenarios": "SCENARIOS",
    "reports": "REPORTS",
    "ablations": "ABLATIONS",
}


class UnknownNameError(LookupError):
    """No plug-in bears that name; the text suggests the nearest ones."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A plug-in that could not be loaded: where it broke and why."""

    path: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


@dataclass(frozen=True, slots=True)
class Plugin(Generic[T]):
    """A plug-in and the file it comes from.

    ``reference`` is what a user types to get it where that is not its name; ``options`` are set on it.
    """

    name: str
    value: T
    path: Path
    reference: str = ""
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything that was found."""

    adapters: Mapping[str, Plugin[Adapter]]
    scenarios: Mapping[str, Plugin[Scenario]]
    reports: Mapping[str, Plugin[Report]]
    problems: tuple[Problem, ...]
    ablations: Mapping[str, Plugin[Ablation]] = field(default_factory=dict)
    _asked_for: dict[str, Plugin[Adapter]] = field(default_factory=dict)
    """Adapters asked for as ``cmd:COMMAND``, by that text and by their name, and those with options set."""

    def adapter(self, name: str) -> Plugin[Adapter]:
        """Return the adapter called ``name``, or the one that ``cmd:COMMAND`` starts.

        Raises UnknownNameError, and CommandError where the command starts no adapter.
        """
        if name.startswith(COMMAND) and name not in self._asked_for:
            plugin = _command(name)
            self._asked_for.update({name: plugin, plugin.name: plugin})
        if name in self._asked_for:
            return self._asked_for[name]
        return _named("adapter", self.adapters, name, self.problems)

    def configured(self, plugin: Plugin[Adapter], options: Mapping[str, str]) -> Plugin[Adapter]:
        """Return ``plugin`` with ``options`` set, and find it so from now on.

        Raises UnknownNameError where its manifest does not take one of them, OptionError where a value cannot
        be used.
        """
        takes = plugin.value.manifest.takes
        for name in options:
            if name not in takes:
                raise UnknownNameError(f"{plugin.name}: {suggest('option', name, takes)}")
        if not options:
            return plugin
        assert isinstance(plugin.value, Configurable), "an adapter that takes options has with_options"
        made = replace(plugin, value=plugin.value.with_options(options), options=options)
        self._asked_for[plugin.name] = made
        return made

    def scenario(self, name: str) -> Plugin[Scenario]:
        """Return the scenario called ``name``; raises UnknownNameError."""
        return _named("scenario", self.scenarios, name, self.problems)

    def report(self, name: str) -> Plugin[Report]:
        """Return the report called ``name``; raises UnknownNameError."""
        return _named("report", self.reports, name, self.problems)


def suggest(kind: str, name: str, known: Iterable[str]) -> str:
    """Return the text of a complaint about an unknown name, with the nearest known ones."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(names) or 'none'}."
    return f"unknown {kind} {name!r}. {hint}"


def _named(kind: str, plugins: Mapping[str, Plugin[T]], name: str, problems: Sequence[Problem]) -> Plugin[T]:
    for candidate in (name, name.replace("-", "_"), name.replace("_", "-")):
        if candidate in plugins:
            return plugins[candidate]
    broken = [problem for problem in problems if name.replace("-", "_") in problem.path.as_posix()]
    because = f" It could not be loaded: {broken[0]}." if broken else ""
    raise UnknownNameError(suggest(kind, name, plugins) + because)


def load_catalog(extra: Sequence[str] = ()) -> Catalog:
    """Find all plug-ins: the built-in ones, then those of ``extra``.

    Each of ``extra`` is a folder (its modules and packages), a file, ``package.module:Name``, or
    ``cmd:COMMAND`` for an adapter that is a process. What cannot be loaded is in ``problems``; a second
    plug-in of a name already taken is a problem too.
    """
    problems: list[Problem] = []
    found: dict[str, dict[str, Plugin[Any]]] = {kind: {} for kind in _EXPORTS}
    for kind in _FOLDERS:
        for name, path in _built_in_modules(kind):
            _load(problems, path, partial(_module, name, path), found, only=kind)
    for target in extra:
        _load_extra(problems, target, found)
    frozen = {kind: MappingProxyType(dict(sorted(plugins.items()))) for kind, plugins in found.items()}
    return Catalog(**frozen, problems=tuple(problems))  # type: ignore[arg-type]  # values of each kind fit


def _built_in_modules(kind: str) -> Iterator[tuple[str, Path]]:
    inside = _PACKAGE / kind
    folder, prefix = (inside, f"harness.{kind}") if inside.is_dir() else (_PACKAGE.parent / kind, kind)
    for path in _modules_in(folder):
        stem = path.parent.name if path.name == "__init__.py" else path.stem
        yield f"{prefix}.{stem}", path


def _modules_in(folder: Path) -> list[Path]:
    """Return the plug-in modules of a folder: its files, and its packages' ``__init__`` files."""
    if not folder.is_dir():
        return []
    files = [path for path in folder.glob("*.py") if not path.name.startswith("_")]
    return sorted([*files, *folder.glob("[!_.]*/__init__.py")])


def _command(reference: str) -> Plugin[Adapter]:
    """Return the adapter that a command starts; raises CommandError."""
    adapter = adapter_of(reference)
    return Plugin(adapter.manifest.name, adapter, script_of(reference), reference)


def _load_extra(problems: list[Problem], target: str, found: dict[str, dict[str, Plugin[Any]]]) -> None:
    if target.startswith(COMMAND):
        try:
            plugin = _command(target)
        except CommandError as error:
            problems.append(Problem(Path(target), 1, str(error)))
        else:
            _add(problems, found["adapters"], plugin.path, plugin.value, target)
        return
    path = Path(target).resolve()
    if path.is_dir() and not (path / "__init__.py").exists():
        for module in _modules_in(path):
            _load(problems, module, partial(_module, _alias(module), module), found)
        return
    module_path = path / "__init__.py" if path.is_dir() else path
    if module_path.is_file():
        _load(problems, module_path, partial(_module, _alias(module_path), module_path), found)
        return
    name, _, attribute = target.partition(":")
    if attribute and not name.endswith(".py"):
        _load(problems, Path(target), lambda: _only(importlib.import_module(name), attribute), found)
        return
    hint = "a folder, a .py file or package.module:Name is due here"
    problems.append(Problem(Path(target), 1, f"no such plug-in: {hint}."))


def _alias(path: Path) -> str:
    return f"hitl_plugin_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"


def _only(module: ModuleType, attribute: str) -> ModuleType:
    """Return a module-like holder of one plug-in, exported as what its methods say it is."""
    value = getattr(module, attribute)
    value = value() if isinstance(value, type) else value
    holder = ModuleType(module.__name__)
    holder.__file__ = module.__file__
    methods = {"ADAPTERS": "open", "SCENARIOS": "draw", "REPORTS": "render"}
    for export, method in methods.items():
        if hasattr(value, method):
            setattr(holder, export, (value,))
    return holder


def _module(name: str, path: Path) -> ModuleType:
    if name in sys.modules:
        return sys.modules[name]
    locations = [str(path.parent)] if path.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=locations)
    assert spec is not None, "a .py file always has a spec"
    assert spec.loader is not None, "and a loader"
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _load(
    problems: list[Problem],
    path: Path,
    load: Callable[[], ModuleType],
    found: dict[str, dict[str, Plugin[Any]]],
    *,
    only: str | None = None,
) -> None:
    try:
        module = load()
    except Exception as error:  # noqa: BLE001 - the one boundary to plug-ins that are being imported
        problems.append(_problem(path, error))
        return
    exports = {kind: getattr(module, name) for kind, name in _EXPORTS.items() if hasattr(module, name)}
    if not exports:
        due = _EXPORTS[only] if only else " or ".join(_EXPORTS.values())
        problems.append(Problem(path, 1, f"exports no {due}; a plug-in is listed in that tuple."))
    for kind, values in exports.items():
        for value in values:
            _add(problems, found[kind], path, value)


def _add(
    problems: list[Problem], plugins: dict[str, Plugin[Any]], path: Path, value: object, reference: str = ""
) -> None:
    name = getattr(getattr(value, "manifest", value), "name", None)
    if not isinstance(name, str):
        problems.append(Problem(path, 1, f"{type(value).__name__} has no name (a text is due)."))
    elif name in plugins:
        problems.append(Problem(path, 1, f"the name {name!r} is taken by {plugins[name].path}."))
    else:
        plugins[name] = Plugin(name, value, path, reference)


def _problem(path: Path, error: Exception) -> Problem:
    """Return where a plug-in broke: the innermost line in its own folder, else its first."""
    if isinstance(error, SyntaxError) and error.filename:
        return Problem(Path(error.filename), error.lineno or 1, f"SyntaxError: {error.msg}")
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(path.parent)]
    line, file = (own[-1].lineno or 1, Path(own[-1].filename)) if own else (1, path)
    return Problem(file, line, f"{type(error).__name__}: {error}")
