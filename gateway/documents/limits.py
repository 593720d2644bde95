"""Limits on documents, kept before anything is validated or executed.

One pass over the document measures every operation. A fragment is measured once however often it is
spread, so the pass is linear in the document's size, while what it counts (depth, aliases,
directives, root fields, cost) is that of the document written out. Costs that hang on variables
become small expressions, computed again for each request; everything else is settled here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_introspection_query,
    parse,
    value_from_ast_untyped,
)
from msgspec import Struct

from gateway.documents.costs import Costs, FieldCost
from gateway.errors import LimitExceeded

# Sums are cut here: nobody needs to know by how much a document is too expensive.
_MOST = 10**12
_ALIASES_IN_PRODUCTION = 15
_ENDLESS = 2**62
# As many items of a list that is fanned out are counted; the field itself takes far fewer.
_WIDEST = 1000


class LimitOptions(Struct, frozen=True):
    """What an operation may be; see the settings of the same names."""

    production: bool
    depth_limit: int
    alias_limit: int | None
    directive_limit: int
    root_field_limit: int
    cost_limit: int
    token_limit: int
    document_limit: int
    introspection: bool | None


class Limits(NamedTuple):
    """What an operation may be; the defaults follow Apollo Router, GraphQL Armor and OWASP."""

    depth: int = 10
    aliases: int = 30
    directives: int = 8
    root_fields: int = 30
    cost: int = 2000
    tokens: int = 1000
    characters: int = 64 * 1024
    introspection: bool = True

    @classmethod
    def of(cls, options: LimitOptions) -> "Limits":
        """Return the limits that are asked for."""
        allowed, aliases = options.introspection, options.alias_limit
        by_mode = _ALIASES_IN_PRODUCTION if options.production else cls().aliases
        return cls(
            depth=options.depth_limit,
            aliases=by_mode if aliases is None else aliases,
            directives=options.directive_limit,
            root_fields=options.root_field_limit,
            cost=options.cost_limit,
            tokens=options.token_limit,
            characters=options.document_limit,
            introspection=not options.production if allowed is None else allowed,
        )


class Length(NamedTuple):
    """A list's length that only the variables tell.

    Attributes:
        variable: name of the variable.
        path: where in its value, for an input object.
        otherwise: the length when the variable says nothing; another variable may tell it.
        longest: what it is at most.
        listed: only a list tells it; a number is an item, not a length.
    """

    variable: str
    path: tuple[str, ...]
    otherwise: "Length | int"
    longest: int
    listed: bool = False


class Sum(Struct, frozen=True, eq=False):
    """A cost that hangs on variables: `constant` and each length times what one item costs."""

    constant: int
    terms: tuple[tuple[Length | int, "Cost"], ...]


Cost: TypeAlias = int | Sum
Lists: TypeAlias = Mapping[str, tuple[int, Cost]]


class Measure(NamedTuple):
    """What a selection set amounts to when it is written out.

    Attributes:
        depth: levels of fields.
        cost: of everything but `lists`.
        lists: per list field its usual length and what an item costs; the parent may know better.
        introspection: cost of the introspection in it, which has a limit of its own.
        scopes: sets of scopes, each of which the caller must have one of.
        max_age: for how many seconds its values hold.
    """

    depth: int = 0
    aliases: int = 0
    directives: int = 0
    fields: int = 0
    cost: Cost = 0
    lists: "Lists" = MappingProxyType({})
    introspection: Cost = 0
    scopes: frozenset[tuple[frozenset[str], ...]] = frozenset()
    max_age: int = _ENDLESS


class MeasuredOperation(Struct, frozen=True):
    """What is known of an operation before its variables are.

    Attributes:
        cost: a number, or an expression of the variables.
        defaults: values of variables that a request does not give.
        scopes: see `Measure`.
        introspection: objects of introspection that it yields besides.
        max_age: for how many seconds its answer holds, by the schema's hints.
    """

    cost: Cost
    defaults: Mapping[str, Any]
    scopes: frozenset[tuple[frozenset[str], ...]]
    introspection: int = 0
    max_age: int = 0

    def price(self, variables: Mapping[str, Any]) -> int:
        """Return the cost with these variables, which need not have been checked."""
        if isinstance(self.cost, int):
            return self.cost
        return _evaluate(self.cost, {**self.defaults, **variables}, {})


COUNTED: Final = ("Query.phoneNumbers", "Account.subaccounts", "Query.countries")
"""Lists of which a caller's own account has as many as it has, whatever is asked for."""
_NO_COUNTS: Final[Mapping[str, int]] = MappingProxyType({})
_NOTHING_OWNED: Final[Mapping[str, int]] = MappingProxyType(dict.fromkeys(COUNTED, 0))
_NOTHING = Measure()
_LEAF = Measure(depth=1, fields=1)
_INTROSPECTION = frozenset({"__schema", "__type"})


