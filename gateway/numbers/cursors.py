"""Cursors: opaque to clients, they name the number that they stand behind.

A cursor belongs to one list: account, family and filters. It carries a page's query but neither
host nor path, so a forged one reaches nothing but that list, with the caller's own credentials.

The upstream's own references often count: so many numbers from the start. What is bought or
released meanwhile moves the numbers behind it, so a cursor also tells the last numbers before it,
by which its place is found again: behind the last one that is still there. When none of them is,
the list goes on where the page of the cursor began: rather a number twice than one left out.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any, NamedTuple
from zlib import crc32

import msgspec

from gateway.errors import BadUserInput

# Each search of a fan-out may have a page's query in it.
_LONGEST = 32 * 1024
# So many numbers before a cursor are told; of the searches of a fan-out, so many of all together.
TRAIL, _TRAILS = 16, 64
_MARK = 8  # Characters of one number's mark.
_MOST_MARKED = 2**31


class Seen(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """How far a list, or one search of a fan-out, was seen.

    Attributes:
        start: place of the first number of the page.
        trail: marks of the last numbers seen, the last one at the end.
        query: of a search, query of the upstream's page in which the last number seen is, from
            which places count; "" for the first page, and in cursors of older releases.
    """

    start: Annotated[int, msgspec.Meta(ge=0, lt=_MOST_MARKED)]
    trail: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{8})*$", max_length=TRAIL * _MARK)]
    query: str = ""

    def ends_among(self, names: Iterable[str]) -> bool:
        """Whether the last number seen is one of `names`."""
        last = self.trail[-_MARK:]
        return any(mark(name) == last for name in names)

    def behind(self, names: Iterable[str], place: int = -1) -> int | None:
        """Return where the list goes on; None when none of the numbers seen is among `names`.

        Args:
            names: what is there now, in order.
            place: where the last number seen stood.
        """
        marks = [self.trail[at : at + _MARK] for at in range(0, len(self.trail), _MARK)]
        found = [mark(name) for name in names]
        if marks and 0 <= place < len(found) and found[place] == marks[-1]:
            return place + 1
        places = {each: at for at, each in enumerate(found)}
        return next((places[each] + 1 for each in reversed(marks) if each in places), None)

    def before(self, names: Sequence[str], place: int = -1) -> int | None:
        """Return how many of `names` stand before the last number seen; see `behind`.

        That number itself is not one of them, if it is still there.
        """
        behind = self.behind(names, place)
        if behind and mark(names[behind - 1]) == self.trail[-_MARK:]:
            return behind - 1
        return behind

    def ahead(self, names: Iterable[str]) -> int | None:
        """Return how many of `names` stand before the first of those behind; None without them.

        Of the second one of a cursor, see `Cursor.seen`.
        """
        marks = {self.trail[at : at + _MARK] for at in range(0, len(self.trail), _MARK)}
        return next((at for at, name in enumerate(names) if mark(name) in marks), None)


class Cursor(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A place in a list.

    Attributes:
        list_id: what list it belongs to, see `list_id`.
        query: query of the page it is in; "" for the first page.
        place: place of the number in that page; -1 stands before its first one, behind the number.
        seen: by which its place is found again, one for each search of a fan-out; nothing in
            cursors of older releases. Of owned numbers that were read backwards the second one
            tells the numbers behind it: of those before the page nothing is known.
        turn: of a fan-out, the search whose number comes next; of owned numbers, 1 where some
            before it were left out of which it is not known whether they are looked for.
        beside: query of the page that the number is in, or stands right before, in the list of the
            other family, if numbers were looked up there; "" where that is not known, as in cursors
            of older releases.
    """

    list_id: str
    query: str
    place: Annotated[int, msgspec.Meta(ge=-1, lt=_MOST_MARKED)]
    seen: Annotated[tuple[Seen, ...], msgspec.Meta(max_length=64)] = ()
    turn: Annotated[int, msgspec.Meta(ge=0, lt=64)] = 0
    beside: str = ""

    @property
    def rest(self) -> str:
        """Marks of the number and of what is known to stand behind it."""
        return "".join(
            [seen.trail[-_MARK:] for seen in self.seen[:1]]
            + [seen.trail for seen in self.seen[1:2]]
        )


_decoder = msgspec.json.Decoder(Cursor)


def mark(name: str) -> str:
    """Return a short form of a number's name: eight hexadecimal digits."""
    return f"{crc32(name.encode()):08x}"


def trail(names: Sequence[str], lists: int = 1) -> str:
    """Return the marks of the last of `names`; of several `lists`, each has fewer."""
    return "".join(map(mark, names[-_longest(lists) :]))


def extended(before: str, names: Sequence[str], lists: int = 1) -> str:
    """Return the trail `before`, continued by `names`; see `trail`."""
    return (before + trail(names, lists))[-_longest(lists) * _MARK :]


def preceded(names: Sequence[str], behind: str) -> str:
    """Return the marks of the first of `names`, continued by those `behind` them."""
    return ("".join(map(mark, names[:TRAIL])) + behind)[: TRAIL * _MARK]


def _longest(lists: int) -> int:
    return max(1, min(TRAIL, _TRAILS // lists))


class Window(NamedTuple):
    """A page of a list that counts: its size, and its number from 0."""

    size: int
    number: int

    @property
    def start(self) -> int:
        """Place of its first number in the list."""
        return self.size * self.number


def window(place: int, first: int, most: int) -> Window:
    """Return the smallest page that holds a place and `first` numbers behind it.

    Where no page of up to `most` does, the greatest that holds the place.
    """
    for size in range(first + 1, most + 1):
        if place // size == (place + first) // size:
            return Window(size, place // size)
    return Window(most, place // most)


def window_before(place: int, last: int, most: int) -> Window:
    """Return the smallest page that holds a place and `last` numbers before it; see `window`."""
    start = max(0, place - last)
    found = window(start, place - start, most)
    return found if place < found.start + found.size else Window(most, place // most)


def list_id(*parts: object, filters: Mapping[str, Any]) -> str:
    """Return a short name of a list: the same for the same account, family and filters."""
    material = repr((parts, sorted((path, repr(value)) for path, value in filters.items())))
    return hashlib.sha256(material.encode()).hexdigest()[:12]


def encode(cursor: Cursor) -> str:
    """Return the opaque form."""
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")


def decode(opaque: str, argument: str = "after") -> Cursor:
    """Return what an argument says; what list it belongs to is for the caller to see.

    Raises:
        BadUserInput: it is not a cursor.
    """
    if len(opaque) <= _LONGEST:
        with suppress(ValueError, binascii.Error, msgspec.MsgspecError):
            padded = opaque.encode("ascii") + b"=" * (-len(opaque) % 4)
            return _decoder.decode(base64.b64decode(padded, altchars=b"-_", validate=True))
    usual = "startCursor" if argument == "before" else "endCursor"
    raise BadUserInput(
        argument, f"this is not a cursor; use `pageInfo.{usual}` or an edge's `cursor`."
    )


def of_another_list(argument: str = "after") -> BadUserInput:
    """Return the error for a cursor that is used on a list that it does not belong to."""
    return BadUserInput(
        argument,
        "this cursor belongs to another list; cursors hold for the same account and filters.",
    )
