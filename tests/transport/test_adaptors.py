"""All adaptors answer the same bytes with the same bytes: drawn requests, each sent to all."""

import base64
import gzip
import json
import random
import re
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any, Final
from urllib.parse import quote

import pytest

from tests.support.gateway_in_thread import ADAPTORS, RunningGateway, running_gateway
from tests.support.raw_bytes import connected, head
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount

_ORIGIN: Final = "https://app.example"
_CASES: Final = 150
# What is another each time: made-up ids, boundaries, and the time of day.
_CHANCE: Final = re.compile(rb"\b[0-9a-f]{32}\b|(?<=\r\n)date: [^\r]*\r\n")
_LAST: Final = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"

DOCUMENTS: Final = (
    "{ __typename }",
    "{ phoneNumbers(first: 2) { nodes { sid } } }",
    "query q { account { sid } }",
    "query q($a: Int!) { phoneNumbers(first: $a) { nodes { sid } } }",
    "{ __schema { types { name description } } }",
    "{ nothing }",
    "{",
    'mutation { releasePhoneNumber(input: { sid: "PN0" }) { userErrors { code } } }',
    "subscription { phoneNumberChanged { kind } }",
    "{ phoneNumbers(first: 1) { nodes { ... @defer { sid } } } }",
    "",
)
ACCEPTS: Final = (
    *("", "*/*", "application/json", "application/graphql-response+json", "text/html"),
    "application/graphql-response+json, application/json;q=0.9",
    "multipart/mixed;deferSpec=20220824, application/json",
    "multipart/mixed;incrementalSpec=v0.2, application/json",
)
# Answers that go on for ever cannot be compared, so no stream of events is asked for with these.
METHODS: Final = ("POST",) * 12 + ("GET",) * 4 + ("HEAD", "OPTIONS", "PUT", "DELETE", "PATCH")
TARGETS: Final = ("/graphql",) * 8 + (
    *("/graphql/", "/graphql?", "/graphql?x=1", "/%67raphql", "/graphql%3F", "/graphql#x"),
    *("//graphql", "http://localhost/graphql", "/graphql?query={__typename}#x", "/nowhere"),
)


@pytest.fixture(scope="module")
def alike(shared_sandbox: RunningSandbox) -> Iterator[list[RunningGateway]]:
    """A gateway of each kind, set up alike."""
    settings: dict[str, Any] = {
        "cors_origins": (_ORIGIN,),
        "batch_limit": 3,
        "body_limit": 20_000,
        "requests_per_minute": 0,
        "compress_from": 500,
    }
    with ExitStack() as running:
        yield [
            running.enter_context(running_gateway(shared_sandbox, adaptor=each, **settings))
            for each in (*ADAPTORS, "messages")
        ]


def parameters(draw: random.Random) -> dict[str, Any]:
    found: dict[str, Any] = {"query": draw.choice(DOCUMENTS)}
    if draw.random() < 0.3:
        found["variables"] = draw.choice([{"a": 1}, {"a": "x"}, None, 7, {}])
    if draw.random() < 0.2:
        found["operationName"] = draw.choice(["q", "nobody", None, 7])
    if draw.random() < 0.1:
        found["extensions"] = draw.choice([{"explain": "plan"}, {"explain": "why"}, [], None])
    return found


def body(draw: random.Random) -> bytes:
    kind = draw.random()
    if kind < 0.75:
        return json.dumps(parameters(draw)).encode()
    if kind < 0.85:
        count = draw.choice([0, 1, 2, 3, 4])
        return json.dumps([parameters(draw) for _ in range(count)]).encode()
    return draw.choice(
        [
            *(b"", b"null", b"7", b"[", b"\xff", b"{}", b"\xef\xbb\xbf{}", b"[1]"),
            *(
                b" " * 19_999 + b"7",
                b" " * 20_001,
                b" " * 90_000,
                b" " * 90_000,
                b"[" * 50 + b"]" * 50,
            ),
            gzip.compress(b"{}"),
        ]
    )


def headers(draw: random.Random, account: SandboxAccount) -> list[str]:
    pair = base64.b64encode(":".join(account.auth).encode()).decode()
    found = [draw.choice(["host: localhost"] * 30 + ["host: a b", "host:", "x-no: host"])]
    found.append(draw.choice([f"authorization: Basic {pair}"] * 9 + ["authorization: Basic =", ""]))
    kinds = ["application/json"] * 12
    kinds += ["application/json; charset=utf-8", "application/json;charset=latin-1", "text/plain"]
    found.append("Content-Type: " + draw.choice([*kinds, ""]))
    chances = (
        (0.5, [f"accept: {each}" for each in ACCEPTS]),
        (0.3, ["accept-encoding: gzip", "accept-encoding: br;q=0.5, *", "accept-encoding: x"]),
        (0.3, ["x-request-id: mine-12345678", "x-request-id: \x80", "x-request-id: no"]),
        (0.2, [f"origin: {_ORIGIN}", "origin: https://other.example", "origin: null"]),
        (0.2, ["apollo-require-preflight: 1", "x-apollo-operation-name: q"]),
        (0.1, ["x-gateway-explain: plan", "x-gateway-explain: no"]),
        (0.05, ["content-encoding: gzip", "content-encoding: identity"]),
        (0.05, ["access-control-request-method: POST", f"x-account-sid: {account.sid}"]),
        (0.05, ["expect: 100-continue", "expect: something"]),
        (0.05, ["connection: close", "connection: keep-alive", "upgrade: h2c"]),
        (0.03, ["cookie: \t a=b \t", "x: " + "y" * 40_000, "bad name: 1", "x\x01: 1", ": 1"]),
        (0.02, ["x: 1\r\nx: 2", "accept: */*\r\naccept: text/html", "if-none-match: *"]),
    )
    found += [draw.choice(values) for chance, values in chances if draw.random() < chance]
    draw.shuffle(found)
    return [each for each in found if each]


