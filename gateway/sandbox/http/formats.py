"""Bodies: JSON for the catalog and for `.json` paths, XML for 2010 API paths without an
extension.
"""

import re
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import orjson
from starlette.responses import Response

from gateway.sandbox.http.api_call import ApiCall
from gateway.sandbox.http.refusals import ApiError
from gateway.sandbox.switches import Switches
from gateway.sandbox.world.number_documents import Json

_XML_ERROR = ("status", "message", "code", "more_info")
_SINGULAR = {"countries": "Country"}
_KEEP_UPPER = frozenset({"SMS", "MMS"})
# What XML 1.0 cannot hold, even escaped.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REPLACEMENT = "\ufffd"


def json_response(body: object, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(body), status, media_type="application/json")


def core_response(call: ApiCall, name: str, body: Json, status: int = 200) -> Response:
    """An answer of the 2010 API in the format the path asked for; `name` is the XML element."""
    if not call.xml:
        return json_response(body, status)
    return _xml_response(_element(name, body), status)


def core_list_response(call: ApiCall, key: str, items: list[Json], paging: Json) -> Response:
    """A list of the 2010 API: the items under `key` beside the paging; in XML the paging is
    attributes.
    """
    if not call.xml:
        return json_response({key: items, **paging})
    singular = _SINGULAR.get(key, _pascal(key).removesuffix("s"))
    attributes = "".join(
        f" {name.replace('_', '')}={quoteattr(_text(value))}" for name, value in paging.items()
    )
    inner = "".join(_element(singular, item) for item in items)
    name = _pascal(key)
    return _xml_response(f"<{name}{attributes}>{inner}</{name}>", 200)


def error_response(
    error: ApiError, switches: Switches, *, xml: bool, headers: dict[str, str] | None = None
) -> Response:
    """The body of a refusal."""
    status = error.status(switches.unverified_error_status)
    body = error.body(status)
    if xml:
        ordered = {key: body[key] for key in (*_XML_ERROR, *body) if key in body}
        response = _xml_response(_element("RestException", ordered), status)
    else:
        response = json_response(body, status)
    if status == 401:  # noqa: PLR2004
        response.headers["WWW-Authenticate"] = 'Basic realm="Twilio API"'
    response.headers.update(headers or {})
    return response


def _xml_response(inner: str, status: int) -> Response:
    document = f'<?xml version="1.0" encoding="UTF-8"?>\n<TwilioResponse>{inner}</TwilioResponse>'
    return Response(document, status, media_type="application/xml")


def _pascal(key: str) -> str:
    if key in _KEEP_UPPER:
        return key
    return "".join(part[:1].upper() + part[1:] for part in key.split("_"))


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return _NOT_XML.sub(_REPLACEMENT, str(value))


def _element(name: str, value: Any) -> str:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        inner = "".join(_element(_pascal(key), child) for key, child in value.items())
    else:
        inner = escape(_text(value), {"\r": "&#13;"})
    return f"<{name}>{inner}</{name}>" if inner else f"<{name}/>"
