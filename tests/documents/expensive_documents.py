"""Documents made to be expensive: each family aims at one part of reading a document."""

from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Final

BODY = 256 * 1024
TOKENS = 1000


def _filled(*pieces: str, tokens: int = TOKENS, around: tuple[str, str] = ("{", "}")) -> str:
    """Repeat `pieces` in turn while a document of so many tokens has room (one name each)."""
    before, after = around
    return before + " ".join(pieces[i % len(pieces)] for i in range(tokens - 10)) + after


def _chain(length: int, body: Callable[[int], str], last: str, on: str = "Query") -> str:
    """A chain of fragments; `body(i)` is fragment i, which may spread fragment i + 1."""
    fragments = [f"fragment f{i} on {on} {{ {body(i)} }}" for i in range(length)]
    return "{ ...f0 } " + " ".join(fragments) + f" fragment f{length} on {on} {{ {last} }}"


def _nested(opening: str, closing: str, leaf: str, depth: int) -> str:
    return "{" + opening * depth + leaf + closing * depth + "}"


def _pyramid(width: int, depth: int, leaf: str) -> str:
    """`width` equal fields, each with `width` equal fields, and so on: all of them merge."""
    inner = leaf
    for _ in range(depth):
        inner = " ".join(
            [f"account {{ subaccounts(first: 10) {{ nodes {{ {inner} }} }} }}"] * width
        )
    return "{" + inner + "}"


def _arguments(count: int) -> str:
    calls = " ".join(f'x: phoneNumber(sid: "PN{i}") {{ sid }}' for i in range(count))
    return "{" + calls + "}"


def _variables(count: int) -> str:
    declared = " ".join(f"$v{i}: ID" for i in range(count))
    return f"query q({declared}) {{ __typename }}"


def _operations(count: int) -> str:
    return (
        " ".join(f"query q{i} {{ ...f }}" for i in range(count))
        + " fragment f on Query { phoneNumbers { nodes { sid } } }"
    )


def _cross_spread(count: int) -> str:
    """Every fragment spreads at one place: all pairs of fragments have to be compared."""
    spreads = " ".join(f"...f{i}" for i in range(count))
    fragments = " ".join(f"fragment f{i} on Query {{ account {{ sid }} }}" for i in range(count))
    return f"{{ {spreads} }} {fragments}"


