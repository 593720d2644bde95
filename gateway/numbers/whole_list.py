"""All numbers of an account, read page by page."""

from collections.abc import Callable

from gateway.mapping.records import View
from gateway.numbers.lookups import OwnedList
from gateway.numbers.owned import OwnedNumbers
from gateway.numbers.page_request import PageRequest
from gateway.upstream.families import MAX_PAGE_SIZE, MOST_PAGES
from schema.info import FieldPath


async def read_whole_list(
    begin: Callable[[], OwnedNumbers], account: str, at: FieldPath
) -> list[View]:
    """Return all numbers of an account, as far as they go on 64 pages.

    Args:
        begin: begins a request of its own, with a deadline of its own, for each page.
        account: whose numbers.
        at: the field that asks, for traces.

    Raises:
        UpstreamError: a page could not be had.
        DeadlineExceeded: it did not come in time.
    """
    found: list[View] = []
    asked = OwnedList(account, {}, PageRequest(MAX_PAGE_SIZE))
    for _ in range(MOST_PAGES):
        page = await begin().page(asked, at)
        found += page.items
        if not page.more:
            break
        asked = asked._replace(page=PageRequest(MAX_PAGE_SIZE, page.places[-1]))
    return found
