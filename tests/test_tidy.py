"""The house rules that a reviewer should not have to check.

Owns the ceilings, the banned calls and the list of places at which a broad ``except`` stands for a named
boundary to foreign code.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final, TypeAlias

import pytest

ROOT: Final = Path(__file__).parent.parent
PRODUCT: Final = ("harness", "scenarios", "adapters", "reports")
MODULE_LINES_MAX: Final = 500
FUNCTION_LINES_MAX: Final = 70

# Modules whose functions read the machine's clock or its randomness, and what of them is harmless: a
# generator that is seeded explicitly, records that hold a time.
IMPURE: Final[dict[str, frozenset[str]]] = {
    "time": frozenset(),
    "random": frozenset({"Random"}),
    "uuid": frozenset({"UUID"}),
    "secrets": frozenset(),
    "datetime": frozenset({"timedelta", "timezone", "UTC"}),
}
CLOCK_AND_ENTROPY: Final = (
    "harness/sim/entropy.py",
    "harness/sim/clock.py",
    "harness/ably/machine.py",  # a server outside of a simulation
    "harness/kits/python/hitl_adapter_kit.py",  # runs in processes of adapters
    "harness/explore/stopwatch.py",  # how long the harness itself took, told and never judged
)

# Where foreign code is called and whatever it raises is theirs: module and function.
FOREIGN_BOUNDARIES: Final = frozenset(
    {
        ("harness/sim/loop.py", "_run_instant"),
        ("harness/sim/loop_face.py", "run_inline"),
        ("harness/sim/tasks.py", "close_coroutine"),
        ("harness/catalog.py", "_load"),
        ("harness/world/boundary.py", "guarded"),
        ("harness/kits/python/hitl_adapter_kit.py", "_carry_out"),
        ("harness/world/boundary.py", "open_implementation"),
        ("harness/cli/reporting.py", "_rendered"),
        ("harness/cli/__init__.py", "main"),
        ("adapters/genie/manager.py", "_ask"),
    }
)

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


def _modules(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def _short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


@pytest.mark.parametrize("path", [*_modules(*PRODUCT, "tests"), ROOT / "noxfile.py"], ids=_short)
def test_modules_and_functions_stay_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MODULE_LINES_MAX, "one job a module: split it along a seam"
    for function in _functions(_tree(path)):
        length = (function.end_lineno or function.lineno) - function.lineno + 1
        assert length <= FUNCTION_LINES_MAX, f"{function.name} has {length} lines"


@pytest.mark.parametrize("path", _modules(*PRODUCT), ids=_short)
def test_every_module_opens_with_what_it_owns(path: Path) -> None:
    assert ast.get_docstring(_tree(path)), "a module docstring is due"


@pytest.mark.parametrize("path", _modules(*PRODUCT), ids=_short)
def test_nothing_reads_the_machines_clock_or_randomness(path: Path) -> None:
    if _short(path) in CLOCK_AND_ENTROPY:
        return
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module in IMPURE:
            names = {alias.name for alias in node.names} - IMPURE[node.module]
            assert not names, f"line {node.lineno}: {node.module}.{min(names)}"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in IMPURE:
            assert node.attr in IMPURE[node.value.id], f"line {node.lineno}: {node.value.id}.{node.attr}"
        if isinstance(node, ast.Attribute):
            assert node.attr not in ("urandom", "utcnow"), f"line {node.lineno}: {node.attr}"


@pytest.mark.parametrize("path", _modules(*PRODUCT), ids=_short)
def test_no_decision_rests_on_an_address_or_on_the_order_of_a_set(path: Path) -> None:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "id", f"line {node.lineno}: id() differs between runs"
        if isinstance(node, ast.For | ast.comprehension):
            source = node.iter
            call = source.func if isinstance(source, ast.Call) else None
            is_set = isinstance(call, ast.Name) and call.id in ("set", "frozenset")
            where = f"line {source.lineno}: the order of a set differs between processes"
            assert not is_set, where
            assert not isinstance(source, ast.Set | ast.SetComp), where


@pytest.mark.parametrize("path", _modules(*PRODUCT), ids=_short)
def test_a_broad_except_stands_only_at_a_named_boundary(path: Path) -> None:
    for function in _functions(_tree(path)):
        for handler in (node for node in ast.walk(function) if isinstance(node, ast.ExceptHandler)):
            if _is_broad(handler) and not _raises_again(handler):
                inner = _innermost(function, handler)
                assert (_short(path), inner.name) in FOREIGN_BOUNDARIES, (
                    f"line {handler.lineno}: {inner.name} catches everything"
                )


def _is_broad(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(kind, ast.Name) and kind.id in ("Exception", "BaseException") for kind in kinds)


def _raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def _innermost(function: Function, handler: ast.ExceptHandler) -> Function:
    inside = [it for it in _functions(function) if any(node is handler for node in ast.walk(it))]
    return min(inside, key=lambda it: (it.end_lineno or 0) - it.lineno)


def test_every_named_boundary_still_exists() -> None:
    for module, name in sorted(FOREIGN_BOUNDARIES):
        path = ROOT / module
        assert path.exists(), f"{module} is gone: take it off the list"
        assert name in {function.name for function in _functions(_tree(path))}, f"{module}: no {name}"
