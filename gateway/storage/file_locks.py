"""Locks on open files: they end with the process that has them, however that dies.

Each is of whoever opened the file (`flock`), so two parts of one process keep each other out, too.
"""

from typing import Any, Final

fcntl: Any
try:
    import fcntl
except ImportError:  # pragma: no cover - Windows has no such locks
    fcntl = None

ARE_KNOWN: Final = fcntl is not None
"""Whether this system has such locks; where it has none, every lock is had at once."""


def try_lock(file: int) -> bool:
    """Lock an open file, by its descriptor, alone; False when somebody else has a lock on it."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lock_shared(file: int) -> None:
    """Lock an open file together with others who do so; wait for who has it alone."""
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_SH)
