"""PURE: the searches for numbers like others, made once for all requests that need the same.

What is said of a number decides which search it leads to. An account's numbers stay where they are,
and are asked about again and again: by the same call, which is spelt once.
"""

from collections.abc import Hashable, Iterable
from typing import Final

from gateway.mapping.homes import only_catalog_tells
from gateway.mapping.records import View
from gateway.numbers.search_request import SearchRequest, SimilarSearch
from schema.selections import SelectedFields

# Searches that are kept, of about 1 kB each.
_MOST: Final = 4096


class SimilarSearches:
    """Those of one process."""

    def __init__(self, most: int = _MOST) -> None:
        """Make it, with room for so many."""
        self._most = most
        self._known: dict[Hashable, SearchRequest | None] = {}

    def each(
        self, asked: SimilarSearch, numbers: Iterable[View], selected: SelectedFields
    ) -> list[SearchRequest | None]:
        """Return the search for numbers like each: one object for all that are at one place.

        None for a number that has no place to share.

        Args:
            asked: what the numbers shall have in common.
            numbers: owned numbers.
            selected: what is wanted of what is found.

        Raises:
            BadUserInput: what is known of a number is nothing to search by.
            UnsupportedFilters: no family can do it.
        """
        known, wishes = self._known, only_catalog_tells(selected)
        found: list[SearchRequest | None] = []
        # Numbers of which as much is known lead to searches that differ in values alone.
        alike: dict[Hashable, SearchRequest] = {}
        for number in numbers:
            said = asked.said_of(number)
            name = None if said is None else (said, wishes)
            if name is not None and name in known:
                found.append(known[name])
                continue
            near, request = asked.near(number), None
            if near is not None:
                kind = near.country, near.is_alone
                like = alike.get(kind)
                request = near.request(asked.page, selected) if like is None else like.like(near)
                if asked.page.cursor is None:
                    alike[kind] = request
            if name is not None and asked.is_shared(near):
                if len(known) >= self._most:
                    known.clear()
                request = known[name] = request and request.spelt()
            found.append(request)
        return found
