"""What a test needs beside Python: said where it is missing, and never missing in CI."""

import os

import pytest

from harness.catalog import load_catalog
from harness.install.folders import NotInstalledError
from harness.install.standing import needs


def require_installed(adapter: str) -> None:
    """Skip the test, with the command to type, where what a built-in adapter wraps is not installed.

    Where ``CI`` is ``true`` the test fails instead.
    """
    try:
        needs(load_catalog().adapter(adapter).value.manifest.requires, adapter)
    except NotInstalledError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))
