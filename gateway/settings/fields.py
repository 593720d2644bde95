"""PURE: what a setting is declared with, and how its value is taken from what stands somewhere.

Values come as text from variables, as TOML's types from a file, or as they are from the command
line. What is said of a wrong one may end up in a log, so it repeats no value.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import Field, field
from math import isinf
from pathlib import Path
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Final, Literal, NamedTuple, TypeGuard, TypeVar, Union, get_args, get_origin

from gateway.settings.secret import Secret

PREFIX: Final = "GATEWAY_"

_Value = TypeVar("_Value")
_YES: Final = frozenset({"true", "t", "yes", "y", "on", "1"})
_NO: Final = frozenset({"false", "f", "no", "n", "off", "0"})
_RULE: Final = "rule"


def listed(text: str) -> object:
    """Return a list that came as text: items with commas between, or JSON.

    Raises:
        ValueError: it begins as JSON, and is none.
    """
    if text.lstrip().startswith("["):
        try:
            return json.loads(text)
        except ValueError:
            raise ValueError("it begins as a JSON list, and is none") from None
    return [each.strip() for each in text.split(",") if each.strip()]


class Rule(NamedTuple):
    """What holds for a setting, beside its type and its default.

    Attributes:
        description: what it means, in sentences.
        variables: environment variables that set it, the strongest first, where these are not
            just its name in capitals after `PREFIX`; they may stand in the file as well.
        at_least: the least number that it may be.
        above: what it must be greater than.
        at_most: the greatest number that it may be.
        split: makes a list of a text.
        check: returns the value as it is kept; raises `ValueError` when it cannot be.
    """

    description: str
    variables: tuple[str, ...]
    at_least: float | None
    above: float | None
    at_most: float | None
    split: Callable[[str], object]
    check: Callable[[Any], object] | None


def setting(
    default: _Value,
    *,
    description: str,
    variables: tuple[str, ...] = (),
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    split: Callable[[str], object] = listed,
    check: Callable[[Any], object] | None = None,
) -> _Value:
    """Declare a setting as a field of a dataclass; see `Rule`."""
    rule = Rule(description, variables, ge, gt, le, split, check)
    return field(default=default, metadata=MappingProxyType({_RULE: rule}))


def rule_of(declared: "Field[Any]") -> Rule:
    """Return what holds for a setting."""
    rule: Rule = declared.metadata[_RULE]
    return rule


def variables_of(declared: "Field[Any]") -> tuple[str, ...]:
    """Return the environment variables that set it, the strongest first."""
    return rule_of(declared).variables or (f"{PREFIX}{declared.name.upper()}",)


def kind_of(declared: "Field[Any]") -> Any:  # noqa: ANN401 - any type
    """Return the type of a setting, of one that may be None the other."""
    if get_origin(declared.type) in {Union, UnionType}:
        return next(each for each in get_args(declared.type) if each is not NoneType)
    return declared.type


def taken(declared: "Field[Any]", value: object) -> Any:  # noqa: ANN401 - any type
    """Return what a setting is when `value` stands somewhere.

    Raises:
        ValueError: it cannot be that; what it says repeats nothing of the value.
    """
    kind, rule = kind_of(declared), rule_of(declared)
    if value is None and NoneType in get_args(declared.type):
        return None
    if get_origin(kind) is Literal:
        result = _chosen(value, get_args(kind))
    elif get_origin(kind) is tuple:
        result = _texts(rule.split(value) if isinstance(value, str) else value)
    else:
        result = _READERS[kind](value)
    if rule.at_least is not None and not result >= rule.at_least:
        raise ValueError(f"Input should be greater than or equal to {rule.at_least:g}")
    if rule.above is not None and not result > rule.above:
        raise ValueError(f"Input should be greater than {rule.above:g}")
    if rule.at_most is not None and not result <= rule.at_most:
        raise ValueError(f"Input should be less than or equal to {rule.at_most:.10g}")
    return result if rule.check is None else rule.check(result)


def _chosen(value: object, choices: tuple[Any, ...]) -> Any:  # noqa: ANN401 - as it is declared
    if value in choices:
        return value
    *others, last = map(repr, choices)
    raise ValueError(f"Input should be {', '.join(others)} or {last}")


def _texts(value: object) -> Any:  # noqa: ANN401 - as it is declared
    if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
        return tuple(value)
    raise ValueError("Input should be a list of texts")


def _text(value: object) -> str:
    if isinstance(value, str):
        # Bytes of the environment that are no UTF-8 come as surrogates, which can be sent nowhere.
        if not value.isascii() and any("\ud800" <= each <= "\udfff" for each in value):
            raise ValueError("Input should be text in UTF-8")
        return value
    raise ValueError("Input should be a valid string")


def _flag(value: object) -> bool:
    text = str(value).lower() if isinstance(value, str | int) else ""
    if text in _YES or text in _NO:
        return text in _YES
    raise ValueError("Input should be a valid boolean")


def _whole(value: object) -> int:
    if _is_numeric(value) and (not isinstance(value, float) or value.is_integer()):
        with suppress(ValueError):
            return int(value)
    raise ValueError("Input should be a valid integer")


def _number(value: object) -> float:
    if _is_numeric(value):
        with suppress(ValueError, OverflowError):
            number = float(value)
            if not isinf(number):
                return number
    raise ValueError("Input should be a valid number")


def _is_numeric(value: object) -> TypeGuard[str | float]:
    """Whether a value may be a number; Python also reads `true`, and the digits of all scripts."""
    if isinstance(value, str) and not value.isascii():
        raise ValueError("Input should be written with the digits 0 to 9")
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _path(value: object) -> Path:
    if isinstance(value, str | Path) and "\0" not in str(value):
        return Path(value)
    raise ValueError("Input is not a valid path")


def _secret(value: object) -> Secret:
    return value if isinstance(value, Secret) else Secret(_text(value))


_READERS: Final[dict[Any, Callable[[object], Any]]] = {
    str: _text,
    bool: _flag,
    int: _whole,
    float: _number,
    Path: _path,
    Secret: _secret,
}
