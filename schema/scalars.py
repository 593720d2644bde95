"""Scalars with a format: each rejects a malformed value with a message that shows a good one."""

import datetime as dt
import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import NewType, Self
from urllib.parse import urlsplit

import strawberry

from schema._compat import ScalarDefinition

E164 = NewType("E164", str)
URL = NewType("URL", str)
CountryCode = NewType("CountryCode", str)
CurrencyCode = NewType("CurrencyCode", str)

_E164 = re.compile(r"\+[1-9][0-9]{1,14}", re.ASCII)
_DECIMAL = re.compile(
    r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?(e[+-]?[0-9]{1,2})?", re.ASCII | re.IGNORECASE
)
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII | re.IGNORECASE,
)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
# What people write, and what ISO 3166-1 has instead: it never gives the code to others.
_OTHERWISE = {"UK": "GB"}
_URL_LENGTH = 2048
_USERINFO = re.compile(r"://[^\s/?#'\"@]*@")
# A host as every reader of URLs reads it. Others mean different hosts to different readers:
# `%31`, full-width digits, invisible characters, and `\\`, which browsers take for `/`.
_HOST = re.compile(r"(?:[A-Z0-9._-]+|\[[0-9A-F:.]+\])(?::[0-9]*)?", re.ASCII | re.IGNORECASE)


class Malformed(str):
    """A malformed value in an item of a plural mutation, let through for the item to be refused.

    No client can send one: `gateway/documents/malformed_items.py` puts it in the place of what was
    sent.

    Attributes:
        problem: what is wrong with the value.
    """

    __slots__ = ("problem",)
    problem: str

    @classmethod
    def because(cls, problem: str) -> Self:
        """Return a value that is wrong for this reason."""
        made = cls()
        made.problem = problem
        return made


def parse_e164(value: object) -> E164:
    """Return `value` if it is an E.164 number: `+`, then 2 to 15 digits, no spaces.

    Raises:
        ValueError: with a message that is shown to the client.
    """
    if not isinstance(value, str) or not _E164.fullmatch(value):
        message = (
            f"{quoted(value)} is not an E.164 phone number: write + and 2 to 15 digits"
            ' without spaces, for example "+14155550100".'
        )
        raise ValueError(message)
    return E164(value)


def parse_url(value: object) -> URL:
    """Return `value` if it is an absolute http or https URL without a user or password in it.

    Raises:
        ValueError: with a message that is shown to the client.
    """
    problem = "" if isinstance(value, str) else "it must be a string"
    if isinstance(value, str):
        problem = _url_problem(value)
    if problem:
        message = (
            f'{quoted(value)} is not a webhook URL: {problem}, as in "https://example.com/voice".'
        )
        raise ValueError(message)
    return URL(str(value))


def parse_country_code(value: object) -> CountryCode:
    """Return `value` if it is two capital letters, as ISO 3166-1 alpha-2 writes countries.

    Raises:
        ValueError: with a message that is shown to the client.
    """
    if not isinstance(value, str) or not _COUNTRY.fullmatch(value) or value in _OTHERWISE:
        example = _OTHERWISE.get(str(value), "US")
        message = (
            f"{quoted(value)} is not an ISO 3166-1 alpha-2 country code: write two capital"
            f' letters, for example "{example}".'
        )
        raise ValueError(message)
    return CountryCode(value)


def parse_currency_code(value: object) -> CurrencyCode:
    """Return `value` if it is three capital letters, as ISO 4217 writes currencies.

    Raises:
        ValueError: with a message that is shown to the client.
    """
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        message = (
            f"{quoted(value)} is not an ISO 4217 currency code: write three capital letters, for"
            ' example "USD".'
        )
        raise ValueError(message)
    return CurrencyCode(value)


def parse_decimal(value: object) -> Decimal:
    """Return the exact number that `value` writes, a string or a JSON number.

    Raises:
        ValueError: with a message that is shown to the client.
    """
    written = repr(value) if isinstance(value, int | float) else value
    if isinstance(value, bool) or not isinstance(written, str) or not _DECIMAL.fullmatch(written):
        message = (
            f"{quoted(value)} is not a decimal number: write digits with at most one point, for"
            ' example "1.15".'
        )
        raise ValueError(message)
    return Decimal(written)


