"""PURE: GraphQL over HTTP, as bytes and headers: reading requests, choosing types and statuses.

Source: the specification "GraphQL over HTTP" of the GraphQL foundation.
"""

import enum
import random
import re
from codecs import BOM_UTF8
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs

import orjson
from graphql import OperationType

from gateway.documents.parameters import Params
from gateway.errors import BadRequest
from gateway.execution.incremental import IncrementalFormat
from gateway.transport._compat import is_too_deep
from gateway.transport.weighted_headers import read_value, read_weighted

JSON = "application/json"
# Recursive coercion must not run out of stack; inputs of the schema nest 6 levels.
_DEEPEST = 32
_TOO_DEEP = f"is nested more than {_DEEPEST} levels deep."
# What JavaScript writes of half an emoji is JSON by its grammar, and means nothing to who reads it.
_UNREADABLE = (
    "is no JSON that can be read (line {line}, column {column}): write UTF-8, no lone surrogates,"
    " and numbers that a double can hold."
)
GRAPHQL = "application/graphql-response+json"
EVENTS = "text/event-stream"
MULTIPART = "multipart/mixed"
CONTENT_TYPES = {media: f"{media}; charset=utf-8" for media in (JSON, GRAPHQL)}


_TEXT: Final = (str, type(None))
_OBJECT: Final = (dict, type(None))
_ANY = frozenset({"*/*", "application/*"})
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:+/=-]{8,128}", re.ASCII)


class Delivery(enum.Enum):
    """How an answer leaves: whole, as server-sent events, or as parts of multipart/mixed."""

    SINGLE = enum.auto()
    EVENTS = enum.auto()
    PARTS = enum.auto()


class AcceptedTypes(NamedTuple):
    """What a client can read.

    Attributes:
        media_type: for a single result: `JSON` or `GRAPHQL`.
        single: it reads single results at all; otherwise everything must be a stream.
        events: it reads server-sent events.
        parts: it reads multipart/mixed.
        incremental: the form of increments in it.
        subscriptions: it reads subscriptions from multipart/mixed.
    """

    media_type: str = JSON
    single: bool = True
    events: bool = False
    parts: bool = False
    incremental: IncrementalFormat = "paths"
    subscriptions: bool = False

    def delivery(self, kind: OperationType | None, *, incremental: bool) -> Delivery:
        """Return how the answer to an operation leaves; `incremental` if it uses @defer, @stream.

        Raises:
            BadRequest: it is a subscription, and the client reads no stream (406).
        """
        if kind is OperationType.SUBSCRIPTION:
            if not self.events and not self.subscriptions:
                raise BadRequest(406, f"Subscriptions need `Accept: {EVENTS}`, or a WebSocket.")
            return Delivery.EVENTS if self.events else Delivery.PARTS
        if self.parts and (incremental or not (self.single or self.events)):
            return Delivery.PARTS
        return Delivery.SINGLE if self.single else Delivery.EVENTS


@lru_cache(maxsize=256)
def accepted(accept: str) -> AcceptedTypes:
    """Return what an Accept header lets us answer with.

    Of what is accepted equally, the first named wins; `*/*` and silence get plain JSON.

    Raises:
        BadRequest: the client accepts none of ours (406).
    """
    if not accept.strip():
        return AcceptedTypes()
    best: tuple[float, str] | None = None
    events = parts = subscriptions = False
    incremental: IncrementalFormat = "paths"
    asked = list(read_weighted(accept))
    # What is named is not meant by `*/*`.
    others = [each for each in (JSON, GRAPHQL) if all(each != one.value for one in asked)]
    for media, parameters, weight in asked:
        if not weight:
            continue
        if media == EVENTS:
            events = True
        elif media == MULTIPART:
            parts = True
            subscriptions = subscriptions or "subscriptionspec" in parameters
            if "incrementalspec" in parameters:
                incremental = "pending"
        elif media in _ANY or media in {JSON, GRAPHQL}:
            offered = others[:1] if media in _ANY else [media]
            if offered and (best is None or weight > best[0]):
                best = (weight, offered[0])
    if best is None and not events and not parts:
        raise BadRequest(406, f"The answer can be {GRAPHQL}, {JSON}, {EVENTS} or {MULTIPART}.")
    media_type = best[1] if best else JSON
    return AcceptedTypes(media_type, best is not None, events, parts, incremental, subscriptions)


def usable_id(proposed: str) -> str:
    """Return a client's own request id, if it is fit for headers and logs; else ""."""
    return proposed if proposed and _REQUEST_ID.fullmatch(proposed) else ""


def new_id() -> str:
    """Return a request id of our own.

    It names a request and guards nothing; asking the system for randomness takes longer than all
    else that is done for a small query.
    """
    return random.getrandbits(128).to_bytes(16).hex()


def request_id(proposed: str) -> str:
    """Return the client's own request id when it is fit for headers and logs, else a new one."""
    return usable_id(proposed) or new_id()


def read_get(query_string: bytes) -> Params:
    """Read a GET's parameters.

    Raises:
        BadRequest: one is missing or is not what it should be.
    """
    try:
        fields = parse_qs(query_string.decode("ascii"), max_num_fields=20, errors="strict")
    except (ValueError, UnicodeDecodeError):
        raise BadRequest(400, "The query string cannot be read.") from None
    raw: dict[str, Any] = {name: values[-1] for name, values in fields.items()}
    for name in ("variables", "extensions"):
        if name in raw:
            raw[name] = read_json(raw[name].encode(), f"`{name}`")
    return read_object(raw)


