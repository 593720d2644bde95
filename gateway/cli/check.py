"""`number-gateway check`: what is unsafe about the settings."""

import argparse
import sys
from pathlib import Path

from gateway.cli.parser import Commands
from gateway.observability.printable import printable


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "check",
        help="say what is unsafe about the settings",
        description="Read the settings as `serve` would, name each that is unsafe, and ask the"
        " upstream what the credentials can do. Exits with 1 when something must be put right.",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file with settings")
    parser.add_argument("--production", action="store_const", const=True, help="as in serve")
    parser.add_argument("--auth", choices=("pass-through", "tokens", "open"), help="as in serve")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from gateway.cli import safety_checks  # noqa: PLC0415 - a command imports what it needs
    from gateway.observability.logs import configure  # noqa: PLC0415
    from gateway.settings import loading  # noqa: PLC0415 - a command imports what it needs

    given = {name: getattr(options, name) for name in ("config", "production", "auth")}
    chosen = {name: value for name, value in given.items() if value is not None}
    settings = loading.load(chosen)
    configure("critical", settings.log_format)  # It prints what is found itself.
    return safety_checks.report(settings, _line)


def _line(text: str) -> None:
    """Write a line, whatever the upstream has put into it."""
    sys.stdout.write(printable(text.removesuffix("\n")) + "\n")
