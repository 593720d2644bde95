"""`number-gateway schema`: print it, or see what an older one's clients would lose."""

import argparse
import sys
from pathlib import Path

from gateway.cli.parser import Commands
from gateway.cli.reading import read_text
from gateway.errors import CommandError
from gateway.server.leaving import held


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "schema",
        help="print the GraphQL schema, or compare it with an older one",
        description="Print the GraphQL schema in its definition language. With --check, compare it"
        " with an older one: changes that break its clients are listed, and the exit code is 1 if"
        " there are any; changes that may surprise them are listed too. It is 2 if the file is not"
        " a schema.",
    )
    parser.add_argument(
        "--check", type=Path, metavar="FILE", help="older schema, as this command prints it"
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    with held():
        from schema import build_schema  # noqa: PLC0415 - a command imports only what it needs

        text = build_schema().as_str() + "\n"
    if options.check is None:
        sys.stdout.write(text)
        return 0
    return _compare(str(options.check), read_text(options.check), text)


def _compare(name: str, older: str, newer: str) -> int:
    with held():
        from graphql import GraphQLError, build_schema, validate_schema  # noqa: PLC0415 - as above

        from gateway.cli.schema_changes import Verdict, find_changes  # noqa: PLC0415

    try:
        before = build_schema(older)
        wrong = [error.message for error in validate_schema(before)]
    except GraphQLError as error:
        wrong = [
            f"{error.message} ({', '.join(f'line {at.line}' for at in error.locations or ())})"
        ]
    # What is missing or twice in a definition is a TypeError there.
    except TypeError as error:
        wrong = [str(error)]
    if wrong:
        raise CommandError(f"{name} is not a schema: {wrong[0]}", code=2) from None
    found = find_changes(before, build_schema(newer))
    for change in found:
        sys.stdout.write(f"{change.verdict:<10} {change.what}\n")
    breaks = any(change.verdict is Verdict.BREAKING for change in found)
    if not breaks:
        sys.stdout.write(f"No client of {name} breaks.\n")
    return 1 if breaks else 0
