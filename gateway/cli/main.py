"""The command line: `serve` and `sandbox` here, the other commands in modules of their own."""

import argparse
import errno
import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from gateway import __version__
from gateway.cli.interrupts import Interrupted
from gateway.cli.parser import Commands
from gateway.errors import CommandError
from gateway.observability.printable import printable
from gateway.server.leaving import held, leave_in_order

# Why standard output cannot be written. Commands tell of other files themselves.
_UNWRITABLE: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}

_SANDBOX_OPTIONS: Final = ("data", "seed", "numbers", "switches")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code: 0 done, 1 failed, 2 asked wrongly."""
    _open_standard_streams()
    try:
        try:
            with held():
                given = sys.argv[1:] if arguments is None else arguments
                options = parser(given).parse_args(arguments)
            code = int(options.run(options))
        finally:
            sys.stdout.flush()
    except CommandError as error:
        sys.stderr.write(f"number-gateway: {printable(str(error))}\n")
        return error.code
    except Interrupted as interrupted:
        return interrupted.code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read the output has seen enough.
        _drop_output()
        return 141
    except OSError as error:
        if error.filename is not None or error.errno not in _UNWRITABLE:
            raise
        _drop_output()
        sys.stderr.write(f"number-gateway: standard output cannot be written: {error.strerror}\n")
        return 1
    return code


def _open_standard_streams() -> None:
    """Give a closed output a place where writing fails; no file may get its number instead."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free is given.
            os.open(os.devnull, os.O_WRONLY if name == "stderr" else os.O_RDONLY)
            setattr(sys, name, open(number, mode, closefd=False, encoding="utf-8"))  # noqa: SIM115


def _drop_output() -> None:
    """Let what is left of the output not fail at the exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Parser(argparse.ArgumentParser):
    """A parser that fails when its help cannot be written; `argparse` would say nothing."""

    def print_help(self, file: Any = None) -> None:  # noqa: ANN401 - the signature is argparse's
        """Write the help."""
        (file or sys.stdout).write(self.format_help())


class _ShowVersion(argparse.Action):
    """Writes the version, and ends."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Do so."""
        sys.stdout.write(f"{__version__}\n")
        parser.exit()


