"""Ariadne, tuned: dict resolvers, parsing and validation cached, orjson, aiohttp, dataloader.

Each leaf has its own resolver that looks one key up, which is the least that graphql-core lets a
field cost.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson
from aiodataloader import DataLoader
from ariadne import EnumType, ObjectType, make_executable_schema
from ariadne.asgi import GraphQL
from ariadne.asgi.handlers import GraphQLHTTPHandler
from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_leaf_type,
    parse,
    validate,
)
from starlette.requests import Request
from starlette.responses import Response

_SDL: Final = Path(__file__).with_name("schema.graphql").read_text()
_CAPITAL: Final = re.compile(r"(?<=[a-z0-9])([A-Z])")

Resolver = Callable[..., Any]

_ENUMS: Final = (
    EnumType(
        "NumberType",
        {
            "LOCAL": "local",
            "TOLL_FREE": "tollfree",
            "MOBILE": "mobile",
            "NATIONAL": "national",
            "SHARED_COST": "shared-cost",
            "VOIP": "voip",
            "MACHINE_TO_MACHINE": "machine-to-machine",
            "SHORT_CODE": "shortcode",
        },
    ),
    EnumType(
        "Lifecycle",
        {
            "DEVELOPER_PREVIEW": "developer-preview",
            "BETA": "beta",
            "GENERALLY_AVAILABLE": "generally-available",
            "EXHAUSTED": "exhausted",
        },
    ),
    EnumType(
        "Preservation",
        {"INTERNATIONAL": "international", "DOMESTIC": "domestic", "NOT_PRESERVED": "none"},
    ),
    EnumType("Reachability", {"DOMESTIC": "domestic", "FOREIGN": "foreign", "GLOBAL": "global"}),
    EnumType(
        "AddressRequirements",
        {"NOT_REQUIRED": "none", "ANY": "any", "LOCAL": "local", "FOREIGN": "foreign"},
    ),
    EnumType("EmergencyStatus", {"ACTIVE": "Active", "INACTIVE": "Inactive"}),
    EnumType("ReceiveMode", {"VOICE": "voice", "FAX": "fax"}),
)


async def _get(context: Any, url: str, params: dict[str, str]) -> Any:
    session: aiohttp.ClientSession = context["session"]
    headers = {"authorization": context["authorization"]}
    async with session.get(url, params=params, headers=headers) as answer:
        answer.raise_for_status()
        return orjson.loads(await answer.read())


async def _phone_number(_: Any, info: Any, sid: str) -> Any:
    found = await _get(info.context, f"/Numbers/ActiveNumbers/{sid}", {})
    return found["items"][0]


async def _phone_numbers(_: Any, info: Any, first: int, filter: Any) -> Any:  # noqa: A002
    query = {"Geography.PostalCode": filter["postalCode"], "PageSize": str(first)}
    found = await _get(info.context, "/Numbers/ActiveNumbers", query)
    return {"nodes": found["items"]}


async def _similar(number: Any, info: Any, first: int, **_: Any) -> Any:
    place = number["geography"]
    key = (number["account_sid"], place["rate_center"], str(place["lata"]), str(first))
    return await info.context["searches"].load(key)


class _Searches(DataLoader[tuple[str, str, str, str], Any]):
    """The searches of one request, each made once."""

    def __init__(self, context: Any) -> None:
        super().__init__(batch=False)
        self._context = context

    async def batch_load_fn(self, keys: list[tuple[str, str, str, str]]) -> list[Any]:
        return [await self._search(*key) for key in keys]

    async def _search(self, account: str, center: str, lata: str, size: str) -> Any:
        path = f"/2010-04-01/Accounts/{account}/AvailablePhoneNumbers/US/Local.json"
        query = {"InRateCenter": center, "InLata": lata, "PageSize": size}
        found = await _get(self._context, path, query)
        return {"nodes": found["available_phone_numbers"]}


def _key(name: str) -> Resolver:
    key = _CAPITAL.sub(r"_\1", name).lower()
    return lambda source, _info: source.get(key)


def _set(name: str) -> Resolver:
    """Unset configuration is null or an empty string upstream; clients get null, or POST."""
    key = _CAPITAL.sub(r"_\1", name).lower()
    unset = "POST" if name.endswith("Method") else None
    return lambda source, _info: source.get(key) or unset


def _configuration(number: Any, _info: Any) -> Any:
    return number.get("configuration") or number.get("configurations")


def _mms(capabilities: Any, _info: Any) -> Any:
    """Return what a number can do with MMS; without them it neither receives nor sends any."""
    return capabilities["mms"] or {"inbound_connectivity": False, "outbound_connectivity": False}


def _special() -> dict[str, dict[str, Resolver]]:
    """Return the resolvers that are more than a look-up under the field's own name."""
    return {
        "Query": {"phoneNumber": _phone_number, "phoneNumbers": _phone_numbers},
        "PhoneNumber": {
            "configuration": _configuration,
            "friendlyName": lambda number, info: _configuration(number, info)["friendly_name"],
            "similarAvailable": _similar,
        },
        "Capabilities": {"mms": _mms},
        "AvailablePhoneNumber": {
            "regulatory": lambda number, _info: number,
            "geography": lambda number, _info: number,
        },
        "Geography": {
            "latitude": lambda place, _info: _degrees(place["latitude"]),
            "longitude": lambda place, _info: _degrees(place["longitude"]),
        },
        "Configuration": {
            "statusCallbackUrl": lambda source, _info: (
                source.get("status_callback_url") or source.get("status_callback") or None
            ),
        },
        "VoiceConfiguration": {"callerIdLookup": _key("callerIdLookup")},
    }