class Meter:
    """Measures documents of one schema against limits."""

    def __init__(self, schema: GraphQLSchema, limits: Limits) -> None:
        self.limits = limits
        self._costs = Costs(schema)
        # Introspection may cost what the usual query of tools costs: it needs no setting.
        usual = parse(get_introspection_query(specified_by_url=True, input_value_deprecation=True))
        pass_ = _Pass(self._costs, usual)
        measured = next(pass_.operations())[1]
        self._introspection = _evaluate(measured.introspection, {}, {})

    def read(self, document: DocumentNode) -> dict[str, MeasuredOperation]:
        """Return the document's operations by name ("" without one).

        Raises:
            LimitExceeded: one of them is too much, whatever its variables will be.
        """
        found: dict[str, MeasuredOperation] = {}
        least: list[Cost] = []
        for place, (node, measure) in enumerate(_Pass(self._costs, document).operations()):
            self._check(measure)
            defaults = _defaults(node)
            looks = _evaluate(measure.introspection, {}, {})
            max_age = measure.max_age if measure.max_age < _ENDLESS else 0
            operation = MeasuredOperation(measure.cost, defaults, measure.scopes, looks, max_age)
            if isinstance(operation.cost, int) and operation.cost > self.limits.cost:
                # With nothing of what is the caller's own, it is as cheap as it can be for anybody.
                if not least:
                    again = _Pass(self._costs, document, _NOTHING_OWNED)
                    least = [each.cost for _, each in again.operations()]
                if _evaluate(least[place], defaults, {}) > self.limits.cost:
                    # What it may yield is told as a plan tells it, which knows of nobody either.
                    self.check_cost(operation.cost)
            found[_name_of(node) or ""] = operation
        return found

    def check_length(self, text: str) -> None:
        """Refuse a text that is too long to be read at all.

        Raises:
            LimitExceeded: it is.
        """
        if len(text) > self.limits.characters:
            message = f"The document is longer than {self.limits.characters} characters."
            raise LimitExceeded(message, limit="characters", allowed=self.limits.characters)

    def check_cost(self, cost: int, what: str = "This operation") -> None:
        """Refuse a cost above the limit, of `what` at the beginning of a sentence.

        Raises:
            LimitExceeded: it is.
        """
        _check("cost", cost, self.limits.cost, f"{what} would yield up to {{}} objects")

    def count(
        self,
        document: DocumentNode,
        name: str | None,
        variables: Mapping[str, Any],
        counts: Mapping[str, int],
    ) -> int:
        """Return the cost of an operation where lists hold no more than is known of the caller.

        Args:
            document: a valid one.
            name: of the operation; None for the only one.
            variables: which need not have been checked.
            counts: how many there are of the caller's own, by type and field: `Query.countries`.
        """
        for node, measure in _Pass(self._costs, document, counts).operations():
            if name in {None, _name_of(node)}:
                defaults = _defaults(node)
                return _evaluate(measure.cost, {**defaults, **variables}, {})
        return 0

    def _check(self, measure: Measure) -> None:
        limits = self.limits
        looks = measure.introspection != 0
        if looks and not limits.introspection:
            raise LimitExceeded("Introspection is turned off.", limit="introspection")
        _check("depth", measure.depth, limits.depth, "This operation is {} levels deep")
        _check("aliases", measure.aliases, limits.aliases, "This operation has {} aliases")
        _check(
            "directives", measure.directives, limits.directives, "This operation has {} directives"
        )
        _check(
            "rootFields", measure.fields, limits.root_fields, "This operation has {} root fields"
        )
        if looks:
            cost = _evaluate(measure.introspection, {}, {})
            _check("introspection", cost, self._introspection, "This introspection costs {}")


def _check(limit: str, actual: int, allowed: int, sentence: str) -> None:
    if actual > allowed:
        message = f"{sentence.format(actual)}, {allowed} are allowed."
        raise LimitExceeded(message, limit=limit, allowed=allowed, actual=min(actual, _MOST))


def _defaults(node: OperationDefinitionNode) -> dict[str, Any]:
    return {
        each.variable.name.value: value_from_ast_untyped(each.default_value)
        for each in node.variable_definitions or ()
        if each.default_value is not None
    }


def _name_of(node: OperationDefinitionNode) -> str | None:
    return node.name.value if node.name else None


def _names_account(node: FieldNode) -> bool:
    """Whether a list may be another account's than the caller's own."""
    return any(each.name.value == "accountSid" for each in node.arguments or ())


