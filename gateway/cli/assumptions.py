"""What the gateway takes for granted of the upstream, as one table that `check --live` goes over.

Each line says what is assumed, which GET shows it, how to read that from the answer, and which
switch of the sandbox follows an account for which it is not so. The sandbox shares nothing with
this: tests hold that every switch stands here, with the sandbox's own default as what is expected.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.parse import parse_qs, urlsplit

from gateway.cli.probes import IF_CATALOG, OWNED, SALE, Answered, Answers, Untold, meta

Value: TypeAlias = bool | int | str | None
Observe: TypeAlias = Callable[[Answers], Value]
AS_SAID: Final = "as said"
_MOST: Final = 1000
_OK: Final = 200


class Other(str):
    """What was seen, in words, where no value of a switch stands for it."""

    __slots__ = ()


class Assumption(NamedTuple):
    """Something that is assumed of the upstream.

    Attributes:
        id: its name, which stays the same.
        words: what is assumed, when the expected value is seen.
        stated: the page of the documentation that rests on it.
        probe: name of the GET that shows it; None where no GET can.
        expected: what is seen if it is so: the switch's default, or `AS_SAID`.
        observe: reads from the answers what is so; raises `Untold`.
        switch: the sandbox's switch that follows an account where it is not so; None: there is
            none.
    """

    id: str
    words: str
    stated: str
    probe: str | None
    expected: Value
    observe: Observe
    switch: str | None = None


# Reading answers ----------------------------------------------------------------------------------

_KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    "text": (str,),
    "bool": (bool,),
    "int": (int,),
    "number": (int, float),
    "object": (dict,),
    "list": (list,),
}


def _shape(probe: str, key: str | None, described: str) -> Observe:
    """Look for fields of the objects below `key`, or of the answer itself.

    Args:
        probe: which answer.
        key: where the list of objects is; None: the answer is the object.
        described: `name:kind`, one after another; `?` behind one that may be null or absent.
    """
    fields = [re.fullmatch(r"(\w+):(\w+)(\??)", each) for each in described.split()]
    wanted = [(each[1], _KINDS[each[2]], bool(each[3])) for each in fields if each]

    def observe(answers: Answers) -> Value:
        if answers[probe].status != _OK:
            return Other(f"it was answered {answers[probe]}")
        body = answers.body(probe)
        if key is not None and not isinstance(body.get(key), list):
            return Other(f"there is no list {key}")
        objects = [body] if key is None else answers.items(probe, key)
        if not objects:
            raise Untold("there is none to look at")
        wrong = {
            name: type(each.get(name)).__name__ if name in each else "absent"
            for each in objects
            for name, kinds, optional in wanted
            if not (optional and each.get(name) is None)
            and (type(each.get(name)) not in kinds or name not in each)
        }
        said = ", ".join(f"{name} is {what}" for name, what in wrong.items())
        return Other(said) if said else AS_SAID

    return observe


def _form(probe: str, key: str | None, names: str, is_good: Callable[[Any], object]) -> Observe:
    """See that the fields of all objects have a form, where they are there."""

    def observe(answers: Answers) -> Value:
        objects = [answers.body(probe)] if key is None else answers.items(probe, key)
        found = [(name, each[name]) for each in objects for name in names.split() if each.get(name)]
        if not found:
            raise Untold("there is none to look at")
        return next(
            (Other(f"{name} is {_short(it)}") for name, it in found if not is_good(it)), AS_SAID
        )

    return observe


def _short(value: object) -> str:
    return repr(value)[:60]


def _like(pattern: str) -> Callable[[Any], object]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII)


def _is_date(value: object) -> bool:
    try:
        return isinstance(value, str) and parsedate_to_datetime(value).utcoffset() is not None
    except ValueError:
        return False


def _refused(probe: str, status: int, code: int | None) -> Observe:
    """See that a probe is refused so."""

    def observe(answers: Answers) -> Value:
        answer = answers[probe]
        meant = (answer.status, answer.code) == (status, code)
        return AS_SAID if meant else Other(f"it is answered {answer}")

    return observe


def _choice(probe: str, refused: Value, answered: Value) -> Observe:
    """Tell one value from the other by whether a probe is refused."""
    return lambda answers: refused if answers[probe].refused else _if_ok(answers[probe], answered)


def _if_ok(answer: Answered, value: Value) -> Value:
    return value if answer.status == _OK else Other(f"it is answered {answer}")


def _refusal(*probes: str) -> Callable[[Answers], Answered]:
    """Return the first of the probes that is refused."""

    def find(answers: Answers) -> Answered:
        answered = [answers[each] for each in probes]
        for each in answered:
            if each.refused:
                return each
        raise Untold("nothing of the kind is refused")

    return find


def _status(*probes: str) -> Observe:
    find = _refusal(*probes)
    return lambda answers: find(answers).status


def _code(probe: str, *known: int) -> Observe:
    """Return the code of a refusal; of codes that are not known, in words."""
    find = _refusal(probe)

    def observe(answers: Answers) -> Value:
        answer = find(answers)
        return answer.code if answer.code in known else Other(f"it is {answer}")

    return observe


def _keyed(observe: Observe, *, key: bool) -> Observe:
    """Observe it with an API key alone, or with the Auth Token alone."""

    def observe_it(answers: Answers) -> Value:
        if answers.credential.is_key is not key:
            raise Untold("only an API key shows it" if key else "only the Auth Token shows it")
        return observe(answers)

    return observe_it


def _untold(why: str) -> Observe:
    def observe(_: Answers) -> Value:
        raise Untold(why)

    return observe


# One by one ---------------------------------------------------------------------------------------


def _paging(answers: Answers) -> Value:
    body = answers.body("owned")
    names = ("first_page_uri", "next_page_uri", "previous_page_uri", "uri", "page", "page_size")
    lacking = [name for name in (*names, "start", "end") if name not in body]
    lists = [name for name, value in body.items() if isinstance(value, list)]
    if lacking or lists != [OWNED]:
        return Other(f"without {', '.join(lacking) or 'nothing'}; lists: {', '.join(lists)}"[:200])
    absolute = [name for name in names[:4] if not str(body[name] or "/").startswith("/")]
    return Other(f"absolute: {', '.join(absolute)}") if absolute else AS_SAID


def _goes_on(first: str, following: str, key: str) -> Observe:
    """See that the next page, by its reference, has other numbers."""

    def observe(answers: Answers) -> Value:
        pages = [
            {each.get("phone_number") for each in answers.items(name, key)}
            for name in (first, following)
        ]
        if not pages[1]:
            return Other("the next page is empty")
        return Other("the next page repeats the first") if pages[0] & pages[1] else AS_SAID

    return observe


def _token(answers: Answers) -> Value:
    reference = answers.body("owned-page").get("next_page_uri")
    if reference is None:
        raise Untold("there is no second page of owned numbers")
    return (
        AS_SAID
        if "PageToken" in parse_qs(urlsplit(str(reference)).query)
        else Other("no PageToken")
    )


def _partial(answers: Answers) -> Value:
    wanted = answers.fill("{digits}")
    found = [str(each.get("phone_number")) for each in answers.items("owned-partial", OWNED)]
    return (
        AS_SAID if found and all(wanted in each for each in found) else Other("it does not find it")
    )


def _size_over_limit(probe: str) -> Observe:
    def observe(answers: Answers) -> Value:
        answer = answers[probe]
        if answer.refused:
            return "error"
        paging = answer.body.get("meta") or answer.body
        size = paging.get("page_size") if isinstance(paging, dict) else None
        return "clamp" if size == _MOST else Other(f"page_size is {_short(size)}")

    return observe


def _as_in_core(probe: str, other: str) -> Observe:
    def observe(answers: Answers) -> Value:
        mine, its = answers[probe], answers[other]
        return AS_SAID if str(mine) == str(its) else Other(f"it is {mine}, there {its}")

    return observe


def _capability_case(answers: Answers) -> Value:
    names = {
        name
        for each in answers.items("search", SALE)
        if isinstance(each.get("capabilities"), dict)
        for name in each["capabilities"]
    }
    sms = {name for name in names if name.lower() in {"sms", "mms"}}
    if not sms:
        raise Untold("no number for sale names what it can do")
    by_case = {"upper": str.isupper, "lower": str.islower}
    mixed = Other(f"they are {', '.join(sorted(sms))}")
    return next((case for case, has in by_case.items() if all(map(has, sms))), mixed)


def _coordinates(answers: Answers) -> Value:
    kinds = {
        type(each[name])
        for each in answers.items("search", SALE)
        for name in ("latitude", "longitude")
        if each.get(name) is not None
    }
    if not kinds:
        raise Untold("no number for sale says where it is")
    if kinds == {str}:
        return "text"
    return "number" if kinds <= {int, float} else Other("some are text, some are numbers")


def _search_cap(answers: Answers) -> Value:
    counts = {len(answers.items(name, SALE)) for name in ("search-1000", "search-toll-free")}
    if max(counts) >= _MOST:
        return None
    if len(counts) > 1 or not max(counts):
        raise Untold(f"there are not {_MOST} numbers for sale of either kind")
    return counts.pop()


def _default_size(answers: Answers) -> Value:
    count = len(answers.items("search", SALE))
    if not count:
        raise Untold("no number is for sale")
    if count == len(answers.items("search-1000", SALE)) and count < _MOST:
        raise Untold(f"with PageSize=1000 there are no more than those {count}")
    return count


def _has_sms(numbers: Iterable[Mapping[str, Any]]) -> bool:
    able = (each.get("capabilities") for each in numbers)
    return any(isinstance(each, dict) and (each.get("SMS") or each.get("sms")) for each in able)


def _enabled_false(answers: Answers) -> Value:
    if not _has_sms(answers.items("search", SALE)):
        raise Untold("no number for sale can do SMS")
    return "any" if _has_sms(answers.items("search-false", SALE)) else "filter"


def _space(answers: Answers) -> Value:
    answer = answers["pattern-space"]
    if answer.refused:
        return False
    start = f"+1{answers.fill('{area_code}')}"
    found = [str(each.get("phone_number")) for each in answers.items("pattern-space", SALE)]
    if not found:
        return Other("it finds nothing")
    meant = all(each.startswith(start) for each in found)
    return True if meant else Other("it finds other numbers, too")


def _template(answers: Answers) -> Value:
    if answers["template"].refused:
        return "error"
    return Other("it is ignored") if answers.items("template", SALE) else "empty"


def _foreign(probe: str, refused: Value, empty: Value) -> Observe:
    """Tell what becomes of a filter abroad by whether numbers are found in spite of it."""

    def observe(answers: Answers) -> Value:
        if answers[probe].refused:
            return refused
        if answers.items(probe, SALE):
            return "ignore"
        if not answers.items("foreign-search", SALE):
            raise Untold("no British toll-free number is for sale")
        return empty

    return observe


def _alike(answers: Answers) -> Value:
    seen = {name: answers[name] for name in ("accounts", "keys")}
    if len({each.refused for each in seen.values()}) == 1:
        return AS_SAID
    return Other("; ".join(f"{name} is {each}" for name, each in seen.items()))


def _complaint(answers: Answers) -> Value:
    answer = answers["owned-missing"]
    if not answer.refused:
        raise Untold("nothing is refused")
    body = answer.body
    more = body.get("more_info")
    good = (
        answer.code is not None
        and isinstance(body.get("message"), str)
        and body.get("status") == answer.status
        and isinstance(more, str)
        and more.endswith(f"/{answer.code}")
    )
    return AS_SAID if good else Other(f"it has {', '.join(sorted(body)) or 'no JSON'}"[:200])


def _header(name: str, pattern: str) -> Observe:
    def observe(answers: Answers) -> Value:
        value = answers["owned"].headers.get(name)
        if value is None:
            return Other("there is none")
        return (
            AS_SAID if re.fullmatch(pattern, value, re.ASCII) else Other(f"it is {_short(value)}")
        )

    return observe


def _presence(answers: Answers) -> Value:
    answer = answers["catalog"]
    return AS_SAID if str(answer) in {"200", "404 20404", "404"} else Other(f"it is {answer}")


def _envelope(answers: Answers) -> Value:
    body = answers.body("catalog-one")
    if "items" in body or "phone_number" in body:
        return "items" in body
    return Other(f"it has {', '.join(sorted(body))}"[:200])


def _catalog_token(answers: Answers) -> Value:
    following = meta(answers, "catalog-search").get("next_page_url")
    if not isinstance(following, str):
        raise Untold("there is no second page")
    return "PageToken" in parse_qs(urlsplit(following).query)


def _catalog_paging(answers: Answers) -> Value:
    found = meta(answers, "catalog-search")
    names = ("page", "page_size", "first_page_url", "previous_page_url", "url", "next_page_url")
    lacking = [name for name in (*names, "key") if name not in found]
    if lacking:
        return Other(f"without {', '.join(lacking)}")
    absolute = str(found["url"]).startswith(("https://", "http://"))
    return AS_SAID if found["key"] == "items" and absolute else Other("of another form")


def _catalog_configuration(answers: Answers) -> Value:
    alone = [*answers.items("catalog-one", "items"), answers.body("catalog-one")][0]
    names = [
        next((name for name in ("configurations", "configuration") if name in each), "none")
        for each in (answers.items("catalog", "items")[0], alone)
    ]
    said = names == ["configurations", "configuration"]
    return AS_SAID if said else Other(f"in the list {names[0]}, alone {names[1]}")


def _price_types(answers: Answers) -> Value:
    known = {"local", "toll free", "mobile", "national"}
    kinds = {
        str(each.get("number_type")) for each in answers.items("prices", "phone_number_prices")
    }
    if not kinds:
        raise Untold("there is no price")
    return AS_SAID if kinds <= known else Other(f"also {', '.join(sorted(kinds - known))}"[:200])


def _no_rules(answers: Answers) -> Value:
    answer = answers["rules-missing"]
    if answer.refused or answers.items("rules-missing", "results"):
        return Other(f"it is {answer}")
    return AS_SAID


# The table ----------------------------------------------------------------------------------------

_FIELDS: Final = "docs/mapping.md#fields"
_FILTERS: Final = "docs/mapping.md#filters"
_SWITCHES: Final = "docs/sandbox.md#switches"
_CREDENTIALS: Final = "docs/sandbox.md#credentials"
_ERRORS: Final = "docs/errors.md#what-twilio-refuses"
_NO, _YES = False, True
_E164: Final = _like(r"\+[1-9]\d{5,14}")
_DECIMAL: Final = _like(r"\d+(\.\d+)?")

_PURCHASE: Final = _untold("only a purchase would tell")
_TRANSFER: Final = _untold("only a transfer would tell")
_CHANGE: Final = _untold("only a change of a number would tell")

ASSUMPTIONS: Final[tuple[Assumption, ...]] = (
    # Numbers that are owned.
    Assumption(
        "owned.shape",
        "an owned number has the documented fields, each of its type",
        _FIELDS,
        "owned",
        AS_SAID,
        _shape(
            "owned",
            OWNED,
            "sid:text account_sid:text phone_number:text friendly_name:text? capabilities:object?"
            " address_requirements:text? address_sid:text? beta:bool date_created:text"
            " date_updated:text emergency_status:text? emergency_address_sid:text?"
            " emergency_address_status:text? identity_sid:text? bundle_sid:text? origin:text?"
            " status:text? type:text? trunk_sid:text? uri:text sms_application_sid:text?"
            " sms_fallback_method:text? sms_fallback_url:text? sms_method:text? sms_url:text?"
            " status_callback:text? status_callback_method:text? voice_application_sid:text?"
            " voice_caller_id_lookup:bool? voice_fallback_method:text? voice_fallback_url:text?"
            " voice_method:text? voice_receive_mode:text? voice_url:text?",
        ),
    ),
    Assumption(
        "owned.instance",
        "one number alone is the object that lists have",
        _FIELDS,
        "owned-one",
        AS_SAID,
        _shape("owned-one", None, "sid:text phone_number:text type:text? beta:bool uri:text"),
    ),
    Assumption(
        "owned.number",
        "phone numbers are in E.164",
        _FIELDS,
        "owned",
        AS_SAID,
        _form("owned", OWNED, "phone_number", _E164),
    ),
    Assumption(
        "owned.dates",
        "dates are as RFC 2822 has them, with an offset",
        _FIELDS,
        "owned",
        AS_SAID,
        _form("owned", OWNED, "date_created date_updated", _is_date),
    ),
    Assumption(
        "owned.sids",
        "sids are two capitals and 32 hexadecimal digits in lower case",
        _FIELDS,
        "owned",
        AS_SAID,
        _form("owned", OWNED, "sid account_sid", _like("[A-Z]{2}[0-9a-f]{32}")),
    ),
    Assumption(
        "owned.paging",
        "a list of owned numbers has one list, and relative references to its pages",
        _FIELDS,
        "owned",
        AS_SAID,
        _paging,
    ),
    Assumption(
        "owned.page-token",
        "the reference to the next page carries a PageToken",
        _FIELDS,
        "owned-page",
        AS_SAID,
        _token,
    ),
    Assumption(
        "owned.next-page",
        "the next page, asked for as its reference is written, has other numbers",
        _FIELDS,
        "owned-next",
        AS_SAID,
        _goes_on("owned-page", "owned-next", OWNED),
    ),
    Assumption(
        "owned.partial",
        "PhoneNumber finds owned numbers by a part of them",
        _FILTERS,
        "owned-partial",
        AS_SAID,
        _partial,
    ),
    Assumption(
        "owned.toll-free-type",
        "an owned toll-free number has the type toll_free",
        _FIELDS,
        "toll-free-one",
        "toll_free",
        lambda answers: str(answers.body("toll-free-one").get("type")),
        "core_toll_free_token",
    ),
    Assumption(
        "owned.missing",
        "the sid of no number is answered 404",
        _SWITCHES,
        "owned-missing",
        404,
        _status("owned-missing"),
        "missing_sid_status",
    ),
    Assumption(
        "owned.missing-code",
        "the error code for the sid of no number is 20404",
        _ERRORS,
        "owned-missing",
        20404,
        _code("owned-missing", 20404),
    ),
    Assumption(
        "owned.unknown-parameter",
        "a parameter that the 2010-04-01 API does not know is ignored",
        _SWITCHES,
        "owned-unknown",
        "ignore",
        _choice("owned-unknown", "error", "ignore"),
    ),
    # Refusals, whatever is asked.
    Assumption(
        "errors.shape",
        "a refusal has code, message, more_info that ends in the code, and its HTTP status",
        _ERRORS,
        "owned-missing",
        AS_SAID,
        _complaint,
    ),
    Assumption(
        "page-size.over-limit",
        "a PageSize above 1000 is refused",
        _SWITCHES,
        "owned-1001",
        "error",
        _size_over_limit("owned-1001"),
        "page_size_over_limit",
    ),
    Assumption(
        "page-size.code",
        "the error code of a PageSize above 1000 is 20007",
        _SWITCHES,
        "owned-1001",
        20007,
        _code("owned-1001", 20007),
    ),
    Assumption(
        "page-token.code",
        "the error code of a PageToken that is none is 21481",
        _ERRORS,
        "owned-token",
        21481,
        _code("owned-token", 21481),
    ),
    Assumption(
        "errors.status",
        "a refusal of which no documentation states the status (a PageSize, a PageToken) is 400",
        _SWITCHES,
        "owned-1001",
        400,
        _status("owned-1001", "owned-token"),
        "unverified_error_status",
    ),
    Assumption(
        "headers.request-id",
        "Twilio-Request-Id is RQ and 32 hexadecimal digits",
        "docs/errors.md#errors-at-the-top",
        "owned",
        AS_SAID,
        _header("twilio-request-id", "RQ[0-9a-f]{32}"),
    ),
    Assumption(
        "headers.concurrency",
        "Twilio-Concurrent-Requests tells how many run at once",
        "docs/settings.md",
        "owned",
        AS_SAID,
        _header("twilio-concurrent-requests", r"\d+"),
    ),
    Assumption(
        "headers.duration",
        "Twilio-Request-Duration is in seconds",
        "docs/settings.md",
        "owned",
        AS_SAID,
        _header("twilio-request-duration", r"\d+(\.\d+)?"),
    ),
    Assumption(
        "headers.json",
        "answers call themselves JSON",
        "docs/settings.md",
        "owned",
        AS_SAID,
        _header("content-type", r"application/json *(;.*)?"),
    ),
    # Accounts, and what credentials reach.
    Assumption(
        "account.shape",
        "an account has its sid, owner, status and type",
        "docs/mapping.md#account",
        "account",
        AS_SAID,
        lambda answers: (
            _shape(
                "account",
                None,
                "sid:text owner_account_sid:text friendly_name:text? status:text type:text"
                " date_created:text?",
            )(answers)
            if not (answers.credential.is_key and answers["account"].refused)
            else _untold("standard API keys do not see accounts")(answers)
        ),
    ),
    Assumption(
        "credentials.accounts-and-keys",
        "credentials see both /Accounts and /Keys (Auth Token, main API key), or neither (standard"
        " API key)",
        _CREDENTIALS,
        "keys",
        AS_SAID,
        _alike,
    ),
    Assumption(
        "credentials.token-reaches-subaccounts",
        "the Auth Token of a parent reaches the numbers of its subaccounts",
        _CREDENTIALS,
        "below-owned",
        AS_SAID,
        _keyed(lambda answers: _if_ok(answers["below-owned"], AS_SAID), key=False),
    ),
    Assumption(
        "credentials.key-reaches-subaccounts",
        "an API key does not reach the numbers of subaccounts",
        _CREDENTIALS,
        "below-owned",
        _NO,
        _keyed(_choice("below-owned", _NO, _YES), key=True),
        "key_reaches_subaccounts",
    ),
    Assumption(
        "credentials.main-key-fetches-subaccounts",
        "a main API key does not fetch a subaccount that its list shows",
        _CREDENTIALS,
        "below",
        _NO,
        _keyed(_choice("below", _NO, _YES), key=True),
        "main_key_fetches_subaccounts",
    ),
    Assumption(
        "credentials.subaccount-reaches-no-parent",
        "a subaccount's credentials do not reach the parent: 401 20003",
        _CREDENTIALS,
        "above-owned",
        AS_SAID,
        _refused("above-owned", 401, 20003),
    ),
    Assumption(
        "credentials.foreign-account",
        "the sid of somebody else's account, or of none, is refused with 20003",
        _CREDENTIALS,
        "foreign",
        20003,
        _code("foreign", 20003, 20404),
        "foreign_account_code",
    ),
    Assumption(
        "credentials.inactive-account",
        "a suspended or closed subaccount is refused with 20005",
        _SWITCHES,
        "inactive",
        20005,
        _keyed(_code("inactive", 20003, 20005), key=False),
        "inactive_account_code",
    ),
    # Numbers for sale.
    Assumption(
        "countries.shape",
        "countries have a code and the types of number that are sold there",
        "docs/mapping.md#country",
        "countries",
        AS_SAID,
        _shape(
            "countries",
            "countries",
            "country_code:text country:text uri:text beta:bool subresource_uris:object",
        ),
    ),
    Assumption(
        "countries.one",
        "a country alone is the object that the list has",
        "docs/mapping.md#country",
        "country",
        AS_SAID,
        _shape("country", None, "country_code:text country:text subresource_uris:object"),
    ),
    Assumption(
        "countries.missing",
        "a country without numbers is answered 404 20404",
        _ERRORS,
        "country-missing",
        AS_SAID,
        _refused("country-missing", 404, 20404),
    ),
    Assumption(
        "search.shape",
        "a number for sale has the documented fields, each of its type",
        "docs/mapping.md#availablephonenumber",
        "search",
        AS_SAID,
        _shape(
            "search",
            SALE,
            "friendly_name:text phone_number:text lata:text? locality:text? rate_center:text?"
            " region:text? postal_code:text? iso_country:text address_requirements:text? beta:bool"
            " capabilities:object",
        ),
    ),
    Assumption(
        "search.number",
        "numbers for sale are in E.164",
        "docs/mapping.md#availablephonenumber",
        "search",
        AS_SAID,
        _form("search", SALE, "phone_number", _E164),
    ),
    Assumption(
        "search.capability-keys",
        "what a number can do is written SMS and MMS",
        _SWITCHES,
        "search",
        "upper",
        _capability_case,
        "capability_key_case",
    ),
    Assumption(
        "search.coordinates",
        "latitude and longitude are text",
        "docs/mapping.md#geography",
        "search",
        "text",
        _coordinates,
        "search_coordinates",
    ),
    Assumption(
        "search.paging",
        "a search has no pages",
        _SWITCHES,
        "search",
        _NO,
        lambda answers: (
            "first_page_uri" in answers.body("search") or "next_page_uri" in answers.body("search")
        ),
        "search_paging",
    ),
    Assumption(
        "search.default-size",
        "a search without PageSize finds 50 numbers",
        _SWITCHES,
        "search",
        50,
        _default_size,
        "search_default_page_size",
    ),
    Assumption(
        "search.cap",
        "a search finds as many numbers as PageSize says, up to 1000",
        _SWITCHES,
        "search-1000",
        None,
        _search_cap,
        "search_cap",
    ),
    Assumption(
        "search.unknown-parameter",
        "a search ignores a parameter that it does not know",
        _SWITCHES,
        "search-unknown",
        "ignore",
        _choice("search-unknown", "error", "ignore"),
    ),
    Assumption(
        "search.enabled-false",
        "SmsEnabled=false and its like filter nothing",
        _FILTERS,
        "search-false",
        "any",
        _enabled_false,
        "enabled_false",
    ),
    Assumption(
        "search.bad-pattern",
        "a Contains that is no pattern is refused with 21421",
        _SWITCHES,
        "pattern",
        21421,
        _code("pattern", 20001, 20422, 21421),
        "bad_pattern_code",
    ),
    Assumption(
        "search.error-status",
        "a search with a malformed or out-of-range parameter is answered 400",
        _SWITCHES,
        "pattern",
        400,
        _status("pattern", "area-code"),
        "search_error_status",
    ),
    Assumption(
        "search.inner-wildcards",
        "* and % may stand between digits of Contains",
        _FILTERS,
        "pattern-inner",
        "accept",
        _choice("pattern-inner", "error", "accept"),
        "inner_wildcards",
    ),
    Assumption(
        "search.space-as-plus",
        "a number that begins with a space is read as one that begins with +",
        _SWITCHES,
        "pattern-space",
        _YES,
        _space,
        "space_as_plus",
    ),
    Assumption(
        "search.bad-area-code",
        "an AreaCode of one digit is refused with 21451",
        _ERRORS,
        "area-code",
        21451,
        _code("area-code", 21451),
    ),
    Assumption(
        "search.rate-center-needs-lata",
        "InRateCenter without InLata is refused",
        _FILTERS,
        "rate-center",
        _YES,
        _choice("rate-center", _YES, _NO),
        "in_rate_center_requires_lata",
    ),
    Assumption(
        "search.distance",
        "a Distance above 500 is refused",
        _FILTERS,
        "distance",
        "error",
        _choice("distance", "error", "clamp"),
        "distance_over_limit",
    ),
    Assumption(
        "search.unknown-template",
        "an unknown number as the value of InLata and its like finds nothing",
        _FILTERS,
        "template",
        "empty",
        _template,
        "unknown_template",
    ),
    Assumption(
        "search.foreign-area-code",
        "AreaCode for toll-free numbers outside the US and Canada is ignored",
        _FILTERS,
        "foreign-area-code",
        "ignore",
        _foreign("foreign-area-code", Other("it is refused"), "filter"),
        "foreign_toll_free_area_code",
    ),
    Assumption(
        "search.foreign-filter",
        "a filter for the US and Canada is ignored elsewhere",
        _FILTERS,
        "foreign-postal-code",
        "ignore",
        _foreign("foreign-postal-code", "error", Other("it finds nothing")),
        "foreign_geo_filter",
    ),
    # The preview catalog of numbers.
    Assumption(
        "catalog.presence",
        "the preview catalog is there, or answers 404",
        _FIELDS,
        "catalog",
        AS_SAID,
        _presence,
    ),
    Assumption(
        "catalog.shape",
        "an owned number of the catalog has the documented fields, each of its type",
        _FIELDS,
        "catalog",
        AS_SAID,
        lambda answers: (
            answers.fill(IF_CATALOG)
            or _shape(
                "catalog",
                "items",
                "sid:text account_sid:text phone_number:text type:text? lifecycle:text?"
                " capabilities:object? regulatory:object? geography:object? configurations:object?",
            )(answers)
        ),
    ),
    Assumption(
        "catalog.configuration",
        "settings are under configurations in lists, and under configuration in one number",
        _FIELDS,
        "catalog-one",
        AS_SAID,
        _catalog_configuration,
    ),
    Assumption(
        "catalog.envelope",
        "one number of the catalog is answered as a list of one",
        _SWITCHES,
        "catalog-one",
        _YES,
        _envelope,
        "instance_envelope",
    ),
    Assumption(
        "catalog.missing",
        "the catalog answers the sid of no number as the 2010-04-01 API does",
        _SWITCHES,
        "catalog-missing",
        AS_SAID,
        _as_in_core("catalog-missing", "owned-missing"),
    ),
    Assumption(
        "catalog.page-size",
        "the catalog takes a PageSize above 1000 as the 2010-04-01 API does",
        _SWITCHES,
        "catalog-1001",
        AS_SAID,
        lambda answers: (
            AS_SAID
            if _size_over_limit("catalog-1001")(answers) == _size_over_limit("owned-1001")(answers)
            else Other(f"it is {answers['catalog-1001']}, there {answers['owned-1001']}")
        ),
    ),
    Assumption(
        "catalog.search-shape",
        "a number for sale in the catalog has the documented fields, each of its type",
        "docs/mapping.md#availablephonenumber",
        "catalog-search",
        AS_SAID,
        _shape(
            "catalog-search",
            "items",
            "phone_number:text type:text? lifecycle:text? capabilities:object? regulatory:object?"
            " geography:object? base_setup_price:text? base_recurring_price:text?",
        ),
    ),
    Assumption(
        "catalog.prices",
        "prices of the catalog are decimal numbers as text",
        "docs/mapping.md#availablephonenumber",
        "catalog-search",
        AS_SAID,
        _form("catalog-search", "items", "base_setup_price base_recurring_price", _DECIMAL),
    ),
    Assumption(
        "catalog.paging",
        "pages of the catalog have meta, with absolute references",
        _FIELDS,
        "catalog-search",
        AS_SAID,
        _catalog_paging,
    ),
    Assumption(
        "catalog.page-token",
        "the reference to the next page of the catalog carries no PageToken",
        _SWITCHES,
        "catalog-search",
        _NO,
        _catalog_token,
        "catalog_page_token",
    ),
    Assumption(
        "catalog.next-page",
        "the next page of the catalog has other numbers",
        _FIELDS,
        "catalog-next",
        AS_SAID,
        _goes_on("catalog-search", "catalog-next", "items"),
    ),
    Assumption(
        "catalog.unknown-parameter",
        "a parameter that the catalog does not know is ignored",
        _SWITCHES,
        "catalog-unknown",
        "ignore",
        _choice("catalog-unknown", "error", "ignore"),
        "unknown_catalog_parameter",
    ),
    # Prices and regulations.
    Assumption(
        "prices.shape",
        "a country's prices have their currency, and a base and current price for each type",
        "docs/mapping.md#country",
        "prices",
        AS_SAID,
        _shape("prices", None, "iso_country:text price_unit:text phone_number_prices:list"),
    ),
    Assumption(
        "prices.amounts",
        "amounts are decimal numbers as text",
        "docs/mapping.md#country",
        "prices",
        AS_SAID,
        _form("prices", "phone_number_prices", "base_price current_price", _DECIMAL),
    ),
    Assumption(
        "prices.currency",
        "the currency is a code of three capitals",
        "docs/mapping.md#country",
        "prices",
        AS_SAID,
        _form("prices", None, "price_unit", _like("[A-Z]{3}")),
    ),
    Assumption(
        "prices.types",
        "types of number are written local, toll free, mobile and national",
        "docs/mapping.md#country",
        "prices",
        AS_SAID,
        _price_types,
    ),
    Assumption(
        "prices.missing",
        "a country without a list of prices is answered 404 20404",
        "docs/mapping.md#country",
        "prices-missing",
        AS_SAID,
        _refused("prices-missing", 404, 20404),
    ),
    Assumption(
        "regulations.shape",
        "a regulation says for whom it is and what it asks for",
        "docs/mapping.md#country",
        "rules",
        AS_SAID,
        _shape(
            "rules",
            "results",
            "sid:text friendly_name:text iso_country:text number_type:text end_user_type:text"
            " requirements:object",
        ),
    ),
    Assumption(
        "regulations.missing",
        "a country that asks for nothing has an empty list",
        "docs/mapping.md#country",
        "rules-missing",
        AS_SAID,
        _no_rules,
    ),
    # What reading does not tell.
    *(
        Assumption(f"writes.{switch.replace('_', '-')}", words, _SWITCHES, None, value, why, switch)
        for switch, value, words, why in (
            ("create_envelope", _NO, "a purchase in the catalog answers the number", _PURCHASE),
            ("create_status", 201, "a purchase in the catalog is answered 201", _PURCHASE),
            (
                "catalog_purchase_of_own",
                "update",
                "buying a number in the catalog that one has changes its settings",
                _PURCHASE,
            ),
            ("trial_may_buy_first", _NO, "a trial account buys no number", _PURCHASE),
            (
                "transfer_reaches_subaccounts",
                _YES,
                "in the catalog, a parent transfers what a subaccount owns",
                _TRANSFER,
            ),
            ("transfer_requires_parent", _YES, "only the parent transfers", _TRANSFER),
            (
                "transfer_requires_relation",
                _YES,
                "numbers go to a parent or its subaccounts",
                _TRANSFER,
            ),
            (
                "emergency_address_code",
                21634,
                "releasing a number with a registered emergency address is refused with 21634",
                _untold("only a release would tell"),
            ),
            ("empty_clears", _YES, "an empty value clears a setting", _CHANGE),
            (
                "readonly_configuration",
                "write",
                "the catalog takes settings that it documents as readable only",
                _CHANGE,
            ),
            (
                "unsupported_method_status",
                405,
                "a method that is not supported is answered 405",
                _untold("only GET is sent"),
            ),
            (
                "concurrency_limit",
                100,
                "100 requests of an account may run at once",
                _untold("requests are sent one after another"),
            ),
        )
    ),
)
"""All that is assumed, in the order in which it is told."""