def request(draw: random.Random, account: SandboxAccount) -> bytes:
    """Return one request, whose framing is sound or so broken that it cannot be answered."""
    method, target = draw.choice(METHODS), draw.choice(TARGETS)
    version = draw.choice(["1.1"] * 15 + ["1.0", "2.0"])
    lines, content = headers(draw, account), b""
    if method in {"GET", "HEAD"} and target == "/graphql":
        asked = {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in parameters(draw).items()
        }
        target += "?" + "&".join(f"{name}={quote(value)}" for name, value in asked.items())
    elif method != "OPTIONS":
        content = body(draw)
        if draw.random() < 0.2 and version == "1.1":
            lines.append("transfer-encoding: chunked")
            cut = draw.randrange(len(content) + 1)
            pieces = [each for each in (content[:cut], content[cut:]) if each]
            content = b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in pieces)
            content += b"0\r\n\r\n"
        else:
            lines.append(f"content-length: {len(content)}")
    head = "\r\n".join([f"{method} {target} HTTP/{version}", *lines, "", ""])
    return head.encode("latin-1") + content


def answer(gateway: RunningGateway, pieces: list[bytes]) -> bytes:
    """Return all that comes until the end, without what is left to chance."""
    received = b""
    with connected(gateway.url) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):  # It may close before all is sent.
            for piece in pieces:
                connection.sendall(piece)
        with suppress(ConnectionResetError):
            while chunk := connection.recv(65_536):
                received += chunk
    return _CHANCE.sub(b"", received)


def told(received: bytes) -> list[tuple[bytes, list[bytes], bytes]]:
    """Return the answers in a stream of bytes: first line, headers in any order, and the rest."""
    found = []
    for each in re.split(rb"(?=HTTP/1\.1 [1-5])", received)[1:]:
        top, _, rest = each.partition(b"\r\n\r\n")
        first, *lines = top.split(b"\r\n")
        found.append((first, sorted(lines), rest))
    return found


def test_all_adaptors_answer_the_same_bytes_alike(alike: list[RunningGateway]) -> None:
    statuses = set()
    for seed in range(_CASES):
        draw = random.Random(seed)  # noqa: S311 - the same requests each time
        asked = [request(draw, alike[0].account) for _ in range(draw.choice([1, 1, 1, 2, 3]))]
        sent = b"".join([*asked, _LAST])
        cuts = sorted(draw.sample(range(len(sent)), draw.choice([0, 0, 1, 2])))
        pieces = [sent[a:b] for a, b in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
        # Of a connection that is closed while more comes, the system may lose the last words.
        for _ in range(3):
            lean, *others = (told(answer(gateway, pieces)) for gateway in alike)
            if others == [lean, lean]:
                break
        assert others == [lean, lean], (seed, sent)
        statuses |= {first.split(b" ")[1] for first, _, _ in lean}
    assert statuses >= {b"200", b"204", b"400", b"401", b"404", b"405", b"406", b"413", b"415"}


def test_what_comes_again_behind_the_same_head_is_answered_alike_however_it_is_cut(
    alike: list[RunningGateway],
) -> None:
    texts = ("{ __typename }", "{ nothing___ }", "{ __typename")
    one, two_, wrong = (json.dumps({"query": f"{text:<20}"}).encode() for text in texts)
    pair = base64.b64encode(":".join(alike[0].account.auth).encode()).decode()
    lines = (f"authorization: Basic {pair}", "content-type: application/json")
    top = head(*lines, f"content-length: {len(one)}")
    sent = [
        *([top + one], [top + two_], [top, one], [top[:30], top[30:] + wrong], [top + two_]),
        *([top + one[:-3], one[-3:]], [top + wrong], [b"\r\n" + top + one], [top + two_]),
        *([top + one + top + wrong], [top + two_ + top[:20], top[20:] + one], [top + one]),
        *([top + one + b"\r\n", top + two_], [top + wrong], [top + one], [top + one[:-1] + b"\n"]),
    ]
    lean, *others = (_in_turn(each, sent) for each in alike)
    assert others == [lean, lean]
    assert len(lean) == sum(b"".join(pieces).count(b"POST ") for pieces in sent)


def _in_turn(gateway: RunningGateway, sent: list[list[bytes]]) -> list[Any]:
    """Return the answers to what is sent on one connection, each part once the last is answered."""
    answers: list[Any] = []
    with connected(gateway.url) as connection:
        for pieces in sent:
            for piece in pieces:
                connection.sendall(piece)
            received = b""
            expected = b"".join(pieces).count(b"POST ")
            while received.count(b"\r\n\r\n{") < expected or not received.endswith(b"}"):
                received += connection.recv(65_536)
            answers += told(_CHANCE.sub(b"", received))
    return answers