class _Pass:
    """One pass over one document."""

    def __init__(
        self, costs: Costs, document: DocumentNode, counts: Mapping[str, int] = _NO_COUNTS
    ) -> None:
        self._costs = costs
        self._counts = counts
        self._fragments = {
            node.name.value: node
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }
        self._operations = [
            node for node in document.definitions if isinstance(node, OperationDefinitionNode)
        ]
        self._measured: dict[str, Measure] = {}

    def operations(self) -> Iterator[tuple[OperationDefinitionNode, Measure]]:
        """Yield each operation with its measure; fragments that nothing spreads are left out."""
        for node in self._operations:
            root = self._costs.roots.get(node.operation.value, "")
            self._measure_fragments(node.selection_set)
            whole = self._selections(node.selection_set, root)
            own = len(node.directives or ())
            cost = _add(whole.cost, _total(0, whole.lists.values()))
            yield node, whole._replace(directives=whole.directives + own, cost=cost, lists={})

    def _measure_fragments(self, start: SelectionSetNode) -> None:
        """Measure the fragments below `start`, innermost first.

        Without recursion, as chains of fragments can be as long as the document. A spread that
        closes a cycle counts as nothing: validation refuses the document.
        """
        path = [(_spreads(start), "")]
        entered: set[str] = set()
        while path:
            spreads, name = path[-1]
            inner = next(spreads, None)
            if inner is None:
                path.pop()
                if name:
                    node = self._fragments[name]
                    of = node.type_condition.name.value
                    self._measured[name] = self._selections(node.selection_set, of)
            elif inner in self._fragments and inner not in entered:
                entered.add(inner)
                if inner not in self._measured:
                    path.append((_spreads(self._fragments[inner].selection_set), inner))

    def _selections(self, node: SelectionSetNode, parent: str) -> Measure:
        """Measure a selection set; as deep as the parser lets a definition be."""
        parts: list[Measure] = []
        for selection in node.selections:
            marks = len(selection.directives or ())
            if isinstance(selection, FieldNode):
                parts.append(_marked(self._field(selection, parent), marks))
            elif isinstance(selection, InlineFragmentNode):
                condition = selection.type_condition
                of = condition.name.value if condition else parent
                inner = self._selections(selection.selection_set, of)
                parts.append(_marked(inner, marks))
            elif isinstance(selection, FragmentSpreadNode):
                inner = self._measured.get(selection.name.value, _NOTHING)
                parts.append(_marked(inner, marks))
        return _joined(parts)

    def _field(self, node: FieldNode, parent: str) -> Measure:
        name = node.name.value
        known = self._costs.of(parent, name)
        if node.alias is None and node.selection_set is None and known and known.is_free:
            return _LEAF
        below = _NOTHING
        if node.selection_set:
            below = self._selections(node.selection_set, known.named if known else "")
        count = self._counts.get(f"{parent}.{name}") if self._counts else None
        if count is not None and known is not None and not _names_account(node):
            known = known.counted(count)
        aliases = below.aliases + bool(node.alias)
        if known is None:  # `__typename`, or validation will refuse it.
            return Measure(below.depth + 1, aliases, below.directives, 1)
        looks = name in _INTROSPECTION
        each = _fanned(known, node, _add(known.weight, _below(known, node, below)))
        cost, lists = each, below.lists
        if not known.is_list:
            cost, lists = each, {}
        elif known.slicing and not known.sized:
            cost, lists = _total(0, [(_length(known, node), each)]), {}
        else:
            cost, lists = 0, {name: (known.assumed, each)}
        return Measure(
            # How deep introspection goes is bounded by its cost: the usual query is deep.
            depth=1 if looks else below.depth + 1,
            aliases=aliases,
            directives=below.directives,
            fields=1,
            cost=0 if looks else cost,
            lists=lists,
            introspection=_add(1, cost) if looks else below.introspection,
            scopes=below.scopes | {known.scopes} if known.scopes else below.scopes,
            max_age=below.max_age if known.max_age is None else min(known.max_age, below.max_age),
        )


def _spreads(start: SelectionSetNode) -> Iterator[str]:
    """Yield the names of the fragments that a selection set spreads, at any level of it."""
    stack: list[SelectionSetNode] = [start]
    while stack:
        for selection in stack.pop().selections:
            if isinstance(selection, FragmentSpreadNode):
                yield selection.name.value
            elif isinstance(selection, FieldNode | InlineFragmentNode) and selection.selection_set:
                stack.append(selection.selection_set)


