"""The sandbox in a process of its own, beside a gateway that has it as its upstream.

It makes its numbers while the gateway loads what it needs itself.
"""

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from gateway.errors import CommandError
from gateway.server.leaving import heeded

_START: Final = 20.0
_STOP: Final = 5.0


class SandboxProcess:
    """A sandbox that was started; whoever asks it for something waits until it is ready.

    Args:
        arguments: the options of the command `sandbox`.
    """

    def __init__(self, arguments: list[str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own module, our own arguments
            [sys.executable, "-m", "gateway", "sandbox", "--exit-with-stdin", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # Ctrl-C in a terminal reaches the gateway, which then stops the sandbox in order. What
            # is held back here is there too, until it has loaded its command line.
            start_new_session=True,
        )

    def url(self) -> str:
        """Return where it is, the first time that this is asked."""
        assert self._process.stdout is not None  # noqa: S101 - it was asked for at the start
        with heeded():
            url = self._process.stdout.readline().strip()
        if not url:
            self._process.wait()
            raise SystemExit(1)  # It has said why.
        return url

    def accounts(self, url: str) -> list[dict[str, Any]]:
        """Return its accounts.

        Raises:
            CommandError: it does not answer.
        """
        end = time.monotonic() + _START
        while time.monotonic() < end and self._process.poll() is None:
            connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=1.0)
            try:
                connection.request("GET", "/_sandbox/accounts")
                return list(json.loads(connection.getresponse().read())["accounts"])
            except (OSError, http.client.HTTPException):
                with heeded():
                    time.sleep(0.05)
            finally:
                connection.close()
        raise CommandError(f"the sandbox did not answer within {_START:.0f} seconds")

    def stop(self) -> None:
        """End it, in order if it can."""
        assert self._process.stdin is not None  # noqa: S101 - as above
        assert self._process.stdout is not None  # noqa: S101
        self._process.stdin.close()
        self._process.terminate()
        try:
            self._process.wait(_STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


@contextmanager
def started(arguments: list[str]) -> Iterator[SandboxProcess]:
    """Have a sandbox until the end; `arguments` as for `SandboxProcess`."""
    process = SandboxProcess(arguments)
    try:
        yield process
    finally:
        process.stop()
