"""What `check --live` asks of the real API: GETs alone, one table; and what was answered to them.

A path or query may hold names in braces. They are found in earlier answers (`_NAMES`), so a probe
that lacks one is not asked: the account has no such thing.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from gateway.errors import CommandError
from gateway.mapping.plain_json import read_json
from gateway.upstream.call import Api, Credential, Service
from schema.enums import Source

_OK: Final = 200
_FIRST_REFUSAL: Final = 400
_NOT_FOUND: Final = 404
_LONGEST_CODE: Final = 9_999_999
NO_SID: Final = "0" * 32
"""Of a sid that nothing has, what follows its two letters."""


IF_CATALOG: Final = "{catalog}"
"""Stands for nothing, where the account has access to the catalog."""


class Untold(Exception):
    """It cannot be told; the text says why.

    Attributes:
        failed: whether the upstream failed to answer, so that it may be told another time.
    """

    def __init__(self, why: str, *, failed: bool = False) -> None:
        super().__init__(why)
        self.failed = failed


class Probe(NamedTuple):
    """One GET.

    Attributes:
        name: what assumptions call it.
        api: which API is asked.
        path: below its base URL.
        query: as it stands in the request line.
    """

    name: str
    api: Api
    path: str
    query: str = ""

    def __str__(self) -> str:
        """Return the request, with names in place of the account's own things."""
        path = self.path.removeprefix(IF_CATALOG)
        return f"GET {path}?{self.query}" if self.query else f"GET {path}"


_CORE, _CATALOG = Source.CORE, Source.CATALOG
_ACCOUNTS = "/2010-04-01/Accounts"
_ACCOUNT = f"{_ACCOUNTS}/{{account}}"
_OWNED = f"{_ACCOUNT}/IncomingPhoneNumbers"
_SALE = f"{_ACCOUNT}/AvailablePhoneNumbers"
_US = f"{_SALE}/US/Local.json"
_FOREIGN = f"{_SALE}/GB/TollFree.json"
_ACTIVE = f"{IF_CATALOG}/Numbers/ActiveNumbers"
_AVAILABLE = f"{IF_CATALOG}/Numbers/AvailableNumbers"
_PRICES = "/v1/PhoneNumbers/Countries"
_RULES = "/v2/RegulatoryCompliance/Regulations"

FIRST: Final = Probe("owned", _CORE, f"{_OWNED}.json", "PageSize=50")
"""Asked first: where it is refused, the credentials are not good, and nothing else is asked."""

