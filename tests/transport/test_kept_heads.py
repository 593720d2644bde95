"""Heads of requests: those that clients repeat, and those that ask for another protocol."""

import base64
import json

import pytest

from gateway.transport.exchange import Head, Heads
from tests.support.gateway_in_thread import ADAPTORS, running_gateway
from tests.support.raw_bytes import connected, head
from tests.support.sandbox_in_thread import RunningSandbox

TARGET = 16 * 1024


def test_heads_with_long_targets_take_no_more_room_than_others() -> None:
    heads: Heads[int] = Heads()
    for each in range(100):
        heads.keep(each, Head("POST", b"x" * TARGET, [(b"host", b"localhost")]))
    kept = [each for each in range(100) if heads.get(each) is not None]
    assert kept[-1] == 99
    assert len(kept) * TARGET <= 128 * 1024


@pytest.mark.parametrize("adaptor", ADAPTORS)
def test_a_post_that_asks_for_http_2_is_answered_as_if_it_did_not(
    shared_sandbox: RunningSandbox, adaptor: str
) -> None:
    """Clients in Java ask so by default."""
    with running_gateway(shared_sandbox, adaptor=adaptor) as gateway:
        pair = base64.b64encode(":".join(gateway.account.auth).encode()).decode()
        asks = ("connection: Upgrade, HTTP2-Settings", "upgrade: h2c", "http2-settings: AAMAAABk")
        known = (f"authorization: Basic {pair}", "content-type: application/json")
        body = json.dumps({"query": "{ a: __typename }" + " " * 5000}).encode()
        asking, usual = (
            head(*more, *known, f"content-length: {len(body)}") + body for more in (asks, ())
        )
        chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        chunked = head(*asks, *known, "transfer-encoding: chunked") + chunks
        short = asking[:-5002] + b'"}'
        short = short.replace(b"length: %d" % len(body), b"length: %d" % (len(body) - 5000))
        last = usual.replace(b"host:", b"connection: close\r\nhost:", 1)
        for sent in (
            [asking, last],
            [short, short, short, last],
            [short + short + asking + last],
            [asking[:40], asking[40:300], asking[300:], chunked, asking + asking + last],
        ):
            received = b""
            with connected(gateway.url) as connection:
                for piece in sent:
                    connection.sendall(piece)
                while piece := connection.recv(65_536):
                    received += piece
            assert received.count(b'{"data":{"a":"Query"}}') == b"".join(sent).count(b"POST ")
            assert received.count(b"HTTP/1.1 200") == b"".join(sent).count(b"POST ")
