"""Progress of work whose end is not known before.

On a terminal it is a line that is kept current; elsewhere a line every few seconds, so that work
that is soon done says nothing.
"""

import sys
import time
from typing import Final, TextIO

_WIDTH: Final = 20
# Seconds between two lines where there is no terminal.
_TELL: Final = 5.0


def counted(count: int, noun: str) -> str:
    """Return so many of something, as `1 page` and `2,000 numbers`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


class Progress:
    """Shows pages and numbers so far, and how fast they come."""

    def __init__(self, numbers: int = 0, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._began = time.monotonic()
        self._told = self._began
        self._pages = 0
        self._before = numbers
        self._numbers = numbers

    def page(self, numbers: int) -> None:
        """Count a page with so many numbers."""
        self._pages += 1
        self._numbers += numbers
        now = time.monotonic()
        if self._stream.isatty():
            self._stream.write(f"\r[{self._bar()}] {self._line()} ")
            self._stream.flush()
        elif now - self._told >= _TELL:
            self._told = now
            self._stream.write(f"{self._line()}\n")
            self._stream.flush()

    def end(self) -> None:
        """Leave the line as it is."""
        if self._pages and self._stream.isatty():
            self._stream.write("\n")

    def _line(self) -> str:
        seconds = max(time.monotonic() - self._began, 0.001)
        rate = (self._numbers - self._before) / seconds
        return f"{counted(self._pages, 'page')}, {counted(self._numbers, 'number')}, {rate:,.0f}/s"

    def _bar(self) -> str:
        place = self._pages % _WIDTH
        return "".join("#" if each == place else "-" for each in range(_WIDTH))
