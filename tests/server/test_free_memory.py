"""How much freed memory the process keeps for the answers that come next."""

import platform
import subprocess
import sys

import pytest

from tests.support.gateway_process import environment

# The memory of some thirty large answers, again and again.
ANSWERS = """
from resource import RUSAGE_SELF, getrusage
from gateway.server import free_memory

def answer():
    return [bytes(100_000) for _ in range(30)]

free_memory.keep()
answer()
before = getrusage(RUSAGE_SELF).ru_minflt
for _ in range(20):
    answer()
print(getrusage(RUSAGE_SELF).ru_minflt - before)
"""
PAGES_OF_ANSWERS = 20 * 30 * 100_000 // 4096

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only glibc is told what to keep"
)


def page_faults(**variables: str) -> int:
    """Return how often memory had to be asked for again, where the environment says this."""
    command = [sys.executable, "-c", ANSWERS]
    done = subprocess.run(  # noqa: S603 - our own command
        command, env=environment(**variables), capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def test_the_memory_of_answers_serves_those_that_come_next() -> None:
    assert page_faults() < PAGES_OF_ANSWERS / 20


def test_what_an_operator_says_of_memory_counts() -> None:
    assert page_faults(MALLOC_TRIM_THRESHOLD_="131072") > PAGES_OF_ANSWERS / 2
