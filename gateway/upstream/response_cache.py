"""The response cache: optional, by kind of read, with a stale period in which it is refreshed.

Keys are hashes of credential, account, the account's generation and the call. A mutation raises the
generation of what it changes, in every account that it touches, so that nothing read before it is
found again; what belongs to other accounts, or to other kinds, stays. A generation that cannot be
raised because the store is away is raised as soon as it is back; until then nothing is taken from
the cache for that account here. What was lately found in a shared store is at hand for a while (see
`near_cache.py`).
"""

import asyncio
import hashlib
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import lru_cache
from typing import Any, Literal, NamedTuple, TypeAlias

import structlog
from msgspec import Struct

from gateway.errors import UpstreamError
from gateway.storage.store import Store, StoreUnavailable
from gateway.storage.time_of_day import TimeOfDay
from gateway.upstream.call import Answer, Api, Call, Credential, Service
from gateway.upstream.near_cache import NearCache

Kind: TypeAlias = Literal["owned", "search", "countries", "accounts"]

_log = structlog.get_logger(__name__)
_GENERATION_TTL = 7 * 86_400.0
_STAMP = 8
# How often it is tried to raise the generations that could not be raised.
_TRY_EVERY = 0.2


class Hit(NamedTuple):
    """A kept answer; a stale one is good, but should be fetched anew."""

    answer: Answer
    stale: bool


_ABOUT_COUNTRIES = ("/AvailablePhoneNumbers.json", "/{country}.json")


def kind_of(call: Call) -> Kind:
    """Return what a read is about."""
    return kind_of_route(call.family, call.route)


@lru_cache(maxsize=256)
def kind_of_route(family: Api, route: str) -> Kind:
    """Return what reads of a route are about."""
    if "IncomingPhoneNumbers" in route or "ActiveNumbers" in route:
        return "owned"
    if isinstance(family, Service) or route.endswith(_ABOUT_COUNTRIES):
        return "countries"
    return "search" if "Available" in route else "accounts"


class CacheTimes(Struct, frozen=True):
    """How long answers are kept, in seconds; see the settings of the same names."""

    cache_owned: float
    cache_search: float
    cache_countries: float
    cache_stale: float


