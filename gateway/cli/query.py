"""`number-gateway query`: run an operation and print the answer."""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

from gateway.cli import asking, tables
from gateway.cli.interrupts import interruptible
from gateway.cli.parser import Commands
from gateway.cli.progress import Progress
from gateway.cli.reading import read_text
from gateway.cli.selections import Selected, is_subscription, selection_of
from gateway.error_codes import ErrorCode
from gateway.errors import CommandError
from gateway.observability.printable import printable

_EPILOG: Final = """\
exit codes:
  0  answered in full
  1  not answered: the gateway or the upstream failed, or could not be reached
  2  the command or the operation is wrong
  3  answered in part: data and errors, or a mutation whose userErrors are not empty
  4  answered, but a part of a search failed: its branchErrors are not empty

examples:
  number-gateway query mine.graphql --var first=20
  echo '{ countries { code } }' | number-gateway query
  number-gateway query mine.graphql --all-pages --format json > mine.json
"""
_WRONG: Final = {
    ErrorCode.BAD_REQUEST,
    ErrorCode.BAD_USER_INPUT,
    ErrorCode.GRAPHQL_PARSE_FAILED,
    ErrorCode.GRAPHQL_VALIDATION_FAILED,
    ErrorCode.LIMIT_EXCEEDED,
    ErrorCode.PATH_NOT_FOUND,
    ErrorCode.UNSUPPORTED_FILTERS,
}


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "query",
        help="run an operation from a file or from standard input",
        description="Run a query or mutation and print the answer: as a table on a terminal, as"
        " JSON elsewhere. A subscription is followed: each event is a line of JSON.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "file", nargs="?", default="-", help="file with the operation (default: standard input)"
    )
    parser.add_argument("--operation", metavar="NAME", help="which, if the file has several")
    parser.add_argument(
        "--var",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a variable: JSON, or else the text as it stands; may be repeated",
    )
    parser.add_argument(
        "--variables", type=Path, metavar="FILE", help="JSON file with variables; --var wins"
    )
    parser.add_argument(
        "--all-pages",
        action="store_true",
        help="follow the first connection to its end; the operation must have a variable $after"
        " that it uses as the connection's `after`, and ask for pageInfo { hasNextPage endCursor }",
    )
    parser.add_argument("--format", choices=("json", "table", "csv"), help="how to print the data")
    parser.add_argument(
        "--raw",
        action="store_true",
        help="in CSV and tables, leave text as it is that a spreadsheet would run as a formula",
    )
    asking.add_options(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    text = _text(options.file)
    variables = _variables(options.variables, options.var)
    if is_subscription(text, options.operation):
        if options.all_pages or options.format in {"table", "csv"}:
            raise CommandError("a subscription is printed as JSON, a line for each event", code=2)
        with interruptible():
            return asyncio.run(_follow(options, text, variables))
    response = asyncio.run(_ask(options, text, variables))
    data, errors = _told(response)
    if data is None:
        return _code(data, errors, set())
    selected = selection_of(text, options.operation)
    problems = list(_problems(data, selected))
    for name, path, problem in problems:
        code, message = problem.pop("code", ""), problem.pop("message", name)
        rest = ", ".join(f"{key}: {json.dumps(value)}" for key, value in problem.items())
        _tell(f"{code} {path}: ".lstrip(), f"{message} ({rest})" if rest else message)
    form = options.format or ("table" if sys.stdout.isatty() else "json")
    sys.stdout.write(_form(form, data, selected, raw=options.raw))
    return _code(data, errors, {name for name, _, _ in problems})


async def _follow(options: argparse.Namespace, text: str, variables: dict[str, Any]) -> int:
    """Print the events of a subscription as they come; return the exit code of the last one."""
    code = 0
    async with asking.gateway(options) as gateway:
        events = gateway.follow(
            text, variables, options.operation, lambda: _tell("", "following; Ctrl+C ends it")
        )
        async with aclosing(events):
            async for response in events:
                data, errors = _told(response)
                code = _code(data, errors, set())
                if data is not None:
                    sys.stdout.write(printable(json.dumps(data, ensure_ascii=False)) + "\n")
                    sys.stdout.flush()
    return code


def _told(response: dict[str, Any]) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """Tell the errors of a response, and return its data and them."""
    errors = response.get("errors") or []
    for error in errors:
        _tell(_where(error), error["message"])
    return response.get("data"), errors


def _form(form: str, data: dict[str, Any], selected: dict[str, Selected], *, raw: bool) -> str:
    if form == "json":
        return printable(json.dumps(data, indent=2, ensure_ascii=False), lines=True) + "\n"
    found = tables.rows_of(data, selected)
    if form == "table":
        return tables.table(found, raw=raw)
    text = tables.csv_of(found, header=True, raw=raw)
    # A file gets every value as it is.
    return printable(text, lines=True) if sys.stdout.isatty() else text


def _problems(
    value: object, selected: dict[str, Selected], path: tuple[str, ...] = ()
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the refusals and the failed parts of searches in an answer: field, place, object."""
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from _problems(each, selected, (*path, f"{index}"))
    elif isinstance(value, dict):
        for name, each in selected.items():
            found, place = value.get(name), (*path, name)
            if each.field not in tables.PROBLEMS:
                yield from _problems(found, each.fields, place)
                continue
            for problem in found or ():
                by_field = {
                    inner.field: problem[key]
                    for key, inner in each.fields.items()
                    if key in problem
                }
                yield each.field, ".".join(place), by_field


def _tell(where: str, message: str) -> None:
    sys.stderr.write(printable(f"{where}{message}") + "\n")
    sys.stderr.flush()


async def _ask(options: argparse.Namespace, text: str, variables: dict[str, Any]) -> dict[str, Any]:
    async with asking.gateway(options) as gateway:
        response = await gateway.execute(text, variables, options.operation)
        whole = _connection(response.get("data"))
        if not options.all_pages or (whole is None and response.get("errors")):
            return response
        if "$after" not in text:
            raise CommandError("--all-pages needs an operation with a variable $after", code=2)
        if whole is None:
            raise CommandError(
                "--all-pages needs pageInfo { hasNextPage endCursor } in the answer", code=2
            )
        progress = Progress()
        try:
            page = whole
            progress.page(_length(page))
            while page["pageInfo"]["hasNextPage"] and not response.get("errors"):
                after = {"after": page["pageInfo"]["endCursor"]}
                following = await gateway.execute(text, variables | after, options.operation)
                if following.get("errors"):
                    response["errors"] = following["errors"]
                found = _connection(following.get("data"))
                if found is None:
                    break
                if found["pageInfo"]["endCursor"] == after["after"]:
                    raise CommandError(
                        "--all-pages follows the first connection, and that does not use $after",
                        code=2,
                    )
                page = found
                for name in ("nodes", "edges"):
                    whole.get(name, []).extend(page.get(name, []))
                whole.get("branchErrors", []).extend(
                    each
                    for each in page.get("branchErrors", [])
                    if each not in whole.get("branchErrors", [])
                )
                progress.page(_length(page))
            whole |= {name: page[name] for name in ("pageInfo", "exhaustive") if name in page}
        finally:
            progress.end()
        return response


def _connection(value: object) -> dict[str, Any] | None:
    """Return the first connection in `value` whose next page can be asked for."""
    if not isinstance(value, dict):
        return None
    info = value.get("pageInfo")
    if isinstance(info, dict) and {"hasNextPage", "endCursor"} <= info.keys():
        return value
    found = map(_connection, value.values())
    return next((each for each in found if each is not None), None)


def _length(connection: dict[str, Any]) -> int:
    return len(connection.get("nodes") or connection.get("edges") or ())


def _text(file: str) -> str:
    return read_text(None if file == "-" else Path(file))


def _variables(file: Path | None, given: list[str]) -> dict[str, Any]:
    variables: dict[str, Any] = {}
    if file is not None:
        if str(file).lstrip().startswith("{"):
            raise CommandError(
                "--variables names a file with JSON: give values by --var NAME=VALUE", code=2
            )
        try:
            variables = json.loads(read_text(file))
        except (ValueError, RecursionError) as error:
            raise CommandError(f"{file} cannot be read: {error}", code=2) from None
        if not isinstance(variables, dict):
            raise CommandError(f"{file} does not hold a JSON object", code=2)
    for each in given:
        name, equals, text = each.partition("=")
        if not equals:
            raise CommandError(f"--var {each!r} is not of the form NAME=VALUE", code=2)
        try:
            # Python would read NaN and 1e999, too, which JSON cannot say.
            json.dumps(value := json.loads(text), allow_nan=False)
        except (ValueError, RecursionError):
            value = text
        variables[name] = value
    return variables


def _where(error: dict[str, Any]) -> str:
    path = ".".join(map(str, error.get("path") or ()))
    code = error.get("extensions", {}).get("code", "")
    places = [f"{each['line']}:{each['column']}" for each in error.get("locations") or ()]
    # Where there is a path, that says more.
    where = " ".join(filter(None, (code, path or ", ".join(places))))
    return f"{where}: " if where else ""


def _code(data: dict[str, Any] | None, errors: list[dict[str, Any]], problems: set[str]) -> int:
    if errors:
        if data is not None and any(value is not None for value in data.values()):
            return 3
        return 2 if errors[0].get("extensions", {}).get("code") in _WRONG else 1
    if "userErrors" in problems:
        return 3
    return 4 if problems else 0
