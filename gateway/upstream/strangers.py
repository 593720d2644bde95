"""Upstream calls with credentials not proven lately: bounded, and apart from proven ones.

Whoever makes up a credential names an account that may be somebody else's. Such calls therefore
take no slot of that account, but one of a few that all strangers share: half of them at most for
one client address, and half of these for one credential. As soon as a credential is accepted, what
waits under it goes to the account's own slots; as soon as it is refused, what waits under it is
refused as well.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from typing import NamedTuple, TypeAlias

from gateway.errors import SOME_TIME, UpstreamDenied, UpstreamError, UpstreamThrottled

# Credentials that may wait at once. Each holds a client's connection.
_MOST_WAITING = 200


class _Turn(NamedTuple):
    """A call that waits.

    Attributes:
        account: the account that it names.
        comes: True when a slot is free; False when the credential was accepted for the account
            meanwhile; or the error that ends the waiting.
    """

    account: str
    comes: asyncio.Future[bool | UpstreamError]


_Queues: TypeAlias = OrderedDict[str, deque[_Turn]]
"""What waits by the name of its credential, the newest last."""


class Strangers:
    """Their slots.

    Addresses take turns. Of the credentials of one address the newest is served first: when there
    are more than can be served, those that came first have given up before they would be.

    Args:
        slots: how many calls may run at once.
        each: how many calls of one credential may, at most.
        most: how many credentials may wait; of more, the oldest of the address with most of them
            is told to come back.

    Attributes:
        running: how many calls do run.
    """

    def __init__(self, slots: int, each: int, most: int = _MOST_WAITING) -> None:
        self.slots = slots
        self.running = 0
        self._of_address = max(1, slots // 2)
        self._of_credential = max(1, min(slots // 4, each))
        self._most = most
        self._running: Counter[str | tuple[str, str]] = Counter()
        self._waiting: OrderedDict[str, _Queues] = OrderedDict()

    @property
    def waiting(self) -> int:
        """How many calls wait for a slot."""
        return sum(len(turns) for queues in self._waiting.values() for turns in queues.values())

    async def enter(self, address: str, credential: str, account: str) -> bool:
        """Wait for a slot.

        Args:
            address: the client's.
            credential: its one-way name.
            account: the account that the call names.

        Returns:
            False when no slot was taken, as the credential is not a stranger's any more.

        Raises:
            UpstreamDenied: meanwhile the upstream did not accept the credential.
            UpstreamThrottled: too many waited.
        """
        if self._is_free(address, credential):
            self._take(address, credential)
            return True
        turn = _Turn(account, asyncio.get_running_loop().create_future())
        queues = self._waiting.setdefault(address, OrderedDict())
        queues.setdefault(credential, deque()).append(turn)
        self._limit()
        try:
            comes = await turn.comes
        except asyncio.CancelledError:
            if turn.comes.done() and not turn.comes.cancelled() and turn.comes.result() is True:
                # The slot was handed over in the same moment: pass it on.
                self.leave(address, credential)
            else:
                self._forget(address, credential, turn)
            raise
        if isinstance(comes, UpstreamError):
            raise comes
        return comes

    def leave(self, address: str, credential: str) -> None:
        """Give a slot back."""
        self.running -= 1
        for share in (address, (address, credential)):
            self._running[share] -= 1
            if not self._running[share]:
                del self._running[share]
        self._wake()

    def accept(self, credential: str, account: str) -> None:
        """Let go what waits under a credential: it is accepted for the account."""
        for turn in self._pop(credential, account):
            turn.comes.set_result(False)

    def refuse(self, credential: str, account: str, refusal: UpstreamDenied) -> None:
        """Refuse what waits under a credential: it is not accepted for the account."""
        for turn in self._pop(credential, account):
            turn.comes.set_result(refusal.reworded(refusal.message))

    def _is_free(self, address: str, credential: str) -> bool:
        return (
            self.running < self.slots
            and self._running[address] < self._of_address
            and self._running[address, credential] < self._of_credential
        )

    def _take(self, address: str, credential: str) -> None:
        self.running += 1
        self._running[address] += 1
        self._running[address, credential] += 1

    def _limit(self) -> None:
        if sum(map(len, self._waiting.values())) <= self._most:
            return
        crowded = max(self._waiting, key=lambda address: len(self._waiting[address]))
        oldest, turns = next(iter(self._waiting[crowded].items()))
        self._keep(crowded, oldest, [])
        for turn in turns:
            if not turn.comes.done():
                turn.comes.set_result(too_many())

    def _wake(self) -> None:
        """Hand free slots over."""
        for address in list(self._waiting):
            if self.running >= self.slots:
                return
            for credential in list(reversed(self._waiting[address])):
                if self._is_free(address, credential) and self._start_one(address, credential):
                    break

    def _start_one(self, address: str, credential: str) -> bool:
        """Hand a slot to what has waited longest under a credential; False when all is over."""
        turns = self._waiting[address][credential]
        started = False
        while turns and not started:
            turn = turns.popleft()
            if not turn.comes.done():
                self._take(address, credential)
                turn.comes.set_result(True)
                started = True
        self._waiting.move_to_end(address)
        if not turns:
            self._keep(address, credential, [])
        return started

    def _pop(self, credential: str, account: str) -> list[_Turn]:
        """Take out, and return, what waits under a credential for an account."""
        found: list[_Turn] = []
        for address, queues in list(self._waiting.items()):
            turns = queues.get(credential, ())
            found += (turn for turn in turns if turn.account == account and not turn.comes.done())
            self._keep(address, credential, [each for each in turns if each.account != account])
        return found

    def _forget(self, address: str, credential: str, gone: _Turn) -> None:
        queues = self._waiting.get(address)
        turns = queues.get(credential, ()) if queues else ()
        self._keep(address, credential, [each for each in turns if each is not gone])

    def _keep(self, address: str, credential: str, turns: list[_Turn]) -> None:
        """Let only `turns` wait under a credential."""
        queues = self._waiting.get(address)
        if queues is None or credential not in queues:
            return
        if turns:
            queues[credential] = deque(turns)
            return
        del queues[credential]
        if not queues:
            del self._waiting[address]


def too_many() -> UpstreamThrottled:
    """Return what is said to strangers who waited in vain."""
    message = "Too many calls with credentials that are not yet known were waiting."
    return UpstreamThrottled(message, retry_after=SOME_TIME, processed=False, retryable=False)
