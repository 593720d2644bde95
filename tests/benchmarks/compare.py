"""Before any load: every server must give the same answer to the same question."""

import urllib.request
from typing import Any
from uuid import uuid4

import orjson

from tests.benchmarks import servers
from tests.benchmarks.load import AUTHORIZATION
from tests.benchmarks.operations import FRESH_KEY, Operation
from tests.benchmarks.servers import Peer, Server

SAMPLES = 5
_FIRST_REQUESTS = 20
"""Enough on connections of their own for each of two processes to get some."""


class MismatchError(Exception):
    """A server answered something else than the others, or with errors."""


def ask(url: str, operation: Operation, variables: dict[str, Any], place: int = 0) -> Any:
    """Return the `data` of one GraphQL answer.

    Raises:
        MismatchError: the answer has errors or no data.
    """
    body = operation.body(variables, place).replace(FRESH_KEY.encode(), uuid4().hex.encode())
    answer = orjson.loads(fetch(url + "/graphql", body))
    if answer.get("errors") or not answer.get("data"):
        message = f"{operation.name}: {url} answered {str(answer)[:500]}"
        raise MismatchError(message)
    return answer["data"]


def fetch(url: str, body: bytes | None) -> bytes:
    """Return the body of an answer to a POST, or without a body to a GET."""
    headers = {"Authorization": AUTHORIZATION, "Accept": "application/json"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30) as answer:
        return bytes(answer.read())


def let_learn(server: Server, operation: Operation) -> None:
    """Ask some first requests, and judge no answer.

    While the gateway does not know which API serves an account, it asks both at once and believes
    the one that has no such number; the static upstream has its numbers in the catalog alone.
    """
    for variables in operation.samples(_FIRST_REQUESTS):
        fetch(server.url + "/graphql", operation.body(variables))


def check_equal(
    operation: Operation, running: list[tuple[Peer, Server]], upstream: Server
) -> dict[str, float]:
    """Ask every peer the same; return how many upstream calls each made per operation.

    The plain proxy must hand the upstream's bytes through; the others must agree on the data.

    Raises:
        MismatchError: naming the peer and the first place that differs.
    """
    expected: list[Any] = []
    calls = {}
    for peer, server in running:
        if not peer.graphql and operation.plain_path is None:
            continue
        if introduction := operation.introduction():
            fetch(server.url + "/graphql", introduction)
        counted = 0
        for place, variables in enumerate(operation.samples(SAMPLES)):
            servers.forget_calls(upstream)
            if peer.graphql:
                answer = ask(server.url, operation, variables, place)
                counted += servers.upstream_calls(upstream)
                if place == len(expected):
                    expected.append(answer)
                difference = first_difference(expected[place], answer)
            else:
                difference = _plain_difference(operation, variables, server, upstream)
                # But for the call that tells what it should have been.
                counted += servers.upstream_calls(upstream) - bool(operation.calls)
            if difference:
                message = f"{operation.name}: {peer.name} answers differently: {difference}"
                raise MismatchError(message)
        calls[peer.name] = counted / SAMPLES
    return calls


def _plain_difference(
    operation: Operation, variables: dict[str, Any], server: Server, upstream: Server
) -> str:
    if operation.plain_path is None:
        return "no such request for a plain proxy"
    path = operation.plain_path(variables)
    if not operation.calls:
        return "" if fetch(server.url + path, None) else "an empty answer"
    there = operation.plain_same(variables) if operation.plain_same else path
    same = fetch(server.url + path, None) == fetch(upstream.url + there, None)
    return "" if same else f"other bytes than the upstream for {path}"


def first_difference(expected: Any, answer: Any, path: str = "data") -> str:
    """Return where and how two JSON values differ first; "" when they are equal."""
    if isinstance(expected, dict) and isinstance(answer, dict):
        if expected.keys() != answer.keys():
            return f"{path} has fields {sorted(answer)}, not {sorted(expected)}"
        pairs = [(f"{path}.{name}", value, answer[name]) for name, value in expected.items()]
    elif isinstance(expected, list) and isinstance(answer, list):
        if len(expected) != len(answer):
            return f"{path} has {len(answer)} items, not {len(expected)}"
        pairs = [
            (f"{path}[{place}]", value, other)
            for place, (value, other) in enumerate(zip(expected, answer, strict=True))
        ]
    else:
        return "" if expected == answer else f"{path} is {answer!r}, not {expected!r}"
    return next(filter(None, (first_difference(was, now, at) for at, was, now in pairs)), "")
