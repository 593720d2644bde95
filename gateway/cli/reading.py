"""Files that commands read."""

import sys
from pathlib import Path

from gateway.errors import CommandError


def read_text(file: Path | None) -> str:
    """Return a file's text, or that of standard input for None, which a person is told.

    Raises:
        CommandError: it cannot be read.
    """
    name = "standard input" if file is None else str(file)
    if file is None and sys.stdin.isatty():
        sys.stderr.write("Type the operation; Ctrl-D at the beginning of a line ends it.\n")
    try:
        # In the locale C standard input would let through what is not UTF-8.
        return (sys.stdin.buffer.read() if file is None else file.read_bytes()).decode("utf-8")
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}", code=2) from None
    except UnicodeDecodeError:
        raise CommandError(f"{name} cannot be read: it is not UTF-8", code=2) from None
