"""What stands between a gateway and its upstream, byte by byte: TLS, a way that takes time, an end.

with relay(sandbox.url, tls=server_context) as there, relay(there.url, delay=0.02) as far: …
"""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Relay:
    """A relay that listens.

    Attributes:
        url: where it listens; its host is `localhost`, and `https` with TLS.
        opened: how many connections it has taken.
        resumed: how many of them went on with an earlier TLS session.
        open: how many there are now.
    """

    url: str = ""
    opened: int = 0
    resumed: int = 0
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    @property
    def open(self) -> int:
        """How many connections there are now."""
        return len(self._writers)

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return urlsplit(self.url).port or 0

    def end_all(self) -> None:
        """End all connections, as a server does with those that nobody uses."""
        for each in list(self._writers):
            self._loop.call_soon_threadsafe(each.close)


@contextmanager
def relay(target: str, *, tls: ssl.SSLContext | None = None, delay: float = 0.0) -> Iterator[Relay]:
    """Relay connections to the host and port of a URL.

    Args:
        target: the URL.
        tls: what it is spoken to with; none for plain TCP, or what is in it.
        delay: seconds that each byte takes each way; a connection takes both ways to be made.
    """
    made, ready = Relay(), threading.Event()
    stop = asyncio.Event()

    async def serve() -> None:
        async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await _take(made, target, delay, reader, writer)

        server = await asyncio.start_server(take, "127.0.0.1", 0, ssl=tls)
        scheme = "http" if tls is None else "https"
        made.url = f"{scheme}://localhost:{server.sockets[0].getsockname()[1]}"
        ready.set()
        await stop.wait()
        server.close()
        for each in asyncio.all_tasks() - {asyncio.current_task()}:
            each.cancel()
        await asyncio.sleep(0.01)

    thread = threading.Thread(target=made._loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield made
    finally:
        made._loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        made._loop.close()


async def _take(
    made: Relay,
    target: str,
    delay: float,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    made.opened += 1
    made._writers.add(writer)
    encrypted = writer.get_extra_info("ssl_object")
    made.resumed += bool(encrypted is not None and encrypted.session_reused)
    parts = urlsplit(target)
    there: asyncio.StreamWriter | None = None
    try:
        back, there = await asyncio.open_connection(parts.hostname, parts.port)
        both = (_pass(reader, there, delay, 2 * delay), _pass(back, writer, delay, 0.0))
        ends = [asyncio.ensure_future(each) for each in both]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        broke = any(each.done() and each.exception() for each in ends)
        for each in ends:
            each.cancel()
        if broke:
            for side in (there, writer):
                side.transport.abort()
    except OSError:
        writer.transport.abort()
    finally:
        made._writers.discard(writer)
        writer.close()
        if there is not None:
            there.close()


async def _pass(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float, late: float
) -> None:
    """Pass bytes on until they end: each `delay` after it came, the first `late` more than that."""
    on_the_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    async def arrive() -> None:
        while True:
            at, data = await on_the_way.get()
            if at > loop.time():
                await asyncio.sleep(at - loop.time())
            if not data:
                return
            writer.write(data)
            await writer.drain()

    arriving = asyncio.ensure_future(arrive())
    not_before = loop.time() + late + delay
    try:
        while True:
            data = await reader.read(2**16)
            on_the_way.put_nowait((max(loop.time() + delay, not_before), data))
            if not data:
                break
        await arriving
    finally:
        arriving.cancel()
        with suppress(asyncio.CancelledError, OSError):
            await arriving
