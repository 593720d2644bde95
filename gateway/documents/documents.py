"""Documents: parsed and validated once, then kept."""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from graphql import (
    ArgumentNode,
    DirectiveNode,
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    Node,
    ObjectFieldNode,
    OperationDefinitionNode,
    OperationType,
    OverlappingFieldsCanBeMergedRule,
    Source,
    VariableDefinitionNode,
    VariableNode,
    parse,
    specified_rules,
    validate,
)

from gateway.documents._compat import (
    SUGGESTION,
    MergingOnABudget,
    has_too_many_tokens,
    is_aborted,
    name_digits,
)
from gateway.documents.error_wording import worded
from gateway.documents.kept_syntax import Syntax
from gateway.documents.limits import Limits, MeasuredOperation, Meter
from gateway.documents.malformed_items import Items, Variables
from gateway.documents.null_variables import strict_variables
from gateway.documents.operation import Operation
from gateway.documents.quick_validation import is_surely_valid
from gateway.documents.syntax_trees import children, walk
from gateway.error_codes import ErrorCode
from gateway.errors import GatewayError, LimitExceeded
from gateway.storage.recent import Recent

_RULES = tuple(
    MergingOnABudget if each is OverlappingFieldsCanBeMergedRule else each
    for each in specified_rules
)
# Each error may search the whole schema for a name to suggest; nobody reads more of them.
_MOST_ERRORS = 5
_LONGEST_MESSAGE = 400
# Messages repeat values that are refused, such as URLs with a password in them.
_USERINFO = re.compile(r"://[^\s/?#'\"@]*@")


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """A document that is ready to run, or the errors that keep it from running.

    Attributes:
        text: as the client sent it.
        syntax: its tree; None when it cannot be parsed, or is too much.
        errors: of limits, syntax or validation, each with a code in its extensions.
        incremental: it uses @defer or @stream.
        kinds: of its operations, by name ("" without one).
        max_age: how long answers may be kept, in seconds, by the schema's hints.
        measured: what is known of its operations, by name ("" without one).
        discreet: errors do not suggest what the schema has instead.
        conditions: variables that decide what is selected (in @skip and @include).
        tokens: how many it has.
        in_items: variables that stand in items of plural mutations, by operation ("" without name).
        beside: operations that have plural mutations beside other fields ("" without name).
        not_null: variables of mutations that their type lets be null, but not where they stand.
        operations: those that were run, by the names that requests gave.
    """

    text: str
    syntax: Syntax | None
    errors: tuple[GraphQLError, ...] = ()
    incremental: bool = False
    kinds: Mapping[str, OperationType] = field(default_factory=dict)
    max_age: int = 0
    measured: Mapping[str, MeasuredOperation] = field(default_factory=dict)
    discreet: bool = False
    conditions: tuple[str, ...] = ()
    tokens: int = 0
    in_items: Mapping[str, Variables] = field(default_factory=dict)
    beside: frozenset[str] = frozenset()
    not_null: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    operations: dict[str | None, Operation] = field(default_factory=dict)

    def choose(self, name: str | None) -> Operation:
        """Return the operation that a request with this name runs."""
        operation = self.operations.get(name)
        if operation is None:
            named = self._chosen(name)
            kind = None if named is None else self.kinds[named]
            operation = Operation(
                name,
                kind,
                None if named is None or self.errors else self.measured.get(named),
                None if named is None else self.in_items.get(named),
                (kind.value if kind else "", named or "", self.digest),
                () if named is None else self.not_null.get(named, ()),
                beside=named in self.beside and not self.errors,
            )
            if named is not None:  # Names that choose none are without end.
                self.operations[name] = operation
        return operation

    def _chosen(self, name: str | None) -> str | None:
        """Return the name of the operation that a request with this name runs, if there is one."""
        if name is None:
            return next(iter(self.kinds)) if len(self.kinds) == 1 else None
        return name if name and name in self.kinds else None

    @property
    def digest(self) -> str:
        """The first 16 hexadecimal digits of its SHA-256."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]

    @property
    def ast(self) -> DocumentNode | None:
        """Its syntax tree; None when it cannot be parsed, or is too much."""
        return None if self.syntax is None else self.syntax.ast

    @property
    def whole(self) -> DocumentNode | None:
        """`ast` without @defer and @stream, for clients that take one answer."""
        return None if self.syntax is None else self.syntax.whole


class Documents:
    """Parses, measures and validates documents, and keeps the most recent good ones.

    Args:
        schema: what they are validated against.
        meter: what measures them, and the limits that they must keep; usual ones by default.
        discreet: errors do not suggest what the schema has instead.
        most: documents to keep, at most.
        most_tokens: of all kept documents, at most: one takes some 600 bytes, or a quarter of that
            where the syntax tree is dropped.
        most_characters: of all kept texts, at most: one takes up to 4 bytes, comments as well.

    Attributes:
        known: returns the document for a text that is in memory; None when it is to be prepared.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        meter: Meter | None = None,
        *,
        discreet: bool = False,
        most: int = 1000,
        most_tokens: int = 50_000,
        most_characters: int = 4 * 2**20,
    ) -> None:
        self._schema = schema
        self._meter = meter or Meter(schema, Limits())
        self._items = Items(schema)
        self._discreet = discreet
        self._kept: Recent[str, Document] = Recent(
            most,
            (lambda document: document.tokens, most_tokens),
            (lambda document: len(document.text), most_characters),
        )
        self.known: Callable[[str], Document | None] = self._kept.use

    def get(self, text: str) -> Document:
        """Return the document for a text, from memory when it was seen before."""
        document = self.known(text)
        if document is None:
            document = self._prepare(text)
            if not document.errors:
                self._kept.keep(text, document)
        return document

    def _prepare(self, text: str) -> Document:
        limits = self._meter.limits
        try:
            self._meter.check_length(text)
            ast, tokens = self._parse(text)
            measured = self._meter.read(ast)
        except LimitExceeded as error:
            return _refused(text, error)
        except GraphQLSyntaxError as error:
            if has_too_many_tokens(error):
                message = f"The document has more than {limits.tokens} tokens."
                return _refused(text, LimitExceeded(message, limit="tokens", allowed=limits.tokens))
            return Document(text, None, (coded(error, ErrorCode.GRAPHQL_PARSE_FAILED),))
        ast, in_items, beside = self._items.mark(ast)
        found = [] if is_surely_valid(self._schema, ast) else self._validate(ast)
        if any(is_aborted(each) for each in found):
            message = "Too many fields of one name stand at one place to compare them all."
            return _refused(text, LimitExceeded(message, limit="merging"))
        errors = tuple(
            coded(_naming(each, ast), ErrorCode.GRAPHQL_VALIDATION_FAILED) for each in found
        )
        syntax = Syntax(text, self._parse_again, ast)
        return Document(
            text,
            syntax,
            errors,
            incremental=syntax.whole is not ast,
            kinds=_kinds(ast),
            max_age=min([each.max_age for each in measured.values()], default=0),
            measured=measured,
            discreet=self._discreet,
            conditions=_conditions(ast) if "@" in text else (),
            tokens=tokens,
            in_items=in_items,
            beside=beside,
            not_null={} if errors else dict(self._not_null(ast)),
        )

    def _not_null(self, ast: DocumentNode) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield what `Document.not_null` has, of a valid document."""
        for each in ast.definitions:
            if (
                isinstance(each, OperationDefinitionNode)
                and each.operation is OperationType.MUTATION
                and (strict := strict_variables(self._schema, ast, each))
            ):
                yield each.name.value if each.name else "", strict

    def _parse(self, text: str) -> tuple[DocumentNode, int]:
        """Return the tree of a text, and the number of its tokens.

        Raises:
            GraphQLSyntaxError: it has none, or too many tokens.
        """
        source, most = Source(text, "GraphQL request"), self._meter.limits.tokens
        # graphql-core takes `{ }` by default, which is only a proposal (October 2021, 2.4).
        ast = parse(source, max_tokens=most, allow_empty_selection_sets=False)
        return ast, _untie(ast)

    def _parse_again(self, text: str) -> DocumentNode:
        """Return the tree of a text that was parsed before."""
        return self._items.mark(self._parse(text)[0])[0]

    def _validate(self, ast: DocumentNode) -> list[GraphQLError]:
        """Return what graphql-core's rules say against a document."""
        found = validate(
            self._schema, ast, _RULES, max_errors=_MOST_ERRORS, hide_suggestions=self._discreet
        )
        if self._discreet:
            # One rule suggests the client's own words, with a hint of what they are.
            for each in found:
                each.message = SUGGESTION.sub("", each.message)
        return found


