"""2010 API: the numbers an account owns."""

from starlette.responses import Response

from gateway.sandbox.api.core_account import NEXT, PREVIOUS, acting_account, list_paging
from gateway.sandbox.api.core_json import incoming_number, typed_number
from gateway.sandbox.http.api_call import ApiCall
from gateway.sandbox.http.formats import core_list_response, core_response
from gateway.sandbox.http.paging import page_number, page_size
from gateway.sandbox.http.refusals import ApiError, not_found
from gateway.sandbox.rules import configuration, magic, patterns, trade
from gateway.sandbox.rules.search_filters import Criteria
from gateway.sandbox.world.facts import number_named
from gateway.sandbox.world.number_documents import Account, Number, OwnedNumber
from gateway.sandbox.world.world import World

TYPE_OF_SEGMENT = {"Local": "local", "TollFree": "tollfree", "Mobile": "mobile"}
_NUMBER = "IncomingPhoneNumber"


class CoreOwned:
    """Endpoints under `/2010-04-01/Accounts/{AccountSid}/IncomingPhoneNumbers`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def list_numbers(self, call: ApiCall, account: str, segment: str | None = None) -> Response:
        """A page of the account's numbers, oldest first, all or of one type."""
        owner = acting_account(self._world, call, account)
        criteria = self._criteria(call, segment)
        size, page = page_size(call, self._world.switches), page_number(call)
        found, more = self._page(owner, criteria, call.get("PageToken"), size, page)
        paging = list_paging(
            call,
            size,
            page,
            len(found),
            more=more,
            next_token=NEXT + found[-1].sid if found else None,
            previous_token=PREVIOUS + found[0].sid if found else None,
        )
        write = incoming_number if segment is None else typed_number
        items = [write(owned, self._world.switches) for owned in found]
        return core_list_response(call, "incoming_phone_numbers", items, paging)

    def _page(
        self, owner: Account, criteria: Criteria, token: str | None, size: int, page: int
    ) -> tuple[list[OwnedNumber], bool]:
        """The numbers of a page and whether more follow: after or before a token's number, else
        by count.
        """
        if criteria.nothing:
            return [], False
        store = self._world.store
        conditions, values = criteria.where()
        if not token:
            found = store.owned_page(
                owner.sid, conditions, values, limit=size + 1, offset=page * size
            )
            return found[:size], len(found) > size
        position = store.position(token[2:]) if token[:2] in {NEXT, PREVIOUS} else None
        if position is None:
            raise ApiError(21481, f"{token} is not a valid PageToken")
        backwards = token.startswith(PREVIOUS)
        conditions.append("seq < ?" if backwards else "seq > ?")
        found = store.owned_page(
            owner.sid, conditions, [*values, position], limit=size + 1, newest_first=backwards
        )
        if backwards:
            return found[:size][::-1], True
        return found[:size], len(found) > size

    def _criteria(self, call: ApiCall, segment: str | None) -> Criteria:
        criteria = Criteria(self._world.store)
        if segment is not None:
            kind = TYPE_OF_SEGMENT[segment]
            criteria.profiles(lambda profile: profile.type == kind)
        if call.flag("Beta") is False:
            criteria.profiles(lambda profile: not profile.beta)
        if name := call.get("FriendlyName"):
            # A number without a name of its own is shown with its default, and found by it.
            stored = "coalesce(configuration ->> '$.friendly_name', '')"
            criteria.conditions.append(f"({stored} = ? OR ({stored} = '' AND phone_number = ?))")
            criteria.values += [name, number_named(name)]
        if origin := call.get("Origin"):
            criteria.conditions.append("origin = ?")
            criteria.values.append(origin)
        if text := call.get("PhoneNumber"):
            # An unescaped "+" arrives as a space.
            if text.startswith(" ") and self._world.switches.space_as_plus:
                text = "+" + text[1:]
            try:
                pattern = patterns.parse(text, strict=False)
            except ValueError as error:
                raise ApiError(21421, f"PhoneNumber is not valid: {error}") from error
            criteria.glob("phone_number", pattern.glob)
        return criteria

    def buy(self, call: ApiCall, account: str, segment: str | None = None) -> Response:
        """Buys `PhoneNumber`, or any number in `AreaCode`, for the account."""
        world = self._world
        owner = acting_account(world, call, account, test_allowed=True)
        number, area_code = call.sent("PhoneNumber"), call.sent("AreaCode")
        kind = None if segment is None else TYPE_OF_SEGMENT[segment]
        if kind is not None and area_code:
            raise ApiError(21457)
        if owner.role == "test":
            owned = magic.pretend_to_buy(world, owner, call, kind)
        elif number:
            owned = self._buy_number(owner, call, number, kind)
        elif area_code:
            trade.refuse_trial(world, owner, catalog=False)
            found = trade.find_in_area(world, area_code)
            owned = trade.buy(world, owner, found, call, catalog=False)
        else:
            raise ApiError(20001, "Missing required parameter PhoneNumber in the post body")
        write = incoming_number if segment is None else typed_number
        return core_response(call, _NUMBER, write(owned, world.switches), 201)

    def _buy_number(
        self, owner: Account, call: ApiCall, text: str, kind: str | None
    ) -> OwnedNumber:
        """Buys one number. One that the account has is updated instead, so repeating is
        harmless.
        """
        world = self._world
        phone_number = trade.read_number(text, space_as_plus=world.switches.space_as_plus)
        owned = world.store.owned_by_number(phone_number)
        mine = owned is not None and owned.account_sid == owner.sid
        found: Number | None = (
            owned.number if owned and mine else world.store.available(phone_number)
        )
        if not mine:
            trade.refuse_trial(world, owner, catalog=False)
        if found is None:
            raise ApiError(21422, f"{phone_number} is not available")
        trade.require_type(found, kind)
        if owned and mine:
            return trade.update(world, owned, call, catalog=False)
        return trade.buy(world, owner, found, call, catalog=False)

    def fetch(self, call: ApiCall, account: str, sid: str) -> Response:
        """One number."""
        owned = self._find(call, acting_account(self._world, call, account), sid)
        return core_response(call, _NUMBER, incoming_number(owned, self._world.switches))

    def change(self, call: ApiCall, account: str, sid: str) -> Response:
        """Changes settings; `AccountSid` transfers the number."""
        world = self._world
        owned = self._find(call, acting_account(world, call, account), sid)
        who = call.credentials.account
        target = call.sent("AccountSid")
        with world.store.transaction():
            owned = trade.update(world, owned, call, catalog=False)
            if target and who is not None:
                documents = configuration.documents(call, catalog=False)
                owned = trade.transfer(world, who, owned, target, documents)
        return core_response(call, _NUMBER, incoming_number(owned, world.switches))

    def release(self, call: ApiCall, account: str, sid: str) -> Response:
        """Releases the number."""
        trade.release(
            self._world, self._find(call, acting_account(self._world, call, account), sid)
        )
        return Response(status_code=204)

    def _find(self, call: ApiCall, owner: Account, sid: str) -> OwnedNumber:
        owned = self._world.store.owned(sid)
        if owned is None or owned.account_sid != owner.sid:
            raise not_found(call.path, status=self._world.switches.missing_sid_status)
        return owned
