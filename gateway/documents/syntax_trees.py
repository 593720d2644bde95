"""PURE: the nodes of a syntax tree, where `graphql.visit` would do more than is asked."""

from collections.abc import Iterator

from graphql import Node


def children(node: Node) -> Iterator[Node]:
    """Yield the nodes right below one, in the order of the text."""
    for key in node.keys:
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
