"""Every code that tells a client what went wrong, as tables: what it means, and what a client does.

`docs/errors.md` is made from these tables. Codes in `userErrors` are in `schema/user_errors.py`.
"""

import enum
from typing import Self

_EXECUTED = "200; 400 in `application/graphql-response+json` when nothing was executed"
_NO = "no"
_LATER = "after `retryAfterMs`, or a second"


class ErrorCode(enum.StrEnum):
    """`extensions.code` of an error at the top.

    Attributes:
        meaning: what has happened, and when it happens.
        remedy: what a client does.
        retry: whether the same request can be sent again, and when.
        status: HTTP status of the answer.
    """

    meaning: str
    remedy: str
    retry: str
    status: str

    def __new__(
        cls, code: str, meaning: str, remedy: str, retry: str = _NO, status: str = _EXECUTED
    ) -> Self:
        """Return the code with what is known of it."""
        made = str.__new__(cls, code)
        made._value_ = code
        made.meaning, made.remedy, made.retry, made.status = meaning, remedy, retry, status
        return made

    BAD_REQUEST = (
        "BAD_REQUEST",
        (
            "It is no GraphQL request that can be read: no JSON, a wrong header, method or"
            " media type, too large, or too slow in coming."
        ),
        "Mend what the message names.",
        _NO,
        "400, 405, 406, 408, 413, 415, 417, 421, 431",
    )
    PATH_NOT_FOUND = (
        "PATH_NOT_FOUND",
        "Nothing is served under this path.",
        "Send GraphQL to `/graphql`, below the prefix that a proxy may add.",
        _NO,
        "404",
    )
    CSRF_PREVENTED = (
        "CSRF_PREVENTED",
        "A web page of another site could have made a browser send this request.",
        "Send `content-type: application/json`, or the header `apollo-require-preflight: true`.",
        _NO,
        "400",
    )
    UNAUTHENTICATED = (
        "UNAUTHENTICATED",
        (
            "The request does not say who asks, or not credibly; or a token has expired, also"
            " in the middle of a subscription."
        ),
        "Sign in anew: `www-authenticate` says how.",
        "with new credentials",
        "401",
    )
    AUTHENTICATION_UNAVAILABLE = (
        "AUTHENTICATION_UNAVAILABLE",
        "The keys with which tokens are checked cannot be had now.",
        "Try again; signing in anew does not help.",
        _LATER,
    )
    FORBIDDEN = (
        "FORBIDDEN",
        (
            "Whoever asks is known, and may not do this: the token lacks the scope or the"
            " account, the account is suspended or closed, or something is switched off here."
        ),
        "Use another account, or get the right: to sign in anew does not help.",
    )
    RATE_LIMITED = (
        "RATE_LIMITED",
        (
            "The caller asks too often, has too much open at once or has bought enough for"
            " the day; or all connections are taken. Nothing was done."
        ),
        "Ask less often; the field `rateLimit` says what is left.",
        "after `retryAfterMs`",
        "429; 503 when all connections are taken",
    )
    SHUTTING_DOWN = (
        "SHUTTING_DOWN",
        "This process takes no new work; nothing was done.",
        "Ask again: another process will answer.",
        _LATER,
        "503",
    )
    GRAPHQL_PARSE_FAILED = (
        "GRAPHQL_PARSE_FAILED",
        "The document is not GraphQL.",
        "Mend it where `locations` points.",
    )
    GRAPHQL_VALIDATION_FAILED = (
        "GRAPHQL_VALIDATION_FAILED",
        "The document does not fit the schema: an unknown field, a malformed value written in it.",
        "Mend it where `locations` points; generate types from the schema.",
    )
    BAD_USER_INPUT = (
        "BAD_USER_INPUT",
        "An argument, a variable or `operationName` cannot be accepted.",
        "Change the argument that `argument` or the message names.",
    )
    UNSUPPORTED_FILTERS = (
        "UNSUPPORTED_FILTERS",
        "No one place knows all of these filters for this account.",
        "Leave out one of the filters that the message names.",
    )
    LIMIT_EXCEEDED = (
        "LIMIT_EXCEEDED",
        (
            "The document is larger, deeper or dearer than the operator allows; `limit`,"
            " `allowed` and `actual` say which limit, and by how much."
        ),
        "Ask for less at once: smaller pages, fewer fields.",
    )
    UPSTREAM_CALLS_EXCEEDED = (
        "UPSTREAM_CALLS_EXCEEDED",
        "The operation needs more upstream calls than the operator allows.",
        "Ask for less at once: `X-Gateway-Explain: plan` tells what costs calls.",
    )
    DEADLINE_EXCEEDED = (
        "DEADLINE_EXCEEDED",
        "The time for the request was up.",
        "Ask for less at once, or try again.",
        "in a moment",
    )
    PERSISTED_QUERY_NOT_FOUND = (
        "PERSISTED_QUERY_NOT_FOUND",
        "No document is known under this hash.",
        "Send the hash again with the text of the document: clients do so by themselves.",
        "with the text",
    )
    PERSISTED_QUERY_NOT_SUPPORTED = (
        "PERSISTED_QUERY_NOT_SUPPORTED",
        "Documents cannot be registered by clients here.",
        "Send the text without a hash; or have the operator add the document.",
    )
    DOCUMENT_NOT_TRUSTED = (
        "DOCUMENT_NOT_TRUSTED",
        "Only documents of the operator's list run here.",
        "Have the operator add the document.",
    )
    IDEMPOTENCY_KEY_IN_USE = (
        "IDEMPOTENCY_KEY_IN_USE",
        "Another request with the same idempotency key is still at work.",
        "Ask again with the same key: the answer will be that request's.",
        "in a moment, with the same key",
    )
    IDEMPOTENCY_UNAVAILABLE = (
        "IDEMPOTENCY_UNAVAILABLE",
        "Idempotency keys cannot be remembered now; nothing was sent.",
        "Try again with the same key.",
        "after `retryAfterMs`; without it, no",
    )
    SLOW_CONSUMER = (
        "SLOW_CONSUMER",
        "The client did not take what was meant for it: a subscriber's events, or answers.",
        "Read faster; subscribe again with the last event's id.",
        "after `retryAfterMs`",
        "429; in the stream for subscribers",
    )
    EVENTS_UNAVAILABLE = (
        "EVENTS_UNAVAILABLE",
        "Events cannot be followed now.",
        "Subscribe again with the last event's id.",
        "after `retryAfterMs`",
    )
    EVENTS_MISSED = (
        "EVENTS_MISSED",
        "Events behind the last one that the client has seen are not kept any more.",
        "Subscribe from now on, and read the list of numbers again.",
        "without an event's id",
    )
    NOT_FOUND = (
        "NOT_FOUND",
        "Twilio has no such thing: a country in which no numbers are sold, say.",
        "Ask for something else.",
    )
    UPSTREAM_REFUSED = (
        "UPSTREAM_REFUSED",
        "Twilio understood the request and refused it; `upstreamCode` is Twilio's own error code.",
        "Show the message, or change what it names.",
    )
    UPSTREAM_UNAUTHENTICATED = (
        "UPSTREAM_UNAUTHENTICATED",
        "Twilio did not accept the credentials.",
        "Sign in anew where the credentials are the client's own; else tell the operator.",
        "with new credentials",
    )
    UPSTREAM_RATE_LIMITED = (
        "UPSTREAM_RATE_LIMITED",
        "Twilio was asked too much at once, and the gateway has tried again in vain.",
        "Try again more slowly.",
        _LATER,
    )
    UPSTREAM_UNAVAILABLE = (
        "UPSTREAM_UNAVAILABLE",
        "Twilio failed or could not be reached, and the gateway has tried again in vain.",
        "Try again.",
        _LATER,
    )
    UPSTREAM_TIMEOUT = (
        "UPSTREAM_TIMEOUT",
        "Twilio took too long.",
        "Try again, or ask for less at once.",
        _LATER,
    )
    UPSTREAM_MALFORMED = (
        "UPSTREAM_MALFORMED",
        "Twilio's answer could not be read, or was not the answer to what was asked.",
        "Try again; if it stays, tell the operator.",
        "in a moment",
    )
    UPSTREAM_ERROR = (
        "UPSTREAM_ERROR",
        "Twilio did not give what was asked, for a reason that has no code of its own.",
        "Show the message.",
    )
    INTERNAL_SERVER_ERROR = (
        "INTERNAL_SERVER_ERROR",
        (
            "Something went wrong in the gateway; `requestId`, or the header `x-request-id`,"
            " leads to its log."
        ),
        "Tell the operator the request's id. Look before you repeat a write.",
        "queries, in a moment",
        "200; 500 when nothing was executed",
    )


