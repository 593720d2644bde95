"""What a Redis or Valkey server says of itself: why it refuses, and how it is set up."""

import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from redis.exceptions import (
    AuthenticationError,
    AuthenticationWrongNumberOfArgsError,
    AuthorizationError,
    BusyLoadingError,
    ClusterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError

from gateway.storage.store import Cause, Condition

_KINDS: Final[tuple[tuple[tuple[type[Exception], ...], Cause], ...]] = (
    ((OutOfMemoryError,), "full"),
    ((ReadOnlyError,), "read-only"),
    ((BusyLoadingError,), "loading"),
    (
        (
            *(AuthenticationError, AuthorizationError, NoPermissionError),
            AuthenticationWrongNumberOfArgsError,
        ),
        "denied",
    ),
    ((ClusterDownError,), "unreachable"),
)
# First words of a refusal; older servers put those of a command in a script behind their own.
_CODES: Final[Mapping[str, Cause]] = {
    "OOM": "full",
    "READONLY": "read-only",
    "MISCONF": "not-persisting",
    "NOREPLICAS": "too-few-replicas",
    "LOADING": "loading",
    "NOAUTH": "denied",
    "WRONGPASS": "denied",
    "NOPERM": "denied",
    "CLUSTERDOWN": "unreachable",
    "MASTERDOWN": "unreachable",
}
_CODE: Final = re.compile(rf"\b({'|'.join(_CODES)})\b")


def cause_of(error: Exception) -> Cause:
    """Return why a server could not be used, by what the client library raised."""
    for kinds, cause in _KINDS:
        if isinstance(error, kinds):
            return cause
    if isinstance(error, RedisClusterException) and isinstance(error.__cause__, Exception):
        return cause_of(error.__cause__)
    if found := _CODE.search(str(error)):
        return _CODES[found[1]]
    unreachable = isinstance(error, (RedisConnectionError, RedisClusterException, OSError))
    return "unreachable" if unreachable else "failed"


async def condition_of(name: str, ask: Callable[..., Awaitable[Any]]) -> Condition:
    """Return how a server is set up; what it does not say, or may not be asked, stays unknown.

    Args:
        name: its address.
        ask: gives it a command.
    """
    began = time.time()
    seconds, microseconds = await ask("TIME")
    # It read its clock somewhere between the two times.
    ahead = seconds + microseconds / 1e6 - (began + time.time()) / 2
    try:
        info: Mapping[str, Any] = await ask("INFO")
    except ResponseError:
        info = {}
    config: dict[Any, Any] = {}
    for option in ("save", "appendfsync"):
        try:
            config |= await ask("CONFIG GET", option)
        except ResponseError:
            # Servers that are rented out often keep this command to themselves.
            break
    return describe(name, info, config, ahead)


def describe(
    server: str, info: Mapping[str, Any], config: Mapping[str, str], ahead: float
) -> Condition:
    """Return a server's condition from its answers to INFO and CONFIG GET."""
    return Condition(
        server,
        is_replica=info.get("role") == "slave",
        persistence=(
            "log"
            if info.get("aof_enabled") == 1
            else None
            if "aof_enabled" not in info or "save" not in config
            else "snapshots"
            if config["save"]
            else "none"
        ),
        fsync=config.get("appendfsync", ""),
        eviction=str(info.get("maxmemory_policy", "")),
        memory_limit=int(info.get("maxmemory", 0)),
        ahead=ahead,
    )
