"""`number-gateway export`: all numbers of an account into a file.

Pages are appended to `FILE.part`; after each, `FILE.part.state` tells the cursor and how long the
file was. An export that was broken off goes on from there, so that no number is missing or twice.
The part is locked as long as an export works on it.
"""

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from gateway.cli import asking, tables
from gateway.cli.parser import Commands
from gateway.cli.progress import Progress
from gateway.errors import CommandError
from gateway.observability.printable import printable

fcntl: Any
try:
    import fcntl
except ImportError:  # pragma: no cover - Windows has no such locks
    fcntl = None

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
    parser.add_argument("out", type=Path, metavar="FILE", help="file to write: .csv or .jsonl")
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


class _State(NamedTuple):
    """How far an export has come.

    Attributes:
        identity: what it is of; a part is continued only by an export of the same.
        cursor: of the last page that is in the file; None before the first.
        size: bytes of the file up to that page.
        numbers: how many are in it.
    """

    identity: list[str | None]
    cursor: str | None = None
    size: int = 0
    numbers: int = 0


class _Part:
    """The file as far as it is written, and what is needed to go on."""

    def __init__(self, out: Path, identity: list[str | None], *, restart: bool) -> None:
        self._out = out
        self._path = out.with_name(f"{out.name}.part")
        self._state_path = out.with_name(f"{out.name}.part.state")
        # Neither emptied nor believed before it is ours.
        self._file: IO[bytes] = os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
        try:
            self._lock()
            self.state = (None if restart else self._kept(identity)) or _State(identity)
            # What was written after the last page that is known to be whole is written again.
            self._file.truncate(self.state.size)
            self._file.seek(self.state.size)
        except BaseException:
            self._file.close()
            raise

    def add(self, text: str, cursor: str | None, numbers: int) -> None:
        """Append a page, and only then note that it is there."""
        self._file.write(text.encode())
        self._file.flush()
        os.fsync(self._file.fileno())
        total = self.state.numbers + numbers
        self.state = _State(self.state.identity, cursor, self._file.tell(), total)
        fresh = self._state_path.with_suffix(".new")
        fresh.write_text(json.dumps(self.state._asdict()))
        fresh.replace(self._state_path)

    def finish(self) -> None:
        """Give the file its name."""
        self._state_path.unlink(missing_ok=True)
        self._path.replace(self._out)

    def close(self) -> None:
        """Let go of it: finished, or as it is, to go on another time."""
        self._file.close()

    def _lock(self) -> None:
        """Keep others away until the file is closed."""
        try:
            if fcntl is not None:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Who had it may have given it its name since it was opened.
            is_ours = os.path.samestat(self._path.stat(), os.fstat(self._file.fileno()))
        except (BlockingIOError, FileNotFoundError):
            is_ours = False
        if not is_ours:
            raise CommandError(f"another export works on {self._path}")

    def _kept(self, identity: list[str | None]) -> _State | None:
        try:
            kept = _State(**json.loads(self._state_path.read_text()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError):
            raise CommandError(
                f"{self._state_path} cannot be read: give --restart to begin anew"
            ) from None
        if kept.identity != identity:
            raise CommandError(
                f"{self._path} is a part of another export: give --restart to begin anew"
            )
        if os.fstat(self._file.fileno()).st_size < kept.size:
            raise CommandError(
                f"{self._path} is shorter than {self._state_path} says: give --restart to begin"
                " anew"
            )
        return kept


def _run(options: argparse.Namespace) -> int:
    form = options.format or options.out.suffix.removeprefix(".")
    if form not in {"csv", "jsonl"}:
        raise CommandError(f"{options.out} says neither csv nor jsonl: give --format")
    if options.out.is_dir():
        raise CommandError(f"{options.out} is a folder")
    fields = _fields()
    identity = [form, options.account, options.url, fields, "raw" if options.raw else None]
    try:
        part = _Part(options.out, identity, restart=options.restart)
        try:
            asyncio.run(_export(options, form, fields, part))
            part.finish()
        finally:
            part.close()
    except OSError as error:
        raise CommandError(f"{options.out} cannot be written: {error}") from None
    sys.stderr.write(f"{part.state.numbers} numbers in {options.out}\n")
    return 0


async def _export(options: argparse.Namespace, form: str, fields: str, part: _Part) -> None:
    query = (
        "query Export($first: Int!, $after: String, $account: ID) {"
        " phoneNumbers(first: $first, after: $after, accountSid: $account) {"
        f" nodes {{ {fields} }} pageInfo {{ hasNextPage endCursor }} }} }}"
    )
    paths = _paths("PhoneNumber")
    progress = Progress(part.state.numbers)
    async with asking.gateway(options) as gateway:
        more = True
        while more:
            variables = {
                "first": _PAGE,
                "after": part.state.cursor,
                "account": options.account,
            }
            response = await gateway.execute(query, variables)
            if response.get("errors"):
                progress.end()
                raise CommandError(
                    f"{response['errors'][0]['message']} {part.state.numbers} numbers are kept: the"
                    " same command goes on from there"
                )
            found = response["data"]["phoneNumbers"]
            header = form == "csv" and part.state.cursor is None
            text = _text(found["nodes"], form, paths, header=header, raw=options.raw)
            more = found["pageInfo"]["hasNextPage"]
            part.add(text, found["pageInfo"]["endCursor"], len(found["nodes"]))
            progress.page(len(found["nodes"]))
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

    from schema import build_schema  # noqa: PLC0415

    kind = build_schema()._schema.type_map[name]  # noqa: SLF001 - it has no public name
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


def _paths(name: str) -> list[tables.Path]:
    """Return where the scalars of a type are, each a column."""
    from graphql import GraphQLObjectType  # noqa: PLC0415 - only needed here

    paths: list[tables.Path] = []
    for field, kind in _plain_fields(name):
        inner = _paths(kind.name) if isinstance(kind, GraphQLObjectType) else [()]
        paths += [(field, *path) for path in inner]
    return paths
