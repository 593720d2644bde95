"""PURE: graphql-core's messages in the notation of GraphQL and JSON, without Python's."""

import ast
import json
import re

from graphql import GraphQLError

from gateway.documents._compat import SCALAR_REFUSED, SHOWN_VALUE

# A literal of GraphQL or JSON; one of Python; or one of Python's constants outside of both.
_NOTATION = re.compile(
    r'"""(?:.*?)"""|"(?:[^"\\]|\\.)*"|(?<!\w)\'(?:[^\'\\]|\\.)*\'|\b(?:None|True|False)\b',
    re.DOTALL,
)
# What graphql-core quotes as part of its sentence: names, and plain words.
_PLAIN = re.compile(r"'[^'\"\\]+'")
_CONSTANTS = {"None": "null", "True": "true", "False": "false"}


def worded(error: GraphQLError) -> str:
    """Return the message of an error of graphql-core's as clients shall read it."""
    message, refusal = error.message, _scalar_words(error)
    if refusal is not None:
        place = SCALAR_REFUSED.sub("", message)
        return message if place == message else _NOTATION.sub(_in_sentence, place) + refusal
    shown = SHOWN_VALUE.search(message)
    end = shown.end() if shown else len(message)
    sentence, value = message[:end], message[end:]
    return _NOTATION.sub(_in_sentence, sentence) + _NOTATION.sub(_as_json, value)


def _scalar_words(error: GraphQLError) -> str | None:
    """Return what one of our scalars said, if it is the reason for an error."""
    original: Exception | None = error
    while isinstance(original, GraphQLError):
        original = original.original_error
    return str(original) if isinstance(original, ValueError) else None


def _in_sentence(found: re.Match[str]) -> str:
    return found[0] if _PLAIN.fullmatch(found[0]) else _as_json(found)


def _as_json(found: re.Match[str]) -> str:
    text = found[0]
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text.startswith('"'):
        return text
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = text[1:-1]
    return json.dumps(value, ensure_ascii=False)
