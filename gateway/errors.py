"""Errors that clients may see, as one tree.

    GatewayError                     code of `extensions`
    ├── BadUserInput                 BAD_USER_INPUT
    │   └── UnsupportedFilters       UNSUPPORTED_FILTERS
    ├── LimitExceeded                LIMIT_EXCEEDED         (the document is too much)
    ├── RateLimited                  RATE_LIMITED           (too much in too short a time)
    ├── Unauthenticated              UNAUTHENTICATED
    ├── AuthenticationUnavailable    AUTHENTICATION_UNAVAILABLE
    ├── Forbidden                    FORBIDDEN
    ├── TooManyCalls                 UPSTREAM_CALLS_EXCEEDED
    ├── DeadlineExceeded             DEADLINE_EXCEEDED
    ├── ShuttingDown                 SHUTTING_DOWN
    ├── KeyInUse                     IDEMPOTENCY_KEY_IN_USE
    ├── KeysUnavailable              IDEMPOTENCY_UNAVAILABLE
    ├── PersistedQueryNotFound       PERSISTED_QUERY_NOT_FOUND
    ├── PersistedQueryNotSupported   PERSISTED_QUERY_NOT_SUPPORTED
    ├── DocumentNotTrusted           DOCUMENT_NOT_TRUSTED
    ├── SlowConsumer                 SLOW_CONSUMER
    ├── EventsUnavailable            EVENTS_UNAVAILABLE
    ├── EventsMissed                 EVENTS_MISSED
    └── UpstreamError                UPSTREAM_ERROR
        ├── UpstreamRefused          UPSTREAM_REFUSED       (4xx: it understood, and said no)
        ├── UpstreamDenied           UPSTREAM_UNAUTHENTICATED (401, 403)
        │   ├── NotOwnAccount        UPSTREAM_UNAUTHENTICATED (another account's API key)
        │   └── UpstreamForbidden    FORBIDDEN              (it knows who asks, and says no)
        ├── UpstreamNotFound         NOT_FOUND              (404)
        ├── UpstreamThrottled        UPSTREAM_RATE_LIMITED  (429: too many at once)
        ├── UpstreamUnavailable      UPSTREAM_UNAVAILABLE   (5xx, no connection, breaker open)
        ├── UpstreamTimeout          UPSTREAM_TIMEOUT
        └── UpstreamMalformed        UPSTREAM_MALFORMED     (an answer that cannot be read)
            └── OfAnotherAccount     UPSTREAM_MALFORMED     (it shows what was not asked for)

Whatever is raised and is not of this tree is masked as `INTERNAL_SERVER_ERROR` and logged.
Beside it stand `BadRequest`, for what is no GraphQL request at all, and `CommandError`, which never
reaches a client: it is for whoever runs a command.
"""

import math
from collections.abc import Mapping
from copy import copy
from typing import Any, ClassVar, Final, Self

from gateway.error_codes import ErrorCode

SOME_TIME: Final = 1.0
"""Seconds after which to try again what may go better by then, when nobody knows more."""


class CommandError(Exception):
    """Something the operator must put right; the message is one line for them.

    Attributes:
        code: exit code of the process.
    """

    def __init__(self, message: str, *, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


class BadRequest(Exception):
    """A request that is not GraphQL over HTTP; `status` is the answer's HTTP status."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})


class GatewayError(Exception):
    """An error made for clients: `message` is a sentence, `extensions` carry the code."""

    code: ClassVar[ErrorCode] = ErrorCode.INTERNAL_SERVER_ERROR

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.details = {key: value for key, value in details.items() if value is not None}

    @property
    def extensions(self) -> dict[str, Any]:
        """What goes into the GraphQL error's `extensions`."""
        return {"code": self.code, **self.details}


class BadUserInput(GatewayError):
    """An argument cannot be accepted.

    Attributes:
        argument: its path, for example `filter.distance`.
        problem: why, for where the path is told beside it.
    """

    code = ErrorCode.BAD_USER_INPUT

    def __init__(self, argument: str, problem: str) -> None:
        super().__init__(f"{argument}: {problem}", argument=argument)
        self.argument = argument
        self.problem = problem


class UnsupportedFilters(BadUserInput):
    """Filters that no single upstream family can answer together."""

    code = ErrorCode.UNSUPPORTED_FILTERS


class LimitExceeded(GatewayError):
    """The document is larger than the operator allows; `limit` names which limit, `actual` by what.

    `allowed` and `actual` are missing when the limit is not a number.
    """

    code = ErrorCode.LIMIT_EXCEEDED

    def __init__(
        self, message: str, *, limit: str, allowed: int | None = None, actual: int | None = None
    ) -> None:
        super().__init__(message, limit=limit, allowed=allowed, actual=actual)


class RateLimited(GatewayError):
    """The caller asked too often; nothing was done. `retry_after` is in seconds."""

    code = ErrorCode.RATE_LIMITED

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message, retryAfterMs=math.ceil(retry_after * 1000))
        self.retry_after = retry_after


