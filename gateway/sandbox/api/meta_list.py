"""Lists of the newer APIs: the items under a key, beside a `meta` with the paging."""

from collections.abc import Sequence

from starlette.responses import Response

from gateway.sandbox.http.api_call import ApiCall
from gateway.sandbox.http.formats import json_response
from gateway.sandbox.http.paging import page_number, page_size, reference
from gateway.sandbox.switches import Switches
from gateway.sandbox.world.number_documents import Json


def meta_list_response(
    call: ApiCall, switches: Switches, key: str, items: Sequence[Json]
) -> Response:
    """Answers with the page of `items` that the call asks for, under `key`.

    Raises:
        ApiError: `Page` or `PageSize` is malformed.
    """
    size, page = page_size(call, switches), page_number(call)
    more = len(items) > (page + 1) * size
    return json_response(
        {
            key: items[page * size : (page + 1) * size],
            "meta": list_meta(call, key, size, page, more=more),
        }
    )


def list_meta(
    call: ApiCall, key: str, size: int, page: int, *, more: bool, next_token: str | None = None
) -> Json:
    """The `meta` of one page; `next_token` is what the reference to the next one carries."""

    def url(number: int, token: str | None = None) -> str:
        return call.base_url + reference(call, size, number, token)

    return {
        "page": page,
        "page_size": size,
        "first_page_url": url(0),
        "previous_page_url": url(page - 1) if page else None,
        "url": url(page),
        "next_page_url": url(page + 1, next_token) if more else None,
        "key": key,
    }
