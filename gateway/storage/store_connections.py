"""Connections to the shared store, whatever it is: a server, one behind sentinels, or a cluster.

Sentinels are asked where the primary is whenever a connection is made, and connections to a former
primary are dropped when it says that it is a replica now. In a cluster each command goes to the
server that has its key; scripts touch one key each, so that they have one server.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, Final, TypeAlias, cast

from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import SSLConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import (
    MasterNotFoundError,
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError

from gateway.settings.store_url import Place, StoreUrl
from gateway.storage._compat import is_password_refused, parse_url
from gateway.storage.store import Condition
from gateway.storage.store_servers import condition_of

_CONNECTIONS: Final = 64
_MOST_TRIES: Final = 10_000
Ask: TypeAlias = Callable[..., Awaitable[Any]]


class StoreConnections:
    """Connections of one process.

    Attributes:
        client: what commands are given to.
        patience: seconds after which a command has failed, whatever had to be found out for it.
        tells_what_is_missed: whether a connection for messages breaks when some may be missed.
        turn: to be held during a command: there are only so many connections.

    Raises:
        TypeError, ValueError: the URL has options that no connection has.
    """

    client: Any

    def __init__(self, url: StoreUrl, timeout: float) -> None:
        # One more try at once mends a connection that a restart of the server had broken.
        options: dict[str, Any] = {
            "socket_timeout": timeout,
            "socket_connect_timeout": timeout,
            "retry": Retry(NoBackoff(), 1),
            "protocol": 2,
        }
        self.turn: AbstractAsyncContextManager[object] = nullcontext()
        self.patience = 2 * timeout
        self.tells_what_is_missed = url.kind != "cluster"
        self._url = url
        self._timeout = timeout
        self._next = itertools.count()
        if url.kind == "cluster":
            # It waits for no connection, but fails when there are too many.
            self.turn = asyncio.Semaphore(_CONNECTIONS)
            self.patience += len(url.places) * timeout
            self.client = RedisCluster(
                startup_nodes=[ClusterNode(*each) for each in url.places],
                max_connections=_CONNECTIONS,
                # What has moved is looked for where it went. To learn everything anew, the library
                # would break off what is under way.
                reinitialize_steps=0,
                **_cluster_options(url) | options,
            )
        elif url.kind == "sentinel":
            self.patience += len(url.places) * timeout
            self.client = Redis.from_pool(_sentinel_pool(url, timeout, options))
        else:
            pool = BlockingConnectionPool.from_url(
                url.plain, max_connections=_CONNECTIONS, timeout=timeout, **options
            )
            # Options in the URL that no connection has are found out only by making one.
            pool.connection_class(**pool.connection_kwargs)
            self.client = Redis.from_pool(pool)

    def listener(self) -> Redis:
        """Return a client of its own for messages; of a cluster, of another server each time."""
        options: dict[str, Any] = {
            "socket_connect_timeout": self._timeout,
            "retry": Retry(NoBackoff(), 0),
            "protocol": 2,
        }
        if self._url.kind == "sentinel":
            return Redis.from_pool(_sentinel_pool(self._url, self._timeout, options))
        if self._url.kind == "server":
            return Redis.from_url(self._url.plain, **options)
        # Every server of a cluster passes messages on to all the others.
        known = [Place(each.host, each.port) for each in self.client.get_primaries()]
        places = known or self._url.places
        host, port = places[next(self._next) % len(places)]
        options |= {**parse_url(self._url.plain), "host": host, "port": port}
        return Redis.from_pool(BlockingConnectionPool(**options))

    async def mget(self, keys: list[str]) -> list[bytes | None]:
        """Return the values of several keys, wherever they are."""
        of_all = "mget_nonatomic" if isinstance(self.client, RedisCluster) else "mget"
        return cast("list[bytes | None]", await getattr(self.client, of_all)(keys))

    async def everywhere(self, name: str) -> list[str]:
        """Return keys that begin with `name`, one for each server that keeps something."""
        if not isinstance(self.client, RedisCluster):
            return [name]
        await self.client.initialize()
        keys: dict[str, str] = {}
        servers = {each.name for each in self.client.get_primaries()}
        for number in range(_MOST_TRIES):
            key = f"{name}:{number}"
            server = self.client.get_node_from_key(key)
            if server is not None:
                keys.setdefault(server.name, key)
            if keys.keys() >= servers:
                break
        return list(keys.values())

    async def conditions(self) -> list[Condition]:
        """Return how each server that keeps something is set up."""
        client = self.client
        if not isinstance(client, RedisCluster):
            # Behind sentinels the server is known once there is a connection to it.
            await client.ping()
            pool, named = client.connection_pool, client.connection_pool.connection_kwargs
            host, port = getattr(pool, "master_address", None) or (
                named.get("host", "localhost"),
                named.get("port", 6379),
            )
            name = named.get("path") or f"{host}:{port}"
            return [await condition_of(name, client.execute_command)]
        await client.initialize()
        return [
            await condition_of(each.name, _asking(client, each)) for each in client.get_primaries()
        ]

    async def aclose(self) -> None:
        """Close all of them."""
        await self.client.aclose()


class _SentinelPool(BlockingConnectionPool, SentinelConnectionPool):
    """Waits for a free connection, and makes connections to the primary that sentinels name."""

    async def aclose(self) -> None:
        """Close the connections, and those to the sentinels."""
        await super().aclose()
        await self.sentinel_manager.aclose()


class _Sentinels(Sentinel):
    """Sentinels whose failure is said in a sentence, without what the library keeps of them."""

    async def discover_master(self, service_name: str) -> Any:  # noqa: ANN401 - the library's
        try:
            return await super().discover_master(service_name)
        except MasterNotFoundError as error:
            if is_password_refused(error):
                raise AuthenticationError("The sentinels refuse the password.") from None
            message = f"No sentinel answers and knows a primary of {service_name!r}."
            raise MasterNotFoundError(message) from None


def _sentinel_pool(url: StoreUrl, timeout: float, options: dict[str, Any]) -> _SentinelPool:
    parsed: dict[str, Any] = dict(parse_url(url.plain))
    for each in ("host", "port", "connection_class"):
        parsed.pop(each, None)
    secure = {name: value for name, value in parsed.items() if name.startswith("ssl_")}
    sentinels = _Sentinels(  # type: ignore[no-untyped-call] # the library's own gap
        url.places,
        sentinel_kwargs={
            "username": url.sentinel_username or None,
            "password": url.sentinel_password or None,
            "socket_timeout": timeout,
            "socket_connect_timeout": timeout,
            "retry": Retry(NoBackoff(), 0),
            "protocol": 2,
            **({"ssl": True} | secure if url.is_encrypted else {}),
        },
    )
    kind = SentinelManagedSSLConnection if url.is_encrypted else SentinelManagedConnection
    pool = _SentinelPool(
        service_name=url.service,
        sentinel_manager=sentinels,
        connection_class=kind,
        max_connections=_CONNECTIONS,
        timeout=timeout,
        **parsed | options,
    )
    kind(**pool.connection_kwargs)  # type: ignore[no-untyped-call] # as above
    return pool


def _cluster_options(url: StoreUrl) -> dict[str, Any]:
    parsed: dict[str, Any] = dict(parse_url(url.plain))
    for each in ("host", "port", "db"):
        parsed.pop(each, None)
    parsed["ssl"] = parsed.pop("connection_class", None) is SSLConnection
    return parsed


def _asking(client: RedisCluster, server: ClusterNode) -> Ask:
    async def ask(*command: str) -> Any:  # noqa: ANN401 - whatever the command yields
        return await client.execute_command(*command, target_nodes=server)

    return ask
