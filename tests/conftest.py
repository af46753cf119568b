"""Where all tests find what ``hitl adapter install`` installed: in this checkout, wherever they run."""

import os
from pathlib import Path

from harness.install.folders import ENVS_VARIABLE

os.environ.setdefault(ENVS_VARIABLE, str(Path(__file__).resolve().parent.parent / ".hitl" / "envs"))
