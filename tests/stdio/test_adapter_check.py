"""``hitl adapter check`` tells an author what is wrong, why it matters and what to do."""

import re
import shutil
import sys
from pathlib import Path
from typing import Final

import pytest

from harness.stdio.launch import PYTHON_KIT
from tests.cli.calling import Hitl
from tests.cli.conftest import hitl as hitl  # noqa: PLC0414 - a fixture by its name

GUIDE: Final = Path(__file__).parents[2] / "docs" / "write-an-adapter-in-any-language.md"
EXAMPLE: Final = f"{sys.executable} {PYTHON_KIT / 'example_adapter.py'}"
HELLO: Final = '{"contract": 1, "manifest": {"name": "x", "version": "1", "summary": "s", "offers": {}}}'
ANSWERING: Final = """
import json, sys
for line in sys.stdin:
    said = json.loads(line)
    if said["do"] == "hello": ok = %s
    elif said["do"] == "call": %s
    elif said["do"] == "cancel": ok = False
    elif said["do"] == "pending": ok = []
    else: ok = None
    print(json.dumps({"id": said["id"], "ok": ok}), flush=True)
    if said["do"] == "close": sys.exit(0)
"""


def script(folder: Path, text: str) -> str:
    path = folder / "adapter.py"
    path.write_text(text, encoding="utf-8")
    return f"{sys.executable} {path}"


def test_the_example_of_the_kit_keeps_the_contract(hitl: Hitl) -> None:
    done = hitl("adapter", "check", EXAMPLE)
    assert done.out.splitlines()[-1] == "The adapter keeps the contract."
    assert "✓ power loss and reboot" in done.out
    assert done.code == 0


def test_a_card_that_no_screen_shows_is_explained(hitl: Hitl, tmp_path: Path) -> None:
    call = 'ok = {"status": "executed"}'
    done = hitl("adapter", "check", script(tmp_path, ANSWERING % (HELLO, call)))
    assert "✓ boots and joins" in done.out
    assert "wrong   no screen ever showed a card for the call" in done.out
    assert "why     people answer what a screen shows" in done.out
    assert 'do      have "pending" return the card' in done.out
    assert done.code == 1


def test_a_process_that_does_not_end_well_is_told_and_the_rest_is_tried(hitl: Hitl, tmp_path: Path) -> None:
    text = (ANSWERING % (HELLO, 'ok = {"status": "executed"}')).replace("sys.exit(0)", "sys.exit(3)")
    done = hitl("adapter", "check", script(tmp_path, text))
    assert "✗ closes in good order" in done.out
    assert "agent: close: exited with code 3" in done.out
    assert "then exit with code 0" in " ".join(done.out.split())
    assert "✗ an approved call" in done.out
    assert done.code == 1


def test_a_process_that_dies_at_boot_ends_the_trial_with_its_last_words(hitl: Hitl, tmp_path: Path) -> None:
    text = (ANSWERING % (HELLO, "ok = None")).replace(
        'elif said["do"] == "pending"', 'elif said["do"] == "boot": sys.exit("no licence")\n    elif 0'
    )
    done = hitl("adapter", "check", script(tmp_path, text))
    assert "✗ boots and joins" in done.out
    assert "no licence" in done.out
    assert "- an approved call: not tried, boots and joins first" in done.out
    assert done.code == 1


def test_what_is_no_adapter_at_all_is_told_what_hello_must_be_answered_with(hitl: Hitl) -> None:
    done = hitl("adapter", "check", "echo Listening on port 80")
    assert "✗ says hello" in done.out
    assert "«Listening on port 80»" in " ".join(done.out.split())
    assert "standard output" in done.out
    assert done.code == 1


def test_a_contract_of_another_number_is_told(hitl: Hitl, tmp_path: Path) -> None:
    hello = HELLO.replace('"contract": 1', '"contract": 2')
    done = hitl("adapter", "check", script(tmp_path, ANSWERING % (hello, "ok = None")))
    assert "the adapter speaks contract 2, the harness contract 1" in " ".join(done.out.split())
    assert done.code == 1


def test_a_command_that_cannot_be_started_is_the_users_mistake(hitl: Hitl) -> None:
    done = hitl("adapter", "check", "no-such-program at all")
    assert "no-such-program could not be started" in done.err
    assert done.code == 2


def test_the_schema_of_the_contract_is_printed(hitl: Hitl) -> None:
    done = hitl("schema", "stdio")
    assert '"before_gate"' in done.out
    assert done.code == 0


def test_the_shell_script_of_the_guide_comes_up(hitl: Hitl, tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not here")
    (code,) = re.findall(r"```bash\n(.*?)```", GUIDE.read_text(encoding="utf-8"), flags=re.DOTALL)
    path = tmp_path / "adapter.sh"
    path.write_text(code, encoding="utf-8")
    done = hitl("adapter", "check", f"{bash} {path}")
    assert done.out.startswith("✓ says hello: shell 1, offers none: nothing is judged\n✓ boots and joins\n")
    assert done.code == 1