def _degrees(value: float | str | None) -> float | None:
    return None if value is None else float(value)


def _bindables(schema: GraphQLSchema) -> list[ObjectType]:
    """Return a resolver for every field of every object type."""
    special = _special()
    bound = []
    for name, kind in schema.type_map.items():
        if not isinstance(kind, GraphQLObjectType) or name.startswith("__"):
            continue
        own = special.get(name, {})
        bindable = ObjectType(name)
        for field, definition in kind.fields.items():
            leaf = is_leaf_type(get_named_type(definition.type))
            plain = _set if leaf and name.endswith("Configuration") else _key
            bindable.set_field(field, own.get(field) or plain(field))
        bound.append(bindable)
    return bound


class _Handler(GraphQLHTTPHandler):
    """Ariadne's handler with orjson in and out."""

    async def extract_data_from_json_request(self, request: Request) -> Any:
        return orjson.loads(await request.body())

    async def create_json_response(
        self,
        request: Request,  # noqa: ARG002 - Ariadne's signature
        result: Any,
        success: bool,
    ) -> Response:
        status = 200 if success or result.get("data") is not None else 400
        return Response(orjson.dumps(result), status, media_type="application/json")


class _Documents:
    """Parses and validates each query once, and keeps every document, so that ids stay unique."""

    def __init__(self) -> None:
        self._parsed: dict[str, DocumentNode] = {}
        self._errors: dict[int, list[GraphQLError]] = {}

    def parse(self, _context: Any, data: Any) -> DocumentNode:
        query = data["query"]
        if query not in self._parsed:
            self._parsed[query] = parse(query, no_location=True)
        return self._parsed[query]

    def validate(
        self, schema: GraphQLSchema, document_ast: DocumentNode, *_: Any, **__: Any
    ) -> list[GraphQLError]:
        if id(document_ast) not in self._errors:
            self._errors[id(document_ast)] = validate(schema, document_ast)
        return self._errors[id(document_ast)]


def create_app() -> Any:
    """Return Ariadne's ASGI application in front of `$BENCH_UPSTREAM`."""
    upstream = os.environ["BENCH_UPSTREAM"]
    bare = make_executable_schema(_SDL)
    schema = make_executable_schema(_SDL, *_bindables(bare), *_ENUMS)
    documents = _Documents()
    session: aiohttp.ClientSession | None = None

    def context(request: Request, _data: Any) -> dict[str, Any]:
        nonlocal session
        if session is None:
            session = aiohttp.ClientSession(upstream, connector=aiohttp.TCPConnector(limit=0))
        made = {"session": session, "authorization": request.headers["authorization"]}
        return {**made, "searches": _Searches(made)}

    return GraphQL(
        schema,
        context_value=context,
        query_parser=documents.parse,
        query_validator=documents.validate,
        http_handler=_Handler(),
    )
