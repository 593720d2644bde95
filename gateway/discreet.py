"""Objects that carry values, made in C: a third of the time of a class with an `__init__`."""

from msgspec import Struct


class Discreet(Struct, eq=False):
    """A structure that shows nothing of what it holds: that may be what a log must not have."""

    def __repr__(self) -> str:
        """Show the kind alone."""
        return f"<{type(self).__name__}>"
