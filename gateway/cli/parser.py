"""The commands of the command line, a module each: `add` declares one to the parser.

Modules import at the top only what is light, because all of them are loaded for any command but
`serve`.
"""

import argparse
from typing import Any, Protocol


class Commands(Protocol):
    """What `argparse` has no public name for: where a parser's commands are declared."""

    def add_parser(self, name: str, **options: Any) -> argparse.ArgumentParser:  # noqa: ANN401
        """Declare a command and return its parser."""
