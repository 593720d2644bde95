"""How much freed memory the process keeps, to use it again for the answers that come next.

glibc gives memory back to the system whenever 128 KiB are free at the end of its heap, and an
answer about fifty numbers is as large as that. So the memory of one answer would be handed back,
and be asked for again, page by page, for the next: a dozen page faults for each.
"""

import ctypes
import os
from typing import Final

# Options of mallopt(3) by their numbers in <malloc.h>, and the bytes that they are set to: what may
# be free at the end of the heap, and the size from which on a block is not part of it, but given
# back when it is freed. glibc would choose the second as blocks come, if the first were not set.
_TRIM_THRESHOLD: Final = (-1, 4 * 2**20)
_MMAP_THRESHOLD: Final = (-3, 2**20)
# What an operator says instead.
_OPERATORS: Final = frozenset(
    {"MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"}
)


def keep() -> None:
    """Keep up to 4 MiB from now on, where the C library can be told so, and nobody has yet."""
    if not _OPERATORS.isdisjoint(os.environ):
        return
    try:
        tell = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # It is glibc's own; Windows opens no `None`.
        return
    tell(*_TRIM_THRESHOLD)
    tell(*_MMAP_THRESHOLD)
