"""PURE: what a search looked for, from which a number tells where it matches and how far it is."""

import math
from typing import NamedTuple, TypeAlias

from gateway.mapping.number_patterns import Pattern

Point: TypeAlias = tuple[float, float]
"""Latitude and longitude in degrees."""
_EARTH_RADIUS_MILES = 3958.8


class Sought(NamedTuple):
    """What a search looked for.

    Attributes:
        pattern: what its numbers contain, if that was said.
        origin: the point that they are near, if it is known.
    """

    pattern: Pattern | None
    origin: Point | None


def miles_between(one: Point, other: Point) -> float:
    """Return the great-circle distance of two points, in miles."""
    (here, _), (there, _) = points = [tuple(map(math.radians, each)) for each in (one, other)]
    across = math.sin((points[1][1] - points[0][1]) / 2) ** 2
    chord = math.sin((there - here) / 2) ** 2 + math.cos(here) * math.cos(there) * across
    return 2 * _EARTH_RADIUS_MILES * math.asin(math.sqrt(min(1.0, chord)))
