"""Finds changes that were made elsewhere: reads an account's list now and then, and compares.

However many follow an account, on however many processes, it is read once per interval: the right
to read is taken from the store, and what was seen is kept there. Subscribers' credentials take
turns, so that each is checked again, and whoever is no longer let in is cut off.

A number that changed through the gateway between two reads was announced already; the newer state
is taken over in silence.

As long as each read is compared with the one before, one *watch* goes on, whose name is kept in the
store for longer than what was seen. Where that is lost another watch begins, and those who relied
on the earlier one are told that they missed something.
"""

import asyncio
import hashlib
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

import msgspec
import orjson
import structlog

from gateway.errors import GatewayError, UpstreamDenied
from gateway.events.feed import Change, Events, Topic, sids_in, sight_of
from gateway.mapping.records import View
from gateway.storage.store import Store, StoreUnavailable
from gateway.upstream.call import Credential
from gateway.upstream.response_cache import ResponseCache
from schema.enums import PhoneNumberEventKind

_log = structlog.get_logger(__name__)

Lister = Callable[[Credential, str], Awaitable[list[View]]]

# What the gateway changes is announced a moment after the upstream shows it.
_SETTLE = 1.0
_MEMORY = 20
# How much longer than events a watch is remembered: until nobody can go on behind one of then.
_LONGER = 4
_SIGHTS = ("own", "other")
# Between looks at whether another process has read an account for the first time.
_FIRST_ROUND = 0.5
# Not part of what a number is.
_VOLATILE = frozenset({"date_updated", "uri", "url", "links", "subresource_uris"})


# To be raised when the same number becomes other JSON than in the release before: otherwise all
# numbers would seem to have changed, in turns while processes of both releases read them.
_FORM = 2


class Seen(NamedTuple):
    """A number in a snapshot.

    Attributes:
        digest: of what it was.
        source: the family that showed it, and the form of which the digest is.
        phone_number: the number.
    """

    digest: str
    source: str
    phone_number: str


_SNAPSHOT = msgspec.json.Decoder(tuple[int, dict[str, Seen]])
# A number that changed while the list was read: who knows which state was read.
_UNKNOWN = Seen("", "", "")


