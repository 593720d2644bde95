"""Which address a client has: that of its connection, or what a proxy in between says of it.

Anybody can send an `X-Forwarded-For`, so what it says counts only as far as proxies that the
operator trusts (`trusted_proxies`) have written it: it is read from its end, where the nearest
proxy adds whom it heard it from, until a name comes that is not a trusted proxy's.
"""

from collections.abc import Iterable
from contextvars import ContextVar
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from starlette.types import Scope

UNKNOWN: Final = "unknown"
"""The address of a client that has none, for example on a socket of this machine."""

current: ContextVar[str] = ContextVar("client_address", default=UNKNOWN)
"""The address of the client for whom the running code works."""

_FORWARDED: Final = b"x-forwarded-for"
# What one subscriber of an internet provider is given: an address more costs it nothing.
_NETWORK_OF_ONE: Final = 64


class Addresses:
    """Tells clients' addresses.

    Args:
        trusted: addresses and networks of proxies whose word counts.
    """

    def __init__(self, trusted: Iterable[str]) -> None:
        self._trusted = [ip_network(each, strict=False) for each in trusted]

    def of(self, scope: Scope) -> str:
        """Return the address of who sent a request."""
        client = scope.get("client")
        peer = str(client[0]) if client else UNKNOWN
        if not self._trusted or not self._trusts(peer):
            return peer
        said = b",".join(value for name, value in scope["headers"] if name == _FORWARDED)
        for each in reversed(said.decode("latin-1").split(",")):
            address = _read(each)
            if address is None:
                break
            peer = str(address)
            if not self._trusts(peer):
                break
        return peer

    def _trusts(self, text: str) -> bool:
        address = _read(text)
        return address is not None and any(address in each for each in self._trusted)


@lru_cache(maxsize=4096)
def share_of(address: str) -> str:
    """Return the name under which an address has its share of something: for IPv6 its network."""
    read = _read(address)
    if not isinstance(read, IPv6Address):
        return address
    return str(ip_network((read, _NETWORK_OF_ONE), strict=False))


def current_share() -> str:
    """Return the name under which the client for whom this runs has its shares."""
    return share_of(current.get())


def _read(text: str) -> IPv4Address | IPv6Address | None:
    """Read an address, with or without a port; None when it is none."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
