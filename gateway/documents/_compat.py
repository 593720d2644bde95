"""The parts of graphql-core and Strawberry that they do not document, and the words of their
messages, as far as this room needs them.

`tests/install/test_private_parts.py` asserts each of them.
"""

import re
from typing import Final

from graphql import GraphQLError, OverlappingFieldsCanBeMergedRule, ValidationContext

__all__ = [
    "SCALAR_REFUSED",
    "SHOWN_VALUE",
    "SUGGESTION",
    "MergingOnABudget",
    "has_too_many_tokens",
    "is_aborted",
    "name_digits",
]

SUGGESTION: Final = re.compile(r" Did you mean .*", re.DOTALL)
"""What graphql-core suggests, at the end of a message."""
SHOWN_VALUE: Final = re.compile(r": (?=[\[{])")
"""Behind this graphql-core shows a list or an object."""
SCALAR_REFUSED: Final = re.compile(
    r"Expected value of type '\w+', but encountered error .*", re.DOTALL
)
"""What graphql-core puts around the words of a scalar that refuses a value."""
_TOO_MANY_TOKENS: Final = "Syntax Error: Document contains more than"
_ABORTED: Final = "Validation aborted."
# Python's own words about an integer that it will not convert.
_DIGITS: Final = re.compile(r"Exceeds the limit \(\d+ digits\).*", re.DOTALL)


class MergingOnABudget(OverlappingFieldsCanBeMergedRule):
    """The rule about fields of one name, which compares all pairs of them, on a smaller budget.

    A document of a thousand tokens can ask for half a million comparisons. The budget lets 200
    fields of one name pass and is spent within some 20 ms.
    """

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self.rule_context.remaining_complexity_budget = 40_000


def is_aborted(error: GraphQLError) -> bool:
    """Whether a budget for validation was spent."""
    return error.message == _ABORTED


def has_too_many_tokens(error: GraphQLError) -> bool:
    """Whether the parser stopped at the number of tokens that it was given."""
    return error.message.startswith(_TOO_MANY_TOKENS)


def name_digits(message: str) -> str:
    """Return a message in which an integer with too many digits is refused in plain words."""
    return _DIGITS.sub("this number has too many digits.", message)
