"""What an operation will cost upstream, worked out from its text and variables before it runs.

The document is walked with the number of objects that each field can be reached with. Reads that
will turn out to be equal are counted once, as the request's reader will send them once. `least` and
`most` bound the calls of a run without faults; retries and look-ups after lost answers come on top.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLIncludeDirective,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLSkipDirective,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    get_named_type,
)
from graphql.execution.values import (
    VariableValues,
    get_argument_values,
    get_directive_values,
    get_variable_values,
)

from gateway import planner
from gateway.operations import Document
from schema.connection import decode_id

# List sizes that the operation does not say: upper bounds to plan with.
_MOST_COUNTRIES = 250
_MOST_SUBACCOUNTS = 1000

Fields: TypeAlias = GraphQLObjectType | GraphQLInterfaceType


class Times(NamedTuple):
    """How many objects a field is reached with, at least and at most."""

    least: int
    most: int

    def per(self, most: int) -> "Times":
        """Return how many there are below, with up to `most` for each; lists may be empty."""
        return Times(0, self.most * most)


_ONE = Times(1, 1)


@dataclass
class Step:
    """One kind of call: made for `field`, `least` to `most` times; `naive` without any sharing."""

    field: str
    call: str
    strategy: str
    least: int
    most: int
    naive: Times
    reason: str


@dataclass
class Place:
    """Where the walk is: path in the answer, how often, and what names the objects there."""

    path: str
    times: Times
    identity: tuple[object, ...]
    accounts: int = 1


@dataclass
class Plan:
    """The calls that an operation will make."""

    steps: list[Step] = field(default_factory=list)

    @property
    def least(self) -> int:
        """Fewest calls."""
        return sum(step.least for step in self.steps)

    @property
    def most(self) -> int:
        """Most calls."""
        return sum(step.most for step in self.steps)

    def report(self) -> dict[str, Any]:
        """Return the plan as clients get it in `extensions.plan`."""
        return {
            "calls": {"min": self.least, "max": self.most},
            "naive": {
                "min": sum(step.naive.least for step in self.steps),
                "max": sum(step.naive.most for step in self.steps),
            },
            "steps": [
                {
                    "field": step.field,
                    "call": step.call,
                    "strategy": step.strategy,
                    "min": step.least,
                    "max": step.most,
                    "reason": step.reason,
                }
                for step in self.steps
            ],
        }


def plan(
    schema: GraphQLSchema,
    document: Document,
    operation_name: str | None,
    variables: Mapping[str, Any],
    account: str,
    sizes: planner.Sizes,
) -> Plan:
    """Return what an operation will cost; an operation that cannot run costs nothing."""
    operation = document.operation(operation_name)
    if document.ast is None or document.errors or operation is None:
        return Plan()
    values = get_variable_values(schema, operation.variable_definitions or (), dict(variables))
    root = schema.get_root_type(operation.operation)
    if isinstance(values, list) or root is None:
        return Plan()
    walk = _Walk(schema, document, values, account, sizes)
    return walk.run(root, operation)


class _Walk:
    def __init__(
        self,
        schema: GraphQLSchema,
        document: Document,
        values: VariableValues,
        account: str,
        sizes: planner.Sizes,
    ) -> None:
        self._schema = schema
        self._values = values
        self._account = account
        self._sizes = sizes
        self._plan = Plan()
        self._seen: set[tuple[object, ...]] = set()
        self._keys: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
        self._fragments = {
            node.name.value: node
            for node in (document.ast.definitions if document.ast else ())
            if isinstance(node, FragmentDefinitionNode)
        }

    def run(self, root: GraphQLObjectType, operation: OperationDefinitionNode) -> Plan:
        self._selection(root, operation.selection_set, Place("", Times(1, 1), ()))
        for account, keys in self._keys.items():
            self._batch(account, len(keys))
        return self._plan

    def _selection(self, parent: Fields, selections: SelectionSetNode, place: Place) -> None:
        for node, kind in self._fields(parent, selections):
            name = node.name.value
            definition = kind.fields.get(name)
            if definition is None:
                continue  # __typename, __schema
            path = f"{place.path}.{name}" if place.path else name
            below = Place(path, place.times, (*place.identity, name), place.accounts)
            rule = _RULES.get(f"{kind.name}.{name}")
            if rule is not None:
                arguments = get_argument_values(definition, node, self._values)
                below = rule(self, place, path, arguments)
            inner = get_named_type(definition.type)
            if node.selection_set and isinstance(inner, Fields):
                self._selection(inner, node.selection_set, below)

    def _fields(
        self, parent: Fields, selections: SelectionSetNode
    ) -> Iterator[tuple[FieldNode, Fields]]:
        for node in selections.selections:
            if not self._included(node):
                continue
            if isinstance(node, FieldNode):
                yield node, parent
                continue
            fragment: FragmentDefinitionNode | InlineFragmentNode
            if isinstance(node, FragmentSpreadNode):
                fragment = self._fragments[node.name.value]
            elif isinstance(node, InlineFragmentNode):
                fragment = node
            condition = fragment.type_condition
            inner = self._schema.get_type(condition.name.value) if condition else parent
            if isinstance(inner, Fields):
                yield from self._fields(inner, fragment.selection_set)

    def _included(self, node: SelectionNode) -> bool:
        skip = get_directive_values(GraphQLSkipDirective, node, self._values)
        include = get_directive_values(GraphQLIncludeDirective, node, self._values)
        return not (skip and skip["if"]) and not (include and not include["if"])

    # Adding steps -----------------------------------------------------------------------------

    def read(
        self,
        place: Place,
        path: str,
        identity: tuple[object, ...],
        call: str,
        strategy: str,
        each: Times = _ONE,
        most: int | None = None,
        reason: str = "one call",
    ) -> None:
        """Add reads: `each` calls per object; those of equal `identity` are made once.

        `most` bounds the calls when many objects share them.
        """
        times = place.times
        naive = Times(times.least * each.least, times.most * each.most)
        if identity in self._seen:
            reason = "the same as an earlier read: shared"
            self._plan.steps.append(Step(path, call, "coalesced", 0, 0, naive, reason))
            return
        self._seen.add(identity)
        bound = naive.most if most is None else min(naive.most, most)
        least = min(naive.least, bound)
        self._plan.steps.append(Step(path, call, strategy, least, bound, naive, reason))

    def key(self, account: str, by: str, value: str) -> None:
        """Note a look-up of an owned number; all of one account are planned together."""
        self._keys[account].add((by, value))

    def write(self, path: str, call: str, items: int, *, reads: int = 0) -> None:
        """Add a write, and the look-ups that come before it."""
        every = Times(items * (1 + reads), items * (1 + reads))
        reason = "a write is sent once" + (", after the number is looked up" if reads else "")
        step = Step(path, call, "write", every.least, every.most, every, reason)
        self._plan.steps.append(step)

    def own(self, arguments: Mapping[str, Any], name: str = "accountSid") -> str:
        """Return the account that the arguments name."""
        value = arguments.get(name) or arguments.get("account_sid")
        return str(value) if value else self._account

    def _batch(self, account: str, keys: int) -> None:
        choice = planner.choose(keys, self._sizes.of(account))
        call = {"get": "GET one number", "list": "GET a page of 1000 numbers"}[choice.strategy]
        step = Step(
            "phoneNumber, node, nodes",
            call,
            choice.strategy,
            choice.least,
            choice.most,
            Times(keys, keys),
            choice.reason,
        )
        self._plan.steps.append(step)


Arguments: TypeAlias = Mapping[str, Any]
Rule: TypeAlias = Callable[[_Walk, Place, str, Arguments], Place]


def _frozen(value: object) -> str:
    return repr(value)


def _phone_number(walk: _Walk, _: Place, path: str, arguments: Arguments) -> Place:
    account = walk.own(arguments)
    by = "sid" if arguments.get("sid") else "number"
    value = str(arguments.get("sid") or arguments.get("phoneNumber"))
    walk.key(account, by, value)
    return Place(path, Times(0, 1), ("number", account, value))


def _nodes(walk: _Walk, place: Place, path: str, arguments: Arguments) -> Place:
    ids = arguments.get("ids") or [arguments.get("id")]
    accounts = set()
    for opaque in dict.fromkeys(map(str, ids)):
        node = decode_id(opaque)
        if node is None:
            continue
        accounts.add(node.account_sid)
        if node.kind == "PhoneNumber":
            walk.key(node.account_sid, "sid", node.sid)
        else:
            identity = ("account", node.account_sid)
            walk.read(place, path, identity, "GET the account", "get")
    times = Times(0, len(ids))
    return Place(path, times, ("nodes", _frozen(ids)), accounts=max(1, len(accounts)))


def _phone_numbers(walk: _Walk, place: Place, path: str, arguments: Arguments) -> Place:
    first = arguments["first"]
    identity = ("owned", place.identity, walk.own(arguments), _frozen(sorted(arguments.items())))
    walk.read(
        place,
        path,
        identity,
        "GET a page of owned numbers",
        "page",
        reason=f"one page of {first}; more if the upstream's pages are smaller",
    )
    return Place(path, place.times.per(first), identity)


def _available(walk: _Walk, place: Place, path: str, arguments: Arguments) -> Place:
    wanted = arguments.get("filter") or {}
    codes = (wanted.get("areaCode") or wanted.get("area_code") or [None]) if wanted else [None]
    kinds = arguments.get("types") or [arguments.get("type")]
    branches = len(set(codes)) * len(set(kinds))
    identity = ("search", place.identity, walk.own(arguments), _frozen(sorted(arguments.items())))
    walk.read(
        place,
        path,
        identity,
        "GET a search",
        "search",
        Times(branches, branches),
        reason=f"{branches} search(es); more when the upstream cuts a search off",
    )
    return Place(path, place.times.per(arguments["first"]), identity)


def _similar(walk: _Walk, place: Place, path: str, arguments: Arguments) -> Place:
    identity = ("similar", place.identity, _frozen(sorted(arguments.items())))
    walk.read(
        place,
        path,
        identity,
        "GET a search",
        "search",
        reason="one search per distinct place; numbers of one place share it",
    )
    return Place(path, place.times.per(arguments["first"]), identity)


def _account_of(walk: _Walk, place: Place, path: str, _: Arguments) -> Place:
    identity = ("account", place.identity)
    reason = "numbers of one account share it"
    walk.read(place, path, identity, "GET the account", "get", most=place.accounts, reason=reason)
    return Place(path, place.times, identity)


def _account(walk: _Walk, place: Place, path: str, arguments: Arguments) -> Place:
    identity = ("account", walk.own(arguments, "sid"))
    walk.read(place, path, identity, "GET the account", "get")
    return Place(path, Times(0, 1), identity)


def _subaccounts(walk: _Walk, place: Place, path: str, _: Arguments) -> Place:
    walk.read(place, path, ("accounts",), "GET the accounts", "page", most=1)
    return Place(path, place.times.per(_MOST_SUBACCOUNTS), (*place.identity, "subaccounts"))


def _countries(walk: _Walk, place: Place, path: str, _: Arguments) -> Place:
    walk.read(place, path, ("countries",), "GET the countries", "get")
    return Place(path, place.times.per(_MOST_COUNTRIES), ("countries",))


def _country(walk: _Walk, place: Place, path: str, arguments: Arguments) -> Place:
    identity = ("country", arguments["code"])
    walk.read(place, path, identity, "GET the country", "get")
    return Place(path, Times(0, 1), identity)


def _changes(walk: _Walk, place: Place, path: str, arguments: Arguments) -> Place:
    account = walk.own(arguments)
    reason = "one page, to see that they may be followed; nothing for the events themselves"
    walk.read(
        place, path, ("changes", account), "GET a page of owned numbers", "page", reason=reason
    )
    return Place(path, Times(0, 1), (*place.identity, path))


def _mutation(call: str, *, reads: int = 0) -> Rule:
    def rule(walk: _Walk, place: Place, path: str, arguments: Arguments) -> Place:
        wanted = arguments["input"]
        items = wanted.get("items", [wanted])
        walk.write(path, call, len(items), reads=reads)
        return Place(path, Times(0, len(items)), (*place.identity, path, len(walk._plan.steps)))  # noqa: SLF001

    return rule


_PURCHASE = _mutation("POST a purchase", reads=1)
_CHANGE = _mutation("POST a change", reads=1)
_TRANSFER = _mutation("POST a change")
_RELEASE = _mutation("DELETE the number", reads=1)
_RULES: Mapping[str, Rule] = {
    "Query.phoneNumber": _phone_number,
    "Query.phoneNumbers": _phone_numbers,
    "Query.availablePhoneNumbers": _available,
    "Query.countries": _countries,
    "Query.country": _country,
    "Query.account": _account,
    "Query.node": _nodes,
    "Query.nodes": _nodes,
    "Account.phoneNumbers": _phone_numbers,
    "Account.subaccounts": _subaccounts,
    "PhoneNumber.account": _account_of,
    "Subscription.phoneNumberChanged": _changes,
    "PhoneNumber.similarAvailable": _similar,
    "Country.availablePhoneNumbers": _available,
    "Mutation.purchasePhoneNumber": _PURCHASE,
    "Mutation.purchasePhoneNumbers": _PURCHASE,
    "Mutation.configurePhoneNumber": _CHANGE,
    "Mutation.configurePhoneNumbers": _CHANGE,
    "Mutation.transferPhoneNumber": _TRANSFER,
    "Mutation.transferPhoneNumbers": _TRANSFER,
    "Mutation.releasePhoneNumber": _RELEASE,
    "Mutation.releasePhoneNumbers": _RELEASE,
}
