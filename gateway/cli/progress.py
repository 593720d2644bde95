"""Progress of work whose end is not known before: a line on the terminal that is kept current."""

import sys
import time
from typing import Final, TextIO

_WIDTH: Final = 20


class Progress:
    """Shows pages and numbers so far, and how fast they come; shows nothing without a terminal."""

    def __init__(self, numbers: int = 0, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._began = time.monotonic()
        self._pages = 0
        self._before = numbers
        self._numbers = numbers

    def page(self, numbers: int) -> None:
        """Count a page with so many numbers."""
        self._pages += 1
        self._numbers += numbers
        if self._stream.isatty():
            self._stream.write(f"\r{self._line()}")
            self._stream.flush()

    def end(self) -> None:
        """Leave the line as it is."""
        if self._pages and self._stream.isatty():
            self._stream.write("\n")

    def _line(self) -> str:
        seconds = max(time.monotonic() - self._began, 0.001)
        rate = (self._numbers - self._before) / seconds
        place = self._pages % _WIDTH
        bar = "".join("#" if each == place else "-" for each in range(_WIDTH))
        return f"[{bar}] {self._pages} pages, {self._numbers:,} numbers, {rate:,.0f}/s "
