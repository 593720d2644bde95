"""Prints docs/errors.md: every code that says what went wrong, read from the tables.

With `--explorer` it prints what the explorer says of them:
`gateway/explorer/web/src/errors/words.json`.
"""

import json
import sys
from collections.abc import Iterator

from gateway.error_codes import CloseCode, ErrorCode
from gateway.writes.user_errors import REFUSALS, Reason
from schema.enums import BranchErrorCode
from schema.user_errors import (
    CONFIGURE_CODES,
    PURCHASE_CODES,
    RELEASE_CODES,
    TRANSFER_CODES,
    UserErrorCode,
)

_HEAD = """\
# Errors

Every code that a client may meet. Made by `python -m tools.errors` from `gateway/error_codes.py`,
`schema/user_errors.py` and `gateway/writes/user_errors.py`; tests hold it current and complete.
"""
_PLACES = (
    (
        "[`errors[].extensions.code`](#errors-at-the-top)",
        "the request, or the field at `path`, could not be answered",
    ),
    (
        "[`userErrors { code }`](#user-errors) of a mutation",
        "what was asked is refused: it is data, to be shown to people",
    ),
    (
        "[`branchErrors { code }`](#branch-errors) of a search",
        "one of several searches failed; the numbers of the others are there",
    ),
    (
        "[the code that closes a WebSocket](#websocket-close-codes)",
        "the connection cannot go on",
    ),
)
_TOP = """
Codes are never renamed. New ones may come with new versions: do not send again what had a code that
you do not know, and show its `message`. Messages are for people, and may change.

## Errors at the top

```json
{ "data": { "phoneNumbers": null },
  "errors": [ { "message": "…", "path": ["phoneNumbers"], "extensions":
    { "code": "UPSTREAM_RATE_LIMITED", "upstreamCode": 20429, "retryAfterMs": 1000 } } ] }
```

`retryAfterMs` is there when it is known; an answer with status 429 or 503 says the same in
`Retry-After`. `upstreamCode` and `upstreamRequestId` are Twilio's own, when it was Twilio that
refused. Twilio's HTTP status never becomes the gateway's: what was executed, even in part, is
answered with 200. "Retry" is about the same request; a write is only ever repeated with its
idempotency key.
"""
_USER = """\
## User errors

`userErrors { field code message upstreamCode }` in the payload of a mutation. `field` is the path
of the input field to blame, below `input`; in a plural mutation `items` and the item's place stand
before it. Dry runs are refused alike, as far as it can be known without sending anything. Each
mutation has an enum of its own codes, which the plural form shares:
`PurchasePhoneNumberUserErrorCode` and so on.
"""
_OWN = """\
### What the gateway refuses itself

A test shows every line, in both API families. What is in braces depends on the case.
"""
_UPSTREAM = """\
### What Twilio refuses

With an error code of its own, in its own words; nothing was done. Its code is in `upstreamCode`.
Fields that a mutation does not take are left out of the path. Any other code is `REFUSED`, and so
is one that the mutation's enum does not have; a 404 is `NOT_FOUND`.
"""
_BRANCH = """\
## Branch errors

`branchErrors { type areaCode code message }` of a search that asks several times: the codes of
`BranchErrorCode`, which mean what they mean at the top. When every branch fails, the first one's
error is at the top.
"""
_CLOSE = """\
## WebSocket close codes

A handshake that is refused is answered by HTTP, with an error as above. Errors of one operation
come in its `error` message, as above, and leave the connection open. `1006` is never sent: clients
see it when a connection breaks.
"""
_MUTATIONS = {
    "purchase": PURCHASE_CODES,
    "configure": CONFIGURE_CODES,
    "transfer": TRANSFER_CODES,
    "release": RELEASE_CODES,
}


def main() -> None:
    """Write the page, or the explorer's words, to standard output."""
    sys.stdout.write(words() if "--explorer" in sys.argv[1:] else "\n".join(page()) + "\n")


def words() -> str:
    """Return what the explorer says of each code: what has happened, and what to do, as JSON."""
    top = {str(code): {"meaning": code.meaning, "remedy": code.remedy} for code in ErrorCode}
    user = {code.name: code.value._asdict() for code in UserErrorCode}
    return json.dumps({"errors": top, "userErrors": user}, indent=2, ensure_ascii=False) + "\n"


def page() -> Iterator[str]:
    """Yield the page's lines."""
    yield _HEAD
    yield from _table("where", "what it says")
    for place in _PLACES:
        yield _row(*place)
    yield _TOP
    yield from _table("code", "meaning", "what a client does", "retry", "HTTP status")
    for each in ErrorCode:
        yield _row(f"`{each}`", each.meaning, each.remedy, each.retry, each.status)
    yield ""
    yield _USER
    yield from _table("code", *_MUTATIONS, "meaning", "what a client does")
    for code in UserErrorCode:
        known = ("✓" if code.name in codes.__members__ else "" for codes in _MUTATIONS.values())
        yield _row(f"`{code.name}`", *known, *code.value)
    yield ""
    yield _OWN
    yield from _table("code", "field", "words", "when", "what proves it")
    for reason in Reason:
        refused, field, *rest = reason.value
        yield _row(f"`{refused.name}`", _path(field), *rest)
    yield ""
    yield _UPSTREAM
    yield from _table("Twilio's code", "code", "field")
    for number, (refused, field) in sorted(REFUSALS.items()):
        yield _row(str(number), f"`{refused.name}`", _path(field))
    yield ""
    yield _BRANCH
    yield from _table("code", "retry")
    for name in BranchErrorCode.__members__:
        yield _row(f"`{name}`", ErrorCode[name].retry)
    yield ""
    yield _CLOSE
    yield from _table("code", "meaning", "what a client does", "connect again")
    for close in sorted(CloseCode):
        yield _row(str(close.value), close.meaning, close.remedy, close.retry)


def _table(*columns: str) -> Iterator[str]:
    yield _row(*columns)
    yield "|---" * len(columns) + "|"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _path(field: tuple[str, ...]) -> str:
    return f"`{'.'.join(field)}`" if field else ""


if __name__ == "__main__":
    main()
