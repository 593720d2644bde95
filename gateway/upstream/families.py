"""The two API families: how each spells the same requests, and how it wraps its answers.

Facts: the catalog's resource pages (`/Numbers/ActiveNumbers`, `/Numbers/AvailableNumbers`) and the
2010-04-01 OpenAPI description.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote, urlsplit

import msgspec

from gateway.errors import UpstreamMalformed
from gateway.mapping import filters
from gateway.mapping.records import STRICT, Record
from gateway.upstream.call import Answer, Call, Pairs, Shape
from schema.enums import Source

MAX_PAGE_SIZE = 1000
MOST_PAGES = 64
"""Pages after which a list is not read on: 64,000 numbers or accounts."""
# Another page's query that is what it ought to be: a token names a sid, which is no secret.
_PLAIN_PAGING = re.compile(
    r"(?:(?:\A|&)(?:[A-Za-z.]{1,32}=(?:true|false|[0-9]{1,4})|PageToken=P[AB](?:PN|AC)[0-9a-f]{32}))+",
    re.ASCII,
)


class _Meta(msgspec.Struct, gc=False):
    """Of a catalog page."""

    key: str | None = None
    next_page_url: str | None = None
    previous_page_url: object = None


_CORE_PAGING: Mapping[str, Any] = {"next_page_uri": str | None, "previous_page_uri": object}


def _page_shape(typename: str, source: Source) -> Shape:
    """Return the decoder of pages whose items are all as their API promises."""
    record: Any = STRICT[source][typename]
    rest: Mapping[str, Any] = {"meta": _Meta}
    names: dict[str, str] = {}
    if source is Source.CORE:
        owned = typename == "PhoneNumber"
        rest = _CORE_PAGING if owned else {}
        names = {"items": "incoming_phone_numbers" if owned else "available_phone_numbers"}
    fields = {"items": list[record | None], **rest}
    return msgspec.json.Decoder(msgspec.defstruct("UpstreamPage", fields.items(), rename=names))


_OWNED = {source: _page_shape("PhoneNumber", source) for source in Source}
_FOUND = {source: _page_shape("AvailablePhoneNumber", source) for source in Source}


_BARE = {source: msgspec.json.Decoder(records["PhoneNumber"]) for source, records in STRICT.items()}


_CATALOG_PAGE, _CATALOG_NUMBER = _OWNED[Source.CATALOG], _BARE[Source.CATALOG]


class _BareOrAlone:
    """One number of the catalog: bare, or alone in `items`; the same endpoint shows both."""

    def decode(self, body: bytes, /) -> Record:
        """Return the number as a record; which of the forms it has, its first key tells.

        Raises:
            msgspec.DecodeError: it has neither.
        """
        if b'"items"' in body[:_FIRST_KEY]:
            items = _CATALOG_PAGE.decode(body).items
            if len(items) == 1 and isinstance(items[0], Record):
                return items[0]
        bare: Record = _CATALOG_NUMBER.decode(body)
        if bare.phone_number is None:
            raise msgspec.DecodeError("no number")
        return bare


# Where the first key of an object ends, with room for white space.
_FIRST_KEY = 20
_ONE: Mapping[Source, Shape] = {
    Source.CATALOG: _BareOrAlone(),
    Source.CORE: _BARE[Source.CORE],
}


class UpstreamPage(NamedTuple):
    """One upstream page.

    Attributes:
        items: records where all of them are as their API promises, else JSON as it came.
        next_query: query of the next page, if there is one.
        previous: the reference to the page before, as it came: few want to go there.
        answer: the answer that it came with.
    """

    items: Sequence[object]
    next_query: str | None
    previous: object = None
    answer: Answer | None = None

    def previous_query(self) -> str | None:
        """Return the query of the page before, if there is one.

        Raises:
            UpstreamMalformed: the reference cannot be read, or must not be followed.
        """
        return None if self.answer is None else _query_of(self.previous, self.answer, "previous")


class Family(Protocol):
    """What the gateway needs of a family to work with owned numbers."""

    source: Source
    owned: filters.Table
    settings: filters.Table

    def list_call(
        self, account: str, wanted: Mapping[str, Any], page_size: int, number: int = 0
    ) -> Call:
        """Return the request for a page of owned numbers, the first one unless told otherwise."""

    def page_call(self, account: str, wanted: Mapping[str, Any], query: str) -> Call:
        """Return the request for a further page, from the upstream's own reference."""

    def read_page(self, answer: Answer) -> UpstreamPage:
        """Unwrap a page."""

    def get_call(self, account: str, sid: str) -> Call:
        """Return the request for one owned number."""

    def purchase_call(self, account: str, phone_number: str, form: filters.Pairs) -> Call:
        """Return the request that buys a number."""

    def update_call(self, account: str, sid: str, form: filters.Pairs) -> Call:
        """Return the request that changes or transfers a number."""

    def release_call(self, account: str, sid: str) -> Call:
        """Return the request that releases a number."""

    def read_one(self, answer: Answer) -> Record | dict[str, Any]:
        """Unwrap one number, however this endpoint wraps it."""


