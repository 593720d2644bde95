"""`number-gateway export FILE`: all numbers of an account into a file or a stream."""

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any, Final

from gateway.cli import asking, tables
from gateway.cli.interrupts import interruptible
from gateway.cli.output import STANDARD_OUTPUT, Identity, Output, open_output
from gateway.cli.parser import Commands
from gateway.cli.progress import Progress, counted
from gateway.cli.selections import selection_of
from gateway.errors import CommandError
from gateway.observability.printable import printable
from gateway.server.leaving import held

_PAGE: Final = 1000
# Fields of a number that would cost further calls, or are no use in a file.
_LEFT_OUT: Final = frozenset({"id", "account", "similarAvailable"})


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "export",
        help="write all numbers of an account into a file",
        description="Write all numbers of an account, with everything known of each, into a file."
        " When it is broken off, the same command goes on where it was.",
    )
    parser.add_argument(
        "out",
        type=_target,
        metavar="FILE",
        help="file to write: .csv or .jsonl; - is standard output, as CSV by default",
    )
    parser.add_argument("--format", choices=("csv", "jsonl"), help="by default as FILE is named")
    parser.add_argument(
        "--account", metavar="SID", help="account (AC…) whose numbers; by default one's own"
    )
    parser.add_argument(
        "--restart", action="store_true", help="begin anew, even if a part is there already"
    )
    parser.add_argument(
        "--raw",
        action="store_true",
        help="in CSV, leave text as it is that a spreadsheet would run as a formula",
    )
    asking.add_options(parser)
    parser.set_defaults(run=_run)


def _target(text: str) -> Path:
    """Return where to write; a file that is named `-` can be named `./-`."""
    path = Path(text)
    return path.absolute() if path == STANDARD_OUTPUT and text != "-" else path


def _run(options: argparse.Namespace) -> int:
    is_standard_output = options.out == STANDARD_OUTPUT
    form = options.format or ("csv" if is_standard_output else options.out.suffix.removeprefix("."))
    if form not in {"csv", "jsonl"}:
        raise CommandError(f"{options.out} says neither csv nor jsonl: give --format")
    raw = "raw" if options.raw else None
    with held():
        fields = _fields()
    identity = Identity(form, options.account, options.url, fields, raw)
    with interruptible():
        output = open_output(options.out, identity, restart=options.restart)
        try:
            asyncio.run(_export(options, output))
            output.finish()
        except KeyboardInterrupt:
            sys.stderr.write(f"number-gateway: interrupted. {output.left()}\n")
            raise
        finally:
            output.close()
    sys.stderr.write(f"{counted(output.state.numbers, 'number')} in {printable(output.name)}\n")
    return 0


async def _export(options: argparse.Namespace, output: Output) -> None:
    from graphql import GraphQLError  # noqa: PLC0415 - only needed here

    form, fields = output.state.identity.form, output.state.identity.fields
    query = (
        "query Export($first: Int!, $after: String, $account: ID) {"
        " phoneNumbers(first: $first, after: $after, accountSid: $account) {"
        f" nodes {{ {fields} }} pageInfo {{ hasNextPage endCursor }} }} }}"
    )
    try:
        connection = selection_of(query, None)["phoneNumbers"]
        paths = list(tables.leaves(connection.fields["nodes"].fields))
    except (GraphQLError, LookupError):
        raise CommandError(
            f"the fields of the part of {output.name} cannot be read: give --restart to begin anew"
        ) from None
    progress = Progress(output.state.numbers)
    try:
        async with asking.gateway(options) as gateway:
            more = True
            while more:
                variables = {
                    "first": _PAGE,
                    "after": output.state.cursor,
                    "account": options.account,
                }
                response = await gateway.execute(query, variables)
                if response.get("errors"):
                    raise CommandError(f"{response['errors'][0]['message']} {output.left()}")
                found = response["data"]["phoneNumbers"]
                header = form == "csv" and output.state.cursor is None
                text = _text(found["nodes"], form, paths, header=header, raw=options.raw)
                if output.is_terminal:
                    text = printable(text, lines=True)
                more = found["pageInfo"]["hasNextPage"]
                output.add(text, found["pageInfo"]["endCursor"], len(found["nodes"]))
                progress.page(len(found["nodes"]))
    finally:
        progress.end()


def _text(
    nodes: list[dict[str, Any]], form: str, paths: list[tables.Path], *, header: bool, raw: bool
) -> str:
    if form == "csv":
        return tables.csv_of(tables.rows(nodes, paths), header=header, raw=raw)
    return "".join(printable(json.dumps(node, ensure_ascii=False)) + "\n" for node in nodes)


def _fields() -> str:
    """Return the selection of everything that is known of a number without further calls."""
    return _selection("PhoneNumber")


def _plain_fields(name: str) -> list[tuple[str, Any]]:
    """Return the fields of a type that take no arguments, with their types."""
    from graphql import GraphQLObjectType, get_named_type  # noqa: PLC0415 - only needed here

    from schema import build_core_schema  # noqa: PLC0415

    kind = build_core_schema().type_map[name]
    assert isinstance(kind, GraphQLObjectType)  # noqa: S101 - types of numbers are
    return [
        (field, get_named_type(made.type))
        for field, made in kind.fields.items()
        if field not in _LEFT_OUT and not made.args
    ]


def _selection(name: str) -> str:
    from graphql import GraphQLObjectType  # noqa: PLC0415 - only needed here

    return " ".join(
        f"{field} {{ {_selection(kind.name)} }}" if isinstance(kind, GraphQLObjectType) else field
        for field, kind in _plain_fields(name)
    )
