"""PURE: lenient readers of upstream values. Each returns None for what it cannot read.

The upstream writes unset as `""` or null, numbers as numbers or strings, and may add enum tokens at
any time. None of that may fail a query: what cannot be read is null, and a warning is logged once
per reader and value.
"""

import datetime as dt
import enum
import math
from collections.abc import Callable
from copy import copy
from decimal import Decimal
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Self, TypeAlias

import structlog

from schema.scalars import parse_decimal

Coercion: TypeAlias = Callable[[object], object]

_log = structlog.get_logger(__name__)
_INT32 = 2**31
# A union of types would be made anew each time that it is looked at.
_NUMBERS = (int, float, str)
_UNLIMITED = -1


@lru_cache(maxsize=1024)
def _warn(reader: str, value: str) -> None:
    """Log an unreadable value; the cache keeps a page of them from flooding the log."""
    _log.warning("upstream_value_unreadable", expected=reader, value=value[:100])


def text(value: object) -> str | None:
    """Read a string; `""` is null, a number is written out, an error in its place is raised."""
    if isinstance(value, str):
        return value or None
    if value is None:
        return None
    if isinstance(value, Exception):
        raise value.with_traceback(None)  # Each field raises it.
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    _warn("text", repr(value))
    return None


def numeral(value: object) -> str | None:
    """Read a name made of digits, which may come as a number: `132` and `"132"` are one LATA."""
    return text(value)


def number(value: object) -> float | None:
    """Read a finite number, also from a string such as `"19.720000"`."""
    if value.__class__ is str:
        return _number(value)
    if value is None:
        return None
    if isinstance(value, _NUMBERS) and not isinstance(value, bool):
        return _number(value)
    _warn("number", repr(value))
    return None


@lru_cache(maxsize=4096)
def _number(value: float | str) -> float | None:
    # All numbers of a rate center have the same coordinates.
    if value == "":
        return None
    try:
        read = float(value)
    except (ValueError, OverflowError):
        read = math.nan
    if math.isfinite(read):
        return read
    _warn("number", repr(value))
    return None


def integer(value: object) -> int | None:
    """Read a whole number of 32 bits (GraphQL's Int), also from a string."""
    read = number(value)
    if read is None:
        return None
    if read == int(read) and -_INT32 <= read < _INT32:
        return int(read)
    _warn("integer", repr(value))
    return None


def limit(value: object) -> int | None:
    """Read how many there can be; null when it is unlimited, which the upstream writes as -1."""
    read = integer(value)
    if read is None or read >= 0:
        return read
    if read != _UNLIMITED:
        _warn("limit", repr(value))
    return None


def unlimited(value: object) -> bool | None:
    """Read whether a limit is none; null when it is not known."""
    read = integer(value)
    return True if read == _UNLIMITED else False if read is not None and read >= 0 else None


def decimal(value: object) -> Decimal | None:
    """Read an exact number, from a string such as `"2.0"` or from a number."""
    if value is None or value == "":
        return None
    try:
        return parse_decimal(value)
    except ValueError:
        _warn("decimal", repr(value))
        return None


def boolean(value: object) -> bool | None:
    """Read true or false, also from the strings `"true"` and `"false"` in any case."""
    if value is None or isinstance(value, bool):
        return value
    spelt = {"true": True, "false": False, "": None}
    if isinstance(value, str) and value.lower() in spelt:
        return spelt[value.lower()]
    _warn("boolean", repr(value))
    return None


def texts(value: object) -> list[str] | None:
    """Read a list of strings; what is empty or none of them is left out."""
    if value is None:
        return None
    if isinstance(value, list):
        return [read for item in value if (read := text(item)) is not None]
    _warn("list of text", repr(value))
    return None


def country(value: object) -> str | None:
    """Read an ISO 3166-1 alpha-2 code, in capitals."""
    if not isinstance(value, str) or not value:
        return None
    if len(value) == 2 and value.isascii() and value.isalpha():  # noqa: PLR2004 - as ISO has it
        return value.upper()
    _warn("country", value)
    return None


def date(value: object) -> dt.datetime | None:
    """Read an RFC 2822 date (`Thu, 27 Aug 2015 16:38:09 +0000`) or an ISO 8601 one, as UTC."""
    if not isinstance(value, str) or not value:
        return None
    for parse in (parsedate_to_datetime, dt.datetime.fromisoformat):
        try:
            moment = parse(value)
            # `-0000` says that the offset is not known; the time is in UTC all the same.
            return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
        except (ValueError, OverflowError):
            continue
    _warn("date", value)
    return None


class one_of:  # noqa: N801 - used as a function that makes a reader
    """A reader for an enum by its members' values in any case, and by other `spellings`.

    Dashes and underscores are equal, so `toll_free` may be given for an upstream's `toll-free`.

    Attributes:
        names: the ordinary values and the names of the members that they mean; null and `""` are
            `unset`, which is null where that means nothing.
    """

    unset: enum.Enum | None = None

    def __init__(self, members: type[enum.Enum], **spellings: enum.Enum) -> None:
        self._members = members
        self._known = {_folded(str(member.value)): member for member in members}
        self._known |= {_folded(spelling): member for spelling, member in spellings.items()}
        self.names: dict[str | None, str | None] = {None: None, "": None}
        self.names |= {str(member.value): member.name for member in members}

    def or_else(self, unset: enum.Enum) -> Self:
        """Return a reader to which unset is what it means upstream."""
        reader = copy(self)
        reader.unset = unset
        reader.names = self.names | dict.fromkeys((None, ""), unset.name)
        return reader

    def __call__(self, value: object) -> enum.Enum | None:
        """Read `value`; what is unknown is null."""
        if value is None or value == "":
            return self.unset
        member = self._known.get(_folded(value)) if isinstance(value, str) else None
        if member is None:
            _warn(self._members.__name__, repr(value))
        return member


class either:  # noqa: N801 - used as a function that makes a reader
    """A reader of true and false, which stand for two members of an enum.

    Attributes:
        names: see `one_of`.
    """

    def __init__(self, yes: enum.Enum, no: enum.Enum) -> None:
        self._members = {True: yes, False: no}
        self.names: dict[bool | None, str | None] = {None: None, True: yes.name, False: no.name}

    def __call__(self, value: object) -> enum.Enum | None:
        """Read `value`; what is unknown is null."""
        read = boolean(value)
        return None if read is None else self._members[read]


def _folded(spelling: str) -> str:
    return spelling.lower().replace("_", "-")
