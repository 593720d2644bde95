"""Documents: parsed and validated once, then kept."""

from collections import OrderedDict
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
    Source,
    VariableNode,
    get_operation_ast,
    parse,
    specified_rules,
    validate,
)
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from gateway import hints
from gateway.directives import without_incremental
from gateway.projection import Projections

_RULES = (*specified_rules, OneOfInputValidationRule)


@dataclass(frozen=True, slots=True)
class Document:
    """A document that is ready to run, or the errors that keep it from running.

    Attributes:
        text: as the client sent it.
        ast: None when it cannot be parsed.
        errors: of syntax or validation, each with a code in its extensions.
        whole: `ast` without @defer and @stream, for clients that take one answer.
        max_age: how long answers may be kept, in seconds, by the schema's hints.
        conditions: variables that decide what is selected (in @skip and @include).
        projections: what the fast executor has compiled for it.
    """

    text: str
    ast: DocumentNode | None
    errors: tuple[GraphQLError, ...] = ()
    whole: DocumentNode | None = None
    max_age: int = 0
    conditions: tuple[str, ...] = ()
    projections: Projections = field(default_factory=Projections)

    @property
    def incremental(self) -> bool:
        """Whether it uses @defer or @stream."""
        return self.ast is not self.whole

    def operation(self, name: str | None) -> OperationDefinitionNode | None:
        """Return the operation that would run; None when the name does not choose one."""
        return get_operation_ast(self.ast, name) if self.ast is not None else None

    def kind(self, name: str | None) -> OperationType | None:
        """Return what the operation that would run is; None when the name does not choose one."""
        operation = self.operation(name)
        return operation.operation if operation is not None else None


class Documents:
    """Parses and validates documents, and keeps the most recent ones."""

    def __init__(self, schema: GraphQLSchema, *, most: int = 1000, max_tokens: int = 1000) -> None:
        self._schema = schema
        self._most = most
        self._max_tokens = max_tokens
        self._kept: OrderedDict[str, Document] = OrderedDict()

    def get(self, text: str) -> Document:
        """Return the document for a text, from memory when it was seen before."""
        document = self._kept.get(text)
        if document is not None:
            self._kept.move_to_end(text)
            return document
        document = self._prepare(text)
        self._kept[text] = document
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return document

    def _prepare(self, text: str) -> Document:
        try:
            ast = parse(Source(text, "GraphQL request"), max_tokens=self._max_tokens)
        except GraphQLSyntaxError as error:
            return Document(text, None, (coded(error, "GRAPHQL_PARSE_FAILED"),))
        errors = [_naming(error, ast) for error in validate(self._schema, ast, _RULES)]
        failures = tuple(coded(error, "GRAPHQL_VALIDATION_FAILED") for error in errors)
        return Document(
            text,
            ast,
            failures,
            whole=without_incremental(ast),
            max_age=0 if errors else hints.max_age(self._schema, ast),
            conditions=_conditions(ast),
        )


def _conditions(ast: DocumentNode) -> tuple[str, ...]:
    """Return the names of the variables in @skip and @include, each once."""
    names: dict[str, None] = {}
    pending: list[Node] = [ast]
    while pending:
        node = pending.pop()
        if isinstance(node, DirectiveNode) and node.name.value in {"skip", "include"}:
            values = (argument.value for argument in node.arguments or ())
            names |= {each.name.value: None for each in values if isinstance(each, VariableNode)}
        for key in node.keys:
            child = getattr(node, key)
            children = child if isinstance(child, tuple | list) else (child,)
            pending += [each for each in children if isinstance(each, Node)]
    return tuple(names)


def _naming(error: GraphQLError, ast: DocumentNode) -> GraphQLError:
    """Put the argument's name before what one of our scalars said of a literal value."""
    if not isinstance(error.original_error, ValueError) or not error.nodes:
        return error
    path = ".".join(_place(ast, error.nodes[0]) or ())
    message = f"{path}: {error.original_error}"
    return GraphQLError(message, nodes=error.nodes, extensions={"argument": path})


def _place(node: Node, value: Node) -> list[str] | None:
    """Return the names of the argument and input fields around a value; None if it is not there."""
    if node is value:
        return []
    for key in node.keys:
        child = getattr(node, key)
        for each in child if isinstance(child, tuple | list) else (child,):
            inside = _place(each, value) if isinstance(each, Node) else None
            if inside is not None:
                if isinstance(node, ArgumentNode | ObjectFieldNode):
                    return [node.name.value, *inside]
                return inside
    return None


def coded(error: GraphQLError, code: str) -> GraphQLError:
    """Return `error` with a code, unless it has one."""
    error.extensions = {"code": code, **(error.extensions or {})}
    return error
