"""Page sizes and page numbers, as both families read them."""

from urllib.parse import urlencode

from gateway.sandbox.http.api_call import ApiCall
from gateway.sandbox.http.refusals import ApiError
from gateway.sandbox.switches import Switches

LARGEST_PAGE = 1000
DEFAULT_PAGE = 50
_LONGEST_NUMBER = 9
_PAGING = frozenset({"Page", "PageSize", "PageToken"})


def page_size(call: ApiCall, switches: Switches, default: int = DEFAULT_PAGE) -> int:
    """`PageSize`, 1 to 1000.

    Raises:
        ApiError: 20007 above 1000 unless the switch clamps it, 20001 when it is not a positive
        number.
    """
    text = call.get("PageSize")
    if not text:
        return default
    size = _whole(text)
    if size is None or size < 1:
        raise ApiError(20001, "PageSize must be a whole number from 1 to 1000")
    if size > LARGEST_PAGE and switches.page_size_over_limit == "error":
        raise ApiError(20007, f"Page size must be at most {LARGEST_PAGE}")
    return min(size, LARGEST_PAGE)


def page_number(call: ApiCall) -> int:
    """`Page`, from 0.

    Raises:
        ApiError: 20001 when it is not a whole number.
    """
    page = _whole(call.get("Page") or "0")
    if page is None:
        raise ApiError(20001, "Page must be a whole number")
    return page


def reference(call: ApiCall, size: int, number: int, token: str | None = None) -> str:
    """Path and query of another page of the list that a call asks for, filters and all."""
    query = [pair for pair in call.query if pair[0] not in _PAGING]
    query += [("PageSize", str(size)), ("Page", str(number))]
    if token is not None:
        query.append(("PageToken", token))
    return f"{call.path}?{urlencode(query)}"


def _whole(text: str) -> int | None:
    if not (text.isascii() and text.isdigit()):
        return None
    # Nothing meaningful has more digits, and long texts are slow to convert.
    return int(text) if len(text) <= _LONGEST_NUMBER else 10**_LONGEST_NUMBER
