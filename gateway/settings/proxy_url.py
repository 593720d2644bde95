"""Where an HTTP proxy is, and what it is told of who asks: `http://user:password@host:port`.

`https` is a proxy that is itself spoken to over TLS. Without a scheme it is `http`, without a port
that of the scheme. User and password are percent-decoded. `direct` in its place is none at all.
"""

from base64 import b64encode
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit

from gateway.settings.secret import Secret
from gateway.settings.url_text import is_of_a_url

_DIRECT: Final = "direct"
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True)
class ProxyUrl:
    """A proxy. As text it is its URL without user and password.

    Attributes:
        host: its name or address.
        port: its port.
        is_encrypted: whether it is spoken to over TLS.
        authorization: value of the header `Proxy-Authorization`; "" for none.
    """

    host: str
    port: int
    is_encrypted: bool
    authorization: str = field(default="", repr=False)

    @classmethod
    def parse(cls, text: str) -> "ProxyUrl":
        """Take a URL apart.

        Raises:
            ValueError: it is none; what it says repeats nothing of the URL.
        """
        parts = urlsplit(text if "://" in text else f"http://{text}")
        if parts.scheme not in _PORTS:
            raise ValueError("its scheme is neither http nor https")
        try:
            host, port = (parts.hostname or "").encode("idna").decode(), parts.port
        except ValueError:
            raise ValueError("its host or port is none") from None
        if not host or port == 0:
            raise ValueError("it names no host, or no port")
        if parts.query or parts.fragment or not is_of_a_url(host):
            raise ValueError("it holds what no URL of a proxy has")
        return cls(
            host,
            port or _PORTS[parts.scheme],
            parts.scheme == "https",
            _basic(parts.username, parts.password),
        )

    @property
    def headers(self) -> dict[str, str]:
        """What it is told with a request."""
        return {"Proxy-Authorization": self.authorization} if self.authorization else {}

    @property
    def has_password(self) -> bool:
        """Whether it is told who asks."""
        return bool(self.authorization)

    def __str__(self) -> str:
        """Return its URL, without user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.is_encrypted else 'http'}://{host}:{self.port}"


def chosen_proxy(setting: Secret | None) -> ProxyUrl | None:
    """Return the proxy that a setting names; None when it names none, or says that there is none.

    Raises:
        ValueError: it is no URL of a proxy.
    """
    text = _DIRECT if setting is None else setting.reveal()
    return None if text == _DIRECT else ProxyUrl.parse(text)


def _basic(username: str | None, password: str | None) -> str:
    if username is None and password is None:
        return ""
    name, secret = unquote(username or ""), unquote(password or "")
    if ":" in name or not (name + secret).isprintable():
        raise ValueError("its user or password cannot be told by HTTP Basic")
    return f"Basic {b64encode(f'{name}:{secret}'.encode()).decode()}"