class Unauthenticated(GatewayError):
    """The caller did not say who it is, or not credibly."""

    code = ErrorCode.UNAUTHENTICATED


class AuthenticationUnavailable(GatewayError):
    """Whether the caller is who it says cannot be found out now."""

    code = ErrorCode.AUTHENTICATION_UNAVAILABLE


class Forbidden(GatewayError):
    """The caller may not do this, or not with this account."""

    code = ErrorCode.FORBIDDEN


class TooManyCalls(GatewayError):
    """The operation would cost more upstream calls than the operator allows."""

    code = ErrorCode.UPSTREAM_CALLS_EXCEEDED


class DeadlineExceeded(GatewayError):
    """The request's own deadline passed."""

    code = ErrorCode.DEADLINE_EXCEEDED


class ShuttingDown(GatewayError):
    """This process takes no new work: ask again, and another one will answer."""

    code = ErrorCode.SHUTTING_DOWN

    def __init__(self) -> None:
        super().__init__(
            "This process is shutting down: ask again.",
            retryAfterMs=math.ceil(SOME_TIME * 1000),
        )
        self.retry_after = SOME_TIME


class KeyInUse(GatewayError):
    """Another request with the same idempotency key is still at work: ask again with it."""

    code = ErrorCode.IDEMPOTENCY_KEY_IN_USE


class KeysUnavailable(GatewayError):
    """Idempotency keys cannot be remembered now; nothing was sent.

    `retry_after` is in seconds; None when to try again will not help.
    """

    code = ErrorCode.IDEMPOTENCY_UNAVAILABLE

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(
            message, retryAfterMs=None if retry_after is None else math.ceil(retry_after * 1000)
        )


class PersistedQueryNotFound(GatewayError):
    """No document is known under this hash: clients send it again with the text."""

    code = ErrorCode.PERSISTED_QUERY_NOT_FOUND

    def __init__(self) -> None:
        super().__init__("PersistedQueryNotFound")  # the very words that clients look for


class PersistedQueryNotSupported(GatewayError):
    """Clients cannot register documents here, or not in this way."""

    code = ErrorCode.PERSISTED_QUERY_NOT_SUPPORTED

    def __init__(self) -> None:
        super().__init__("PersistedQueryNotSupported")


class DocumentNotTrusted(GatewayError):
    """Only documents of the operator's manifest run here."""

    code = ErrorCode.DOCUMENT_NOT_TRUSTED


class SlowConsumer(GatewayError):
    """A client did not take what was meant for it: a subscriber's events, or answers.

    Attributes:
        retry_after: seconds after which to ask again.
    """

    code = ErrorCode.SLOW_CONSUMER
    retry_after: ClassVar[float] = SOME_TIME

    def __init__(self, message: str) -> None:
        super().__init__(message, retryAfterMs=math.ceil(self.retry_after * 1000))


class EventsUnavailable(GatewayError):
    """Events cannot be followed now: come back in `retry_after` seconds, with the last id."""

    code = ErrorCode.EVENTS_UNAVAILABLE

    def __init__(self, *, retry_after: float) -> None:
        super().__init__(
            "Events cannot be followed now; subscribe again in a moment.",
            retryAfterMs=math.ceil(retry_after * 1000),
        )


