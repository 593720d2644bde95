"""PURE: what HTTP caches may do with an answer. Answers belong to one caller, so all is private."""

import hashlib
from collections.abc import Mapping

_VARY = "Accept, Accept-Encoding, Authorization, X-Account-Sid"


def has_errors(body: bytes) -> bool:
    """Whether a response has errors; they come first in every response of ours."""
    return body.startswith(b'{"errors"')


def headers(body: bytes, max_age: int, *, persisted: bool) -> dict[str, str]:
    """Return the headers that tell caches what to do with an answer to a query.

    Args:
        body: the answer.
        max_age: for how long it holds, in seconds, by the schema's hints.
        persisted: the query was a GET that named a persisted document. Its answer gets an ETag, so
            that asking again costs only the answer "not modified".
    """
    named = {}
    if max_age:
        named["cache-control"] = f"private, max-age={max_age}"
    elif persisted:
        named["cache-control"] = "private, no-cache"
    if persisted:
        named["etag"] = f'W/"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    return named | {"vary": _VARY} if named else named


def is_known(named: Mapping[str, str], if_none_match: str) -> bool:
    """Whether the client has the very answer that `named` are the headers of."""
    tag = named.get("etag")
    if tag is None or not if_none_match:
        return False
    known = {each.strip().removeprefix("W/") for each in if_none_match.split(",")}
    return "*" in known or tag.removeprefix("W/") in known
