"""PURE: GraphQL over HTTP, as bytes and headers: reading requests, choosing types and statuses.

Source: the specification "GraphQL over HTTP" of the GraphQL foundation.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import orjson

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
_KNOWN = (GRAPHQL, JSON)


class Params(NamedTuple):
    """The parameters of a request, as the client sent them."""

    query: str
    operation_name: str | None
    variables: dict[str, Any]
    extensions: dict[str, Any]


class BadRequest(Exception):
    """A request that is not GraphQL over HTTP; `status` is the answer's HTTP status."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})


def response_type(accept: str) -> str:
    """Return the media type to answer with.

    Of what is accepted equally, the first named wins; `*/*` and silence get plain JSON.

    Raises:
        BadRequest: the client accepts none of ours (406).
    """
    if not accept.strip():
        return JSON
    best: tuple[float, str] | None = None
    for part in accept.split(","):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = _quality(parameters)
        offered = media if media in _KNOWN else JSON if media in {"*/*", "application/*"} else None
        if offered and quality > 0 and (best is None or quality > best[0]):
            best = (quality, offered)
    if best is None:
        raise BadRequest(406, f"The answer can be {GRAPHQL} or {JSON}.")
    return best[1]


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
            raw[name] = _json(raw[name].encode(), f"`{name}`")
    return read_object(raw)


def read_post(body: bytes, content_type: str) -> Params:
    """Read a POST's parameters.

    Raises:
        BadRequest: the body is not JSON in UTF-8, or not a request object.
    """
    media, *parameters = (piece.strip().lower() for piece in content_type.split(";"))
    if media != JSON:
        raise BadRequest(415, f"Send the request as {JSON}.", {"Accept": JSON})
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "charset" and value.strip('"') not in {"utf-8", "utf8"}:
            raise BadRequest(415, "Send the request in UTF-8.", {"Accept": JSON})
    return read_object(_json(body, "The body"))


def read_object(raw: object) -> Params:
    """Read a request object.

    Raises:
        BadRequest: a parameter is missing or has the wrong type.
    """
    if not isinstance(raw, dict):
        raise BadRequest(400, "The request must be a JSON object with a `query`.")
    query = raw.get("query")
    if not isinstance(query, str) or not query:
        raise BadRequest(400, "The request needs a `query`, a string.")
    name = raw.get("operationName")
    if name is not None and not isinstance(name, str):
        raise BadRequest(400, "`operationName` must be a string.")
    variables, extensions = raw.get("variables"), raw.get("extensions")
    for label, value in (("variables", variables), ("extensions", extensions)):
        if value is not None and not isinstance(value, dict):
            raise BadRequest(400, f"`{label}` must be a JSON object.")
    return Params(query, name, variables or {}, extensions or {})


def status_of(response: Mapping[str, Any] | bytes, media_type: str) -> int:
    """Return the HTTP status of an executed, or refused, operation.

    With plain JSON everything that is well-formed GraphQL over HTTP gets 200, so that old clients
    read the errors; the newer type says 400 when nothing was executed.
    """
    return 200 if isinstance(response, bytes) or "data" in response or media_type == JSON else 400


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def _json(text: bytes, what: str) -> object:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise BadRequest(400, f"{what} is not valid JSON in UTF-8.") from None
