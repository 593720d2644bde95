"""`/_sandbox/`: what tests and demos use to look into the sandbox and to arrange things.

| path | methods |
| --- | --- |
| `accounts` | GET all with their credentials; POST makes one, with numbers |
| `numbers` | GET one account's with all settings; POST makes or changes one |
| `inventory` | GET everything that can be bought |
| `requests` | GET what was asked, in order; DELETE forgets it |
| `ledger` | GET what was bought, configured, transferred, released |
| `faults` | GET, PUT, DELETE what is to go wrong (`faults.py`) |
| `reset` | POST makes it what it was at the start |
| `switches` | GET, PUT, DELETE undocumented behaviours (`switches.py`) |
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from gateway.sandbox.control.arrange import RequestError, put_number, read_account_request
from gateway.sandbox.http.faults import FaultError, Faults
from gateway.sandbox.http.formats import json_response
from gateway.sandbox.http.request_log import Journal
from gateway.sandbox.world.number_documents import Account, Json
from gateway.sandbox.world.world import World

_Endpoint = Callable[[Request], Awaitable[Response]]
_INVENTORY_PAGE = 1000


class Control:
    """The control endpoints. A request that makes no sense gets 400 with `{"error": why}`."""

    def __init__(self, world: World, journal: Journal, faults: Faults) -> None:
        self._world = world
        self._journal = journal
        self._faults = faults

    def routes(self) -> list[Route]:
        """All routes below `/_sandbox`."""
        endpoints: dict[tuple[str, str], _Endpoint] = {
            ("GET", "accounts"): self._accounts,
            ("POST", "accounts"): self._create_account,
            ("GET", "numbers"): self._numbers,
            ("POST", "numbers"): self._put_number,
            ("GET", "inventory"): self._inventory,
            ("GET", "requests"): self._requests,
            ("DELETE", "requests"): self._forget_requests,
            ("GET", "ledger"): self._ledger,
            ("GET", "faults"): self._get_faults,
            ("PUT", "faults"): self._put_faults,
            ("DELETE", "faults"): self._delete_faults,
            ("POST", "reset"): self._reset,
            ("GET", "switches"): self._get_switches,
            ("PUT", "switches"): self._put_switches,
            ("DELETE", "switches"): self._delete_switches,
        }
        return [
            Route(f"/{name}", _answering_errors(endpoint), methods=[method])
            for (method, name), endpoint in endpoints.items()
        ]

    async def _accounts(self, _: Request) -> Response:
        accounts = [_account(account) for account in self._world.store.accounts()]
        return json_response({"accounts": accounts})

    async def _create_account(self, request: Request) -> Response:
        wanted = read_account_request(self._world, await _json(request))
        return json_response(_account(self._world.population.create(wanted)), 201)

    async def _numbers(self, request: Request) -> Response:
        """`?account_sid=`: all numbers of an account with their whole configuration."""
        found = self._world.store.owned_page(
            request.query_params.get("account_sid", ""), [], [], limit=-1
        )
        numbers = [
            {
                "sid": owned.sid,
                "account_sid": owned.account_sid,
                "origin": owned.origin,
                **owned.number.attributes(),
                **({"configuration": owned.configuration} if owned.has_configuration else {}),
            }
            for owned in found
        ]
        return json_response({"numbers": numbers})

    async def _put_number(self, request: Request) -> Response:
        return json_response(put_number(self._world, await _json(request)), 201)

    async def _inventory(self, request: Request) -> Response:
        """`?country=&type=&fields=a,b`: every number that can be bought, in search order,
        streamed.
        """
        country, kind = request.query_params.get("country"), request.query_params.get("type")
        pools = [
            id_
            for (iso_country, number_type), id_ in self._world.store.pools.items()
            if country in {None, iso_country} and kind in {None, number_type}
        ]
        fields = set(filter(None, request.query_params.get("fields", "").split(",")))
        return StreamingResponse(self._pages(pools, fields), media_type="application/json")

    async def _pages(self, pools: list[int], fields: set[str]) -> AsyncIterator[bytes]:
        opening = b"["
        for pool in pools:
            for numbers in self._world.store.pages(pool, _INVENTORY_PAGE):
                documents = [number.attributes() for number in numbers]
                if fields:
                    documents = [{key: found.get(key) for key in fields} for found in documents]
                yield opening + orjson.dumps(documents)[1:-1]
                opening = b","
        yield b"]" if opening == b"," else b"[]"

    async def _requests(self, _: Request) -> Response:
        return json_response({"requests": self._journal.as_json()})

    async def _forget_requests(self, _: Request) -> Response:
        self._journal.forget()
        return Response(status_code=204)

    async def _ledger(self, _: Request) -> Response:
        return json_response({"entries": self._world.store.ledger()})

    async def _get_faults(self, _: Request) -> Response:
        return json_response({"faults": self._faults.as_json()})

    async def _put_faults(self, request: Request) -> Response:
        document = await _json(request)
        if set(document) != {"faults"}:
            message = 'the body must be {"faults": […]}'
            raise RequestError(message)
        self._faults.replace(document["faults"])
        return json_response({"faults": self._faults.as_json()})

    async def _delete_faults(self, _: Request) -> Response:
        self._faults.clear()
        return Response(status_code=204)

    async def _reset(self, _: Request) -> Response:
        self._world.store.begin_anew()
        self._world.switches = self._world.settings.switches
        self._faults.clear()
        self._journal.forget()
        return Response(status_code=204)

    async def _get_switches(self, _: Request) -> Response:
        return json_response(asdict(self._world.switches))

    async def _put_switches(self, request: Request) -> Response:
        self._world.switches = self._world.switches.updated(await _json(request))
        return json_response(asdict(self._world.switches))

    async def _delete_switches(self, _: Request) -> Response:
        self._world.switches = self._world.settings.switches
        return Response(status_code=204)


def _answering_errors(endpoint: _Endpoint) -> _Endpoint:
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except (FaultError, RequestError, ValueError) as error:
            return json_response({"error": str(error)}, 400)

    return answer


async def _json(request: Request) -> Json:
    try:
        document = orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        message = f"the body is not JSON: {error}"
        raise RequestError(message) from error
    if not isinstance(document, dict):
        message = "the body must be a JSON object"
        raise RequestError(message)
    return document


def _account(account: Account) -> Json:
    return {
        "sid": account.sid,
        "auth_token": account.auth_token,
        "friendly_name": account.friendly_name,
        "owner_account_sid": account.owner_account_sid,
        "status": account.status,
        "type": account.type,
        "role": account.role,
        "catalog": account.catalog,
        "api_key": {"sid": account.key_sid, "secret": account.key_secret},
        "main_api_key": {"sid": account.main_key_sid, "secret": account.main_key_secret},
    }