def _refused(text: str, error: LimitExceeded) -> Document:
    return Document(text, None, (GraphQLError(error.message, extensions=error.extensions),))


def _untie(ast: DocumentNode) -> int:
    """Take the chain of tokens apart, and count them.

    Nothing needs the chain after parsing. It holds comments and all that no node points to; and as
    it leads both ways, what is dropped would stay until the collector comes around to it.
    """
    count = 0
    token = ast.loc.start_token if ast.loc else None
    while token is not None:
        count += 1
        following, token.prev, token.next = token.next, None, None
        token = following
    return count


def _kinds(ast: DocumentNode) -> dict[str, OperationType]:
    """Return the kinds of a document's operations by name; of equal names the first counts."""
    found: dict[str, OperationType] = {}
    for each in ast.definitions:
        if isinstance(each, OperationDefinitionNode):
            found.setdefault(each.name.value if each.name else "", each.operation)
    return found


def _conditions(ast: DocumentNode) -> tuple[str, ...]:
    """Return the names of the variables in @skip and @include, each once."""
    names: dict[str, None] = {}
    for node in walk(ast):
        if isinstance(node, DirectiveNode) and node.name.value in {"skip", "include"}:
            values = (argument.value for argument in node.arguments or ())
            names |= {each.name.value: None for each in values if isinstance(each, VariableNode)}
    return tuple(names)


def _naming(error: GraphQLError, ast: DocumentNode) -> GraphQLError:
    """Put the argument's name before what one of our scalars said of a literal value."""
    if not isinstance(error.original_error, ValueError) or not error.nodes:
        return error
    path = ".".join(_place(ast, error.nodes[0]) or ())
    message = f"{path}: {error.original_error}"
    return GraphQLError(message, nodes=error.nodes, extensions={"argument": path})


def _place(node: Node, value: Node) -> list[str] | None:
    """Return the names of the argument and input fields, or of the variable, around a value.

    None if it is not there.
    """
    if node is value:
        return []
    for each in children(node):
        inside = _place(each, value)
        if inside is not None:
            if isinstance(node, ArgumentNode | ObjectFieldNode):
                return [node.name.value, *inside]
            if isinstance(node, VariableDefinitionNode):
                return [f"${node.variable.name.value}", *inside]
            return inside
    return None


def coded(error: GraphQLError, code: ErrorCode) -> GraphQLError:
    """Return `error` with a code, unless it has one."""
    error.extensions = {"code": code, **(error.extensions or {})}
    if not isinstance(error.original_error, GatewayError):
        error.message = worded(error)
    error.message = name_digits(error.message)
    error.message = _USERINFO.sub("://…@", error.message)
    if len(error.message) > _LONGEST_MESSAGE:  # It repeats something that the client sent.
        error.message = f"{error.message[:_LONGEST_MESSAGE]}…"
    return error
