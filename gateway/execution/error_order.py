"""PURE: the order of errors in a response: that of the fields they are of, whichever failed first.

Fields of an object come in the order of the response or, where a null stands for the object, of the
document; elements of a list by their index. An error of a field comes before those below it.
"""

from collections.abc import Sequence

from graphql import GraphQLError


def in_order(
    errors: Sequence[GraphQLError], data: object, depth: int = 0
) -> Sequence[GraphQLError]:
    """Return errors in order.

    Args:
        errors: all below one place, without a path or with equal ones down to `depth`.
        data: what the response has there.
        depth: how many elements of their paths lead there.
    """
    if len(errors) < 2:  # noqa: PLR2004 - there is nothing to be put in order
        return errors
    ordered: list[GraphQLError] = []
    below: dict[str | int, list[GraphQLError]] = {}
    for error in errors:
        if error.path is None or len(error.path) <= depth:
            ordered.append(error)
        else:
            below.setdefault(error.path[depth], []).append(error)
    places = {name: place for place, name in enumerate(data)} if isinstance(data, dict) else {}
    for name in sorted(
        below,
        key=lambda name: (
            name if isinstance(name, int) else places.get(name, len(places)),
            min(map(_place, below[name])),
        ),
    ):
        ordered += in_order(below[name], _child(data, name), depth + 1)
    return ordered


def _place(error: GraphQLError) -> int:
    """Return where in the document the field of an error is."""
    return min(error.positions or (0,))


def _child(data: object, name: str | int) -> object:
    match data, name:
        case dict(), _:
            return data.get(name)
        case list(), int() if name < len(data):
            return data[name]
        case _:
            return None
