"""2010 API: accounts, and the account a path acts on."""

from email.utils import formatdate
from functools import partial
from urllib.parse import urlencode

from starlette.responses import Response

from gateway.sandbox.http import credentials
from gateway.sandbox.http.api_call import ApiCall
from gateway.sandbox.http.formats import core_list_response, core_response
from gateway.sandbox.http.paging import page_number, page_size, reference
from gateway.sandbox.http.refusals import ApiError, authentication_failed, not_found
from gateway.sandbox.world.number_documents import Account, Json
from gateway.sandbox.world.world import World

NEXT, PREVIOUS = "PA", "PB"
"""What page tokens begin with, before the sid behind or before which a page stands."""
_NOT_FOUND = 20404
_SUBRESOURCES = {
    "available_phone_numbers": "AvailablePhoneNumbers",
    "incoming_phone_numbers": "IncomingPhoneNumbers",
}


def acting_account(world: World, call: ApiCall, sid: str, *, test_allowed: bool = False) -> Account:
    """The account a path names, when the caller may act for it.

    Raises:
        ApiError: 20003, 20005, or 20008 for test credentials where they are not allowed.
    """
    who = credentials.caller(call.credentials, world.switches)
    reaches = call.credentials.kind == "token" or world.switches.key_reaches_subaccounts
    account = _account_in_path(world, who, call, sid, reaches=reaches)
    if account.role == "test" and not test_allowed:
        raise ApiError(20008)
    credentials.require_active(account, world.switches)
    return account


def _account_in_path(
    world: World, who: Account, call: ApiCall, sid: str, *, reaches: bool
) -> Account:
    """The account a path names: the caller's own or, within reach, a subaccount of it.

    Args:
        world: Where accounts are.
        who: The caller.
        call: What it asks.
        sid: The account that the path names.
        reaches: Whether the credentials will do for a subaccount.

    Raises:
        ApiError: 20003, or what the switch says, for any other account, existing or not.
    """
    if sid == who.sid:
        return who
    account = world.store.account(sid) if sid.startswith("AC") else None
    below = account is not None and account.owner_account_sid == who.sid
    if account is not None and below and reaches:
        return account
    is_foreign = not below and sid != who.owner_account_sid
    if is_foreign and world.switches.foreign_account_code == _NOT_FOUND:
        raise not_found(call.path)
    raise authentication_failed()


class CoreAccounts:
    """Endpoints under `/2010-04-01/Accounts`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def list(self, call: ApiCall) -> Response:
        """The caller's account and its subaccounts, by `FriendlyName` and `Status`."""
        who = self._caller(call)
        name, status = call.get("FriendlyName"), call.get("Status")
        found = [
            account
            for account in self._world.store.accounts(who.sid)
            if (not name or account.friendly_name == name)
            and (not status or account.status == status)
        ]
        size, page = page_size(call, self._world.switches), page_number(call)
        start, end = _bounds(found, call.get("PageToken"), size, page)
        shown = found[start:end]
        paging = list_paging(
            call,
            size,
            page,
            len(shown),
            more=end < len(found),
            next_token=NEXT + shown[-1].sid if shown else None,
            previous_token=PREVIOUS + shown[0].sid if shown else None,
        )
        return core_list_response(call, "accounts", [_account(each) for each in shown], paging)

    def fetch(self, call: ApiCall, account: str) -> Response:
        """One account: the caller's or a subaccount, whatever its status."""
        who, switches = self._caller(call), self._world.switches
        reaches = call.credentials.kind == "token" or switches.main_key_fetches_subaccounts
        found = _account_in_path(self._world, who, call, account, reaches=reaches)
        return core_response(call, "Account", _account(found))

    def keys(self, call: ApiCall, account: str) -> Response:
        """The API keys of an account, without their secrets."""
        who, switches = self._caller(call), self._world.switches
        reaches = call.credentials.kind == "token"
        found = _account_in_path(self._world, who, call, account, reaches=reaches)
        items = [
            {
                "sid": sid,
                "friendly_name": name,
                "date_created": date(found.created),
                "date_updated": date(found.created),
            }
            for sid, name in ((found.key_sid, "Standard"), (found.main_key_sid, "Main"))
        ]
        paging = list_paging(call, page_size(call, switches), 0, len(items), more=False)
        return core_list_response(call, "keys", items, paging)

    def _caller(self, call: ApiCall) -> Account:
        """The calling account.

        Raises:
            ApiError: 20003 for standard keys too, 20005, 20008 for test credentials.
        """
        who = credentials.full_caller(call.credentials, self._world.switches)
        if call.credentials.kind == "standard key":
            raise authentication_failed()
        return who


def _bounds(found: list[Account], token: str | None, size: int, page: int) -> tuple[int, int]:
    """Where a page of accounts begins and ends: behind or before a token's account, else by count.

    Raises:
        ApiError: 21481 for a token of no account in the list.
    """
    if not token:
        return page * size, (page + 1) * size
    places = [at for at, account in enumerate(found) if account.sid == token[2:]]
    if not places or token[:2] not in {NEXT, PREVIOUS}:
        raise ApiError(21481, f"{token} is not a valid PageToken")
    if token.startswith(PREVIOUS):
        return max(0, places[0] - size), places[0]
    return places[0] + 1, places[0] + 1 + size


def list_paging(
    call: ApiCall,
    size: int,
    page: int,
    count: int,
    *,
    more: bool,
    next_token: str | None = None,
    previous_token: str | None = None,
) -> Json:
    """The paging keys of a list in the 2010 API; an empty list starts and ends at 0."""
    uri = partial(reference, call, size)
    start = page * size if count else 0
    return {
        "first_page_uri": uri(0),
        "next_page_uri": uri(page + 1, next_token) if more else None,
        "previous_page_uri": uri(page - 1, previous_token) if page else None,
        "page": page,
        "page_size": size,
        "start": start,
        "end": start + count - 1 if count else 0,
        "uri": f"{call.path}?{urlencode(call.query)}" if call.query else call.path,
    }


def date(seconds: float) -> str:
    """RFC 2822 in UTC, as `Thu, 30 Jul 2015 23:19:04 +0000`."""
    return formatdate(seconds)[:-5] + "+0000"


def _account(account: Account) -> Json:
    uri = f"/2010-04-01/Accounts/{account.sid}"
    created = date(account.created)
    return {
        "sid": account.sid,
        "friendly_name": account.friendly_name,
        "status": account.status,
        "type": account.type,
        "owner_account_sid": account.owner_account_sid,
        "auth_token": account.auth_token,
        "date_created": created,
        "date_updated": created,
        "subresource_uris": {key: f"{uri}/{name}.json" for key, name in _SUBRESOURCES.items()},
        "uri": f"{uri}.json",
    }
