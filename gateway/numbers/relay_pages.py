"""Relay connections as resolvers return them; cursors are encoded only when selected."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple, overload

from gateway.mapping.records import View
from gateway.numbers import cursors
from gateway.upstream.call import Call
from schema.connection import BranchError, PageInfo


class Edge:
    """A node and its place; stands in for the edge types of the schema."""

    __slots__ = ("_cursor", "node")

    def __init__(self, node: View, cursor: cursors.Cursor) -> None:
        self.node = node
        self._cursor = cursor

    @property
    def cursor(self) -> str:
        """The opaque cursor."""
        return cursors.encode(self._cursor)


class Places(Sequence[cursors.Cursor]):
    """The places of a page's numbers, each made when it is asked for.

    Attributes:
        tell: returns what else a cursor tells of one of them: what was seen, and whose turn it is.
        beside: see `Cursor`, of each; nothing where it is not known of any.
    """

    def __init__(
        self, find_list_id: Callable[[], str], find_marks: Callable[[], Sequence[tuple[str, int]]]
    ) -> None:
        """Make them; both are called when one of them is asked for.

        Args:
            find_list_id: returns the name of the list, see `Cursor`.
            find_marks: returns query and place of each, see `Cursor`.
        """
        self.tell: Callable[[int], tuple[tuple[cursors.Seen, ...], int]] = lambda _: ((), 0)
        self.beside: Sequence[str] = ()
        self._find_list_id = find_list_id
        self._find_marks = find_marks

    @cached_property
    def _list_id(self) -> str:
        return self._find_list_id()

    @cached_property
    def _marks(self) -> Sequence[tuple[str, int]]:
        return self._find_marks()

    def __len__(self) -> int:
        return len(self._marks)

    @overload
    def __getitem__(self, at: int) -> cursors.Cursor: ...
    @overload
    def __getitem__(self, at: slice) -> list[cursors.Cursor]: ...
    def __getitem__(self, at: int | slice) -> cursors.Cursor | list[cursors.Cursor]:
        places = range(len(self._marks))[at]
        if isinstance(places, range):
            return [self[each] for each in places]
        beside = self.beside[places] if self.beside else ""
        return cursors.Cursor(self._list_id, *self._marks[places], *self.tell(places), beside)


class Standing(NamedTuple):
    """Where a page stands in its list.

    Attributes:
        places: the place of each that is on it.
        more: there is something behind it.
        earlier: there is something before it.
        start: the cursor to go back from; None for that of the first on it.
        end: the cursor to go on behind; None for that of the last on it.
    """

    places: Sequence[cursors.Cursor]
    more: bool
    earlier: bool
    start: cursors.Cursor | None = None
    end: cursors.Cursor | None = None


class ConnectionPage:
    """A page of a list; stands in for the connection types of the schema.

    Attributes:
        nodes: what is on it.
        exhaustive: nothing that was asked for is beyond it, in the direction of reading.
    """

    exhaustive: bool

    def __init__(self, nodes: list[View], stands: Callable[[], Standing]) -> None:
        """Make it; `stands` is called when it is asked where it stands."""
        self.nodes = nodes
        self._stands = stands

    @cached_property
    def edges(self) -> list[Edge]:
        """What is on it, with the places."""
        return list(map(Edge, self.nodes, self._standing.places))

    @cached_property
    def page_info(self) -> PageInfo:
        """Where the page stands."""
        places, more, earlier, start, end = self._standing
        first, last = (places[0], places[-1]) if places else (None, None)
        first, last = start or first, end or last
        return PageInfo(
            has_next_page=more,
            has_previous_page=earlier,
            start_cursor=cursors.encode(first) if first else None,
            end_cursor=cursors.encode(last) if last else None,
        )

    @cached_property
    def _standing(self) -> Standing:
        return self._stands()


class FoundPage(ConnectionPage):
    """A page of a search's result.

    Attributes:
        branch_errors: searches of a fan-out that failed.
        calls: the upstream calls behind it.
    """

    branch_errors: list[BranchError]
    calls: Sequence[Call] = ()