class Catalog:
    """The preview catalog. The account comes from the credentials, not from the path."""

    source = Source.CATALOG
    owned = filters.CATALOG_OWNED
    settings = filters.CATALOG_WRITE
    _path = "/Numbers/ActiveNumbers"
    _route = "/Numbers/ActiveNumbers/{sid}"
    _search_path = "/Numbers/AvailableNumbers"

    def list_call(
        self, account: str, wanted: Mapping[str, Any], page_size: int, number: int = 0
    ) -> Call:
        """See `Family`."""
        query = (*filters.parameters(wanted, self.owned), *_paging(page_size, number))
        return self._page(self._path, account, query, _OWNED)

    def page_call(self, account: str, wanted: Mapping[str, Any], query: str) -> Call:
        """See `Family`."""
        del wanted  # The reference repeats the filters.
        return self._page(self._path, account, query, _OWNED)

    def search_call(
        self, account: str, wanted: Mapping[str, Any], extra: Pairs, page_size: int
    ) -> Call:
        """Return the request for the first page of a search; `extra` are country and type."""
        query = (
            *extra,
            *filters.parameters(wanted, filters.CATALOG_SEARCH),
            ("PageSize", str(page_size)),
        )
        return self._page(self._search_path, account, query, _FOUND)

    def search_page_call(self, account: str, query: str) -> Call:
        """Return the request for a further page of a search."""
        return self._page(self._search_path, account, query, _FOUND)

    def read_page(self, answer: Answer) -> UpstreamPage:
        """Unwrap `{"items": […], "meta": {"key": "items", "next_page_url": …}}`."""
        page = answer.decoded
        if page is not None and page.meta.key in {"items", None}:
            following = _query_of(page.meta.next_page_url, answer)
            return UpstreamPage(page.items, following, page.meta.previous_page_url, answer)
        body = answer.json()
        meta = body.get("meta")
        meta = meta if isinstance(meta, dict) else {}
        key = meta.get("key")
        items = body.get(key if isinstance(key, str) else "items")
        following = _query_of(meta.get("next_page_url"), answer)
        return UpstreamPage(_list(items, answer), following, meta.get("previous_page_url"), answer)

    def get_call(self, account: str, sid: str) -> Call:
        """See `Family`."""
        named = sid if sid.isalnum() and sid.isascii() else quote(sid, safe="")
        path = f"{self._path}/{named}"
        return Call(self.source, "GET", path, account, self._route, shape=_ONE[self.source])

    def purchase_call(self, account: str, phone_number: str, form: filters.Pairs) -> Call:
        """See `Family`."""
        body = (("PhoneNumber", phone_number), *form)
        shape = _ONE[self.source]
        return Call(self.source, "POST", self._path, account, self._path, form=body, shape=shape)

    def update_call(self, account: str, sid: str, form: filters.Pairs) -> Call:
        """See `Family`."""
        path, route = f"{self._path}/{quote(sid, safe='')}", f"{self._path}/{{sid}}"
        shape = _ONE[self.source]
        return Call(self.source, "POST", path, account, route, form=tuple(form), shape=shape)

    def release_call(self, account: str, sid: str) -> Call:
        """See `Family`."""
        path, route = f"{self._path}/{quote(sid, safe='')}", f"{self._path}/{{sid}}"
        return Call(self.source, "DELETE", path, account, route)

    def read_one(self, answer: Answer) -> Record | dict[str, Any]:
        """Unwrap one number: bare, or alone in `items`; both are seen on the same endpoints."""
        decoded: Record | None = answer.decoded
        if decoded is not None:
            return decoded
        body = answer.json()
        items = body.get("items")
        if isinstance(items, list) and "phone_number" not in body:
            body = items[0] if items else {}
        return _number(body, answer)

    def _page(
        self, path: str, account: str, query: Pairs | str, shapes: Mapping[Source, Shape]
    ) -> Call:
        return Call(self.source, "GET", path, account, path, query, shape=shapes[self.source])


