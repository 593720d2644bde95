"""The explorer's routes under a real server: settings, headers, caching, and the missing build."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from gateway.explorer import explorer_routes
from gateway.transport import compression
from tests.support import loopback
from tests.support.sandbox_in_thread import running_app

SCRIPT = "index-abc123.js"


@pytest.fixture(scope="module")
def static(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the build leaves it: a page and one script, with their compressed copies."""
    folder = tmp_path_factory.mktemp("static")
    (folder / "assets").mkdir()
    (folder / "secret.txt").write_text("not an asset")
    for path in (folder / "index.html", folder / "assets" / SCRIPT):
        path.write_text(f"plain {path.name}")
        path.with_name(f"{path.name}.br").write_bytes(b"brotli " + path.name.encode())
        path.with_name(f"{path.name}.gz").write_bytes(b"gzip " + path.name.encode())
    return folder


@pytest.fixture(scope="module")
def client(static: Path) -> Iterator[httpx.Client]:
    """A client of the explorer with a build and a sandbox."""
    prefill = {
        "sandbox": {
            "accounts": [{"sid": "AC1", "authToken": "t", "role": "parent", "ownerSid": "AC1"}]
        }
    }
    yield from _served(static=static, prefill=lambda: dict(prefill))


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of the explorer in a source tree that nobody has built."""
    yield from _served(static=tmp_path / "none", graphql_path="/api")


def _served(**options: Any) -> Iterator[httpx.Client]:
    app = Starlette(routes=explorer_routes(**options, choose=compression.coding))
    headers = {"accept-encoding": "identity"}
    with running_app(app) as url, loopback.Client(base_url=url, headers=headers) as client:
        yield client


def raw(client: httpx.Client, path: str, accept_encoding: str) -> tuple[httpx.Response, bytes]:
    """The answer to a GET, and its body as it came over the wire."""
    with client.stream("GET", path, headers={"accept-encoding": accept_encoding}) as response:
        return response, b"".join(response.iter_raw())


def test_the_settings_name_the_endpoint_and_the_sandbox_accounts(client: httpx.Client) -> None:
    response = client.get("/explorer/config.json")
    assert response.json() == {
        "graphqlPath": "/graphql",
        "subscriptionsPath": "/graphql",
        "sandbox": {
            "accounts": [{"sid": "AC1", "authToken": "t", "role": "parent", "ownerSid": "AC1"}]
        },
        "auth": "pass-through",
        "explain": True,
    }


def test_the_settings_are_kept_by_no_cache_because_they_hold_credentials(
    client: httpx.Client,
) -> None:
    assert client.get("/explorer/config.json").headers["cache-control"] == "no-store"


def test_without_prefill_there_is_no_sandbox_to_log_in_to(bare: httpx.Client) -> None:
    settings = bare.get("/explorer/config.json").json()
    assert settings["sandbox"] is None
    assert (settings["graphqlPath"], settings["subscriptionsPath"]) == ("/api", "/api")


@pytest.mark.parametrize("path", ["/", "/explorer/config.json", f"/explorer/assets/{SCRIPT}"])
def test_every_answer_carries_the_policy_that_keeps_requests_at_home(
    client: httpx.Client, path: str
) -> None:
    headers = client.get(path).headers
    directives = dict(
        directive.split(" ", 1) for directive in headers["content-security-policy"].split("; ")
    )
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == "'self'"
    assert directives["worker-src"] == "'self'"
    assert directives["connect-src"] == "'self'"
    assert not any("http" in sources or "*" in sources for sources in directives.values())
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("host", "isolated"), [("127.0.0.1", True), ("localhost", True), ("gateway.test", False)]
)
def test_a_page_is_isolated_where_browsers_heed_it(
    client: httpx.Client, host: str, isolated: bool
) -> None:
    headers = client.get("/", headers={"host": f"{host}:{client.base_url.port}"}).headers
    assert ("cross-origin-opener-policy" in headers) is isolated


def test_hashed_files_may_be_kept_for_ever(client: httpx.Client) -> None:
    headers = client.get(f"/explorer/assets/{SCRIPT}").headers
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    assert headers["content-type"] == "text/javascript; charset=utf-8"


def test_the_page_is_asked_for_each_time_but_sent_only_when_it_changed(
    client: httpx.Client,
) -> None:
    first = client.get("/")
    assert first.headers["cache-control"] == "no-cache"
    again = client.get("/", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    changed = client.get("/", headers={"if-none-match": '"other"'})
    assert changed.status_code == 200


@pytest.mark.parametrize(
    ("accepted", "encoding", "start"),
    [
        ("br, gzip", "br", b"brotli "),
        ("gzip, deflate, br", "br", b"brotli "),
        ("gzip", "gzip", b"gzip "),
        ("br;q=0, gzip;q=0.5", "gzip", b"gzip "),
        ("GZIP", "gzip", b"gzip "),
        ("identity", None, b"plain "),
        ("gzip;q=0.0", None, b"plain "),
        ("br;q=0.5, gzip;q=1", "gzip", b"gzip "),
        ("*", "br", b"brotli "),
        ("", None, b"plain "),
    ],
)
def test_the_client_gets_the_compressed_copy_that_it_accepts(
    client: httpx.Client, accepted: str, encoding: str | None, start: bytes
) -> None:
    for path in ("/", f"/explorer/assets/{SCRIPT}"):
        response, body = raw(client, path, accepted)
        assert response.headers.get("content-encoding") == encoding
        assert body.startswith(start)
        assert response.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    "name",
    [
        "absent.js",
        f"{SCRIPT}.br",
        "..%2Findex.html",
        "..%2Fsecret.txt",
        "%2e%2e/secret.txt",
        "..",
        "",
    ],
)
def test_nothing_but_built_files_can_be_reached(client: httpx.Client, name: str) -> None:
    response = client.get(f"/explorer/assets/{name}")
    assert response.status_code == 404
    assert b"plain" not in response.content
    assert b"not an asset" not in response.content


def test_without_a_build_the_page_says_how_to_make_one(bare: httpx.Client) -> None:
    response = bare.get("/", headers={"accept-encoding": "br, gzip"})
    assert response.status_code == 503
    assert "content-encoding" not in response.headers
    assert "npm ci --prefix gateway/explorer/web" in response.text
    assert "npm run build --prefix gateway/explorer/web" in response.text
    assert "<script" not in response.text
    assert "default-src 'none'" in response.headers["content-security-policy"]


def test_while_it_is_built_the_page_says_how_far_it_is(bare: httpx.Client, tmp_path: Path) -> None:
    word = {"state": "building", "step": "installing npm packages 3 of <9>"}
    (tmp_path / "build.json").write_text(json.dumps(word))
    response = bare.get("/")
    assert (response.status_code, response.headers["cache-control"]) == (503, "no-store")
    assert "The explorer is being built" in response.text
    assert "installing npm packages 3 of &lt;9&gt;" in response.text
    assert '<meta http-equiv="refresh"' in response.text
    # A build that was broken off says nothing more.
    os.utime(tmp_path / "build.json", (0, 0))
    assert "The explorer is not built" in bare.get("/").text


def test_a_page_that_could_not_be_built_says_why_and_what_to_do(
    bare: httpx.Client, tmp_path: Path
) -> None:
    word = {"state": "failed", "step": "building failed with exit code 7"}
    (tmp_path / "build.json").write_text(json.dumps(word))
    os.utime(tmp_path / "build.json", (0, 0))
    page = bare.get("/").text
    assert "building failed with exit code 7" in page
    assert "make explorer" in page
    assert '<meta http-equiv="refresh"' in page
