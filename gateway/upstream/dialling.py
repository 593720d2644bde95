"""Makes connections to the upstream: TCP, a proxy's CONNECT where one is in between, and TLS.

Through a proxy both `https` and `http` upstreams are reached by CONNECT: so it stands before any
request whether there is a way, and what the proxy says is never taken for the upstream's answer.
"""

import asyncio
import concurrent.futures.thread  # noqa: F401 - looks up hosts; else loaded at the first
import re
import socket
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, TypeVar

from aiohappyeyeballs import start_connection

from gateway.settings.proxy_url import ProxyUrl
from gateway.upstream.proxies import Origin, Routes
from gateway.upstream.trust import Trust

_EYEBALLS_DELAY: Final = 0.25
_LARGEST_HEAD: Final = 64 * 1024
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] (\d{3})(?: [^\r\n]*)?\r?\n")
_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
# Seconds of silence after which the other side is asked for a sign of life, and between questions:
# what in between forgets connections (some after 4 minutes) sees that this one lives, and of one
# that is dead it is known before it is used.
_KEEP_ALIVE: Final = {"TCP_KEEPIDLE": 45, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 3}

# The first digit of a status that says yes.
_LED: Final = 2

Made = TypeVar("Made", bound=asyncio.Protocol)


class NotConnected(Exception):
    """The upstream could not be reached: nothing was sent. The text says why, for operators."""


class ProxyRefused(NotConnected):
    """The proxy in between answered, and does not lead to the upstream.

    Attributes:
        status: what it answered; None when that was no HTTP.
    """

    def __init__(self, proxy: ProxyUrl, status: int | None) -> None:
        said = _named(status)
        if status is not None and status // 100 == _LED:
            said += ", and spoke in the upstream's place"
        super().__init__(f"the proxy {proxy} answered {said}")
        self.status = status

    @property
    def is_final(self) -> bool:
        """Whether it says no to who asks, and will do so again."""
        return self.status is not None and self.status // 100 == 4  # noqa: PLR2004


class Dialler:
    """Makes connections.

    Args:
        patience: seconds for all that comes before the first request.
        routes: tell which way leads where.
        trust: whom to believe over TLS, and what to show.
    """

    def __init__(
        self, patience: float, routes: Routes | None = None, trust: Trust | None = None
    ) -> None:
        self.routes = routes or Routes()
        self.trust = trust or Trust()
        self._patience = patience

    async def dial(self, origin: Origin, make: Callable[[], Made]) -> Made:
        """Return a protocol, made by `make`, that is connected to an origin.

        Raises:
            NotConnected: it could not be reached.
        """
        proxy = self.routes.proxy(origin)
        try:
            async with asyncio.timeout(self._patience):
                if proxy is None:
                    return await self._dial(origin.host, origin.port, origin.secure, make)
                return await self._tunnel(proxy, origin, make)
        except TimeoutError:
            why = f"it took longer than {self._patience:g} s to connect"
        except (OSError, UnicodeError) as error:
            why = str(error)
        self.trust.forget(origin.host)
        way = "" if proxy is None else f"{self.routes.way(origin)}: "
        raise NotConnected(way + why)

    async def _dial(self, host: str, port: int, secure: bool, make: Callable[[], Made]) -> Made:  # noqa: FBT001 - as an origin has it
        loop = asyncio.get_running_loop()
        addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        plain = await start_connection(addresses, happy_eyeballs_delay=_EYEBALLS_DELAY)
        try:
            _stay_alive(plain)
            _, made = await loop.create_connection(
                make,
                sock=plain,
                ssl=self.trust.context if secure else None,
                server_hostname=host if secure else None,
            )
        except BaseException:
            plain.close()
            raise
        return made

    async def _tunnel(self, proxy: ProxyUrl, origin: Origin, make: Callable[[], Made]) -> Made:
        tunnel = await self._dial(
            proxy.host, proxy.port, proxy.is_encrypted, lambda: _Tunnel(proxy, origin)
        )
        transport = tunnel.transport
        try:
            await tunnel.led
            made = make()
            transport.set_protocol(made)
            made.connection_made(await self._end_of(transport, origin, made))
        except BaseException:
            transport.abort()
            raise
        return made

    async def _end_of(
        self, transport: asyncio.Transport, origin: Origin, protocol: asyncio.Protocol
    ) -> asyncio.Transport:
        """Return what to write to, for it to come to the upstream."""
        if not origin.secure:
            return transport
        encrypted = await asyncio.get_running_loop().start_tls(
            transport, protocol, self.trust.context, server_hostname=origin.host
        )
        if encrypted is None:
            raise ConnectionResetError("the connection ended")
        return encrypted


class _Tunnel(asyncio.Protocol):
    """Asks a proxy for the way to an origin, and is told once whether it leads there.

    Attributes:
        transport: to the proxy.
        led: is done when the way is there.
    """

    transport: asyncio.Transport

    def __init__(self, proxy: ProxyUrl, origin: Origin) -> None:
        self.led: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._proxy = proxy
        self._endpoint = origin.endpoint
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the way."""
        self.transport = transport  # type: ignore[assignment] # uvloop's derive from no common class
        head = f"CONNECT {self._endpoint} HTTP/1.1\r\nHost: {self._endpoint}\r\n"
        for name, value in self._proxy.headers.items():
            head += f"{name}: {value}\r\n"
        self.transport.write(f"{head}\r\n".encode("ascii"))

    def data_received(self, data: bytes) -> None:
        """Read what the proxy says; behind a yes nothing may come, for the upstream waits."""
        if self.led.done():
            return
        self._head += data
        end = _HEAD_END.search(self._head)
        if end is None and len(self._head) <= _LARGEST_HEAD:
            return
        line = _STATUS_LINE.match(self._head)
        status = int(line[1]) if line is not None and end is not None else None
        if status is None or status // 100 != _LED or end is None or end.end() < len(self._head):
            self._fail(ProxyRefused(self._proxy, status))
        else:
            self.led.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell that there will be no way."""
        if not self.led.done():
            self._fail(exc or ConnectionResetError("it ended the connection"))

    def _fail(self, error: Exception) -> None:
        self.led.set_exception(error)
        self.led.exception()  # Whoever asked may be gone.


def _named(status: int | None) -> str:
    """Return a status with its usual name: what the proxy calls it may be anything."""
    if status is None:
        return "something that is no HTTP"
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _stay_alive(connected: socket.socket) -> None:
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEP_ALIVE.items():
        if hasattr(socket, name):
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
