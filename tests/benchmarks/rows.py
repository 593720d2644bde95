"""What is measured: each row is one operation, asked of some servers in some way."""

from dataclasses import dataclass
from typing import Final

from tests.benchmarks.load import CONNECTIONS
from tests.benchmarks.operations import (
    JOURNAL,
    NESTED,
    NEVER_SEEN,
    PERSISTED,
    PURCHASE,
    SMALL,
    WIDE,
    Operation,
)
from tests.benchmarks.servers import (
    GATEWAY,
    GATEWAY_BY_MESSAGES,
    GATEWAY_OF_TWO,
    GATEWAY_ON_ASGI,
    HIVE,
    MERCURIUS,
    MERCURIUS_26,
    MERCURIUS_26_OF_TWO,
    MERCURIUS_OF_TWO,
    PEERS,
    PLAIN,
    Peer,
)


@dataclass(frozen=True)
class Row:
    """One operation under load from so many connections, and which servers are asked."""

    name: str
    operation: Operation
    peers: tuple[Peer, ...] = PEERS
    connections: int = CONNECTIONS


_FAST: Final = (GATEWAY, PLAIN, MERCURIUS, MERCURIUS_26)
_OF_TWO: Final = (GATEWAY_OF_TWO, MERCURIUS_OF_TWO, MERCURIUS_26_OF_TWO)

ROWS: Final = (
    Row("small", SMALL),
    Row("small-256", SMALL, _FAST, connections=256),
    Row("small-asgi", SMALL, (GATEWAY_ON_ASGI, PLAIN)),
    # What the one before spares: it sees that the server is uvicorn.
    Row("small-messages", SMALL, (GATEWAY_BY_MESSAGES, PLAIN)),
    # Each process has as many as the one of "small": fewer at a time are dearer each, in one as well.
    Row("small-two", SMALL, _OF_TWO, connections=2 * CONNECTIONS),
    Row("small-persisted", PERSISTED, (GATEWAY,)),
    Row("wide", WIDE),
    Row("nested", NESTED, tuple(peer for peer in PEERS if peer is not HIVE)),
    Row("purchase", PURCHASE, (GATEWAY, PLAIN)),
    Row("journal", JOURNAL, (PLAIN,)),
    # One connection: the time of an answer is what it costs, and nothing that waits in a queue;
    # the longest answer is as long as the loop was blocked, at least.
    *(
        Row(each.name, each, (GATEWAY, MERCURIUS, MERCURIUS_26), connections=1)
        for each in NEVER_SEEN
    ),
)
