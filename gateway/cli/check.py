"""`number-gateway check`: what is unsafe about the settings, and what the real API does."""

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.cli.interrupts import interruptible
from gateway.cli.parser import Commands
from gateway.errors import CommandError
from gateway.observability.printable import printable
from gateway.server.leaving import held

if TYPE_CHECKING:
    from gateway.cli.first_contact import Contact
    from gateway.cli.probes import Probe
    from gateway.settings.model import Settings

_FOR_LIVE = ("switches", "expect", "json")


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "check",
        help="say what is unsafe about the settings, or (--live) what the real API does otherwise",
        description="Read the settings as `serve` would, name each that is unsafe, and ask the"
        " upstream what the credentials can do. Exits with 1 when something must be put right."
        " With --live, ask the upstream instead, by reading alone, whether it does what the gateway"
        " takes for granted; exits with 1 when it does not, or did not answer all questions.",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file with settings")
    parser.add_argument("--production", action="store_const", const=True, help="as in serve")
    parser.add_argument("--auth", choices=("pass-through", "tokens", "open"), help="as in serve")
    live = parser.add_argument_group("first contact with the real API")
    live.add_argument(
        "--live",
        action="store_true",
        help="go over all that is assumed of the upstream, with GET requests alone",
    )
    live.add_argument(
        "--switches",
        type=Path,
        metavar="FILE",
        help="write what the account does otherwise, for `sandbox --switches FILE`",
    )
    live.add_argument(
        "--expect",
        type=Path,
        metavar="FILE",
        help="expect what such a file says: tells what has changed since",
    )
    live.add_argument("--json", action="store_true", help="print it for machines")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    with held():
        from gateway.observability.logs import configure  # noqa: PLC0415
        from gateway.settings import loading  # noqa: PLC0415 - a command imports what it needs

    given = {name: getattr(options, name) for name in ("config", "production", "auth")}
    chosen = {name: value for name, value in given.items() if value is not None}
    for name in _FOR_LIVE:
        if getattr(options, name) and not options.live:
            raise CommandError(f"--{name} is for --live", code=2)
    settings = loading.load(chosen)
    configure("critical", settings.log_format)  # It prints what is found itself.
    if options.live:
        with interruptible():
            return _first_contact(options, settings)
    with held():
        from gateway.cli import safety_checks  # noqa: PLC0415 - a command imports what it needs

    return safety_checks.report(settings, _line)


def _first_contact(options: argparse.Namespace, settings: "Settings") -> int:
    with held():
        from gateway.cli import first_contact  # noqa: PLC0415 - a command imports what it needs
        from gateway.server.sandbox_server import switches_in  # noqa: PLC0415

        contact = _contact(settings)
    expected = switches_in(options.expect) if options.expect else {}
    if options.switches:
        _require_writable(options.switches)
    sys.stderr.write(f"{contact.announcement}\n")
    try:
        answers = asyncio.run(first_contact.ask_all(contact, _show))
    finally:
        _show_none()
    told = first_contact.judge(answers, expected)
    switches = first_contact.switches(told, expected)
    if options.json:
        document = first_contact.document(told, switches)
        text = printable(json.dumps(document, ensure_ascii=False, indent=2), lines=True)
        sys.stdout.write(f"{text}\n")
    else:
        first_contact.report(told, _line)
    if options.switches:
        _write(options.switches, first_contact.switches_file(told, switches))
    return int(any(each.verdict == "contradicted" or each.failed for each in told))


def _contact(settings: "Settings") -> "Contact":
    from gateway.app import APIS, dialler_for  # noqa: PLC0415 - a command imports what it needs
    from gateway.auth.authentication import OwnAccount, own_credential, wrong_sids  # noqa: PLC0415
    from gateway.cli.first_contact import Contact  # noqa: PLC0415
    from gateway.upstream.proxies import Origin  # noqa: PLC0415

    own = settings.pick(OwnAccount)
    credential = own_credential(own)
    if credential is None:
        raise CommandError("no credentials: set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN")
    for name, problem in wrong_sids(own):
        raise CommandError(f"{name}: {problem}")
    return Contact(
        {APIS[name]: Origin.of(url) for name, url in settings.urls.items()},
        credential,
        settings.call_deadline,
        dialler_for(settings),
        settings.upstream_body_limit,
    )


def _show(number: int, probe: "Probe") -> None:
    """Show on a terminal what is asked now."""
    if sys.stderr.isatty():
        from gateway.cli.probes import PROBES  # noqa: PLC0415 - a command imports what it needs

        sys.stderr.write(f"\r\x1b[K[{number}/{len(PROBES)}] {str(probe)[:60]}")
        sys.stderr.flush()


def _show_none() -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")


def _require_writable(file: Path) -> None:
    """Find out before anything is asked whether a file can be written; all stays as it is.

    Raises:
        CommandError: it cannot, or it is there and holds something else than switches.
    """
    from gateway.server.sandbox_server import switches_in  # noqa: PLC0415 - a command imports what it needs

    try:
        was_there = file.exists()
        with file.open("a"):
            pass
        if not was_there:
            file.unlink()
        elif file.is_file() and file.stat().st_size:
            switches_in(file)
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror}") from None
    except CommandError as error:
        raise CommandError(f"{error}. It is not overwritten") from None


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror}") from None
    sys.stderr.write(f"Switches for a sandbox that does as this account: {printable(str(file))}\n")


def _line(text: str) -> None:
    """Write a line, whatever the upstream has put into it."""
    sys.stdout.write(printable(text.removesuffix("\n")) + "\n")
