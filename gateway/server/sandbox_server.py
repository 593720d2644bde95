"""The sandbox as a server of its own. Nothing of the gateway is loaded for it."""

import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import uvicorn

from gateway.draining import Draining
from gateway.errors import CommandError
from gateway.sandbox import SandboxError, SandboxSettings, create_sandbox, read_switches
from gateway.server.listening import address, listen
from gateway.server.uvicorn_server import Server

# Seconds in which it ends. Its connections are the gateway's and its tests': they are cut, not
# waited for.
_STOP: Final = 2.5


def serve_sandbox(port: int, chosen: Mapping[str, Any], *, exit_with_stdin: bool) -> int:
    """Serve the sandbox alone; with `exit_with_stdin`, until whoever started it is gone."""
    # Whoever was started by `serve --sandbox` has its port from another option.
    option = "--sandbox-port" if exit_with_stdin else "--port"
    listening = listen("127.0.0.1", port, option)
    try:
        if "switches" in chosen:
            chosen = {**chosen, "switches": read_switches(chosen["switches"])}
        app = create_sandbox(SandboxSettings(**chosen))
    except SandboxError as error:
        raise CommandError(str(error)) from None
    url = address(listening)
    if exit_with_stdin:
        sys.stdout.write(f"{url}\n")
    else:
        sys.stdout.write(f"Number API (sandbox)  {url}\nAccounts              {url}")
        sys.stdout.write("/_sandbox/accounts\n")
    sys.stdout.flush()
    server = Server.of(app, Draining(_STOP))
    if exit_with_stdin:
        threading.Thread(target=_stop_at_end_of_stdin, args=(server,), daemon=True).start()
    return server.serve_on(listening)


def switches_in(file: Path) -> dict[str, Any]:
    """Return what a file for `sandbox --switches` says of each switch.

    Raises:
        CommandError: it is none.
    """
    try:
        return asdict(read_switches(file))
    except SandboxError as error:
        raise CommandError(str(error)) from None


def _stop_at_end_of_stdin(server: uvicorn.Server) -> None:
    while os.read(0, 1024):
        pass
    server.should_exit = True
