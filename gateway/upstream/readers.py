"""Makes the readers of requests: what all of them share, and a deadline for each."""

import time

from msgspec import Struct

from gateway.upstream.call import Credential
from gateway.upstream.call_budget import CallBudget
from gateway.upstream.call_trace import Trace
from gateway.upstream.client import UpstreamClient
from gateway.upstream.flights import Flights, Reader
from gateway.upstream.response_cache import ResponseCache


class Readers(Struct, frozen=True):
    """Readers that share their calls on the way and the answers that are kept.

    Attributes:
        client: makes the calls.
        flights: the calls on their way.
        cache: the answers that are kept.
        deadline: seconds that a request may take, all told.
    """

    client: UpstreamClient
    flights: Flights
    cache: ResponseCache
    deadline: float

    def make(
        self, credential: Credential, *, detailed: bool = False, calls: CallBudget | None = None
    ) -> Reader:
        """Return the reader of a request that begins now.

        Args:
            credential: as whom it asks.
            detailed: whether its trace remembers each call.
            calls: counts them; without it any number may be made.
        """
        now = time.monotonic()
        trace, deadline = Trace(now, detailed), now + self.deadline
        return Reader(self.client, self.flights, self.cache, credential, deadline, trace, calls)
