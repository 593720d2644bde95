"""Where the shared store is, as one URL: a server, sentinels that know the primary, or a cluster.

    redis://[user:password@]host[:port][/database][?options]
    redis+sentinel://[user:password@]host[:port],host[:port]…/service[/database][?options]
    redis+cluster://[user:password@]host[:port],host[:port]…[?options]
    unix://[user:password@]/path[?options]

`rediss` instead of `redis` is TLS, `valkey` and `valkeys` are the same as these. User and password
are those of the servers that keep something; sentinels have their own in the options
`sentinel_username` and `sentinel_password`. All other options are the client library's.
"""

import re
from typing import Final, Literal, NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from gateway.settings.url_text import is_of_a_url

_SCHEME: Final = re.compile(r"(?:redis|valkey)(s?)(?:\+(sentinel|cluster))?", re.IGNORECASE)
_PORTS: Final = {"server": 6379, "sentinel": 26379, "cluster": 6379}
_FOR_SENTINELS: Final = "sentinel_"


class Place(NamedTuple):
    """A host and a port."""

    host: str
    port: int


class StoreUrl(NamedTuple):
    """A URL of the store, taken apart.

    Attributes:
        kind: what listens at `places`.
        is_encrypted: whether it is spoken to over TLS.
        places: where to begin; none for a socket of this machine.
        plain: a `redis`, `rediss` or `unix` URL with all that holds for each server that keeps
            something: the first place, user, password, database, options.
        service: by which sentinels know the primary; "" without sentinels.
        has_password: whether a password is used.
        sentinel_username, sentinel_password: for sentinels; "" for none.
    """

    kind: Literal["server", "sentinel", "cluster"]
    is_encrypted: bool
    places: tuple[Place, ...]
    plain: str
    service: str = ""
    has_password: bool = False
    sentinel_username: str = ""
    sentinel_password: str = ""

    @classmethod
    def parse(cls, text: str) -> "StoreUrl":
        """Take a URL apart.

        Raises:
            ValueError: it is none; what it says repeats nothing of the URL.
        """
        scheme, mark, rest = text.partition("://")
        if mark and scheme.lower() == "unix":
            return _unix(text)
        found = _SCHEME.fullmatch(scheme)
        if not mark or found is None:
            raise ValueError("its scheme is unknown")
        kind: Literal["server", "sentinel", "cluster"] = "server"
        if found[2] is not None:
            kind = "sentinel" if found[2].lower() == "sentinel" else "cluster"
        where, _, query = rest.partition("?")
        if "#" in rest:
            raise ValueError("a # must be written as %23")
        authority, _, path = where.partition("/")
        login, at, hosts = authority.rpartition("@")
        places = tuple(_place(each, _PORTS[kind]) for each in hosts.split(","))
        if kind == "server" and len(places) > 1:
            raise ValueError("it names several servers")
        service, database = "", path
        if kind == "sentinel":
            service, _, database = path.partition("/")
            if not service:
                raise ValueError("it does not name the service that the sentinels watch")
        database = database.removesuffix("/")
        if database and not (database.isascii() and database.isdecimal()):
            raise ValueError("its database is no number")
        if kind == "cluster" and database not in {"", "0"}:
            raise ValueError("a cluster has no databases")
        options = parse_qsl(query, keep_blank_values=True)
        own = {
            name: value
            for name, value in options
            if kind == "sentinel" and name in {"sentinel_username", "sentinel_password"}
        }
        others = urlencode([each for each in options if each[0] not in own])
        host = f"[{places[0].host}]" if ":" in places[0].host else places[0].host
        plain = (
            f"redis{found[1].lower()}://{login}{at}{host}:{places[0].port}/{database}"
            f"{'?' if others else ''}{others}"
        )
        return cls(
            kind,
            bool(found[1]),
            places,
            plain,
            unquote(service),
            bool(login.partition(":")[2]) or "password" in dict(options),
            own.get("sentinel_username", ""),
            own.get("sentinel_password", ""),
        )


def _place(text: str, port: int) -> Place:
    parts = urlsplit(f"//{text}")
    if not parts.hostname or parts.port == 0 or "@" in text or not is_of_a_url(text):
        raise ValueError("it does not name a host")
    return Place(parts.hostname, parts.port or port)


def _unix(text: str) -> StoreUrl:
    parts = urlsplit(text)
    if not parts.path:
        raise ValueError("it does not name a socket")
    return StoreUrl("server", False, (), text, has_password=bool(parts.password))  # noqa: FBT003