class EventsMissed(GatewayError):
    """Events behind a subscriber's last one are not kept any more: it came too late, or the store
    lost them.
    """

    code = ErrorCode.EVENTS_MISSED

    def __init__(self) -> None:
        super().__init__(
            "Events behind this one are not kept any more: follow from now on, and read the list"
            " again."
        )


class UpstreamError(GatewayError):
    """The upstream did not give what was asked.

    Attributes:
        status: HTTP status, None when there was no answer.
        upstream_code: the upstream's error code, None when it gave none.
        retry_after: seconds after which to try again, None when unknown.
        processed: False when the upstream certainly did nothing (its own 429, no connection,
            breaker).
        retryable: it may go better next time.
    """

    code = ErrorCode.UPSTREAM_ERROR
    transient: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        upstream_code: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        processed: bool = True,
        retryable: bool = True,
    ) -> None:
        super().__init__(
            message,
            upstreamCode=upstream_code,
            upstreamRequestId=request_id,
            retryAfterMs=None if retry_after is None else math.ceil(retry_after * 1000),
        )
        self.status = status
        self.upstream_code = upstream_code
        self.retry_after = retry_after
        self.processed = processed
        self.retryable = retryable and self.transient

    def reworded(self, message: str) -> Self:
        """Return the same error in other words."""
        other = copy(self)
        other.args = (message,)
        other.message = message
        return other


class UpstreamRefused(UpstreamError):
    """The upstream understood and refused (4xx)."""

    code = ErrorCode.UPSTREAM_REFUSED


class UpstreamDenied(UpstreamError):
    """The upstream did not accept the credentials (401, 403)."""

    code = ErrorCode.UPSTREAM_UNAUTHENTICATED


class NotOwnAccount(UpstreamDenied):
    """An API key could not be shown to be the own one of the account that it was used for."""


class UpstreamForbidden(UpstreamDenied):
    """The upstream knows these credentials, which may not do this: the account is not active, say.

    Others will not help to sign in anew.
    """

    code = ErrorCode.FORBIDDEN


class UpstreamNotFound(UpstreamError):
    """The upstream has no such resource (404)."""

    code = ErrorCode.NOT_FOUND


class UpstreamThrottled(UpstreamError):
    """Too many concurrent requests (429); nothing was done if it is the upstream's own."""

    code = ErrorCode.UPSTREAM_RATE_LIMITED
    transient = True


class UpstreamUnavailable(UpstreamError):
    """The upstream failed (5xx), could not be reached, or its breaker is open."""

    code = ErrorCode.UPSTREAM_UNAVAILABLE
    transient = True


class UpstreamTimeout(UpstreamError):
    """The upstream took too long."""

    code = ErrorCode.UPSTREAM_TIMEOUT
    transient = True


class UpstreamMalformed(UpstreamError):
    """The upstream answered with something that cannot be read."""

    code = ErrorCode.UPSTREAM_MALFORMED
    transient = True


class OfAnotherAccount(UpstreamMalformed):
    """The upstream answered with what belongs to another account than was asked for."""


# The upstream's code in a 404 of its own.
_NO_SUCH_RESOURCE = 20404


def believe_missing(error: UpstreamNotFound) -> None:
    """Raise unless the upstream itself says that there is no such thing: a proxy may be wrong.

    Raises:
        UpstreamMalformed: the 404 does not carry the upstream's own code.
    """
    if error.upstream_code != _NO_SUCH_RESOURCE:
        message = "Something other than the upstream answered that there is no such thing."
        raise UpstreamMalformed(message, status=error.status) from None


def refusal(error: GatewayError) -> dict[str, Any]:
    """Return the response object of an operation that was refused as a whole: it has no `data`."""
    return _response(error.message, error.extensions)


def failure(message: str, code: ErrorCode, **more: object) -> dict[str, Any]:
    """Return the response object for what was refused before it was an operation.

    Args:
        message: for the client's developer.
        code: of the extensions.
        more: what else the extensions say.
    """
    return _response(message, {"code": code, **more})


def _response(message: str, extensions: Mapping[str, Any]) -> dict[str, Any]:
    return {"errors": [{"message": message, "extensions": extensions}]}
