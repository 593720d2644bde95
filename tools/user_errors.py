"""Prints docs/user-errors.md: what is said when a write was not done, read from the tables."""

import sys
from collections.abc import Iterator

from gateway.writes.user_errors import REFUSALS, Reason
from schema.user_errors import UserErrorCode

_HEAD = """\
# When a write is not done

Made from `gateway/writes/user_errors.py` by `python -m tools.user_errors`; a test
holds it current, and another one shows every line of the first table, in both API families.

A refusal is data: `userErrors { field code message upstreamCode }` in the payload. `field` is the
path of the input field to blame, below `input`; in a plural mutation `items` and the item's place
stand before it. Dry runs are refused alike, as far as it can be known without sending anything.

## By the gateway itself

What is in braces depends on the case."""
_UPSTREAM = """\
## By the upstream

With an error code of its own, in its own words; nothing was done. Its code is in `upstreamCode`.
Fields that a mutation does not take are left out of the path. Any other code is `REFUSED`, a 404 is
`NOT_FOUND`."""


def main() -> None:
    """Write the page to standard output."""
    sys.stdout.write("\n".join(page()) + "\n")


def page() -> Iterator[str]:
    """Yield the page's lines."""
    yield _HEAD
    yield ""
    yield "| code | field | words | when | what proves it |"
    yield "|---|---|---|---|---|"
    for reason in Reason:
        code, field, words, when, proof = reason.value
        yield f"| `{code.name}` | {_path(field)} | {words} | {when} | {proof} |"
    yield ""
    yield _UPSTREAM
    yield ""
    yield "| upstream's code | code | field |"
    yield "|---|---|---|"
    for number, (refused, field) in sorted(REFUSALS.items()):
        yield f"| {number} | `{refused.name}` | {_path(field)} |"
    yield ""
    yield "## The codes"
    yield ""
    yield "| code | meaning |"
    yield "|---|---|"
    for each in UserErrorCode:
        yield f"| `{each.name}` | {each.value.meaning} {each.value.remedy} |"


def _path(field: tuple[str, ...]) -> str:
    return f"`{'.'.join(field)}`" if field else ""


if __name__ == "__main__":
    main()
