"""Programs of the machine that tests start."""

import os
import shutil

import pytest


def require(program: str) -> str:
    """Return where a program is; without it the test is skipped, and fails in CI."""
    found = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        message = f"{program} is not installed: run tools/setup-tests.sh"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found
