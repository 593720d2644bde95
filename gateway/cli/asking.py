"""How commands reach a gateway: one that runs somewhere, or one in this very process."""

import argparse
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gateway.errors import CommandError

if TYPE_CHECKING:
    import httpx

    from gateway.settings.model import Settings

_HERE: Final = "http://localhost"
_PATIENCE: Final = 60.0
_UNAUTHORIZED: Final = 401


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
        import httpx  # noqa: PLC0415 - only commands that ask need it

        body: dict[str, Any] = {"query": query, "variables": dict(variables)}
        if operation is not None:
            body["operationName"] = operation
        try:
            content = json.dumps(body, allow_nan=False, ensure_ascii=False).encode()
        except ValueError as error:
            raise CommandError(f"the operation cannot be sent: {error}", code=2) from None
        try:
            answer = await self._http.post(
                self._url, content=content, headers={"content-type": "application/json"}
            )
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise CommandError(f"--url {self._url} cannot be used: {error}", code=2) from None
        except httpx.HTTPError as error:
            raise CommandError(f"{self._url} cannot be reached: {error}") from None
        try:
            response = answer.json()
        except ValueError:
            response = None
        if not isinstance(response, dict) or not response.keys() & {"data", "errors"}:
            raise CommandError(f"{self._url} answered {answer.status_code}, and not in GraphQL")
        if answer.status_code == _UNAUTHORIZED:
            raise CommandError(f"{self._url}: {response['errors'][0]['message']}")
        return response


@asynccontextmanager
async def gateway(options: argparse.Namespace) -> AsyncIterator[Gateway]:
    """Give the gateway that `options` choose.

    Raises:
        CommandError: the settings are unusable, or nobody is there to ask as.
    """
    import httpx  # noqa: PLC0415 - only commands that ask need it

    from gateway.settings.loading import load  # noqa: PLC0415

    given: dict[str, Any] = {"config": options.config} if options.config else {}
    if options.url is None:
        # Whoever runs this command has the credentials, and acts with them.
        async with _in_this_process(load(given | {"auth": "open"})) as http:
            yield Gateway(http, f"{_HERE}/graphql")
        return
    headers = dict(map(_header, options.header)) or _own_credentials(load(given))
    async with httpx.AsyncClient(headers=headers, timeout=_PATIENCE) as http:
        yield Gateway(http, options.url)


@asynccontextmanager
async def _in_this_process(settings: "Settings") -> AsyncIterator["httpx.AsyncClient"]:
    import httpx  # noqa: PLC0415 - only commands that ask need it

    from gateway.app import create_app  # noqa: PLC0415
    from gateway.auth.authentication import OwnAccount, own_credential  # noqa: PLC0415
    from gateway.observability.logs import configure  # noqa: PLC0415
    from gateway.settings.model import unlimited  # noqa: PLC0415

    if own_credential(settings.pick(OwnAccount)) is None:
        raise CommandError(
            "no credentials: set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, or name a gateway that"
            " runs with --url"
        )
    configure("error", settings.log_format, own_credential(settings.pick(OwnAccount)))
    app = create_app(replace(unlimited(settings), log_requests="none"))
    transport = httpx.ASGITransport(app)
    async with (
        app.lifespan(),
        httpx.AsyncClient(transport=transport, timeout=_PATIENCE) as http,
    ):
        yield http


def _own_credentials(settings: "Settings") -> dict[str, str]:
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
