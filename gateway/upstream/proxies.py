"""Where an API is, and which way leads there: directly, or through a proxy.

What programs take from the environment (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`) are settings here,
and are understood as curl does.
"""

from collections.abc import Iterator, Sequence
from ipaddress import ip_address, ip_network
from typing import NamedTuple
from urllib.parse import urlsplit

from msgspec import Struct

from gateway.settings.proxy_url import ProxyUrl, chosen_proxy
from gateway.settings.secret import Secret


class Origin(NamedTuple):
    """A base URL, taken apart once."""

    host: str
    port: int
    secure: bool
    path: str

    @classmethod
    def of(cls, url: str) -> "Origin":
        """Return the origin and path prefix of a base URL."""
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        host = parts.hostname or ""
        return cls(host, parts.port or (443 if secure else 80), secure, parts.path.rstrip("/"))

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        host, _, port = self.endpoint.rpartition(":")
        return host if self.port == (443 if self.secure else 80) else f"{host}:{port}"

    @property
    def endpoint(self) -> str:
        """Host and port, as a proxy is asked for them."""
        host = f"[{self.host}]" if ":" in self.host else self.host.encode("idna").decode()
        return f"{host}:{self.port}"


class RouteOptions(Struct, frozen=True):
    """Which proxies there are; see the settings of the same names."""

    proxy: Secret | None
    https_proxy: Secret | None
    http_proxy: Secret | None
    no_proxy: tuple[str, ...]


class Routes:
    """Tells which way leads to an origin."""

    def __init__(self, options: RouteOptions | None = None) -> None:
        self._secure = self._plain = None
        self._exceptions: tuple[_Exception, ...] = ()
        if options is not None:
            self._secure = chosen_proxy(options.proxy or options.https_proxy)
            self._plain = chosen_proxy(options.proxy or options.http_proxy)
            self._exceptions = tuple(_exceptions(options.no_proxy))

    def proxy(self, origin: Origin) -> ProxyUrl | None:
        """Return the proxy through which an origin is reached; None when it is none."""
        proxy = self._secure if origin.secure else self._plain
        if proxy is None or any(each.covers(origin) for each in self._exceptions):
            return None
        return proxy

    def way(self, origin: Origin) -> str:
        """Return which way leads to an origin, in words for operators, without a password."""
        proxy = self.proxy(origin)
        return "directly" if proxy is None else f"through the proxy {proxy}"


class _Exception(NamedTuple):
    """What is reached directly: a host with all below it, a network, or all; maybe at one port."""

    name: str
    port: int | None

    def covers(self, origin: Origin) -> bool:
        if self.port not in {None, origin.port}:
            return False
        host = origin.host.lower().rstrip(".")
        if self.name in {"*", host} or host.endswith(f".{self.name}"):
            return True
        try:
            return ip_address(host) in ip_network(self.name, strict=False)
        except ValueError:
            return False


def _exceptions(texts: Sequence[str]) -> Iterator[_Exception]:
    for text in texts:
        name, colon, port = text.rpartition(":")
        # Of an IPv6 address, what follows the last colon is a port only behind a bracket.
        has_port = bool(colon) and port.isdecimal() and (":" not in name or name.endswith("]"))
        name = (name if has_port else text).strip("[]").lower().rstrip(".")
        if name != "*":
            name = name.removeprefix("*").lstrip(".")
        if name:
            yield _Exception(name, int(port) if has_port else None)
