"""Server-sent events of subscriptions, written on the connection itself."""

from typing import Final

import structlog

from gateway.server._compat import HttpProtocol
from gateway.server.beats import Beats
from gateway.transport import sse
from gateway.transport.exchange import Beginning, Kept, Stream, write_now

_CHUNKED: Final = b"transfer-encoding: chunked\r\n\r\n"
_log = structlog.get_logger(__name__)


class EventStream(sse.Told):
    """Server-sent events of a subscription on a connection.

    Until their end nothing runs for them but when something is told.
    """

    __slots__ = ("_beats", "_protocol", "_request_id")

    def __init__(
        self, protocol: HttpProtocol, beats: "Beats[EventStream]", stream: Stream, request_id: str
    ) -> None:
        super().__init__(stream.pending, stream.most_waiting, stream.send_timeout)
        self._protocol = protocol
        self._beats = beats
        self._request_id = request_id

    async def follow(self, begin: Beginning, kept: Kept, stream: Stream) -> bool:
        """Send the head, and what the subscription is told; whether all of it was sent."""
        protocol = self._protocol
        await protocol.drain()
        if protocol.is_gone:
            return False
        transport, more = protocol.transport, protocol.server_state.default_headers
        write_now(transport, kept, stream, more, _CHUNKED)
        self._beats.watch(self)
        try:
            member = await begin(self)
            del begin, stream
            try:
                await self.over
            finally:
                member.leave()
        finally:
            self.stop()
        if self._protocol.is_gone:
            return False
        transport.write(b"0\r\n\r\n")
        return True

    def beat(self) -> None:
        """Give a sign of life, as there was none for long."""
        if self.over.done():
            return
        if self.is_behind or not self.write(sse.SIGN_OF_LIFE):
            self._beats.watch(self)

    def stop(self) -> None:
        """Send no more."""
        self._beats.leave(self)
        super().stop()

    def write(self, content: bytes) -> bool:
        """See `Outflow`."""
        protocol = self._protocol
        if protocol.write_paused or protocol.is_gone:
            return False
        protocol.transport.write(b"%x\r\n%b\r\n" % (len(content), content))
        self._beats.watch(self)
        return True

    async def send(self, content: bytes) -> None:
        """See `Outflow`."""
        while not self.write(content):
            if self._protocol.is_gone:
                raise ConnectionResetError
            await self._protocol.drain()

    def failed(self, error: Exception) -> None:
        """See `Outflow`: a client that takes nothing is cut off."""
        if isinstance(error, TimeoutError):
            _log.warning("slow_client_cut_off", request_id=self._request_id)
        self._protocol.cut()
        self.gone()
