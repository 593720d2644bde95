"""What is asked of the upstream, by whom, and what came back: three plain values."""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any, Final, Protocol, TypeAlias

import msgspec

from gateway.discreet import Discreet
from gateway.errors import UpstreamMalformed
from gateway.mapping.plain_json import read_json
from gateway.upstream.redaction import Redactor, redact
from schema.enums import Source


class Service(Enum):
    """The APIs beside the two families of numbers: about countries, and read only."""

    PRICING = "pricing"
    REGULATIONS = "regulations"


Api: TypeAlias = Source | Service
Pairs: TypeAlias = tuple[tuple[str, str], ...]
_NOT_YET: Final = object()
_REQUEST_ID_HEADER: Final = b"twilio-request-id"
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9-]{1,64}")


class Shape(Protocol):
    """What decodes an answer, when it is what its API promises."""

    def decode(self, body: bytes, /) -> Any:  # noqa: ANN401 - of the shape's type
        """Return the body, decoded.

        Raises:
            msgspec.DecodeError: it is something else.
        """


class Call(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """One REST request. Two equal reads are equal calls, whoever spelt them and how.

    Attributes:
        family: which of the APIs, and so which base URL.
        account: sid of the account that it is about.
        route: the path with `{…}` in place of ids, for metrics and logs.
        query: parameters in order; or the text of a next-page reference, verbatim.
        form: body parameters in order; None for requests without a body.
        shape: decodes the answer, when it is what its API promises.
        may_leave: of a write, asked as it leaves: whether it still may.
    """

    family: Api
    method: str
    path: str
    account: str
    route: str
    query: Pairs | str = ()
    form: Pairs | None = None
    shape: Shape | None = None
    may_leave: Callable[[], bool] | None = None

    @property
    def reads(self) -> bool:
        """Whether it changes nothing, so that it may be repeated and shared."""
        return self.method == "GET"

    @property
    def accounts(self) -> frozenset[str]:
        """The accounts whose numbers it changes, if it does: a transfer those of two."""
        moved = (value for name, value in self.form or () if name == "AccountSid")
        return frozenset((self.account, *moved))


@dataclass(frozen=True)
class Credential:
    """User name and secret for HTTP Basic. The secret shows in no repr; compare by fingerprint.

    Attributes:
        username: an account sid (`AC…`) or the sid of an API key (`SK…`).
        account: the account that it acts for when nothing else is said.
        owner: of the operator's own credentials, the account that they are said to be of; "" for
            what clients bring, where the user name says it, or else `account`.
    """

    username: str
    secret: str = field(repr=False)
    account: str
    owner: str = ""

    @cached_property
    def is_key(self) -> bool:
        """Whether this is an API key, whose name does not say which account it belongs to."""
        return not self.username.startswith("AC")

    @property
    def is_operators(self) -> bool:
        """Whether these are the gateway's own, and not what some client says."""
        return bool(self.owner)

    @cached_property
    def home(self) -> str:
        """The account that the upstream takes these credentials for, where no path names one.

        Of an API key this is a claim: see `gateway.upstream.accepted_credentials`.
        """
        return self.username if not self.is_key else self.owner or self.account

    @cached_property
    def authorization(self) -> str:
        """The value of the Authorization header."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.secret}".encode()).decode()

    @cached_property
    def secret_name(self) -> str:
        """A one-way name of user name and secret, whichever account they are used for."""
        material = f"{self.username}\0{self.secret}".encode()
        return hashlib.sha256(material).hexdigest()[:32]

    @cached_property
    def redact(self) -> Redactor:
        """Returns text of others without this credential, and without what looks like another."""
        return Redactor(self.username, self.secret)

    @cached_property
    def fingerprint(self) -> str:
        """A one-way name of this credential, fit for cache keys: 32 hexadecimal digits."""
        material = f"{self.username}\0{self.secret}\0{self.account}".encode()
        return hashlib.sha256(material).hexdigest()[:32]


class Answer(Discreet):
    """An upstream answer, its body whole and bounded.

    The body is decoded by the first who reads it, so that what comes of it is used while it is
    still in the processor's caches.

    Attributes:
        status: HTTP status.
        headers: by lower-case name.
        body: the bytes as they came.
        shape: what decodes the body, if its API promises anything.
        credential: as whom it was asked for; None where that is not known any more.
        is_broken: it was found that it cannot be read.
        again: whether to ask again because of that.
    """

    status: int
    headers: Mapping[bytes, bytes]
    body: bytes
    shape: Shape | None = None
    credential: Credential | None = None
    is_broken: bool = False
    again: bool = False
    _json: dict[str, Any] | None = None
    _decoded: Any = _NOT_YET

    @property
    def decoded(self) -> Any:  # noqa: ANN401 - of the shape's type
        """The body as the call's shape decodes it; None when it is not so."""
        if self._decoded is _NOT_YET:
            self._decoded = None
            if self.shape is not None:
                try:
                    self._decoded = self.shape.decode(self.body)
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                    return None  # Is it JSON at all? Whoever reads it as JSON will tell.
        return self._decoded

    @property
    def is_readable(self) -> bool:
        """Whether it is what its shape says, or at least a JSON object."""
        if self.decoded is not None:
            return True
        try:
            self.read()
        except UpstreamMalformed:
            return False
        return True

    @property
    def seems_whole(self) -> bool:
        """Whether it begins and ends as an object does; for a shape to find out about the rest."""
        return self.shape is not None and self.body[:1] == b"{" and self.body[-1:] == b"}"

    @property
    def request_id(self) -> str | None:
        """The upstream's own id of the request; None for what is none, or may tell of a secret.

        One of some hundreds seems to, by chance.
        """
        if not self.has_request_id:
            return None
        named = self.headers[_REQUEST_ID_HEADER].decode()
        told = redact(named) if self.credential is None else self.credential.redact(named)
        return named if told == named else None

    @property
    def has_request_id(self) -> bool:
        """Whether the upstream has named the request: what something between answers has no id."""
        return _REQUEST_ID.fullmatch(self.headers.get(_REQUEST_ID_HEADER, b"")) is not None

    def repeats_credential(self, text: str) -> bool:
        """Whether a part of it holds the credential that it was asked with, however it is spelt."""
        return self.credential is not None and self.credential.redact.finds(text)

    def read(self) -> None:
        """See that it is what its shape says, or at least a JSON object.

        Raises:
            UpstreamMalformed: it is neither.
        """
        if self.body and self.decoded is None:
            self.json()

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object, parsed once; readers must not change it.

        Raises:
            UpstreamMalformed: it is not a JSON object.
        """
        if self._json is None:
            try:
                parsed = read_json(self.body)
            except ValueError:
                parsed = None
            if not isinstance(parsed, dict):
                message = "The upstream's answer is not the JSON object that its API promises."
                raise UpstreamMalformed(
                    message, status=self.status, request_id=self.request_id
                ) from None
            self._json = parsed
        return self._json
