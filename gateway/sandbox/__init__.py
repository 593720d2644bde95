"""The embedded number API: a real REST server over SQLite.

It answers as Twilio's documentation and recorded traffic say.

It shares nothing with the rest of the gateway, and so stays an independent check of it.
"""

from gateway.sandbox.application import create_sandbox
from gateway.sandbox.options import SandboxError, SandboxSettings, read_switches
from gateway.sandbox.switches import Switches

__all__ = ["SandboxError", "SandboxSettings", "Switches", "create_sandbox", "read_switches"]
