"""Behaviours of the number API that no documentation settles, one named switch each."""

from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args, get_type_hints

_REFUSAL = (400, 599)
RANGES: dict[str, tuple[int, int]] = {
    "create_status": (200, 299),
    "search_cap": (1, 1000),
    "search_default_page_size": (1, 1000),
    "search_error_status": _REFUSAL,
    "missing_sid_status": _REFUSAL,
    "unsupported_method_status": _REFUSAL,
    "unverified_error_status": _REFUSAL,
    "concurrency_limit": (1, 1_000_000),
}
"""Least and greatest value of the switches that are numbers."""


@dataclass(frozen=True, slots=True)
class Switches:
    """What this sandbox does where Twilio's behaviour is unknown or was seen to vary.

    Each default is the best guess from recorded traffic and documentation.
    """

    instance_envelope: bool = True
    """`GET /Numbers/ActiveNumbers/{sid}` answers `{"items": [one], "meta": …}` instead of the
    object.
    """

    create_envelope: bool = False
    """`POST /Numbers/ActiveNumbers` answers `{"items": [one], "meta": …}` instead of the object."""

    create_status: int = 201
    """HTTP status of a purchase in the catalog."""

    capability_key_case: Literal["upper", "lower"] = "upper"
    """`SMS`/`MMS` or `sms`/`mms` among the capabilities of an AvailablePhoneNumbers search."""

    core_toll_free_token: str = "toll_free"  # noqa: S105 - a word, not a secret
    """`type` of an owned toll-free number in IncomingPhoneNumbers."""

    search_cap: int | None = None
    """Most numbers an AvailablePhoneNumbers search returns whatever its PageSize; 30 was seen."""

    search_default_page_size: int = 50
    """Numbers an AvailablePhoneNumbers search returns without PageSize."""

    search_error_status: int = 400
    """HTTP status of a search with a malformed or out-of-range parameter."""

    bad_pattern_code: Literal[20001, 20422, 21421] = 21421
    """Error code of a search whose `Contains` is not a valid pattern."""

    in_rate_center_requires_lata: bool = True
    """`InRateCenter` without `InLata` is an error; otherwise the rate center alone filters."""

    distance_over_limit: Literal["error", "clamp"] = "error"
    """A `Distance` above 500 miles is an error, or searches within 500 miles."""

    inner_wildcards: Literal["accept", "error"] = "accept"
    """`*` and `%` between digits or letters of `Contains`, or beside each other: as the older of
    two documented grammars has it, or an error, as the newer one says.
    """

    search_paging: bool = False
    """An AvailablePhoneNumbers search has the keys for paging that its OpenAPI description
    declares; all its pages are the same.
    """

    search_coordinates: Literal["text", "number"] = "text"
    """`latitude` and `longitude` of an AvailablePhoneNumbers search: text, as in all recorded
    answers, or numbers, as declared.
    """

    unknown_template: Literal["empty", "error"] = "empty"
    """An unknown phone number as the value of an `In…` filter or `NearNumber` finds nothing, or
    is an error.
    """

    enabled_false: Literal["any", "filter"] = "any"
    """`SmsEnabled=false` and its like in an AvailablePhoneNumbers search: no filter, as a
    maintainer of an official client explained it, or only numbers without the capability.
    """

    foreign_toll_free_area_code: Literal["ignore", "filter"] = "ignore"
    """`AreaCode` in a search for toll-free numbers outside the US and Canada: ignored, or the
    prefix of the number.
    """

    foreign_geo_filter: Literal["ignore", "error"] = "ignore"
    """A filter for the US and Canada, used on another country."""

    space_as_plus: bool = True
    """A number that begins with a space is read as one whose `+` was not escaped."""

    page_size_over_limit: Literal["error", "clamp"] = "error"
    """A PageSize above 1000 is error 20007, or means 1000."""

    unknown_catalog_parameter: Literal["ignore", "error"] = "ignore"
    """A query parameter that the catalog does not know: ignored, or error 20001."""

    catalog_page_token: bool = False
    """`next_page_url` of the catalog carries a PageToken beside Page."""

    missing_sid_status: int = 404
    """HTTP status for the sid of a number that does not exist or is another account's."""

    unsupported_method_status: int = 405
    """HTTP status of a method that a resource does not support."""

    unverified_error_status: int = 400
    """HTTP status of the refusals whose code is documented but whose status is not."""

    inactive_account_code: Literal[20003, 20005] = 20005
    """Error code of a suspended or closed account: 20005 (HTTP 403) or 20003 (HTTP 401)."""

    main_key_fetches_subaccounts: bool = False
    """A main API key may fetch a subaccount that the list of accounts shows it; else error 20003.
    """

    key_reaches_subaccounts: bool = False
    """An API key may act on the numbers of subaccounts of the account that it belongs to; otherwise
    error 20003.
    """

    foreign_account_code: Literal[20003, 20404] = 20003
    """Error code of a path that names an account which is neither the caller's own, nor its parent
    or subaccount.
    """

    trial_may_buy_first: bool = False
    """A trial account without numbers may buy one through the 2010 API."""

    catalog_purchase_of_own: Literal["update", "refuse"] = "update"
    """Buying a number in the catalog that the account has: an update, or error 21452."""

    transfer_reaches_subaccounts: bool = True
    """In the catalog, a parent's credentials may transfer a number that a subaccount owns."""

    transfer_requires_parent: bool = True
    """Only the parent's credentials may transfer; otherwise error 21474."""

    transfer_requires_relation: bool = True
    """The target must be the parent or a subaccount of the same parent; otherwise error 21473."""

    emergency_address_code: Literal[21634, 20409] = 21634
    """Error code of releasing a number whose emergency address is registered, or of taking that
    address away; no source states it.
    """

    empty_clears: bool = True
    """An empty form value clears the setting; otherwise it is ignored."""

    readonly_configuration: Literal["write", "ignore"] = "write"
    """Catalog writes of settings that it documents as readable only (TrunkSid, ReceiveMode …)."""

    concurrency_limit: int = 100
    """Requests of one account in progress at once; one more is answered 429."""

    def updated(self, changes: dict[str, Any]) -> "Switches":
        """These switches with some of them changed.

        Raises:
            ValueError: A name is unknown, or a value has the wrong type or is out of range; the
                message says which.
        """
        hints = get_type_hints(Switches)
        known = {field.name for field in fields(self)}
        for name, value in changes.items():
            if name not in known:
                message = f"unknown switch {name!r}; known: {', '.join(sorted(known))}"
                raise ValueError(message)
            if not _accepts(hints[name], value):
                message = f"switch {name!r} does not take {value!r}"
                raise ValueError(message)
            if name in RANGES and value is not None:
                least, most = RANGES[name]
                if not least <= value <= most:
                    message = f"switch {name!r} must be between {least} and {most}"
                    raise ValueError(message)
        return replace(self, **changes)


def _accepts(hint: object, value: object) -> bool:
    """Whether a JSON value fits a switch's annotation: bool, int, str, None or a Literal of
    them.
    """
    choices = get_args(hint)
    if not choices:
        return isinstance(hint, type) and type(value) is hint
    if any(isinstance(choice, type) for choice in choices):
        return any(_accepts(choice, value) for choice in choices)
    return value in choices and not isinstance(value, bool)
