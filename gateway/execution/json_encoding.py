"""PURE: responses as JSON."""

from collections.abc import Callable
from typing import Final

import msgspec

encode: Final[Callable[[object], bytes]] = msgspec.json.Encoder().encode
"""Returns a response, or a list of them, as JSON; projections are among what it may hold."""