class Poller:
    """Polls the accounts that are followed."""

    def __init__(
        self,
        store: Store,
        events: Events,
        cache: ResponseCache,
        listed: Lister,
        interval: float,
    ) -> None:
        self._store = store
        self._events = events
        self._cache = cache
        self._listed = listed
        self._interval = interval
        self._turn = 0

    async def __call__(self, topic: Topic) -> None:
        """Read once, if nobody else did within the interval, and wait for the next time."""
        pause = self._interval
        try:
            right = f"poll:{topic.account}"
            if await self._store.add(right, b"", ttl=0.9 * self._interval):
                await self._round(topic)
            elif not await self._is_watched(topic):
                # Another process reads it for the first time.
                pause = min(pause, _FIRST_ROUND)
        except (GatewayError, StoreUnavailable) as error:
            _log.warning("poll_skipped", account=topic.account, problem=str(error))
        await asyncio.sleep(pause)

    async def _is_watched(self, topic: Topic) -> bool:
        """Whether there is a snapshot, to which the next round compares; see which watch it is."""
        for sight in _SIGHTS:
            # A watch is remembered for longer than what was seen, and kept before it.
            if sight in topic.watched or await self._snapshot(topic.account, sight) is not None:
                topic.see(sight, await self._watch(topic.account, sight))
        return bool(topic.watched)

    async def _round(self, topic: Topic) -> None:
        credential = self._next_credential(topic)
        if credential is None:
            return
        account = topic.account
        sight = sight_of(account, credential)
        watch = await self._watch(account, sight)
        before = await self._snapshot(account, sight)
        if before is not None:
            # What an earlier release has seen has no watch yet.
            watch = watch or topic.watched.get(sight) or uuid.uuid4().hex
            topic.see(sight, watch)
        began = await self._events.log.head(account)
        try:
            numbers = await self._listed(credential, account)
        except UpstreamDenied as error:
            for subscriber in topic.subscribers:
                if subscriber.credential.fingerprint == credential.fingerprint:
                    subscriber.cut(error)
            return
        after = {number.sid: _seen(number) for number in numbers}
        position, known = before if before is not None else (began, after)
        changed = _differences(known, after)
        if changed:
            await asyncio.sleep(min(_SETTLE, self._interval / 4))
        during = sids_in(await self._events.log.after(account, began))
        announced = during | sids_in(await self._events.log.after(account, position))
        by_sid = {number.sid: number for number in numbers}
        found = [sid for sid in changed if sid not in announced]
        if found:
            # Subscribers will ask for more, and must not get what was true before.
            await self._cache.forget(account, ("owned",))
        for sid in found:
            await self._events.announce(account, _change(sid, known, by_sid))
        if before is None or watch is None:
            watch = await self._begin(topic, sight, watch)
        head = await self._events.log.head(account)
        seen = {**after, **dict.fromkeys(during, _UNKNOWN)}
        await self._keep(topic, sight, watch, head, seen)
        topic.watch(sight, watch)

    async def _begin(self, topic: Topic, sight: str, earlier: str | None) -> str:
        """Return the name of another watch, and tell those who relied on an earlier one."""
        watch = uuid.uuid4().hex
        if earlier is not None or sight in topic.watched:
            await self._events.announce_gap(topic.account, sight, watch)
        return watch

    def _next_credential(self, topic: Topic) -> Credential | None:
        distinct = {each.credential.fingerprint: each.credential for each in topic.subscribers}
        self._turn += 1
        turns = list(distinct.values())
        return turns[self._turn % len(turns)] if turns else None

    async def _watch(self, account: str, sight: str) -> str | None:
        """Return the name of the watch that is kept."""
        kept = await self._store.get(f"watch:{account}:{sight}")
        return None if kept is None else kept.decode(errors="replace")

    async def _snapshot(self, account: str, sight: str) -> tuple[int, Mapping[str, Seen]] | None:
        kept = await self._store.get(f"snapshot:{account}:{sight}")
        if kept is None:
            return None
        try:
            return _SNAPSHOT.decode(kept)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    async def _keep(
        self, topic: Topic, sight: str, watch: str, position: int, numbers: Mapping[str, Seen]
    ) -> None:
        """Keep what was seen until the credentials have had their turns a few times."""
        turns = len({each.credential.fingerprint for each in topic.subscribers})
        memory = _MEMORY * self._interval * max(1, turns)
        longer = memory + _LONGER * self._events.log.memory
        content = orjson.dumps([position, {sid: list(seen) for sid, seen in numbers.items()}])
        name = f"{topic.account}:{sight}"
        # In this order: a watch without a snapshot is one that was lost.
        await self._store.set(f"watch:{name}", watch.encode(), ttl=longer)
        await self._store.set(f"snapshot:{name}", content, ttl=memory)


def _differences(known: Mapping[str, Seen], after: Mapping[str, Seen]) -> list[str]:
    """Return the sids that came, went or changed.

    The two families show too different things, and so do two forms.
    """

    def differs(sid: str) -> bool:
        old, new = known.get(sid), after.get(sid)
        if old == _UNKNOWN:
            return False
        if old is None or new is None:
            return True
        return old.source == new.source and old.digest != new.digest

    return [sid for sid in {**known, **after} if differs(sid)]


def _change(sid: str, known: Mapping[str, Seen], numbers: Mapping[str, View]) -> Change:
    number = numbers.get(sid)
    if number is None:
        return Change(PhoneNumberEventKind.RELEASED, sid, known[sid].phone_number, None)
    came = sid not in known
    kind = PhoneNumberEventKind.PURCHASED if came else PhoneNumberEventKind.CONFIGURED
    return Change(kind, sid, number.phone_number, number)


def _seen(number: View) -> Seen:
    lasting = {key: value for key, value in number.to_json().items() if key not in _VOLATILE}
    content = orjson.dumps(lasting, option=orjson.OPT_SORT_KEYS)
    digest = hashlib.blake2b(content, digest_size=12).hexdigest()
    return Seen(digest, f"{number.source.name} {_FORM}", number.phone_number)
