"""Cursors: opaque to clients, they wrap the upstream's own page reference and a place in it.

A cursor belongs to one list: account, family and filters. It carries a page's query but neither
host nor path, so a forged one reaches nothing but that list, with the caller's own credentials.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from gateway.errors import BadUserInput

_LONGEST = 4096


class Cursor(NamedTuple):
    """A place in a list.

    Attributes:
        list_id: what list it belongs to, see `list_id`.
        query: query of the page it is in; "" for the first page.
        place: place of the item in that page; -1 stands before its first item.
    """

    list_id: str
    query: str
    place: int


def list_id(*parts: object, filters: Mapping[str, Any]) -> str:
    """Return a short name of a list: the same for the same account, family and filters."""
    material = repr((parts, sorted((path, repr(value)) for path, value in filters.items())))
    return hashlib.sha256(material.encode()).hexdigest()[:12]


def encode(cursor: Cursor) -> str:
    """Return the opaque form."""
    return base64.urlsafe_b64encode(orjson.dumps(list(cursor))).decode().rstrip("=")


def decode(opaque: str, *, of: str) -> Cursor:
    """Return what an `after` argument says.

    Args:
        opaque: what the client sent.
        of: id of the list that it is used on.

    Raises:
        BadUserInput: it is not a cursor, or one of another list.
    """
    try:
        padded = opaque.encode("ascii") + b"=" * (-len(opaque) % 4)
        parts = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        name, query, place = parts
    except (ValueError, TypeError, binascii.Error):
        name = query = place = None
    fits = isinstance(name, str) and isinstance(query, str) and type(place) is int
    if not fits or len(opaque) > _LONGEST or place < -1:
        raise BadUserInput(
            "after", "this is not a cursor; use `pageInfo.endCursor` or an edge's `cursor`."
        )
    if name != of:
        raise BadUserInput(
            "after",
            "this cursor belongs to another list; cursors hold for the same account and filters.",
        )
    return Cursor(name, query, place)