PROBES: Final[tuple[Probe, ...]] = (
    FIRST,
    Probe("owned-page", _CORE, f"{_OWNED}.json", "PageSize=1"),
    Probe("owned-next", _CORE, f"{_OWNED}.json", "{next}"),
    Probe("owned-one", _CORE, f"{_OWNED}/{{number}}.json"),
    Probe("owned-missing", _CORE, f"{_OWNED}/PN{NO_SID}.json"),
    Probe("owned-partial", _CORE, f"{_OWNED}.json", "PhoneNumber={digits}&PageSize=50"),
    Probe("owned-unknown", _CORE, f"{_OWNED}.json", "NoSuchParameter=1&PageSize=1"),
    Probe("owned-1001", _CORE, f"{_OWNED}.json", "PageSize=1001"),
    Probe("owned-token", _CORE, f"{_OWNED}.json", "PageSize=1&Page=1&PageToken=none"),
    Probe("owned-toll-free", _CORE, f"{_OWNED}/TollFree.json", "PageSize=1"),
    Probe("toll-free-one", _CORE, f"{_OWNED}/{{toll_free}}.json"),
    Probe("accounts", _CORE, f"{_ACCOUNTS}.json", "PageSize=50"),
    Probe("account", _CORE, f"{_ACCOUNT}.json"),
    Probe("keys", _CORE, f"{_ACCOUNT}/Keys.json", "PageSize=1"),
    Probe("below", _CORE, f"{_ACCOUNTS}/{{subaccount}}.json"),
    Probe(
        "below-owned", _CORE, f"{_ACCOUNTS}/{{subaccount}}/IncomingPhoneNumbers.json", "PageSize=1"
    ),
    Probe("above-owned", _CORE, f"{_ACCOUNTS}/{{parent}}/IncomingPhoneNumbers.json", "PageSize=1"),
    Probe("foreign", _CORE, f"{_ACCOUNTS}/AC{NO_SID}/IncomingPhoneNumbers.json", "PageSize=1"),
    Probe("inactive", _CORE, f"{_ACCOUNTS}/{{inactive}}/IncomingPhoneNumbers.json", "PageSize=1"),
    Probe("countries", _CORE, f"{_SALE}.json"),
    Probe("country", _CORE, f"{_SALE}/US.json"),
    Probe("country-missing", _CORE, f"{_SALE}/ZZ/Local.json", "PageSize=1"),
    Probe("search", _CORE, _US),
    Probe("search-1000", _CORE, _US, "PageSize=1000"),
    Probe("search-toll-free", _CORE, f"{_SALE}/US/TollFree.json", "PageSize=1000"),
    Probe("search-unknown", _CORE, _US, "NoSuchParameter=1&PageSize=1"),
    Probe("search-false", _CORE, _US, "SmsEnabled=false&PageSize=50"),
    Probe("pattern", _CORE, _US, "Contains=%21%21%21&PageSize=1"),
    Probe("pattern-inner", _CORE, _US, "Contains=5*5&PageSize=1"),
    Probe("pattern-space", _CORE, _US, "Contains=%201{area_code}&PageSize=50"),
    Probe("area-code", _CORE, _US, "AreaCode=1&PageSize=1"),
    Probe("rate-center", _CORE, _US, "InRateCenter={rate_center}&PageSize=1"),
    Probe("distance", _CORE, _US, "NearLatLong=37.84,-122.46&Distance=501&PageSize=1"),
    Probe("template", _CORE, _US, "InLata=%2B19995550100&PageSize=1"),
    Probe("foreign-search", _CORE, _FOREIGN, "PageSize=50"),
    Probe("foreign-area-code", _CORE, _FOREIGN, "AreaCode=123&PageSize=50"),
    Probe("foreign-postal-code", _CORE, _FOREIGN, "InPostalCode=94108&PageSize=50"),
    Probe("catalog", _CATALOG, "/Numbers/ActiveNumbers", "PageSize=50"),
    Probe("catalog-one", _CATALOG, f"{_ACTIVE}/{{catalog_number}}"),
    Probe("catalog-missing", _CATALOG, f"{_ACTIVE}/PN{NO_SID}"),
    Probe("catalog-1001", _CATALOG, _ACTIVE, "PageSize=1001"),
    Probe("catalog-search", _CATALOG, _AVAILABLE, "Geography.IsoCountry=US&PageSize=50"),
    Probe("catalog-next", _CATALOG, _AVAILABLE, "{catalog_next}"),
    Probe("catalog-unknown", _CATALOG, _AVAILABLE, "NoSuchParameter=1&PageSize=1"),
    Probe("prices", Service.PRICING, f"{_PRICES}/US"),
    Probe("prices-missing", Service.PRICING, f"{_PRICES}/ZZ"),
    Probe("rules", Service.REGULATIONS, _RULES, "IsoCountry=GB&NumberType=local&PageSize=50"),
    Probe("rules-missing", Service.REGULATIONS, _RULES, "IsoCountry=ZZ&PageSize=50"),
)


class Answered(NamedTuple):
    """An answer.

    Attributes:
        status: HTTP status.
        headers: by lower-case name.
        body: the JSON object that came, {} when it is none.
    """

    status: int
    headers: Mapping[str, str]
    body: Mapping[str, Any]

    @property
    def refused(self) -> bool:
        """Whether it is a refusal, and not what was asked for."""
        return self.status >= _FIRST_REFUSAL

    @property
    def code(self) -> int | None:
        """The upstream's error code of a refusal, when it has one."""
        code = self.body.get("code")
        known = type(code) is int and 0 <= code <= _LONGEST_CODE
        return code if self.refused and known else None

    def __str__(self) -> str:
        """Return the status, and the error code if there is one: `404 20404`."""
        return f"{self.status}" if self.code is None else f"{self.status} {self.code}"

    @classmethod
    def of(cls, status: int, headers: Mapping[bytes, bytes], body: bytes) -> "Answered":
        """Return an answer from its bytes."""
        try:
            read = read_json(body)
        except ValueError:
            read = None
        named = {name.decode("latin-1"): it.decode("latin-1") for name, it in headers.items()}
        return cls(status, named, read if isinstance(read, dict) else {})