class CloseCode(enum.IntEnum):
    """Why the gateway closes a WebSocket.

    Attributes:
        meaning: what has happened.
        remedy: what a client does.
        retry: whether to connect again, and when.
    """

    meaning: str
    remedy: str
    retry: str

    def __new__(cls, code: int, meaning: str, remedy: str, retry: str) -> Self:
        """Return the code with what is known of it."""
        made = int.__new__(cls, code)
        made._value_ = code
        made.meaning, made.remedy, made.retry = meaning, remedy, retry
        return made

    NORMAL = 1000, "The client of the older protocol said goodbye.", "Nothing.", "no"
    GONE = 1006, "The connection broke.", "Connect again, with the last event's id.", "at once"
    UNREADABLE = 1007, "A text is not UTF-8.", "Send UTF-8.", "no"
    PROTOCOL_ERROR = 1002, "What came is no WebSocket frame.", "Mend the client.", "no"
    POLICY = (
        1008,
        "Too many pings, pongs or fragments.",
        "Send whole messages, and fewer pings.",
        "no",
    )
    TOO_LARGE = (
        1009,
        "A message is larger than the gateway takes.",
        "Send a smaller document, or a persisted one.",
        "no",
    )
    INTERNAL = (
        1011,
        "Something went wrong in the gateway; or the client did not answer a ping in time.",
        "Connect again; look before you repeat a write.",
        "in a moment",
    )
    RESTART = (
        1012,
        "The process ends.",
        "Connect again, with the last event's id: another process will answer.",
        "at once",
    )
    TRY_LATER = (
        1013,
        "The caller has too many connections, or Twilio cannot be asked now who it is.",
        "Connect again; the reason says after how long.",
        "after the milliseconds in the reason, or a second",
    )
    BAD_MESSAGE = (
        4400,
        "A message is not one of the protocol's: no JSON, no type, no id, an unknown type.",
        "Mend the client.",
        "no",
    )
    UNAUTHORIZED = (
        4401,
        "Something came before `connection_init`.",
        "Send `connection_init`, and wait for `connection_ack`.",
        "no",
    )
    FORBIDDEN = (
        4403,
        "Who connects does not say who it is, not credibly, or may not; or its token has expired.",
        "Connect again with other credentials in the payload of `connection_init`.",
        "with new credentials",
    )
    SUBPROTOCOL = (
        4406,
        "The client speaks none of the gateway's subprotocols.",
        "Ask for `graphql-transport-ws`.",
        "no",
    )
    TOO_SLOW = (
        4408,
        "`connection_init` did not come in time, or the client does not take what is sent to it.",
        "Send `connection_init` at once, and read faster.",
        "in a moment",
    )
    DUPLICATE_ID = (
        4409,
        "An operation with this id is still running.",
        "Give each operation an id of its own.",
        "no",
    )
    TWICE_INTRODUCED = (
        4429,
        "A second `connection_init` came.",
        "Send it once for each connection.",
        "no",
    )
