"""The README's first screen is true: its excerpt is real output, its commands exist."""

import re
import sys
from typing import Final

import pytest
from typer.testing import CliRunner

from harness.cli.app import app
from tests.docs.readme_excerpt import README, page_with_excerpt

TEXT: Final = README.read_text(encoding="utf-8")


@pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason="a run repeats within one minor version of Python"
)
def test_the_excerpt_is_how_the_violation_is_shown() -> None:
    assert page_with_excerpt(TEXT) == TEXT, 'run "python -m tests.docs.readme_excerpt"'


def test_the_first_screen_holds_both_commands() -> None:
    first_screen = "\n".join(TEXT.splitlines()[:12])
    assert "pip install . && hitl run reference ably-guide" in first_screen
    assert "pip install nox && nox -s tests" in first_screen


@pytest.mark.parametrize("command", sorted(set(re.findall(r"hitl ([a-z]+)", TEXT))))
def test_every_command_that_is_named_exists(command: str) -> None:
    assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0