WORST: Final[Mapping[str, str]] = {
    # Reading characters.
    "long-comment": "#" * (BODY - 100) + "\n{ __typename }",
    "long-string": '{ phoneNumber(sid: "' + "a" * (BODY - 100) + '") { sid } }',
    "long-escapes": '{ phoneNumber(sid: "' + "\\u0041" * (BODY // 6 - 100) + '") { sid } }',
    "long-block-string": '{ phoneNumber(sid: """' + "a\n" * (BODY // 2 - 100) + '""") { sid } }',
    "long-name": "{ " + "a" * (BODY - 100) + " }",
    "long-number": "{ phoneNumbers(first: " + "9" * (BODY - 100) + ") { nodes { sid } } }",
    "commas": "{" + "," * (BODY - 100) + "__typename }",
    "newlines": "{" + "\n" * (BODY - 100) + "__typename }",
    "not-graphql": "\u2603" * (BODY // 3 - 100),
    "allowed-comment": "#" * 65_000 + "\n{ __typename }",
    "allowed-string": '{ phoneNumber(sid: "' + "a" * 65_000 + '") { sid } }',
    "allowed-escapes": '{ phoneNumber(sid: "' + "\\u0041" * 10_900 + '") { sid } }',
    # Tokens and nesting.
    "tokens": "{" + " ".join(f"a{i}" for i in range(60_000)) + "}",
    "deep-fields": _nested("account { ", "} ", "sid", 40_000),
    "deep-fields-allowed-tokens": _nested("account { ", "} ", "sid", 190),
    "deep-lists": "{ nodes(ids: " + "[" * 100_000 + "]" * 100_000 + ") { id } }",
    "deep-lists-allowed-tokens": "{ nodes(ids: " + "[" * 190 + "]" * 190 + ") { id } }",
    "deep-objects": "{ phoneNumbers(filter: "
    + "{a: " * 190
    + "1"
    + "}" * 190
    + ") { nodes { sid } } }",
    "deep-inline-fragments": _nested("... on Query { ", "} ", "__typename", 150),
    # Fragments.
    "doubling-fragments": _chain(80, lambda i: f"...f{i + 1} ...f{i + 1}", "__typename"),
    "doubling-fields": _chain(
        50, lambda i: f"account {{ ...f{i + 1} ...f{i + 1} }}", "sid", on="Account"
    ),
    "doubling-lists": _chain(
        40,
        lambda i: f"subaccounts {{ nodes {{ ...f{i + 1} }} edges {{ node {{ ...f{i + 1} }} }} }}",
        "sid",
        on="Account",
    ),
    "fragment-chain": _chain(120, lambda i: f"...f{i + 1}", "__typename"),
    "fragment-cycle": _chain(100, lambda i: f"...f{(i + 7) % 100} ...f{(i * 3) % 100}", "sid"),
    "fragment-cross-spread": _cross_spread(75),
    "unused-fragments": "{ __typename } "
    + " ".join(f"fragment f{i} on Query {{ __typename }}" for i in range(120)),
    # Merging of fields.
    "equal-fields": _filled("__typename"),
    "equal-known-fields": "{ account {" + "sid " * 980 + "} }",
    "equal-names-other-arguments": _arguments(85),
    "pyramid-3": _pyramid(3, 4, "sid"),
    "pyramid-6": _pyramid(6, 2, "sid sid sid sid"),
    "pyramid-12": _pyramid(14, 1, "sid " * 60),
    "inline-fragments-merging": "{ account {" + "... on Account { sid } " * 150 + "} }",
    # Errors and suggestions.
    "unknown-fields": _filled(*(f"phoneNumbes{i}" for i in range(990))),
    "unknown-types": "{ __typename } "
    + " ".join(f"fragment f{i} on PhoneNumberr{i} {{ sid }}" for i in range(130)),
    "unknown-arguments": "{"
    + " ".join(f"phoneNumber(phoneNumbr{i}: 1) {{ sid }}" for i in range(110))
    + "}",
    "unknown-directives": _filled(*(f"__typename @skp{i}" for i in range(330)), tokens=330),
    "unknown-enum-values": '{ availablePhoneNumbers(country: "US", types: ['
    + " ".join(f"LOCALL{i}" for i in range(900))
    + "]) { nodes { phoneNumber } } }",
    "unknown-variables": "{ nodes(ids: [" + " ".join(f"$v{i}" for i in range(480)) + "]) { id } }",
    "unused-variables": _variables(230),
    "many-operations": _operations(140),
    "many-operations-dear-to-who-owns-much": "".join(f"query q{i} {{ ...f }} " for i in range(140))
    + "fragment f on Query {"
    + " ".join(
        f"a{i}: phoneNumbers(first: 999) {{ nodes {{ account {{"
        " phoneNumbers(first: 999) { nodes { sid } } } } }"
        for i in range(3)
    )
    + "}",
    # Repetition.
    "aliases": "{" + " ".join(f"a{i}: __typename" for i in range(320)) + "}",
    "directives": "{ __typename " + "@skip(if: false) " * 160 + "}",
    "root-fields": _filled("__typename", "account{sid}", tokens=240),
    "big-page": "{ phoneNumbers(first: 1000) { nodes { similarAvailable(within: LATA, first: 1000)"
    " { nodes { phoneNumber } } } } }",
    # Introspection.
    "introspection-blowup": "{ __schema { types {"
    + " fields { type {" * 20
    + " name "
    + "} }" * 20
    + "} } }",
    "introspection-aliases": "{"
    + " ".join(f"a{i}: __schema {{ types {{ fields {{ name }} }} }}" for i in range(14))
    + "}",
    "introspection-wide": "{ __schema { types { "
    + "fields { args { type { name } } } " * 30
    + "} } }",
}


def mutations(seed: int, count: int) -> Iterator[str]:
    """Random documents out of the same pieces, of any shape that a grammar of them allows."""
    random = Random(seed)  # noqa: S311 - variety, not secrets
    for _ in range(count):
        yield _document(random)


def _document(random: Random) -> str:
    fragments = random.randint(0, 30)
    budget = [random.choice((50, 200, 600, 990))]
    parts = ["{" + _selection(random, fragments, random.randint(1, 12), budget) + "}"]
    for index in range(fragments):
        on = random.choice(("Query", "Account", "PhoneNumber", "PhoneNumberConnection", "Nope"))
        inner = _selection(random, fragments, random.randint(1, 4), budget)
        parts.append(f"fragment f{index} on {on} {{ {inner} }}")
    return " ".join(parts)


def _selection(random: Random, fragments: int, depth: int, budget: list[int]) -> str:
    out: list[str] = []
    for _ in range(random.randint(1, 12)):
        if budget[0] <= 0:
            break
        budget[0] -= 3
        alias = random.choice(("", "", "", "a: ", "b: "))
        name, arguments = random.choice(_FIELDS)
        if fragments and random.random() < 0.3:
            out.append(f"...f{random.randrange(fragments)}")
        elif depth and arguments is not None:
            inner = _selection(random, fragments, depth - 1, budget)
            out.append(f"{alias}{name}{arguments} {{ {inner} }}")
        else:
            out.append(f"{alias}{name}")
    return " ".join(out) or "__typename"


_FIELDS: Final = (
    ("account", ""),
    ("subaccounts", ""),
    ("phoneNumbers", "(first: 3)"),
    ("phoneNumbers", "(first: $n)"),
    ("nodes", ""),
    ("nodes", '(ids: ["a", "b"])'),
    ("edges", ""),
    ("node", ""),
    ("similarAvailable", "(within: LATA)"),
    ("capabilities", ""),
    ("voice", ""),
    ("sid", None),
    ("id", None),
    ("__typename", None),
    ("phoneNumber", None),
    ("phoneNumbr", None),
    ("__schema", ""),
    ("types", ""),
    ("fields", ""),
    ("type", ""),
    ("name", None),
)