def parser(arguments: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Return the parser of the command line: of the whole, or of no more than `arguments` need."""
    parser = _Parser(
        prog="number-gateway",
        description="A GraphQL gateway over Twilio's phone-number REST APIs.",
    )
    parser.add_argument("--version", action=_ShowVersion, nargs=0, help="show the version")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser(
        "serve",
        help="serve GraphQL",
        description="Serve GraphQL at /graphql and the explorer at /. Settings also come from"
        " GATEWAY_… variables, .env and a TOML file; what is given here wins.",
    )
    serve.add_argument("--config", type=Path, metavar="FILE", help="TOML file with settings")
    serve.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    serve.add_argument("--port", type=_port, help="port to listen on (default 8000)")
    serve.add_argument(
        "--workers", type=_whole, metavar="N", help="processes that serve the port (default 1)"
    )
    serve.add_argument("--auth", choices=("pass-through", "tokens", "open"), help="who may ask")
    serve.add_argument("--production", action="store_const", const=True, help="lock it down")
    serve.add_argument("--catalog-url", metavar="URL", help="base URL of the catalog family")
    serve.add_argument("--core-url", metavar="URL", help="base URL of the core family")
    serve.add_argument("--pricing-url", metavar="URL", help="base URL of the Pricing API")
    serve.add_argument("--regulations-url", metavar="URL", help="base URL of the Regulations API")
    serve.add_argument(
        "--proxy", metavar="URL", help="HTTP proxy to the upstream, or direct (see GATEWAY_PROXY)"
    )
    serve.add_argument(
        "--sandbox",
        action="store_true",
        help="start the embedded number API too, and use it as the upstream",
    )
    _sandbox_options(serve, "--sandbox-port")
    serve.set_defaults(run=_serve)

    sandbox = commands.add_parser(
        "sandbox",
        help="serve the embedded number API alone",
        description="Serve the embedded number API: /Numbers/… and /2010-04-01/….",
    )
    _sandbox_options(sandbox, "--port")
    sandbox.add_argument("--exit-with-stdin", action="store_true", help=argparse.SUPPRESS)
    sandbox.set_defaults(run=_sandbox)

    if arguments[:1] != ["serve"]:  # That is to answer soon, and needs none of the others.
        _add_others(commands)
    return parser


def _add_others(commands: Commands) -> None:
    from gateway.cli import check, export, query, schema, settings  # noqa: PLC0415

    for command in (query, export, check, schema, settings):
        command.add(commands)


def _sandbox_options(parser: argparse.ArgumentParser, port: str) -> None:
    parser.add_argument(
        port, dest="sandbox_port", type=_port, metavar="PORT", help="its port (default 8010)"
    )
    parser.add_argument("--data", type=Path, metavar="FILE", help="keep its state in this file")
    parser.add_argument("--seed", type=_whole, help="seed of everything it generates")
    parser.add_argument("--numbers", type=_whole, metavar="N", help="available numbers to generate")
    parser.add_argument(
        "--switches",
        type=Path,
        metavar="FILE",
        help="what it does where documentation is silent, as `check --live` writes it",
    )


def _port(text: str) -> int:
    most = 65_535
    if not (text.isascii() and text.isdecimal()) or int(text) > most:
        raise argparse.ArgumentTypeError(f"{text} is not a port: 0 to {most}")
    return int(text)


def _whole(text: str) -> int:
    with suppress(ValueError):
        if text.isascii():  # Python reads the digits of all scripts.
            return int(text)
    raise argparse.ArgumentTypeError(f"{text} is not a whole number")


def _serve(options: argparse.Namespace) -> int:
    names = (
        *("config", "host", "port", "workers", "auth", "production"),
        *("catalog_url", "core_url", "pricing_url", "regulations_url", "proxy"),
    )
    given: dict[str, Any] = {
        name: value for name in names if (value := getattr(options, name)) is not None
    }
    # What is loaded from here on stays: to walk it again and again while it grows takes a sixth of
    # the start. Whoever serves lets the collector work when all is there.
    gc.disable()
    # The library of the logs would load them, where they are installed, and use neither.
    for unused in ("rich", "greenlet"):
        sys.modules.setdefault(unused, None)  # type: ignore[arg-type] # taken as not there
    leave_in_order()
    with held():  # Until it serves, and while it waits for its sandbox.
        from gateway.server import open_files  # noqa: PLC0415 - no other command needs it

        open_files.require()
        if options.sandbox:
            from gateway.server import sandbox_process  # noqa: PLC0415 - it is to start at once

            with sandbox_process.started(_sandbox_arguments(options)) as sandbox:
                from gateway.server import serve  # noqa: PLC0415 - while that one makes its numbers

                return serve.serve_with_sandbox(given, sandbox)
        for name in ("sandbox_port", *_SANDBOX_OPTIONS):
            if getattr(options, name) is not None:
                raise CommandError(f"--{name.replace('_', '-')} is for --sandbox", code=2)
        from gateway.server import serve  # noqa: PLC0415 - a command imports only what it needs

        return serve.serve(given)


def _sandbox_arguments(options: argparse.Namespace) -> list[str]:
    """Return the sandbox's options as arguments for a process of its own."""
    arguments = ["--port", str(_sandbox_port(options))]
    for name in _SANDBOX_OPTIONS:
        value = getattr(options, name)
        if value is not None:
            arguments += [f"--{name}", str(value)]
    return arguments


def _sandbox_port(options: argparse.Namespace) -> int:
    return 8010 if options.sandbox_port is None else options.sandbox_port


def _sandbox(options: argparse.Namespace) -> int:
    leave_in_order()
    with held():  # Until it serves.
        from gateway.server import sandbox_server  # noqa: PLC0415 - a command imports what it needs

        chosen = {name: getattr(options, name) for name in _SANDBOX_OPTIONS}
        return sandbox_server.serve_sandbox(
            _sandbox_port(options),
            {name: value for name, value in chosen.items() if value is not None},
            exit_with_stdin=options.exit_with_stdin,
        )
