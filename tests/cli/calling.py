"""What a call of the command line looks like to the tests."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

PLUGIN: Final = Path(__file__).parent / "plugins" / "forgetful.py"


@dataclass(frozen=True, slots=True)
class Done:
    """What a command did."""

    code: int
    out: str
    err: str


Hitl: TypeAlias = Callable[..., Done]
