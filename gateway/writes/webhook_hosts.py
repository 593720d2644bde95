"""PURE: which hosts webhook URLs may name. The form of a URL is checked by the schema's scalar.

The upstream calls webhooks, not the gateway; but whoever may configure numbers should not be able
to make it call what is near the operator, nor send the operator's calls to strangers. Names are not
looked up here: what a name will point to when the upstream asks cannot be known.
"""

import ipaddress
import socket
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

# Names that never leave a local network. Sources: RFC 6761, 6762, 8375, 9476; ICANN for .internal,
# and for .corp, .home and .mail, which it will never delegate as networks use them.
_LOCAL_ENDINGS = (
    *(".localhost", ".localdomain", ".local", ".internal", ".home.arpa", ".lan", ".intranet"),
    *(".alt", ".corp", ".home", ".mail"),
)


class Webhooks(NamedTuple):
    """What is allowed.

    Attributes:
        hosts: patterns of hosts, `*.` in front for all names below one; empty for any.
        private: private, loopback and link-local addresses may be named.
    """

    hosts: tuple[str, ...]
    private: bool

    @classmethod
    def of(cls, hosts: Iterable[str], *, private: bool | None, production: bool) -> "Webhooks":
        """Return what is allowed; `private` is None where it depends on `production`."""
        return cls(
            tuple(host.lower() for host in hosts),
            not production if private is None else private,
        )

    def problem(self, given: Mapping[str, Any]) -> tuple[tuple[str, ...], str] | None:
        """Return the first setting whose URL is not allowed: its path, and what is wrong.

        Args:
            given: values by dotted path, for example `voice.url`.
        """
        for path, value in given.items():
            steps = tuple(path.split("."))
            if steps[-1].lower().endswith("url") and isinstance(value, str):
                wrong = self._wrong(value)
                if wrong:
                    return steps, wrong
        return None

    def _wrong(self, url: str) -> str:
        host = _host(url)
        if not self.private and _is_local(host):
            return "The URL names a private or local address, which is not allowed here."
        if self.hosts and not any(_matches(host, pattern) for pattern in self.hosts):
            return "The URL's host is not among those that are allowed here."
        return ""


def _host(url: str) -> str:
    """Return the host as resolvers read it: full-width digits and a last dot mean nothing."""
    return unicodedata.normalize("NFKC", urlsplit(url).hostname or "").lower().rstrip(".")


def _matches(host: str, pattern: str) -> bool:
    if pattern.startswith("*."):
        return host.endswith(pattern[1:])
    return host == pattern


def _is_local(host: str) -> bool:
    address = _address(host)
    if isinstance(address, ipaddress.IPv6Address) and (
        # `fec0::/10`, and what no network has been given but translators to IPv4 listen to:
        # `::a.b.c.d`, `::ffff:0:a.b.c.d`, `64:ff9b::a.b.c.d`.
        address.is_site_local or address.is_reserved
    ):
        return True
    if address is not None:
        return not address.is_global or address.is_multicast
    return "." not in host or host.endswith(_LOCAL_ENDINGS)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that a host is, in any of the ways to write one; None for a name."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        try:
            # Also `127.1`, `0x7f000001` and `2130706433`, which resolvers take for addresses.
            return ipaddress.IPv4Address(socket.inet_aton(host))
        except OSError:
            return None
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address.teredo:
            inner = address.teredo[1]
        return inner or address
    return address
