"""PURE: patterns over phone numbers: as people type them, and where in a number they match.

Facts: `Contains` of the 2010-04-01 API. `*` is one digit and `%` any run of them; letters are
keypad digits; a leading `+` anchors the pattern at the start of the whole number, a trailing `$`
at its end. Patterns without `+` are looked for in the number without its country's code.
"""

import re
from typing import NamedTuple, Self

from gateway.mapping.numbering_plan import calling_code

_KEYPAD = str.maketrans("abcdefghijklmnopqrstuvwxyz", "22233344455566677778889999")
# What people group digits with: spaces, brackets, dots, slashes, and what looks like a dash.
_PUNCTUATION = re.compile("[ \u00a0\u2009\u202f()\\[\\]./\u2010-\u2015\u2212-]+")
_TRUNK = re.compile(r"1[2-9A-Za-z*][0-9A-Za-z*]{9}", re.ASCII)


def without_punctuation(typed: str) -> str:
    """Return a number, or part of one, without what people group its digits with."""
    return _PUNCTUATION.sub("", typed)


def normalized(typed: str, country: str) -> str:
    """Return a pattern as it is asked for: `(415) FLOWERS` becomes `415FLOWERS`.

    A whole number of North America that is written with its 1, as in `1-800-FLOWERS`, gets the `+`
    that was meant: no number there has eleven digits behind the country's code.
    """
    pattern = without_punctuation(typed)
    whole = _TRUNK.fullmatch(pattern) and calling_code(country) == 1
    return f"+{pattern}" if whole else pattern


def digits(text: str) -> str:
    """Return a text with its letters as the digits that they are on a keypad."""
    return text.lower().translate(_KEYPAD)


class PatternMatch(NamedTuple):
    """Where a number matches: `length` characters from `start`, the `+` counted."""

    start: int
    length: int


class Pattern(NamedTuple):
    """A pattern that can be looked for in numbers of a country.

    Attributes:
        expression: the pattern as a regular expression.
        prefix: what numbers begin with that it is not compared with.
        anchored: it stands for the beginning of a number.
    """

    expression: re.Pattern[str]
    prefix: str
    anchored: bool

    @classmethod
    def of(cls, pattern: str, country: str) -> Self:
        """Return a valid pattern, made ready to be looked for in numbers of a country."""
        anchored = pattern.startswith("+")
        # At the ends of a pattern that is not anchored there, `%` says nothing.
        body = pattern.rstrip("%") if anchored else pattern.strip("%")
        signs = {"*": "[0-9]", "%": "[0-9]*?", "+": r"\+", "$": r"\Z"}
        expression = "".join(signs.get(each, each) for each in digits(body))
        code = calling_code(country)
        prefix = "" if anchored or not code else f"+{code}"
        return cls(re.compile(expression), prefix, anchored)

    def match(self, number: str) -> PatternMatch | None:
        """Return the first place at which a number matches; None when it does not."""
        if not number.startswith(self.prefix):
            return None
        if self.anchored:
            found = self.expression.match(number)
        else:
            found = self.expression.search(number, len(self.prefix))
        return found and PatternMatch(found.start(), found.end() - found.start())
