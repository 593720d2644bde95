"""PURE: a text that no log, traceback or page may show."""


class Secret:
    """Holds a text that is shown only to who asks for it by name; empty, it is false."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text."""
        return self._text

    def __bool__(self) -> bool:
        """Return whether there is a text."""
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        """Return whether another one holds the same text."""
        return self._text == other._text if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        """Return the hash of the text."""
        return hash(self._text)

    def __repr__(self) -> str:
        """Return as many stars for every text."""
        return "**********"