class ResponseCache:
    """Answers to reads, kept in the store that the processes share."""

    def __init__(self, store: Store, times: CacheTimes) -> None:
        self._store = store
        self._near = NearCache(store)
        self._stale = times.cache_stale
        self._fresh: dict[Kind, float] = {
            "owned": times.cache_owned,
            "search": times.cache_search,
            "countries": times.cache_countries,
            "accounts": 0.0,
        }
        self._keeps_some = any(self._fresh.values())
        self._tasks: set[asyncio.Task[None]] = set()
        self._refreshing: set[str] = set()
        self._outdated: set[tuple[str, Kind]] = set()
        self._day = TimeOfDay(store)

    def keeps(self, call: Call) -> bool:
        """Whether answers to this call are kept at all."""
        return self._keeps_some and call.reads and self.keeps_kind(kind_of(call))

    def keeps_kind(self, kind: Kind) -> bool:
        """Whether answers about such things are kept at all."""
        return self._fresh[kind] > 0

    def key_at_hand(self, credential: Credential, call: Call) -> str | None:
        """Return what `key` does if the store need not be asked for it."""
        kind = kind_of(call)
        if (call.account, kind) in self._outdated:
            return None
        generation = self._near.generation_at_hand(_generation(kind, call.account))
        return None if generation is None else _key(credential, call, generation)

    async def key(self, credential: Credential, call: Call) -> str | None:
        """Return the name under which an answer is kept now; None when the store is away."""
        kind = kind_of(call)
        if (call.account, kind) in self._outdated and not await self._raise(call.account, kind):
            return None
        try:
            generation = await self._near.generation(_generation(kind, call.account))
        except StoreUnavailable:
            return None
        return _key(credential, call, generation)

    def find_at_hand(self, key: str, credential: Credential, call: Call) -> Answer | None:
        """Return what `find` does if the store need not be asked for it, and it is not stale."""
        kept = self._near.answer(key)
        return None if kept is None else _answer(kept, credential, call)

    async def find(self, key: str, credential: Credential, call: Call) -> Hit | None:
        """Return a kept answer to `call`, which was asked with `credential`."""
        try:
            kept = await self._store.get(key)
            if kept is None:
                return None
            now = await self._day.now()
        except StoreUnavailable:
            return None
        answer = _answer(kept, credential, call)
        if not answer.body or not answer.is_readable:
            return None  # It was kept by half.
        left = int.from_bytes(kept[:_STAMP], "big") / 1000 - now
        self._near.keep_answer(key, kept, min(left, self._fresh[kind_of(call)]))
        return Hit(answer, stale=left < 0)

    async def keep(self, key: str, call: Call, answer: Answer) -> None:
        """Keep an answer for as long as its kind is kept, and then for the stale period.

        One that cannot be read is not kept.
        """
        if not answer.is_readable:
            return
        fresh = self._fresh[kind_of(call)]
        with suppress(StoreUnavailable):
            stamp = round((await self._day.now() + fresh) * 1000).to_bytes(_STAMP, "big")
            kept = stamp + answer.body
            self._near.keep_answer(key, kept, fresh)
            await self._store.set(key, kept, ttl=fresh + self._stale)

    def refresh(self, key: str, call: Call, send: Callable[[], Awaitable[Answer]]) -> None:
        """Fetch a stale answer anew, in the background, unless that is being done."""

        async def fetch() -> None:
            try:
                await self.keep(key, call, await send())
            except UpstreamError as error:
                _log.info("cache_refresh_failed", route=call.route, code=error.code)
            finally:
                self._refreshing.discard(key)

        if key not in self._refreshing:
            self._refreshing.add(key)
            self._in_background(fetch())

    async def changed(self, write: Call) -> None:
        """Forget what a write changes, in all processes.

        Settings and transfers change owned numbers, a transfer those of two accounts; a purchase
        and a release also change what can be found by searches.
        """
        if not self._keeps_some:
            return
        one = write.route.endswith(("{sid}", "{sid}.json"))
        kinds: tuple[Kind, ...] = ("owned",)
        if write.method == "DELETE" or not one:
            kinds = ("owned", "search")
        for account in write.accounts:
            await self.forget(account, kinds)

    async def forget(self, account: str, kinds: tuple[Kind, ...]) -> None:
        """Forget what was read of an account, in all processes."""
        for kind in kinds:
            if self._fresh[kind] and not await self._raise(account, kind):
                if not self._outdated:
                    self._in_background(self._catch_up())
                if (account, kind) not in self._outdated:
                    self._outdated.add((account, kind))
                    _log.warning("cache_not_invalidated", account=account, kind=kind)

    async def aclose(self) -> None:
        """End what is at work, and try once more to make the others forget what they must."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for account, kind in list(self._outdated):
            await self._raise(account, kind)
        await self._near.aclose()

    async def _raise(self, account: str, kind: Kind) -> bool:
        """Raise a generation; tell whether that was possible."""
        new = uuid.uuid4().bytes
        try:
            await self._near.set_generation(_generation(kind, account), new, ttl=_GENERATION_TTL)
        except StoreUnavailable:
            return False
        self._outdated.discard((account, kind))
        return True

    async def _catch_up(self) -> None:
        """Raise the generations that could not be raised, as soon as that is possible."""
        while self._outdated:
            await asyncio.sleep(_TRY_EVERY)
            for account, kind in list(self._outdated):
                if not await self._raise(account, kind):
                    break

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _generation(kind: Kind, account: str) -> str:
    return f"generation:{kind}:{account}"


def _key(credential: Credential, call: Call, generation: bytes) -> str:
    material = repr(
        (
            *(credential.fingerprint, call.account, generation),
            *(call.family, call.path, call.query),
        )
    )
    return f"answer:{hashlib.sha256(material.encode()).hexdigest()}"


def _answer(kept: bytes, credential: Credential, call: Call) -> Answer:
    return Answer(200, {}, kept[_STAMP:], call.shape, credential)