class Core:
    """The 2010-04-01 API, in JSON. The account is in the path."""

    source = Source.CORE
    owned = filters.CORE_OWNED
    settings = filters.CORE_WRITE

    def list_call(
        self, account: str, wanted: Mapping[str, Any], page_size: int, number: int = 0
    ) -> Call:
        """See `Family`."""
        query = (*filters.parameters(wanted, self.owned), *_paging(page_size, number))
        return self._list(account, wanted, query)

    def page_call(self, account: str, wanted: Mapping[str, Any], query: str) -> Call:
        """See `Family`."""
        return self._list(account, wanted, query)

    def search_call(
        self, account: str, country: str, path: str, wanted: Mapping[str, Any], page_size: int
    ) -> Call:
        """Return a search's only request; `path` is the type's segment, for example `Local`."""
        query = (
            *filters.parameters(wanted, filters.CORE_SEARCH),
            ("PageSize", str(page_size)),
        )
        path, route = _search_path(account, country, path)
        return Call(self.source, "GET", path, account, route, query, shape=_FOUND[self.source])

    def read_search(self, answer: Answer) -> Sequence[object]:
        """Unwrap `{"available_phone_numbers": […]}`."""
        found = answer.decoded
        if found is not None:
            items: Sequence[object] = found.items
            return items
        return _list(answer.json().get("available_phone_numbers"), answer)

    def countries_call(self, account: str) -> Call:
        """Return the request for all countries."""
        tail = "/AvailablePhoneNumbers.json"
        return self._get(account, tail, tail)

    def read_countries(self, answer: Answer) -> Sequence[object]:
        """Unwrap `{"countries": […]}`."""
        return _list(answer.json().get("countries"), answer)

    def country_call(self, account: str, code: str) -> Call:
        """Return the request for one country."""
        return self._get(
            account, f"/AvailablePhoneNumbers/{code}.json", "/AvailablePhoneNumbers/{country}.json"
        )

    def account_call(self, account: str) -> Call:
        """Return the request for an account."""
        return self._get(account, ".json", ".json")

    def subaccounts_call(self, account: str, query: Pairs | str) -> Call:
        """Return the request for a page of accounts, the caller's own among them."""
        path = "/2010-04-01/Accounts.json"
        return Call(self.source, "GET", path, account, path, query)

    def read_accounts(self, answer: Answer) -> UpstreamPage:
        """Unwrap `{"accounts": […], "next_page_uri": …}`."""
        return _core_page(answer, "accounts")

    def read_page(self, answer: Answer) -> UpstreamPage:
        """Unwrap `{"incoming_phone_numbers": […], "next_page_uri": …}`."""
        page = answer.decoded
        if page is not None:
            following = _query_of(page.next_page_uri, answer)
            return UpstreamPage(page.items, following, page.previous_page_uri, answer)
        return _core_page(answer, "incoming_phone_numbers")

    def get_call(self, account: str, sid: str) -> Call:
        """See `Family`."""
        return self._one("GET", account, sid)

    def purchase_call(self, account: str, phone_number: str, form: filters.Pairs) -> Call:
        """See `Family`."""
        tail = "/IncomingPhoneNumbers.json"
        return Call(
            self.source,
            "POST",
            _account(account) + tail,
            account,
            _account("{account}") + tail,
            form=(("PhoneNumber", phone_number), *form),
            shape=_ONE[self.source],
        )

    def update_call(self, account: str, sid: str, form: filters.Pairs) -> Call:
        """See `Family`."""
        return self._one("POST", account, sid, tuple(form))

    def release_call(self, account: str, sid: str) -> Call:
        """See `Family`."""
        return self._one("DELETE", account, sid)

    def read_one(self, answer: Answer) -> Record | dict[str, Any]:
        """See `Family`: it is always bare here."""
        decoded = answer.decoded
        return _number(answer.json() if decoded is None else decoded, answer)

    def _list(self, account: str, wanted: Mapping[str, Any], query: Pairs | str) -> Call:
        kind = wanted.get("type")
        typed = f"/{filters.CORE_OWNED_PATHS[kind.name]}" if kind else ""
        tail = f"/IncomingPhoneNumbers{typed}.json"
        return self._get(account, tail, tail, query, _OWNED[self.source])

    def _get(
        self,
        account: str,
        tail: str,
        route: str,
        query: Pairs | str = (),
        shape: Shape | None = None,
    ) -> Call:
        path, route = _account(account) + tail, _account("{account}") + route
        return Call(self.source, "GET", path, account, route, query, shape=shape)

    def _one(self, method: str, account: str, sid: str, form: Pairs | None = None) -> Call:
        tail = "/IncomingPhoneNumbers/"
        return Call(
            self.source,
            method,
            f"{_account(account)}{tail}{quote(sid, safe='')}.json",
            account,
            f"{_account('{account}')}{tail}{{sid}}.json",
            form=form,
            shape=None if method == "DELETE" else _ONE[self.source],
        )


