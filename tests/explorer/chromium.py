"""The system's Chromium, as the tests and the pictures of the explorer use it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Playwright

ELSEWHERE = "gateway.test"
"""A name that leads here, but is not this machine's own for a browser."""
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Pages of one window share a process, which has compiled their scripts already.
    "--process-per-site",
    f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1",
]


def installed() -> str | None:
    """Where it is; None where there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def launched(playwright: Playwright) -> Iterator[Browser]:
    """Run it without a window."""
    browser = playwright.chromium.launch(executable_path=installed(), args=_FLAGS)
    yield browser
    browser.close()
