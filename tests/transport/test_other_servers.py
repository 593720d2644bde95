"""The application on an ASGI server other than that of `serve`, and below a prefix."""

from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.app import create_app
from gateway.transport.asgi_application import Application
from tests.support import loopback
from tests.support.bare_settings import bare_settings
from tests.support.raw_bytes import connected, head, read_reply
from tests.support.sandbox_in_thread import RunningSandbox, running_app

_HANDSHAKE: Final = (
    *("connection: upgrade", "upgrade: websocket", "sec-websocket-version: 13"),
    *("sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",),
)


def _mounted(app: Application) -> ASGIApp:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> Any:
        async with app.lifespan():
            yield

    return Starlette(routes=[Mount("/api", app)], lifespan=lifespan)


def _bare(app: Application) -> ASGIApp:
    """Let the path be without the prefix, as Hypercorn does."""

    async def pass_on(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            scope = {**scope, "root_path": "/api"}
        await app(scope, receive, send)

    return pass_on


def _read_before(app: Application) -> ASGIApp:
    """Read the body first, as middleware does that unzips or checks it, and give it on."""

    async def pass_on(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            messages = [await receive()]
            while messages[-1].get("more_body"):
                messages.append(await receive())

            async def again() -> Message:
                return messages.pop(0) if messages else await receive()

            await app(scope, again, send)
        else:
            await app(scope, receive, send)

    return pass_on


# How it comes to be below a prefix or middleware, with the options of the server and the path that is asked for.
_PLACES: Final[dict[str, Any]] = {
    "at the root": (lambda app: app, {}, "/graphql"),
    "with the root_path of uvicorn": (lambda app: app, {"root_path": "/api"}, "/graphql"),
    "with a root_path that is not in the path": (_bare, {}, "/graphql"),
    "below middleware that reads": (_read_before, {}, "/graphql"),
    "mounted in another application": (_mounted, {}, "/api/graphql"),
}


@contextmanager
def _served(sandbox: RunningSandbox, place: str) -> Iterator[str]:
    within, options, path = _PLACES[place]
    settings = bare_settings(catalog_url=sandbox.url, core_url=sandbox.url, auth="pass-through")
    with running_app(within(create_app(settings)), **options) as url:
        yield url + path


@pytest.mark.parametrize("place", _PLACES)
def test_wherever_it_is_served_it_answers_queries_and_tells_who_may_not_open_a_websocket(
    shared_sandbox: RunningSandbox, place: str
) -> None:
    account = shared_sandbox.accounts()["parent"]
    with _served(shared_sandbox, place) as url, loopback.Client(auth=account.auth) as http:
        answer = http.post(url, json={"query": "{ phoneNumbers(first: 1) { nodes { sid } } }"})
        assert answer.status_code == 200
        assert answer.json()["data"]["phoneNumbers"]["nodes"]

        path = _PLACES[place][2]
        with connected(url.removesuffix(path)) as connection:
            foreign = (*_HANDSHAKE, "origin: https://evil.example")
            connection.sendall(head(*foreign, method="GET", path=path))
            reply = read_reply(connection)
        assert reply is not None
        assert reply.status == 403
        assert reply.error()["extensions"]["code"] == "FORBIDDEN"
        assert "GATEWAY_CORS_ORIGINS" in reply.error()["message"]
