"""PURE: the nodes of a syntax tree, where `graphql.visit` would do more than is asked."""

from collections.abc import Iterator

from graphql import Node


class _Keys(dict[type[Node], tuple[str, ...]]):
    """The attributes of each kind of node, which it would find out anew whenever it is asked."""

    def __missing__(self, kind: type[Node]) -> tuple[str, ...]:
        keys = self[kind] = kind.keys
        return keys


_KEYS = _Keys()


def children(node: Node) -> Iterator[Node]:
    """Yield the nodes right below one, in the order of the text."""
    for key in _KEYS[type(node)]:
        child = getattr(node, key)
        for each in child if isinstance(child, tuple | list) else (child,):
            if isinstance(each, Node):
                yield each


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all below it."""
    pending = [node]
    while pending:
        following = pending.pop()
        yield following
        pending.extend(children(following))
