"""What tests ask thousands of times: requests over connections that are kept, in a fifth of the time of `httpx`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from select import select
from typing import Final
from urllib.parse import urlsplit

_PATIENCE: Final = 60.0


class KeptConnections:
    """Connections to one server of this machine; several threads may ask at once."""

    def __init__(self, url: str) -> None:
        self._host = urlsplit(url).netloc
        self._idle: list[HTTPConnection] = []

    def ask(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        """Send a request; return the status and the body of the answer."""
        connection = self._connection()
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return answer.status, content

    def close(self) -> None:
        """Close those that are idle."""
        while self._idle:
            self._idle.pop().close()

    def _connection(self) -> HTTPConnection:
        while self._idle:
            connection = self._idle.pop()
            # What can be read before anything was asked is its end.
            if connection.sock is not None and not select([connection.sock], [], [], 0)[0]:
                return connection
            connection.close()
        return HTTPConnection(self._host, timeout=_PATIENCE)


@contextmanager
def kept_connections(url: str) -> Iterator[KeptConnections]:
    """Give connections to the server at `url`, and close them in the end."""
    kept = KeptConnections(url)
    try:
        yield kept
    finally:
        kept.close()
