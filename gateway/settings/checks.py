"""PURE: what the text of a setting must be, beyond its type.

What these say may end up in a log, so none of them repeats a value.
"""

import encodings.idna  # noqa: F401 - encodes names of hosts; else loaded at the first
import re
from ipaddress import ip_network
from typing import Final
from urllib.parse import urlsplit

from gateway.settings.fields import listed
from gateway.settings.proxy_url import chosen_proxy
from gateway.settings.secret import Secret
from gateway.settings.store_url import StoreUrl
from gateway.settings.url_text import is_of_a_url, is_path

_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")


def header_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return names of headers in small letters.

    Raises:
        ValueError: one of them is none.
    """
    if not all(_HEADER.fullmatch(each) for each in names):
        raise ValueError("it must be names of headers, such as x-tenant")
    return tuple(each.lower() for each in names)


def networks(values: tuple[str, ...]) -> tuple[str, ...]:
    """Return addresses and networks as they are.

    Raises:
        ValueError: one of them is none.
    """
    for each in values:
        try:
            ip_network(each, strict=False)
        except ValueError:
            raise ValueError("it must be addresses or networks, such as 10.0.0.0/8") from None
    return values


def origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    """Return origins as browsers write them, each once.

    Raises:
        ValueError: one of them is none.
    """
    return tuple(dict.fromkeys(map(_origin, origins)))


def _origin(value: str) -> str:
    """Return an origin as browsers write it: in small letters, without the usual port."""
    origin = value.lower().removesuffix("/")
    if origin in {"*", "null"}:
        return origin
    if not _ORIGIN.fullmatch(origin):
        raise ValueError("it must be origins such as https://app.example:8443, without a path")
    for scheme, port in (("http", ":80"), ("https", ":443")):
        if origin.startswith(f"{scheme}://"):
            origin = origin.removesuffix(port)
    return origin


def http_url(value: str) -> str:
    """Return a URL of a server.

    Raises:
        ValueError: it is none.
    """
    if not _names_a_server(value):
        raise ValueError("it must be a URL that begins with http:// or https:// and names a host")
    if not _is_bare(value):
        raise ValueError(
            "it must be a base URL such as https://host.example:8443/path, without user, password,"
            " query, fragment, blanks and other characters that no URL has"
        )
    return value


def store_url(value: Secret) -> Secret:
    """Return a URL of a store.

    Raises:
        ValueError: it is none.
    """
    try:
        StoreUrl.parse(value.reveal())
    except ValueError:
        raise ValueError(
            "it must be a URL such as redis://host:6379, redis+sentinel://host:26379/service or"
            " redis+cluster://host:6379; in a password, characters like / @ : # are written with"
            " percent signs (%2F)"
        ) from None
    return value


def proxy_url(value: Secret) -> Secret:
    """Return a URL of a proxy, or what says that there is none.

    Raises:
        ValueError: it is none.
    """
    try:
        chosen_proxy(value)
    except ValueError:
        raise ValueError(
            "it must be a URL such as http://user:password@proxy.example:3128, with http or https;"
            " in user and password, characters like / @ : # are written with percent signs (%2F)"
        ) from None
    return value


def spaced(text: str) -> object:
    """Return a list that came as text: hosts with commas or spaces between, or JSON."""
    return listed(text) if '"' in text else text.replace(",", " ").split()


def _names_a_server(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # A port that is none is noticed only when it is asked for.
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _is_bare(url: str) -> bool:
    """Whether nothing is in it that no request would be made of, or that would break one."""
    parts = urlsplit(url)
    try:
        (parts.hostname or "").encode("idna")
    except UnicodeError:
        return False
    told = parts.username is not None or "?" in url or "#" in url
    return not told and is_of_a_url(url) and is_path(parts.path)
