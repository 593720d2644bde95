"""@defer and @stream in documents."""

from typing import Any

from graphql import (
    REMOVE,
    DirectiveNode,
    DocumentNode,
    GraphQLDeferDirective,
    GraphQLStreamDirective,
    Visitor,
    visit,
)

_INCREMENTAL = {GraphQLDeferDirective.name, GraphQLStreamDirective.name}


def without_incremental(document: DocumentNode) -> DocumentNode:
    """Return `document` without @defer and @stream; the very same object when it has none."""
    whole: DocumentNode = visit(document, _Remover())
    return whole


class _Remover(Visitor):
    @staticmethod
    def enter_directive(node: DirectiveNode, *_: Any) -> object:  # noqa: ANN401 - the visitor's form
        return REMOVE if node.name.value in _INCREMENTAL else None
