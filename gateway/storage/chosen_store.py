"""The store that the settings ask for: one that processes share, or one in the process."""

from collections.abc import Callable

from msgspec import Struct

from gateway.errors import CommandError
from gateway.settings.secret import Secret
from gateway.storage.store import MemoryStore, Store, StoreUnavailable


class StoreOptions(Struct, frozen=True):
    """Which store several processes share; see the settings of the same names."""

    store_url: Secret | None
    store_prefix: str
    store_timeout: float


def make_store(
    options: StoreOptions, failed: Callable[[StoreUnavailable], None] = lambda _: None
) -> Store:
    """Return the store that is asked for: shared, or in the process.

    Raises:
        CommandError: the URL has options that cannot be understood.
    """
    if options.store_url is None:
        return MemoryStore()
    # The library takes 8 MiB, which a process of its own need not have.
    from gateway.storage.redis import RedisStore  # noqa: PLC0415

    try:
        return RedisStore(
            options.store_url.reveal(),
            prefix=options.store_prefix,
            timeout=options.store_timeout,
            failed=failed,
        )
    except (TypeError, ValueError):
        # What went wrong may repeat a part of the URL, which may be a part of the password.
        raise CommandError("store_url: the server's name or the options cannot be used") from None
