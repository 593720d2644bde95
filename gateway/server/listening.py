"""Listening sockets: opened in one place, and closed without resetting accepted connections.

When a listening socket is closed, the system resets what waits there to be accepted, although its
clients are connected and may have sent a request. So a port is closed only while nobody waits.
"""

import ctypes
import errno
import select
import socket
import struct
import sys
import time
from contextlib import suppress
from typing import Final

from gateway.errors import CommandError

BACKLOG: Final = 2048
"""Connections that may wait to be accepted, where the system allows as many."""
# Of <asm-generic/socket.h>; the module `socket` does not have them.
_SO_ATTACH_FILTER: Final = 26
_SO_DETACH_FILTER: Final = 27
# A program of the classic Berkeley packet filter, over a TCP header: what begins a handshake (SYN
# without ACK) is dropped, all else passes. Each line is an operation, two jumps and a number.
_LINE: Final = struct.Struct("HBBI")
_NO_HANDSHAKES: Final = b"".join(
    _LINE.pack(*line)
    for line in (
        (0x30, 0, 0, 13),  # load the byte with the flags
        (0x54, 0, 0, 0x12),  # keep ACK and SYN
        (0x15, 0, 1, 0x02),  # SYN alone?
        (0x06, 0, 0, 0),  # drop
        (0x06, 0, 0, 2**32 - 1),  # pass
    )
)
# Seconds in which those who are turned away may read why.
_FAREWELL: Final = 0.5


def choose_port(host: str, port: int, option: str = "--port") -> tuple[str, int]:
    """Return the address and the port to share, which nobody has; nobody can connect to it yet.

    Args:
        host: an address, or the name of one.
        port: 0 for a free one.
        option: as in `listen`.

    Raises:
        CommandError: there is no such address, or the port is taken.
    """
    with _bound(host, port, option, shared=False) as chosen:
        address, port = chosen.getsockname()[:2]
        return str(address), int(port)


def listen(host: str, port: int, option: str = "--port", *, shared: bool = False) -> socket.socket:
    """Return a socket that listens.

    Args:
        host: an address, or the name of one.
        port: 0 for a free one.
        option: the command line's for the port, to say how to choose another.
        shared: whether others may listen on the same port, to share its connections.

    Raises:
        CommandError: there is no such address, or the port is taken.
    """
    listening = _bound(host, port, option, shared=shared)
    listen_again(listening)
    return listening


def _bound(host: str, port: int, option: str, *, shared: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    # Accepted connections inherit it; without it an answer may wait 40 ms for the client's ACK.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise CommandError(
                f"port {port} on {host} is taken: choose another with {option}"
            ) from None
        raise CommandError(f"cannot listen on {host} port {port}: {error.strerror}") from None
    return bound


def address(listening: socket.socket) -> str:
    """Return the URL at which a socket listens."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def stop(listening: socket.socket, *, last_call: bool = False, by_force: bool = False) -> bool:
    """Close the port, also for other processes that hold this socket, which itself stays.

    Args:
        listening: the socket.
        last_call: whether nobody else may begin to connect when this returns False, so that those
            who wait become fewer, however many try: who tries is refused a second later.
        by_force: whether to reset those who wait.

    Returns:
        False when that was not done, since somebody is connected and waits to be accepted.
    """
    _filter_handshakes(listening)
    if not by_force and _has_waiting(listening):
        if not last_call:
            _pass_handshakes(listening)
        return False
    with suppress(OSError):  # It was closed before.
        listening.shutdown(socket.SHUT_RDWR)
    _pass_handshakes(listening)
    return True


def listen_again(listening: socket.socket) -> None:
    """Open the port again after `stop`; nothing if it is open."""
    listening.listen(BACKLOG)


def _filter_handshakes(listening: socket.socket) -> None:
    """Let nobody begin to connect; whoever tries does so again after a second."""
    if sys.platform != "linux":
        return  # A connection may come in between looking and closing.
    program = ctypes.create_string_buffer(_NO_HANDSHAKES, len(_NO_HANDSHAKES))
    described = struct.pack("HP", len(_NO_HANDSHAKES) // _LINE.size, ctypes.addressof(program))
    with suppress(OSError):  # A system in a sandbox may know no filters.
        listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, described)


def _pass_handshakes(listening: socket.socket) -> None:
    if sys.platform == "linux":
        with suppress(OSError):
            listening.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)


def _has_waiting(listening: socket.socket) -> bool:
    """Whether somebody is connected and waits to be accepted."""
    poll = select.poll()
    poll.register(listening, select.POLLIN)
    return bool(poll.poll(0))


def turn_away(listening: socket.socket, answer: bytes) -> None:
    """Answer all who wait to be accepted, and close the port; nothing if it was closed before."""
    turned: list[socket.socket] = []
    with listening, suppress(OSError, ValueError):
        listening.settimeout(0)
        while not stop(listening):
            connection, _ = listening.accept()
            turned.append(connection)
            connection.settimeout(_FAREWELL)
            with suppress(OSError):
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)
    end = time.monotonic() + _FAREWELL
    for connection in turned:
        # Closed with something unread, it would be reset, and the answer with it.
        with connection, suppress(OSError):
            while (left := end - time.monotonic()) > 0:
                connection.settimeout(left)
                if not connection.recv(65_536):
                    break
