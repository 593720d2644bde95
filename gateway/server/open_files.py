"""The open-files limit: what the process has, and what its connections need."""

import resource
from typing import TYPE_CHECKING, Final

from gateway.errors import CommandError

if TYPE_CHECKING:
    # It is asked for before they are loaded.
    from gateway.settings.model import Settings

# A client's connection is one; while it is answered, one to the upstream is another.
_OF_CONNECTION: Final = 2
# The port, the log, records, the store, libraries; and who asks for health beyond the limit.
_OF_PROCESS: Final = 100
# Of so few files half are needed for other things than connections.
_FEW: Final = 128
# With half of so few it would start, and let nobody in.
_LEAST: Final = 64


def allowed() -> int:
    """Return how many files this process may open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2**31 if soft == resource.RLIM_INFINITY else soft


def require() -> None:
    """Refuse to serve with hardly any.

    Raises:
        CommandError: what is open in any case would leave no file for a client.
    """
    if (may := allowed()) < _LEAST:
        raise CommandError(
            f"{may} open files are allowed, and at least {_LEAST} are needed: raise LimitNOFILE in"
            " the unit, or `ulimit -n` in a shell"
        )


def kept_back(may: int) -> int:
    """Return how many of `may` files clients do not get: upstream, store and records need them."""
    return min(256, may // 4) if may > _FEW else may // 2


def shortage(settings: "Settings") -> str | None:
    """Return what is to be set when the connections need more files than may be opened."""
    may, limit = allowed(), settings.connection_limit
    needed = limit * _OF_CONNECTION + _OF_PROCESS
    if may >= needed:
        return None
    fits = max(1, (may - _OF_PROCESS) // _OF_CONNECTION)
    return (
        f"{limit} connections need {needed} open files, and {may} are allowed: set"
        f" LimitNOFILE={_round(needed)} in the unit (`ulimit -n {_round(needed)}` in a shell), or"
        f" connection_limit={fits}."
    )


def _round(number: int) -> int:
    """Return the next power of two, which is easy to recognise in a unit."""
    return 1 << (number - 1).bit_length()
