"""`python -m gateway` and `number-gateway` are the command line."""

import sys

from gateway.server.leaving import hold


def run() -> int:
    """Run the command line and return the exit code."""
    hold()  # Until it is loaded, and can say how it was ended.
    from gateway.cli.main import main  # noqa: PLC0415

    return main()


if __name__ == "__main__":
    sys.exit(run())
