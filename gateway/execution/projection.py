"""Compiled projections: a selection of plain fields becomes one Python function.

For a whole tree of plain fields graphql-core's completion, field by field, is work that can be done
once: the function made here (by `projection_writer.py`) goes from objects straight to the
response's. It covers the ordinary values only. Whatever else comes up (a null where none may be, a
record that is not strict) raises, and graphql-core does it all again in its own way, with its own
errors: there is one set of semantics, and it is graphql-core's.

What it makes are structures whose fields are the response's names: made and encoded in C, they take
half the time of dictionaries.

To make a function takes milliseconds. So it is made for a query that has come twice before, and not
for more at once than the loop can wait for; meanwhile a selection is read (`projection_reader.py`).
"""

from collections.abc import Hashable, Sequence
from time import perf_counter
from types import NoneType
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import msgspec

from gateway.execution.plain_fields import NotPlain, Selection
from gateway.execution.projection_reader import Reader
from gateway.execution.projection_writer import Project, ProjectAll, opener, write
from gateway.mapping.records import View, known

K = TypeVar("K", bound=Hashable)

_encoder = msgspec.json.Encoder()
# Blocks that are known, of all documents together, and the longest of them that are kept: 20 MB.
_MOST_BLOCKS = 8192
_LONGEST_BLOCK = 2048
# Seconds for which functions are written at once, and those after which it counts anew.
_SLICE = 0.008
_PAUSE = 0.004


class Projector:
    """Compiles projections, and bounds what they keep of blocks. One for a process.

    Args:
        most_blocks: how many distinct blocks are known at once.

    Attributes:
        blocks: those of all documents that live, and other parts of answers, by identity.
    """

    def __init__(self, most_blocks: int = _MOST_BLOCKS) -> None:
        self._most_blocks = most_blocks
        self._noted = 0
        self._busy = self._ended = 0.0
        self.blocks: WeakValueDictionary[int, Kept[Any]] = WeakValueDictionary()

    def compile(self, selection: Selection, kind: type) -> ProjectAll | None:
        """Return the function that projects objects, all of class `kind`; None: there can be none.

        A selection with places for fields that are not plain becomes a dictionary.
        """
        begun, busy = perf_counter(), self._busy
        try:
            return write(selection, kind, Projections(self, is_written=True)).make()
        except NotPlain:
            return None
        finally:
            self._ended = perf_counter()
            self._busy = busy + self._ended - begun  # It may have compiled others on the way.

    @property
    def has_time(self) -> bool:
        """Whether it has not kept the loop for long without a pause."""
        if perf_counter() - self._ended > _PAUSE:
            self._busy = 0.0
        return self._busy < _SLICE

    def note_block(self) -> None:
        """Count a block that is new; when they become too many, begin again."""
        if self._noted >= self._most_blocks:
            for each in self.blocks.values():
                each.clear()
                each.seen.clear()
            self._noted = 0
        self._noted += 1


class Projections:
    """The projections of one query: they are read at first, and written when it has come twice.

    Attributes:
        projector: writes them.
        is_written: whether that is worth its time by now.
    """

    __slots__ = ("_came_again", "is_written", "projector")

    def __init__(self, projector: Projector, *, is_written: bool = False) -> None:
        self.projector = projector
        self.is_written = is_written
        self._came_again = False

    def come_again(self) -> None:
        """Note that the query has come once more."""
        self.is_written, self._came_again = self._came_again, True

    def dispatch(self, below: Selection) -> "Dispatch":
        """Return what projects objects of any class."""
        return Dispatch(below, self)

    def kept(self) -> "Kept[Hashable]":
        """Return where the values of a field are kept as they were written."""
        return Kept(self.projector)

    def reading(self, selection: Selection) -> Project:
        """Return what reads a selection of an object, whatever that is like."""
        return lambda source: Reader().read(selection, source)

    def block(self, below: Selection, kind: type[View], flags: tuple[str, ...] = ()) -> "Blocks":
        """Return the projections of one kind of block."""
        return Blocks(below, kind, flags, self.projector)


class Dispatch:
    """Projects objects whose class is not known beforehand, by their class."""

    __slots__ = ("_known", "_projections", "_selection")

    def __init__(self, selection: Selection, projections: Projections) -> None:
        self._selection = selection
        self._projections = projections
        self._known: dict[type, ProjectAll] = {}

    def __call__(self, source: object) -> Any:  # noqa: ANN401 - JSON
        """Return the projection of `source`."""
        kind = source.__class__
        return (self._known.get(kind) or self._for(kind))((source,))[0]

    def all(self, sources: Sequence[object]) -> list[Any]:
        """Return the projections of objects; what finds it out by reading does so for all at once.

        Raises:
            NotPlain: one of them is None.
        """
        if not sources:
            return []
        kinds = {source.__class__ for source in sources}
        if NoneType in kinds:
            raise NotPlain
        projects = {kind: self._known.get(kind) or self._for(kind) for kind in kinds}
        if len(projects) == 1:
            [project] = projects.values()
            return project(sources)
        return [projects[source.__class__]((source,))[0] for source in sources]

    def _for(self, kind: type) -> ProjectAll:
        project = self._known.get(kind)
        if project is None:
            projector = self._projections.projector
            if not (self._projections.is_written and projector.has_time):
                return self._reading()
            project = projector.compile(self._selection, kind)
            if project is None:
                raise NotPlain
            self._known[kind] = project
        return project

    def _reading(self) -> ProjectAll:
        """Return what reads objects of a class, and remembers what is equal of them."""
        read, selection = Reader().read, self._selection
        return lambda sources: [read(selection, source) for source in sources]


class Kept(dict[K, msgspec.Raw]):
    """What was written of one thing of a query, by what it was made of; from the second time on.

    What comes only once, as a webhook with the number in its URL, shall not push out the others.

    Attributes:
        seen: the hashes of what has come.
    """

    def __init__(self, projector: Projector) -> None:
        super().__init__()
        self.seen: set[int] = set()
        self._projector = projector
        projector.blocks[id(self)] = self

    def keeps(self, made_of: K) -> bool:
        """Note that something has come, and tell whether what is written of it is to be kept."""
        sight = hash(made_of)
        if sight in self.seen:
            return True
        self._projector.note_block()
        self.seen.add(sight)
        return False

    def keep(self, made_of: K, text: msgspec.Raw) -> None:
        """Keep what was written of something, if it has come before and is not too long."""
        if self.keeps(made_of) and len(text) <= _LONGEST_BLOCK:
            self[made_of] = text


class Blocks(Kept[bytes]):
    """The projections of one kind of block, by what came."""

    def __init__(
        self, below: Selection, kind: type[View], flags: tuple[str, ...], projector: Projector
    ) -> None:
        super().__init__(projector)
        self._flags = flags
        self._kind = kind
        self._project = projector.compile(below, kind)
        self._open = opener(kind)

    def __missing__(self, block: bytes) -> Any:  # noqa: ANN401 - JSON
        record = self._open(block)
        if record is None or (self._flags and not known(record, self._flags)):
            return None
        if self._project is None:
            raise NotPlain
        [projected] = self._project((self._kind(record),))
        if self.keeps(block) and len(block) <= _LONGEST_BLOCK:
            projected = self[block] = msgspec.Raw(_encoder.encode(projected))
        return projected