def write_decimal(value: Decimal) -> str:
    """Write a number without exponent and without zeros that say nothing: equal ones are equal."""
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def parse_date_time(value: object) -> dt.datetime:
    """Return the moment that `value` writes as RFC 3339 has it, with its offset from UTC.

    Raises:
        ValueError: with a message that is shown to the client.
    """
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        try:
            return dt.datetime.fromisoformat(value.upper())
        except ValueError:
            pass
    message = (
        f"{quoted(value)} is not a date and time of RFC 3339 with an offset from UTC, as in"
        ' "2026-11-27T09:30:00Z".'
    )
    raise ValueError(message)


def write_date_time(value: dt.datetime) -> str:
    """Write a moment in UTC, to the second."""
    return value.astimezone(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _url_problem(value: str) -> str:
    """Say what is wrong with a webhook URL; "" when nothing is."""
    if any(ord(character) <= ord(" ") or character == "\x7f" for character in value):
        return "it has a space or control character"
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "it cannot be read"
    userinfo = parts.username is not None or parts.password is not None
    rules = (
        (len(value) > _URL_LENGTH, f"it is longer than {_URL_LENGTH} characters"),
        (parts.scheme not in {"http", "https"}, "it must start with http:// or https://"),
        (not host, "it names no host"),
        (userinfo, "it must not carry a user name or password"),
        ("\\" in value, "it has a backslash"),
        (
            not _HOST.fullmatch(parts.netloc),
            "its host must be ASCII letters, digits, dots and hyphens (else write its xn-- form)",
        ),
    )
    return next((problem for broken, problem in rules if broken), "")


def quoted(value: object, most: int = 60) -> str:
    """Return a client's value as messages show it: as JSON, its text cut, no password in it."""
    if isinstance(value, str):
        text = _USERINFO.sub("://…@", value)
        return json.dumps(text if len(text) <= most else f"{text[:most]}…", ensure_ascii=False)
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= most else f"{text[:most]}…"


def _unchanged(value: object) -> object:
    """Upstream data is never rejected on its format (its own samples break it)."""
    return value


def _scalar(
    name: str,
    description: str,
    specified_by_url: str,
    parse: Callable[[object], object],
    write: Callable[..., object] = _unchanged,
) -> ScalarDefinition:
    return strawberry.scalar(
        name=name,
        description=description,
        specified_by_url=specified_by_url,
        serialize=write,
        parse_value=lambda value: value if isinstance(value, Malformed) else parse(value),
    )


SCALARS: dict[object, ScalarDefinition] = {
    E164: _scalar(
        "E164",
        'A phone number in E.164 format: `+` and 2 to 15 digits, for example `"+14155550100"`.'
        " Inputs only: what the upstream shows may be something else, and is a `String`.",
        "https://www.itu.int/rec/T-REC-E.164",
        parse_e164,
    ),
    URL: _scalar(
        "URL",
        "An absolute `http` or `https` URL without user name or password. That is what inputs take;"
        " answers show what the upstream holds, whatever else somebody has put there.",
        "https://www.rfc-editor.org/rfc/rfc3986",
        parse_url,
    ),
    CountryCode: _scalar(
        "CountryCode",
        'A country as two capital letters (ISO 3166-1 alpha-2), for example `"US"`.',
        "https://www.iso.org/iso-3166-country-codes.html",
        parse_country_code,
    ),
    CurrencyCode: _scalar(
        "CurrencyCode",
        'A currency as three capital letters (ISO 4217), for example `"USD"`.',
        "https://www.iso.org/iso-4217-currency-codes.html",
        parse_currency_code,
    ),
    Decimal: _scalar(
        "Decimal",
        'An exact decimal number, written as a string: `"1.15"`. There is no exponent and no zero'
        " that says nothing, so equal numbers are equal strings. Inputs take a string or a number.",
        "https://www.w3.org/TR/xmlschema11-2/#decimal",
        parse_decimal,
        write_decimal,
    ),
    dt.datetime: _scalar(
        "DateTime",
        'A moment in UTC, to the second, as RFC 3339 writes it: `"2026-11-27T09:30:00Z"`.',
        "https://www.rfc-editor.org/rfc/rfc3339",
        parse_date_time,
        write_date_time,
    ),
}
