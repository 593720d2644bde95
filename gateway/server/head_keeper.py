"""Requests behind a head that is known.

Clients send the same head again and again, up to the length of the body. A head that was parsed and
let in is kept by its bytes, in memory alone and as long as there is room: a request that comes in
one piece behind the same bytes is not parsed.
"""

from typing import ClassVar, Final

from gateway.server.lean_http import LeanCycle, LeanProtocol
from gateway.transport.exchange import Heads

_HEAD_END: Final = b"\r\n\r\n"


class HeadKeeper(LeanProtocol):
    """A lean protocol that can begin a request by its kept head.

    Attributes:
        heads: by their bytes, for all connections.
    """

    heads: ClassVar[Heads[bytes]]
    __slots__ = ()

    def begin_whole(self, data: bytes) -> bool:
        """Begin a request that came in one piece behind a head that is kept; False for others.

        None may be under way, and nothing may have come of another.
        """
        end = data.find(_HEAD_END) + len(_HEAD_END)
        head = self.heads.get(data[:end])
        if head is None or self.endpoint is None or head.length != len(data) - end:
            return False
        self.cycle = self.running = cycle = LeanCycle(self, self.endpoint, head, data[end:])
        cycle.start()
        return True

    def keep_head(self, data: bytes) -> None:
        """Keep the head of the request that was begun, if that came in one piece, as `data`."""
        cycle, end = self.cycle, data.find(_HEAD_END) + len(_HEAD_END)
        if isinstance(cycle, LeanCycle) and _is_repeatable(cycle, data[end:]):
            self.heads.keep(data[:end], cycle.head)


def _is_repeatable(cycle: LeanCycle, body: bytes) -> bool:
    """Whether it has just begun, with this body, and another like it need not be parsed."""
    return (
        not cycle.response_complete
        and cycle.whole == body
        and cycle.keep_alive
        and cycle.head.length == len(body)
        and "transfer-encoding" not in cycle.head.headers
    )
