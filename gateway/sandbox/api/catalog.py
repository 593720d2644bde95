"""The preview catalog: `/Numbers/AvailableNumbers` and `/Numbers/ActiveNumbers`."""

from starlette.responses import Response

from gateway.sandbox.api.catalog_json import active_number, available_number
from gateway.sandbox.api.meta_list import list_meta
from gateway.sandbox.http import credentials
from gateway.sandbox.http.api_call import ApiCall
from gateway.sandbox.http.formats import json_response
from gateway.sandbox.http.paging import page_number, page_size
from gateway.sandbox.http.refusals import ApiError, not_found
from gateway.sandbox.rules import attributes, configuration, trade
from gateway.sandbox.rules.search_filters import Criteria
from gateway.sandbox.world.number_documents import Account, Json, OwnedNumber
from gateway.sandbox.world.world import World


class Catalog:
    """Endpoints of the catalog. The account is the caller's own: paths name none."""

    def __init__(self, world: World) -> None:
        self._world = world

    def _caller(self, call: ApiCall) -> Account:
        """The calling account.

        Raises:
            ApiError: 20003, 20005, 20008 for test credentials, 20404 without access to the catalog.
        """
        account = credentials.full_caller(call.credentials, self._world.switches)
        if not account.catalog:
            raise not_found(call.path)
        return account

    def search(self, call: ApiCall, country: str | None = None) -> Response:
        """`GET /Numbers/AvailableNumbers[/{country}]`: a page of numbers that can be bought."""
        self._caller(call)
        world = self._world
        criteria = Criteria(world.store)
        attributes.filter_available(criteria, call, world.switches)
        if country is not None:
            attributes.equal(criteria, "Geography.IsoCountry", [country])
        size, page = self._page(call)
        found = criteria.page(list(world.store.pools.values()), limit=size + 1, offset=page * size)
        items = [available_number(number) for number in found[:size]]
        return json_response(
            {"items": items, "meta": self._meta(call, size, page, more=len(found) > size)}
        )

    def list_numbers(self, call: ApiCall) -> Response:
        """`GET /Numbers/ActiveNumbers`: a page of the caller's numbers, oldest first."""
        account = self._caller(call)
        world = self._world
        criteria = Criteria(world.store)
        attributes.filter_owned(criteria, call, world.switches)
        size, page = self._page(call)
        found: list[OwnedNumber] = []
        if not criteria.nothing:
            conditions, values = criteria.where()
            found = world.store.owned_page(
                account.sid, conditions, values, limit=size + 1, offset=page * size
            )
        items = [self._item(call, owned, plural=True) for owned in found[:size]]
        return json_response(
            {"items": items, "meta": self._meta(call, size, page, more=len(found) > size)}
        )

    def buy(self, call: ApiCall) -> Response:
        """`POST /Numbers/ActiveNumbers`: buys `PhoneNumber` for the caller."""
        account = self._caller(call)
        world = self._world
        trade.refuse_trial(world, account, catalog=True)
        text = call.sent("PhoneNumber")
        if not text:
            raise ApiError(20001, "Missing required parameter PhoneNumber in the post body")
        phone_number = trade.read_number(text, space_as_plus=world.switches.space_as_plus)
        owned = world.store.owned_by_number(phone_number)
        if (
            owned is not None
            and owned.account_sid == account.sid
            and world.switches.catalog_purchase_of_own == "update"
        ):
            owned = trade.update(world, owned, call, catalog=True)
        else:
            number = world.store.available(phone_number)
            if number is None:
                raise ApiError(21452)
            owned = trade.buy(world, account, number, call, catalog=True)
        status = world.switches.create_status
        item = self._item(call, owned, plural=True)
        if world.switches.create_envelope:
            return json_response(
                {"items": [item], "meta": self._meta(call, 50, 0, more=False)}, status
            )
        return json_response(item, status)

    def fetch(self, call: ApiCall, sid: str) -> Response:
        """`GET /Numbers/ActiveNumbers/{sid}`, by default as a list of one."""
        owned = self._find(call, self._caller(call), sid)
        item = self._item(call, owned, plural=False)
        if not self._world.switches.instance_envelope:
            return json_response(item)
        return json_response({"items": [item], "meta": self._meta(call, 50, 0, more=False)})

    def change(self, call: ApiCall, sid: str) -> Response:
        """`POST /Numbers/ActiveNumbers/{sid}`: configures, or transfers with `AccountSid`."""
        who = self._caller(call)
        world = self._world
        target = call.sent("AccountSid")
        owned = self._find(call, who, sid, transfer=bool(target))
        with world.store.transaction():
            owned = trade.update(world, owned, call, catalog=True)
            if target:
                documents = configuration.documents(call, catalog=True)
                owned = trade.transfer(world, who, owned, target, documents)
        return json_response(self._item(call, owned, plural=False))

    def release(self, call: ApiCall, sid: str) -> Response:
        """`DELETE /Numbers/ActiveNumbers/{sid}`."""
        trade.release(self._world, self._find(call, self._caller(call), sid))
        return Response(status_code=204)

    def _find(
        self, call: ApiCall, who: Account, sid: str, *, transfer: bool = False
    ) -> OwnedNumber:
        world = self._world
        owned = world.store.owned(sid)
        if owned is not None:
            if owned.account_sid == who.sid:
                return owned
            owner = world.store.account(owned.account_sid)
            child = owner is not None and owner.owner_account_sid == who.sid
            reaches = call.credentials.kind == "token" and child
            if transfer and reaches and world.switches.transfer_reaches_subaccounts:
                return owned
        raise not_found(call.path, status=world.switches.missing_sid_status)

    def _item(self, call: ApiCall, owned: OwnedNumber, *, plural: bool) -> Json:
        url = f"{call.base_url}/Numbers/ActiveNumbers/{owned.sid}"
        return active_number(owned, url, plural=plural)

    def _page(self, call: ApiCall) -> tuple[int, int]:
        """Size and number of the page asked for.

        Raises:
            ApiError: One of them is malformed, or the page token is another page's.
        """
        switches = self._world.switches
        size, page = page_size(call, switches), page_number(call)
        token = call.get("PageToken")
        if switches.catalog_page_token and token and token != _token(page):
            raise ApiError(21481, f"{token} is not a valid PageToken")
        return size, page

    def _meta(self, call: ApiCall, size: int, page: int, *, more: bool) -> Json:
        token = _token(page + 1) if self._world.switches.catalog_page_token else None
        return list_meta(call, "items", size, page, more=more, next_token=token)


def _token(page: int) -> str:
    return f"PT{page}"
