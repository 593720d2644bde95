"""Which address a client has: that of its connection, or what a proxy in between says of it.

Anybody can send an `X-Forwarded-For` or a `Forwarded` (RFC 7239), so what it says counts only as
far as proxies that the operator trusts (`trusted_proxies`) have written it: it is read from its
end, where the nearest proxy adds whom it heard it from, until a name comes that is not a trusted
proxy's. Proxies write one of the two and pass the other on as it came, so only one is read: the one
that the operator names (`forwarded_header`), else `X-Forwarded-For` if there is one.
"""

import re
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

UNKNOWN: Final = "unknown"
"""The address of a client that has none, for example on a socket of this machine."""

current: ContextVar[str] = ContextVar("client_address", default=UNKNOWN)
"""The address of the client for whom the running code works."""

_LISTED: Final = "x-forwarded-for"
_STRUCTURED: Final = "forwarded"
_FOR: Final = re.compile(r'(?:^|;)[ \t]*for[ \t]*=[ \t]*("?)([^;"]*)\1[ \t]*(?:;|$)', re.IGNORECASE)
# What one subscriber of an internet provider is given: an address more costs it nothing.
_NETWORK_OF_ONE: Final = 64


class Addresses:
    """Tells clients' addresses.

    Args:
        trusted: addresses and networks of proxies whose word counts.
        header: the header that they write; None for `X-Forwarded-For`, or `Forwarded` without one.
    """

    def __init__(self, trusted: Iterable[str], header: str | None = None) -> None:
        self._trusted = [ip_network(each, strict=False) for each in trusted]
        self._headers = (_LISTED, _STRUCTURED) if header is None else (header,)

    def of(self, peer: str, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """Return the address of who sent a request, over a connection from `peer`."""
        if not self._trusted or not self._trusts(peer):
            return peer
        for each in self._hops(headers):
            address = _read(each)
            if address is None:
                break
            peer = str(address)
            if not self._trusts(peer):
                break
        return peer

    def _hops(self, headers: Iterable[tuple[bytes, bytes]]) -> Iterator[str]:
        """Yield whom each proxy says that it heard a request from, the nearest first."""
        for header in self._headers:
            name = header.encode()
            said = b",".join(value for each, value in headers if each == name).decode("latin-1")
            if said:
                listed = header == _LISTED
                return reversed(said.split(",")) if listed else map(_for, _elements(said))
        return iter(())

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


def _elements(text: str) -> Iterator[str]:
    """Yield the elements of a `Forwarded`, the last one first.

    What the client wrote stands before what a proxy has added: a quotation mark that it leaves open
    must not swallow that, so quotation marks are counted from the end.
    """
    end, quoted = len(text), False
    for place in range(len(text) - 1, -1, -1):
        if text[place] == '"':
            quoted = not quoted
        elif text[place] == "," and not quoted:
            yield text[place + 1 : end]
            end = place
    yield text[:end]


def _for(element: str) -> str:
    """Return the `for` of an element of a `Forwarded`; "" when it has none."""
    found = _FOR.search(element.strip())
    return found[2] if found else ""


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
