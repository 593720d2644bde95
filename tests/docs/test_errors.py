"""The page of errors: every code that can be produced, and none that cannot."""

import ast
import enum
import re
from collections.abc import Iterator

import pytest

from gateway.error_codes import CloseCode, ErrorCode
from gateway.errors import RateLimited, ShuttingDown, SlowConsumer
from schema import build_core_schema
from schema.enums import BranchErrorCode
from schema.user_errors import UserErrorCode
from tests.support import loopback
from tests.support.gateway_in_thread import RunningGateway
from tests.support.paths import DOCS, ROOT
from tools.errors import page, words

# What the library below closes a connection with, in cases of its own.
OF_THE_LIBRARY = {CloseCode.PROTOCOL_ERROR}
# What the room below WebSocket messages calls them, by the library's names.
BELOW = {
    "SERVICE_RESTART": CloseCode.RESTART,
    "POLICY_VIOLATION": CloseCode.POLICY,
    "INVALID_DATA": CloseCode.UNREADABLE,
}


def sources() -> Iterator[ast.Module]:
    for path in (ROOT / "gateway").rglob("*.py"):
        if "sandbox" not in path.parts and path.name != "error_codes.py":
            yield ast.parse(path.read_text())


def named(kind: type[enum.Enum]) -> set[str]:
    """Return the members of an enum that the code names."""
    return {
        node.attr
        for tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == kind.__name__
    }


def test_the_page_of_errors_is_current() -> None:
    made = "\n".join(page()) + "\n"
    kept = (DOCS / "errors.md").read_text()
    assert kept == made, "run: python -m tools.errors > docs/errors.md"


def test_the_explorer_speaks_of_errors_in_the_words_of_the_tables() -> None:
    kept = (ROOT / "gateway/explorer/web/src/errors/words.json").read_text("utf-8")
    assert kept == words(), "run: python -m tools.errors --explorer > that file"


def test_every_code_of_the_tables_can_be_produced() -> None:
    assert set(ErrorCode.__members__) - named(ErrorCode) == set()
    below = {BELOW[name].name for name in named(CloseCode) if name in BELOW}
    library = {code.name for code in OF_THE_LIBRARY}
    assert set(CloseCode.__members__) == named(CloseCode) - set(BELOW) | below | library


def test_no_code_is_written_outside_the_tables() -> None:
    """What types do not hold: an extension that is written out, and a close code as a number."""
    for tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Dict):
                for key, value in zip(node.keys, node.values, strict=True):
                    if isinstance(key, ast.Constant) and key.value == "code":
                        assert not isinstance(value, ast.Constant), ast.unparse(node)


def test_the_page_names_every_code() -> None:
    told = set(
        re.findall(r"^\| `?([A-Z_]+|\d{4})`? \|", (DOCS / "errors.md").read_text(), re.MULTILINE)
    )
    codes = {*ErrorCode, *UserErrorCode.__members__, *BranchErrorCode.__members__}
    assert told == codes | {str(code.value) for code in CloseCode}


def test_fields_that_the_page_leads_to_are_in_the_schema() -> None:
    fields = {
        name
        for kind in build_core_schema().type_map.values()
        for name in getattr(kind, "fields", ())
    }
    led = set(re.findall(r"the field `(\w+)`", (DOCS / "errors.md").read_text()))
    assert led
    assert led <= fields


def test_branches_fail_with_codes_that_errors_at_the_top_have() -> None:
    assert set(BranchErrorCode.__members__) <= set(ErrorCode)


@pytest.mark.parametrize(
    ("code", "request_", "status"),
    [
        ("PATH_NOT_FOUND", ("GET", "/nothing", {}), 404),
        ("PATH_NOT_FOUND", ("POST", "/graphql/v2", {"json": {"query": "{ a }"}}), 404),
        ("BAD_REQUEST", ("POST", "/healthz", {}), 405),
        ("BAD_REQUEST", ("POST", "/graphql", {"json": {}}), 400),
        ("CSRF_PREVENTED", ("GET", "/graphql?query=x", {}), 400),
        ("UNAUTHENTICATED", ("POST", "/graphql", {"json": {"query": "{ a }"}, "auth": None}), 401),
        ("GRAPHQL_PARSE_FAILED", ("POST", "/graphql", {"json": {"query": "{"}}), 200),
        ("GRAPHQL_VALIDATION_FAILED", ("POST", "/graphql", {"json": {"query": "{ a }"}}), 200),
    ],
)
def test_what_is_refused_before_it_runs_has_the_code_and_status_of_the_page(
    gateway: RunningGateway, code: str, request_: tuple[str, str, dict[str, object]], status: int
) -> None:
    method, path, more = request_
    given = {"auth": gateway.account.auth} | more
    answer = loopback.request(method, gateway.url + path, **given)  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (status, code)
    assert str(status) in ErrorCode[code].status


@pytest.mark.parametrize("path", ["/", "/graphiql"])
def test_whoever_misses_the_endpoint_is_told_where_it_is(
    gateway: RunningGateway, path: str
) -> None:
    answer = loopback.post(gateway.url + path, json={"query": "{ account { id } }"})
    assert answer.json()["errors"][0]["message"].endswith("send GraphQL to /graphql.")


@pytest.mark.parametrize(
    "error", [ShuttingDown(), SlowConsumer("Too slow."), RateLimited("Too often.", retry_after=2)]
)
def test_whoever_is_told_to_come_back_is_told_when(
    error: ShuttingDown | SlowConsumer | RateLimited,
) -> None:
    """With statuses 429 and 503: the header says the same."""
    assert error.extensions["retryAfterMs"] == error.retry_after * 1000
    assert "retryAfterMs" in ErrorCode[error.code].retry