CATALOG = Catalog()
CORE = Core()
FAMILIES: Mapping[Source, Family] = {Source.CATALOG: CATALOG, Source.CORE: CORE}


def _paging(size: int, number: int) -> Pairs:
    counted = (("Page", str(number)),) if number else ()
    return (("PageSize", str(size)), *counted)


def _account(sid: str) -> str:
    return f"/2010-04-01/Accounts/{sid}"


@lru_cache(maxsize=1024)
def _search_path(account: str, country: str, path: str) -> tuple[str, str]:
    """Return where core searches, and the route of that; `path` is the type's segment."""
    base, tail = "/AvailablePhoneNumbers/", f"/{path}.json"
    return (
        f"{_account(account)}{base}{quote(country, safe='')}{tail}",
        f"{_account('{account}')}{base}{{country}}{tail}",
    )


def _core_page(answer: Answer, key: str) -> UpstreamPage:
    body = answer.json()
    following = _query_of(body.get("next_page_uri"), answer)
    items = _list(body.get(key), answer)
    return UpstreamPage(items, following, body.get("previous_page_uri"), answer)


def _query_of(reference: object, answer: Answer, which: str = "next") -> str | None:
    """Return the query of a reference to a page. Host and path stay ours, so it leads nowhere.

    A reference that cannot be read must not pass for the end of the list; nor may one that repeats
    the credential go on: cursors carry it to clients.
    """
    if reference is None or reference == "":
        return None
    query = urlsplit(reference).query if isinstance(reference, str) else ""
    if not query:
        message = f"The upstream's reference to its {which} page cannot be read."
        raise UpstreamMalformed(message, status=answer.status, request_id=answer.request_id)
    if not _PLAIN_PAGING.fullmatch(query) and answer.repeats_credential(query):
        message = f"The upstream's reference to its {which} page repeats credentials."
        raise UpstreamMalformed(message, status=answer.status, request_id=answer.request_id)
    return query


def _list(items: object, answer: Answer) -> Sequence[object]:
    """Return items that are objects or null: to leave out anything else would hide a number."""
    if not isinstance(items, list) or not all(
        each is None or isinstance(each, dict) for each in items
    ):
        message = "The upstream's list has no items where its API promises them."
        raise UpstreamMalformed(message, status=answer.status, request_id=answer.request_id)
    return items


def _number(body: object, answer: Answer) -> Record | dict[str, Any]:
    if isinstance(body, Record) and body.phone_number is not None:
        return body
    if not isinstance(body, dict) or not isinstance(body.get("phone_number"), str):
        message = "The upstream's answer is not the phone number that its API promises."
        raise UpstreamMalformed(message, status=answer.status, request_id=answer.request_id)
    return body
