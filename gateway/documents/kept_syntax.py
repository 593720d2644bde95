"""The syntax tree of a document, which is dropped when nothing needs it, and parsed again.

A tree takes some 600 bytes for each token, and its many nodes keep the garbage collector busy. What
is made of a query (`execution/compiled_queries.py`) is a tenth of that, and then it is all that is
needed to run it.
"""

from collections.abc import Callable

from graphql import DocumentNode, OperationDefinitionNode, get_operation_ast

from gateway.documents.defer_and_stream import without_incremental


class Syntax:
    """The tree of one document, in two forms.

    Args:
        text: of the document.
        parse: makes the tree.
        ast: the tree, as `parse` has made it.
    """

    __slots__ = ("_ast", "_parse", "_text", "_whole")

    def __init__(self, text: str, parse: Callable[[str], DocumentNode], ast: DocumentNode) -> None:
        self._text = text
        self._parse = parse
        self._ast: DocumentNode | None = ast
        self._whole: DocumentNode | None = None

    @property
    def ast(self) -> DocumentNode:
        """The whole tree."""
        if self._ast is None:
            self._ast = self._parse(self._text)
        return self._ast

    @property
    def whole(self) -> DocumentNode:
        """The tree without @defer and @stream, for clients that take one answer."""
        if self._whole is None:
            # Without an @ there is no directive.
            self._whole = without_incremental(self.ast) if "@" in self._text else self.ast
        return self._whole

    @property
    def is_there(self) -> bool:
        """Whether it is in memory."""
        return self._ast is not None

    def definition(self, name: str | None) -> OperationDefinitionNode | None:
        """Return the operation that a request with this name runs; None if there is none."""
        return get_operation_ast(self.whole, name)

    def drop(self) -> None:
        """Keep the tree no longer."""
        self._ast = self._whole = None