def _joined(parts: Sequence[Measure]) -> Measure:
    """Return what several selections beside each other amount to."""
    if len(parts) == 1:
        return parts[0]
    depth = aliases = directives = fields = 0
    lists: dict[str, tuple[int, Cost]] = {}
    costs: list[tuple[int, Cost]] = []
    introspection: list[tuple[int, Cost]] = []
    scopes: frozenset[tuple[frozenset[str], ...]] = frozenset()
    max_age = _ENDLESS
    for each in parts:
        fields += each.fields
        depth = max(depth, each.depth)
        if each is _LEAF:
            continue
        aliases += each.aliases
        directives += each.directives
        for name, (assumed, cost) in each.lists.items():
            longest, others = lists.get(name, (assumed, 0))
            lists[name] = max(longest, assumed), _add(others, cost)
        costs.append((1, each.cost))
        introspection.append((1, each.introspection))
        scopes |= each.scopes
        max_age = min(max_age, each.max_age)
    return Measure(
        depth=depth,
        aliases=min(aliases, _MOST),
        directives=min(directives, _MOST),
        fields=min(fields, _MOST),
        cost=_total(0, costs),
        lists=lists,
        introspection=_total(0, introspection),
        scopes=scopes,
        max_age=max_age,
    )


def _marked(measure: Measure, directives: int) -> Measure:
    """Return `measure` with the directives of the selection itself."""
    if not directives:
        return measure
    return measure._replace(directives=measure.directives + directives)


def _below(known: FieldCost, node: FieldNode, below: Measure) -> Cost:
    """Return the cost of what one object of a field holds, its lists as long as they will be."""
    length = _length(known, node) if known.sized else 1
    return _total(
        0,
        [(1, below.cost)]
        + [
            (length if name in known.sized else assumed, cost)
            for name, (assumed, cost) in below.lists.items()
        ],
    )


def _length(known: FieldCost, node: FieldNode) -> Length | int:
    """Return how long a list will be by the field's arguments: the first that has a value."""
    length: Length | int = known.assumed
    for path, longest in reversed(known.slicing):
        value, rest = _given(node, path)
        default = known.slicing_defaults.get(path[0])
        otherwise = default if isinstance(default, int) else length
        match value:
            case VariableNode():
                length = Length(value.name.value, rest, otherwise, longest)
            case IntValueNode():
                length = min(max(int(value.value[:20]), 0), longest)
            case ListValueNode():
                length = min(len(value.values), longest)
            case _:
                length = otherwise
    return length


def _fanned(known: FieldCost, node: FieldNode, each: Cost) -> Cost:
    """Return the cost of a field that is asked for once for each combination of its lists."""
    lengths: list[Length | int] = []
    for path in known.fans:
        value, rest = _given(node, path)
        match value:
            case VariableNode():
                lengths.append(Length(value.name.value, rest, 1, _WIDEST, listed=True))
            case ListValueNode():
                lengths.append(min(len(value.values), _WIDEST))
    if lengths:
        each = _add(1, each)
    for length in lengths:
        each = _total(0, [(length, each)])
    return each


def _given(node: FieldNode, path: Sequence[str]) -> tuple[ValueNode | None, tuple[str, ...]]:
    """Return the value at a path of arguments, and what is left of the path within a variable."""
    first, *rest = path
    values = {each.name.value: each.value for each in node.arguments or ()}
    value: ValueNode | None = values.get(first)
    while rest and isinstance(value, ObjectValueNode):
        fields = {each.name.value: each.value for each in value.fields}
        value = fields.get(rest.pop(0))
    return value, tuple(rest)


def _add(one: Cost, other: Cost) -> Cost:
    return _total(0, [(1, one), (1, other)])


def _total(constant: int, terms: Iterable[tuple[Length | int, Cost]]) -> Cost:
    """Return `constant` and the products of `terms`, folded as far as they are known."""
    open_: list[tuple[Length | int, Cost]] = []
    for times, cost in terms:
        if isinstance(times, int) and isinstance(cost, int):
            constant += times * cost
        elif cost != 0 and times != 0:
            open_.append((times, cost))
    constant = min(constant, _MOST)
    if not open_:
        return constant
    if not constant and len(open_) == 1 and open_[0][0] == 1:
        return open_[0][1]
    return Sum(constant, tuple(open_))


def _evaluate(cost: Cost, variables: Mapping[str, Any], done: dict[Sum, int]) -> int:
    """Return what a cost comes to; `done` are sums that were met before, as fragments repeat."""
    if isinstance(cost, int):
        return cost
    if cost not in done:
        total = cost.constant
        for times, each in cost.terms:
            length = times if isinstance(times, int) else _told(times, variables)
            total += length * _evaluate(each, variables, done)
        done[cost] = min(total, _MOST)
    return done[cost]


def _told(length: Length, variables: Mapping[str, Any]) -> int:
    """Return the length that the variables tell."""
    value: Any = variables.get(length.variable)
    for step in length.path:
        value = value.get(step) if isinstance(value, dict) else None
    match value:
        case bool() | None:
            other = length.otherwise
            return other if isinstance(other, int) else _told(other, variables)
        case int() | float() if not length.listed:
            return int(min(max(value, 0), length.longest))
        case list():
            return min(len(value), length.longest)
    return 1