class Answers:
    """What was answered to the probes so far.

    Attributes:
        credential: as whom they were asked.
    """

    def __init__(self, credential: Credential) -> None:
        self.credential = credential
        self._known: dict[str, Answered | Untold] = {}

    def note(self, name: str, answer: "Answered | Untold") -> None:
        """Note what came of a probe."""
        self._known[name] = answer

    def __getitem__(self, name: str) -> Answered:
        """Return the answer to a probe.

        Raises:
            Untold: there is none.
        """
        known = self._known[name]
        if isinstance(known, Untold):
            raise known
        return known

    def require_any(self) -> None:
        """See that anything was answered at all.

        Raises:
            CommandError: nothing was; it says why the first was not.
        """
        if not any(isinstance(each, Answered) for each in self._known.values()):
            raise CommandError(f"no request was answered: {self._known[FIRST.name]}")

    def body(self, name: str) -> Mapping[str, Any]:
        """Return the object that a probe was answered with.

        Raises:
            Untold: there is none, or the probe was refused.
        """
        answer = self[name]
        if answer.status != _OK:
            raise Untold(f"it was answered {answer}")
        return answer.body

    def items(self, name: str, key: str) -> list[Mapping[str, Any]]:
        """Return the objects of the list under `key` that a probe was answered with.

        Raises:
            Untold: there is none, or the probe was refused.
        """
        listed = self.body(name).get(key)
        return (
            [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
        )

    def fill(self, text: str) -> str:
        """Return a path or query with what the names in it stand for.

        Raises:
            Untold: the account has no such thing.
        """
        return re.sub(r"\{(\w+)\}", lambda found: _NAMES[found[1]](self), text)


def _only(text: object, allowed: str, why: str) -> str:
    """Return text that is fit for a request line; the upstream's word is not taken for it.

    Raises:
        Untold: it is none, for the reason given.
    """
    if isinstance(text, str) and re.fullmatch(allowed, text, re.ASCII):
        return text
    raise Untold(why)


def _first(items: list[Mapping[str, Any]], field: str, allowed: str, why: str) -> str:
    found = next((each for each in items if each.get(field)), {})
    return _only(found.get(field), allowed, why)


def _query(reference: object, why: str) -> str:
    query = urlsplit(reference).query if isinstance(reference, str) else ""
    return _only(query, r"[\w.~%&=+*-]{1,2000}", why)


def _catalog(answers: Answers) -> str:
    """See that the account has access to the catalog."""
    if answers["catalog"].status == _NOT_FOUND:
        raise Untold("the account has no access to the preview catalog")
    answers.body("catalog")
    return ""


def _account_where(answers: Answers, why: str, *, active: bool) -> str:
    if answers["accounts"].refused:
        raise Untold("the credentials do not show the list of accounts")
    below = [
        each
        for each in answers.items("accounts", "accounts")
        if each.get("owner_account_sid") == answers.credential.account != each.get("sid")
        and (each.get("status") == "active") is active
    ]
    return _first(below, "sid", _SID, why)


def _parent(answers: Answers) -> str:
    owner = answers.body("account").get("owner_account_sid")
    if owner == answers.credential.account:
        raise Untold("the account is no subaccount")
    return _only(owner, _SID, "the account does not say whose subaccount it is")


def _area_code(answers: Answers) -> str:
    numbers = answers.items("search", SALE)
    phone = _first(numbers, "phone_number", r"\+1\d{10}", "no number is for sale")
    return phone[2:5]


def _rate_center(answers: Answers) -> str:
    numbers = answers.items("search", SALE)
    return _first(numbers, "rate_center", r"\w{1,20}", "no number for sale names a rate center")


def _digits(answers: Answers) -> str:
    numbers = answers.items("owned", OWNED)
    phone = _first(numbers, "phone_number", r"\+\d{8,15}", "the account owns no number")
    return phone[4:]


_SID: Final = r"[A-Z]{2}[0-9a-f]{32}"
SALE: Final = "available_phone_numbers"
OWNED: Final = "incoming_phone_numbers"
_NONE: Final = "the account owns no number"
_NAMES: Final[Mapping[str, Callable[[Answers], str]]] = {
    "account": lambda answers: answers.credential.account,
    "number": lambda answers: _first(answers.items("owned", OWNED), "sid", _SID, _NONE),
    "next": lambda answers: _query(
        answers.body("owned-page").get("next_page_uri"), "there is no second page of owned numbers"
    ),
    "digits": _digits,
    "toll_free": lambda answers: _first(
        answers.items("owned-toll-free", OWNED), "sid", _SID, "the account owns no toll-free number"
    ),
    "subaccount": lambda answers: _account_where(
        answers, "the account has no active subaccount", active=True
    ),
    "inactive": lambda answers: _account_where(
        answers, "the account has no subaccount that is suspended or closed", active=False
    ),
    "parent": _parent,
    "area_code": _area_code,
    "rate_center": _rate_center,
    "catalog": _catalog,
    "catalog_number": lambda answers: _first(answers.items("catalog", "items"), "sid", _SID, _NONE),
    "catalog_next": lambda answers: _query(
        meta(answers, "catalog-search").get("next_page_url"), "there is no second page"
    ),
}


def meta(answers: Answers, name: str) -> Mapping[str, Any]:
    """Return what a page of the catalog, or of regulations, says of its paging.

    Raises:
        Untold: there is no such page.
    """
    found = answers.body(name).get("meta")
    return found if isinstance(found, dict) else {}
