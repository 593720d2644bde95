"""How commands reach a gateway: one that runs somewhere, or one in this very process."""

import argparse
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gateway.errors import CommandError
from gateway.server.leaving import held

if TYPE_CHECKING:
    import httpx

    from gateway.settings.model import Settings

_HERE: Final = "http://localhost"
_PATIENCE: Final = 60.0
_UNAUTHORIZED: Final = 401
_JSON: Final = {"content-type": "application/json"}
_EVENTS: Final = "text/event-stream"
_EITHER: Final = f"application/json, {_EVENTS}"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options that say which gateway, and as whom."""
    parser.add_argument(
        "--url",
        help="GraphQL endpoint of a gateway that runs, for example http://127.0.0.1:8000/graphql;"
        " without it no server is needed: this command asks the upstream itself",
    )
    parser.add_argument(
        "--header",
        action="append",
        default=[],
        metavar="'NAME: VALUE'",
        help="send this header to --url; by default the credentials of the settings are sent as"
        " HTTP Basic, if there are any",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file with settings")


class Gateway:
    """A gateway that can be asked."""

    def __init__(self, http: "httpx.AsyncClient", url: str) -> None:
        self._http = http
        self._url = url

    async def execute(
        self, query: str, variables: Mapping[str, Any], operation: str | None = None
    ) -> dict[str, Any]:
        """Run an operation and return the response object: `data`, `errors`.

        Raises:
            CommandError: it cannot be sent, it could not be reached, or did not answer in GraphQL.
        """
        content = _content(query, variables, operation)
        with self._reaching():
            answer = await self._http.post(self._url, content=content, headers=_JSON)
        return self._response(answer)

    async def follow(
        self,
        query: str,
        variables: Mapping[str, Any],
        operation: str | None,
        begun: Callable[[], object],
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Yield a response object for each event of a subscription; `begun` says when it is on.

        Raises:
            CommandError: as `execute`; or the connection was lost.
        """
        content, headers = _content(query, variables, operation), {**_JSON, "accept": _EITHER}
        with self._reaching():
            async with self._http.stream(
                "POST", self._url, content=content, headers=headers
            ) as answer:
                if not answer.headers.get("content-type", "").startswith(_EVENTS):
                    await answer.aread()
                    yield self._response(answer)
                    return
                async for line in _lines(answer.aiter_bytes()):
                    if line == b": following":
                        begun()
                    elif line.startswith(b"data: "):
                        yield json.loads(line.removeprefix(b"data: "))
                    elif line == b"event: complete":
                        return
        raise CommandError(f"{self._url} ended the subscription without a word")

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """Say in other words that a gateway cannot be reached."""
        import httpx  # noqa: PLC0415 - only commands that ask need it

        try:
            yield
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise CommandError(f"--url {self._url} cannot be used: {error}", code=2) from None
        except httpx.HTTPError as error:
            why = str(error) or error.__class__.__name__
            raise CommandError(f"{self._url} cannot be reached: {why}") from None

    def _response(self, answer: "httpx.Response") -> dict[str, Any]:
        """Return the response object of a whole answer."""
        try:
            response = answer.json()
        except ValueError:
            response = None
        if not isinstance(response, dict) or not response.keys() & {"data", "errors"}:
            raise CommandError(f"{self._url} answered {answer.status_code}, and not in GraphQL")
        if answer.status_code == _UNAUTHORIZED:
            raise CommandError(f"{self._url}: {response['errors'][0]['message']}")
        return response


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield whole lines; to httpx each line separator of Unicode ends one, also within JSON."""
    rest = b""
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for each in lines:
            yield each


def _content(query: str, variables: Mapping[str, Any], operation: str | None) -> bytes:
    body: dict[str, Any] = {"query": query, "variables": dict(variables)}
    if operation is not None:
        body["operationName"] = operation
    try:
        return json.dumps(body, allow_nan=False, ensure_ascii=False).encode()
    except ValueError as error:
        raise CommandError(f"the operation cannot be sent: {error}", code=2) from None


@asynccontextmanager
async def gateway(options: argparse.Namespace) -> AsyncIterator[Gateway]:
    """Give the gateway that `options` choose.

    Raises:
        CommandError: the settings are unusable, or nobody is there to ask as.
    """
    with held():
        import concurrent.futures.thread  # noqa: F401, PLC0415 - looks up hosts

        import anyio  # noqa: PLC0415 - only commands that ask need it
        import httpx  # noqa: PLC0415

        from gateway.settings.loading import load  # noqa: PLC0415

    given: dict[str, Any] = {"config": options.config} if options.config else {}
    if options.url is None:
        # Whoever runs this command has the credentials, and acts with them.
        async with _in_this_process(load(given | {"auth": "open"})) as http:
            yield Gateway(http, f"{_HERE}/graphql")
        return
    headers = dict(map(_header, options.header)) or _own_credentials(load(given))
    with held():  # Either loads the rest of its modules.
        http = httpx.AsyncClient(headers=headers, timeout=_PATIENCE)
        anyio.current_time()
    async with http:
        yield Gateway(http, options.url)


@asynccontextmanager
async def _in_this_process(settings: "Settings") -> AsyncIterator["httpx.AsyncClient"]:
    with held():
        import httpx  # noqa: PLC0415 - only commands that ask need it

        from gateway.app import create_app  # noqa: PLC0415
        from gateway.auth.authentication import OwnAccount, own_credential, wrong_sids  # noqa: PLC0415
        from gateway.cli.in_process import InProcess  # noqa: PLC0415
        from gateway.observability.logs import configure  # noqa: PLC0415
        from gateway.settings.model import unlimited  # noqa: PLC0415

    own = settings.pick(OwnAccount)
    credential = own_credential(own)
    if credential is None:
        raise CommandError(
            "no credentials: set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, or name a gateway that"
            " runs with --url"
        )
    for name, problem in wrong_sids(own):
        raise CommandError(f"{name}: {problem}")
    configure("error", settings.log_format, credential)
    with held():
        app = create_app(replace(unlimited(settings), log_requests="none"))
    async with app.lifespan(), httpx.AsyncClient(transport=InProcess(app)) as http:
        yield http


def _own_credentials(settings: "Settings") -> dict[str, str]:
    with held():
        from gateway.auth.authentication import OwnAccount, own_credential  # noqa: PLC0415 - only commands that ask need it

    own = own_credential(settings.pick(OwnAccount))
    if own is None:
        return {}
    return {"Authorization": own.authorization, "X-Account-Sid": own.account}


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise CommandError(f"--header {name!r} is not of the form 'NAME: VALUE'", code=2)
    if not text.isascii():
        raise CommandError(f"--header {name!r} has characters that no header can have", code=2)
    return name.strip(), value.strip()
