"""The kits' examples are real adapters: each keeps the contract, and its promises in a conformance run."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from harness.install.node import find_node
from harness.model import Guarantee
from harness.stdio.launch import NODE_KIT, PYTHON_KIT
from tests.cli.calling import Hitl
from tests.cli.conftest import hitl as hitl  # noqa: PLC0414 - a fixture by its name
from tests.stdio.stepping import installed, require_node

HERE: Final = Path(__file__).parent
TYPESCRIPT: Final = "typescript@5.9.3"
EXAMPLES: Final = {
    "python-example": f"cmd:{sys.executable} {PYTHON_KIT / 'example_adapter.py'}",
    "node-example": f"cmd:node {NODE_KIT / 'example_adapter.mjs'}",
}
SCENARIOS: Final = (
    "first_response_wins",
    "role_rejection",
    "durable_pending",
    "reinvocation",
    "shared_store",
)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_keeps_its_promises_in_a_conformance_run(hitl: Hitl, name: str) -> None:
    if name == "node-example":
        require_node()
    chosen = [word for scenario in SCENARIOS for word in ("--scenario", scenario)]
    done = hitl("run", EXAMPLES[name], "--examples", "2", "--json", "--allow-inconclusive", *chosen)
    assert done.code == 0, done.out + done.err
    (result,) = json.loads(done.out)["adapters"]
    assert result["adapter"] == name
    assert result["failures"] == []
    verdicts = {it["property"]: it["status"] for it in result["verdicts"]}
    assert [verdicts[it] for it in ("P1", "P3", "P4", "P9")] == ["holds"] * 4


def test_the_node_example_keeps_the_contract(hitl: Hitl) -> None:
    require_node()
    done = hitl("adapter", "check", EXAMPLES["node-example"])
    assert done.out.splitlines()[-1] == "The adapter keeps the contract."
    assert done.code == 0


def test_the_types_of_the_node_kit_let_right_adapters_through_and_refuse_wrong_ones(tmp_path: Path) -> None:
    folder, node = installed(TYPESCRIPT, tmp_path), find_node()
    assert node is not None
    options = {
        "strict": True,
        "noEmit": True,
        "target": "es2022",
        "module": "nodenext",
        "types": [],
        "paths": {"hitl-adapter-kit": [str(NODE_KIT / "kit.d.ts")]},
    }
    project = {"compilerOptions": options, "files": [str(HERE / "typed_adapter.ts")]}
    (folder / "tsconfig.json").write_text(json.dumps(project), encoding="utf-8")
    compiler = folder / "node_modules" / "typescript" / "bin" / "tsc"
    command = [str(node.program), str(compiler), "-p", str(folder)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stdout


def test_the_types_name_every_guarantee() -> None:
    text = (NODE_KIT / "kit.d.ts").read_text(encoding="utf-8")
    assert [it.value for it in Guarantee if f'"{it.value}"' not in text] == []


@pytest.mark.parametrize("example", [PYTHON_KIT / "example_adapter.py", NODE_KIT / "example_adapter.mjs"])
def test_an_example_stays_short(example: Path) -> None:
    lines = [line for line in example.read_text(encoding="utf-8").splitlines() if line.strip()]
    assert len(lines) <= 60
