"""Resolvers of many objects at once: what is the same for several of them is found once.

A field of the objects of a list is resolved object by object, unless its resolver says how to do it
for all of them. Who executes a query may use that, or call the resolver itself, for each.
"""

from collections.abc import Awaitable, Callable, Generator, Hashable, Sequence
from typing import Any, TypeAlias, TypeVar

Resolver = TypeVar("Resolver", bound=Callable[..., object])
ResolveAll: TypeAlias = Callable[..., Sequence[Awaitable[Any] | None]]
"""Is called as the resolver is, but with a list of objects in place of one.

It returns for each what it has begun to find, which may be left alone: the same for those that have
the same, and None for null.
"""


class Made:
    """What was begun to be found, where it can be told what it will be made of."""

    def __await__(self) -> Generator[Any, None, Any]:
        """Wait until it is found, and return it."""
        raise NotImplementedError

    async def made_of(self) -> Hashable:
        """Return, when that is there, what alone decides what it will be; None if more does.

        Whether more does may be known only when it is found: then what was returned before is good
        for looking up what was found alike, and not for keeping what is found now.
        """
        raise NotImplementedError


def resolved_together(resolve_all: ResolveAll) -> Callable[[Resolver], Resolver]:
    """Say how to resolve a field of many objects at once."""

    def mark(resolver: Resolver) -> Resolver:
        resolver.all = resolve_all  # type: ignore[attr-defined] # read by `of_all` alone
        return resolver

    return mark


def of_all(resolver: Callable[..., object]) -> ResolveAll | None:
    """Return what resolves many objects at once; None where each is resolved on its own."""
    found: ResolveAll | None = getattr(resolver, "all", None)
    return found
