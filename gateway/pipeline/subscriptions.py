"""Runs an operation as a feed of responses: a subscription's events, or the one answer.

A subscription that is in force is an entry in a table and has no task of its own. Equal ones, of
callers with the same rights, are a group: one task follows the account for it, and an event is
executed and encoded once for all its members. Whoever joins is let in as everybody is, before, and
gets what it has missed by itself.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Hashable
from contextlib import aclosing
from time import perf_counter
from typing import Any, Final, NamedTuple, Protocol, Self, TypeAlias, cast

import orjson
from graphql import (
    ExecutionResult,
    FieldNode,
    GraphQLError,
    OperationType,
    located_error,
)

from gateway.auth.caller import EXPIRED, Caller
from gateway.errors import GatewayError, SlowConsumer, Unauthenticated, refusal
from gateway.events.feed import number_of
from gateway.execution import execute, executors
from gateway.execution.json_encoding import encode
from gateway.execution.request import Request
from gateway.observability import activity
from gateway.pipeline.pipeline import Pipeline
from gateway.resolvers.event_resolvers import Followed
from gateway.resolvers.request_context import RequestContext
from schema.phone_number_event import PhoneNumberEvent

_SLICE: Final = 0.01
"""Seconds for which the members of a group are told an event, before others are let in."""


class Emission(NamedTuple):
    """One response of a feed, as JSON: what it was made of takes several times the memory.

    Attributes:
        json: None announces that the subscription is in force: nothing from here on is missed.
        id: of the event that it reports, to come back to; None when it reports none.
        refused: whether nothing was executed: there are only errors.
    """

    json: bytes | None
    id: str | None = None
    refused: bool = False

    @classmethod
    def of(cls, response: dict[str, Any] | bytes, name: str | None = None) -> Self:
        """Return a response, which may report the event with this id."""
        if isinstance(response, bytes):
            return cls(response, name)
        return cls(encode(response), name, "data" not in response)


Feed: TypeAlias = AsyncGenerator[Emission, None]
_IN_FORCE: Final = Emission(None)


class Listener(Protocol):
    """To whom the responses to a subscription go. It takes them at once, or keeps them itself."""

    def tell(self, emission: Emission) -> None:
        """Take a response.

        Raises:
            SlowConsumer: too many wait; they are forgotten. For one that says why there will be no
                more (`refused`) there is always room.
        """

    def end(self) -> None:
        """Hear that there will be no more."""


async def feed(
    pipeline: Pipeline,
    request: Request,
    caller: Caller,
    request_id: str,
    last_event_id: str | None,
) -> Feed:
    """Yield the responses to an operation of any kind; errors are responses, too.

    A subscription goes on behind `last_event_id`, which may also come as `lastEventId` in the
    request's extensions. Those are the same at every return, so the argument counts more.
    """
    if not is_followed(request):
        try:
            yield Emission.of(await pipeline.execute(request, caller, request_id))
        except GatewayError as error:
            yield Emission.of(refusal(error))
        return
    waiting = Waiting(pipeline.options.subscriber_queue)
    member = Member(waiting, caller)
    try:
        await member.begin(pipeline, request, request_id, last_event_id)
        while (emission := await waiting.next()) is not None:
            yield emission
    finally:
        member.leave()


def is_followed(request: Request) -> bool:
    """Whether a request is a subscription that is to be run, and not only explained."""
    return request.kind is OperationType.SUBSCRIPTION and request.explanation != "plan"


class Waiting:
    """A listener that keeps what it is told until it is asked for.

    Args:
        most: how many responses; what is more ends the subscription.
    """

    __slots__ = ("_emissions", "_ended", "_more", "_most")

    def __init__(self, most: int) -> None:
        self._most = most
        self._emissions: deque[Emission] = deque()
        self._ended = False
        self._more: asyncio.Future[None] | None = None

    def tell(self, emission: Emission) -> None:
        """See `Listener`."""
        if len(self._emissions) >= self._most and not emission.refused:
            self._emissions.clear()
            raise too_slow(self._most)
        self._emissions.append(emission)
        self._wake()

    def end(self) -> None:
        """See `Listener`."""
        self._ended = True
        self._wake()

    async def next(self) -> Emission | None:
        """Return the next response as soon as there is one; None at the end."""
        while not self._emissions:
            if self._ended:
                return None
            self._more = asyncio.get_running_loop().create_future()
            await self._more
        return self._emissions.popleft()

    def _wake(self) -> None:
        if self._more is not None and not self._more.done():
            self._more.set_result(None)


def too_slow(most: int) -> SlowConsumer:
    """Return why somebody is cut off for whom more than so many events wait."""
    return SlowConsumer(f"More than {most} events waited to be taken.")


class Member:
    """One subscription: an entry among those that are equal to it.

    Args:
        listener: is told what happens.
        caller: whose subscription it is; when its token expires, that ends.
    """

    __slots__ = ("_expiry", "_group", "_late", "_listener", "_told", "caller")

    def __init__(self, listener: Listener, caller: Caller) -> None:
        self.caller = caller
        self._listener: Listener | None = listener
        self._group: Group | None = None
        self._expiry: asyncio.TimerHandle | None = None
        # The number of the event behind which it is told more; and while it catches up, what it is
        # to be told then.
        self._told = 0
        self._late: deque[tuple[int, Emission]] | None = None

    async def begin(
        self, pipeline: Pipeline, request: Request, request_id: str, last_event_id: str | None
    ) -> None:
        """Return when the subscription is among those that are told what happens; or has ended.

        Arguments as for `feed`.
        """
        # Thousands may come back at once, and what they are let in by is one call for many of them,
        # behind which all would go on at once.
        await pipeline.turns.turn(self.caller.principal)
        context = pipeline.context(self.caller)
        activity.note(request.described, {})
        last = request.extensions.get("lastEventId") if last_event_id is None else last_event_id
        context.events.last_event_id = None if last is None else str(last)
        try:
            source = await _source(pipeline, request, context)
        finally:
            context.cancel()
        await pipeline.turns.turn(self.caller.principal)
        if isinstance(source, ExecutionResult):
            self.close(Emission.of(execute.respond(source, request_id)))
            return
        executor, followed = source
        name = _name(request, self.caller, resumed=followed.resumed)
        self._told = followed.number
        group = cast("Group | None", pipeline.groups.get(name))
        if group is not None:
            self._late = deque()
        else:
            group = pipeline.groups[name] = Group(pipeline, name, request, self.caller, request_id)
        self._group = group
        group.join(self)
        self._expiry = self.caller.at_expiry(self._expire)
        if self._late is None:
            group.start(executor, followed)
        else:
            await self._catch_up(group, executor, followed)

    def leave(self) -> None:
        """Let nothing more be told."""
        self._listener = None
        self._late = None
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        if self._group is not None:
            group, self._group = self._group, None
            group.leave(self)

    def tell(self, number: int, emission: Emission) -> None:
        """Take the response to the event with this number, or the news that it is in force (0)."""
        if self._late is not None:
            if self._group is not None and len(self._late) >= self._group.most_waiting:
                self.cut(too_slow(self._group.most_waiting))
            else:
                self._late.append((number, emission))
            return
        if 0 < number <= self._told or self._listener is None:
            return
        expires = self.caller.expires
        if expires is not None and expires <= time.time():
            # Or a subscription with always one more change would never end.
            self._expire()
            return
        self._told = number or self._told
        try:
            self._listener.tell(emission)
        except SlowConsumer as error:
            self.cut(error)

    def cut(self, error: Exception) -> None:
        """End with an error."""
        if self._group is not None:
            self.close(self._group.failed(error))

    def close(self, emission: Emission) -> None:
        """End with a last response."""
        listener = self._listener
        self.leave()
        if listener is not None:
            listener.tell(emission)
            listener.end()

    def _expire(self) -> None:
        self.cut(Unauthenticated(EXPIRED))

    async def _catch_up(
        self, group: "Group", executor: executors.Prepared, followed: Followed
    ) -> None:
        """Tell what happened between the beginning of the subscription and its joining."""
        late = self._late
        if group.is_in_force and self._listener is not None:
            self._listener.tell(_IN_FORCE)
        try:
            async with aclosing(followed.past()) as events:
                async for event in events:
                    number, emission = await group.answer(executor, event, self.caller)
                    if self._late is not late:
                        return  # It has ended meanwhile.
                    self._late = None
                    self.tell(number, emission)
                    if self._listener is None:
                        return
                    self._late = late
        except Exception as error:  # noqa: BLE001 - masked like every error of a resolver
            self.cut(error)
            return
        if self._late is not late:
            return
        self._late = None
        for number, emission in late or ():
            self.tell(number, emission)


class Group:
    """Equal subscriptions of callers with the same rights.

    It is a `gateway.events.feed.Follower`.

    Attributes:
        is_in_force: no change can be missed any more.
        most_waiting: events that may wait for a member.
    """

    def __init__(
        self, pipeline: Pipeline, name: Hashable, request: Request, caller: Caller, request_id: str
    ) -> None:
        self.is_in_force = False
        self.most_waiting = pipeline.options.subscriber_queue
        self._pipeline = pipeline
        self._name = name
        self._request = request
        self._caller = caller
        self._request_id = request_id
        self._members: dict[Member, None] = {}
        self._following: asyncio.Task[None] | None = None

    @property
    def members(self) -> int:
        """How many subscriptions there are."""
        return len(self._members)

    def in_force(self) -> None:
        """Tell all that no change can be missed any more."""
        self.is_in_force = True
        for each in list(self._members):
            each.tell(0, _IN_FORCE)

    def join(self, member: Member) -> None:
        """Take a member."""
        self._members[member] = None

    def leave(self, member: Member) -> None:
        """Let a member go; with the last one it ends."""
        self._members.pop(member, None)
        if not self._members:
            self._forget()
            if self._following is not None:
                self._following.cancel()

    def start(self, executor: executors.Prepared, followed: Followed) -> None:
        """Begin to follow what the first member wants to hear of."""
        followed.follower = self
        self._following = asyncio.create_task(self._follow(executor, followed))

    async def answer(
        self, executor: executors.Prepared, event: PhoneNumberEvent, caller: Caller
    ) -> tuple[int, Emission]:
        """Return the number of an event, and the response to it."""
        # What is changed once may have to be told on many streams.
        await self._pipeline.turns.turn(caller.principal)
        # Each event has a deadline and loaders of its own.
        context = self._pipeline.context(caller)
        try:
            result = await executors.answer_event(executor, event, context)
        finally:
            context.cancel()
        response = execute.respond(result, self._request_id)
        return number_of(event), Emission.of(response, event.id)

    def failed(self, error: Exception) -> Emission:
        """Return the last response to those whose subscription ends with an error."""
        located = _located(error, self._request)
        return Emission.of(execute.refused([execute.shown(located, self._request_id)]))

    async def _follow(self, executor: executors.Prepared, followed: Followed) -> None:
        try:
            async with aclosing(followed.changes()) as events:
                async for event in events:
                    number, emission = await self.answer(executor, event, self._caller)
                    await self._tell(number, emission)
        except Exception as error:  # noqa: BLE001 - masked like every error of a resolver
            last = self.failed(error)
            # Whoever comes from now on begins anew.
            self._forget()
            for each in list(self._members):
                each.close(last)

    async def _tell(self, number: int, emission: Emission) -> None:
        """Tell all members, and let others in now and then."""
        since = perf_counter()
        for each in list(self._members):
            each.tell(number, emission)
            if perf_counter() - since > _SLICE:
                await asyncio.sleep(0)
                since = perf_counter()

    def _forget(self) -> None:
        if self._pipeline.groups.get(self._name) is self:
            del self._pipeline.groups[self._name]


def _name(request: Request, caller: Caller, *, resumed: bool) -> Hashable:
    """Return what is equal for subscriptions that are told the same.

    It has all that a response depends on: what is asked, and as whom the upstream is asked with
    which rights. Nothing below a subscription's field tells anything of the principal.
    """
    credential = caller.credential
    rights = (credential.fingerprint, credential.owner, caller.accounts, caller.scopes)
    try:
        variables: object = orjson.dumps(request.variables, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        variables = object()  # Who knows what they are equal to.
    return (request.document.text, request.operation_name, variables, rights, resumed)


async def _source(
    pipeline: Pipeline, request: Request, context: RequestContext
) -> tuple[executors.Prepared, Followed] | ExecutionResult:
    """Return the events of a subscription and what runs it on each; or why it cannot be run."""
    document = request.document
    if document.errors or document.whole is None:
        return ExecutionResult(None, list(document.errors))
    executor = executors.for_request(pipeline.schema, document.whole, request, context)
    if isinstance(executor, list):
        return ExecutionResult(None, executor)
    source = await executors.events_of(executor)
    if isinstance(source, ExecutionResult):
        return source
    return executor, cast("Followed", source)


def _located(error: Exception, request: Request) -> GraphQLError:
    """Return the end of an event stream as an error of its field, the only one at the root."""
    syntax = request.document.syntax
    operation = syntax and syntax.definition(request.operation_name)
    selected = list(operation.selection_set.selections) if operation else []
    names = [each.alias or each.name for each in selected if isinstance(each, FieldNode)]
    return located_error(error, selected[:1], [name.value for name in names[:1]])