def read_post(body: bytes, *, batch_limit: int) -> Params | list[Params | BadRequest]:
    """Read a POST's parameters: one request, or several in a list when `batch_limit` allows them.

    What is wrong with one of a list stands in its place.

    Raises:
        BadRequest: the body is not JSON in UTF-8, or not a request object, or too many of them.
    """
    raw = _decoded(body, "The body")
    if not isinstance(raw, list):
        if body.count(b"{") + body.count(b"[") > _DEEPEST:
            _check_depth(raw, body, "The body")
        return read_object(raw)
    if not batch_limit:
        raise BadRequest(400, "Lists of operations are not accepted here; send them one by one.")
    if not 0 < len(raw) <= batch_limit:
        raise BadRequest(400, f"A list can hold 1 to {batch_limit} operations, not {len(raw)}.")

    def one(item: object) -> Params | BadRequest:
        try:
            _check_depth(item, body, "The operation")
            return read_object(item)
        except BadRequest as error:
            return error

    return [one(each) for each in raw]


@lru_cache(maxsize=64)
def check_content_type(content_type: str) -> None:
    """Raise BadRequest (415) unless a body of this type is JSON in UTF-8."""
    media, parameters = read_value(content_type)
    if media != JSON:
        raise BadRequest(415, f"Send the request as {JSON}.", {"accept": JSON})
    if parameters.get("charset", "utf-8") not in {"utf-8", "utf8"}:
        raise BadRequest(415, "Send the request in UTF-8.", {"accept": JSON})


def read_object(raw: object) -> Params:
    """Read a request object.

    Raises:
        BadRequest: a parameter is missing or has the wrong type.
    """
    if not isinstance(raw, dict):
        raise BadRequest(400, "The request must be a JSON object with a `query`.")
    query, document_id = raw.get("query"), raw.get("documentId")
    name = raw.get("operationName")
    variables, extensions = raw.get("variables"), raw.get("extensions")
    if not (
        (query is None or query.__class__ is str)
        and (name is None or name.__class__ is str)
        and (document_id is None or document_id.__class__ is str)
        and (variables is None or variables.__class__ is dict)
        and (extensions is None or extensions.__class__ is dict)
    ):
        raise BadRequest(400, _misfit(raw))
    if extensions and not isinstance(extensions.get("lastEventId"), str | int | None):
        raise BadRequest(400, "`lastEventId` must be the id of an event.")
    if not query and document_id is None and "persistedQuery" not in (extensions or {}):
        raise BadRequest(400, "The request needs a `query`, or the id of a persisted one.")
    return Params(query or "", name, variables or {}, extensions or {}, document_id)


def _misfit(raw: Mapping[str, object]) -> str:
    """Return which parameter of a request has the wrong type."""
    for name in ("query", "operationName", "documentId"):
        if not isinstance(raw.get(name), _TEXT):
            return f"`{name}` must be a string."
    wrong = "extensions" if isinstance(raw.get("variables"), _OBJECT) else "variables"
    return f"`{wrong}` must be a JSON object."


def status_of(response: Mapping[str, Any] | bytes, media_type: str) -> int:
    """Return the HTTP status of an executed, or refused, operation.

    With plain JSON everything that is well-formed GraphQL over HTTP gets 200, so that old clients
    read the errors; the newer type says 400 when nothing was executed. A response that is bytes
    already was executed.
    """
    return 200 if media_type == JSON or isinstance(response, bytes) or "data" in response else 400


def read_json(text: bytes, what: str) -> object:
    """Read JSON that is not nested too deeply.

    Args:
        text: in UTF-8; a byte order mark before it, as some tools write one, is passed over (RFC
            8259, 8.1).
        what: its name in messages, at the beginning of a sentence.

    Raises:
        BadRequest: it is no JSON, or nested more deeply than any input of the schema.
    """
    value = _decoded(text, what)
    _check_depth(value, text, what)
    return value


def _decoded(text: bytes, what: str) -> object:
    try:
        return orjson.loads(text.removeprefix(BOM_UTF8))
    except orjson.JSONDecodeError as error:
        problem = _TOO_DEEP if is_too_deep(error) else _UNREADABLE
        place = {"line": error.lineno, "column": error.colno}
        raise BadRequest(400, f"{what} {problem.format(**place)}") from None


def _check_depth(value: object, text: bytes, what: str) -> None:
    """Refuse a value, of which `text` is the source, that is nested too deeply."""
    if text.count(b"[") + text.count(b"{") > _DEEPEST and _is_deep(value):
        raise BadRequest(400, f"{what} {_TOO_DEEP}")


def _is_deep(value: object) -> bool:
    """Whether JSON is nested beyond what any input of the schema needs; level by level."""
    level: list[object] = [value]
    for _ in range(_DEEPEST):
        below: list[object] = []
        for each in level:
            if isinstance(each, dict):
                below += each.values()
            elif isinstance(each, list):
                below += each
        if not below:
            return False
        level = below
    return True
