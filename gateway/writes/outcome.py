"""What becomes of a write: done, refused, not done, or not known. Plain values, and as JSON."""

from typing import Any, NamedTuple

import orjson

from gateway.errors import (
    BadUserInput,
    Forbidden,
    GatewayError,
    UpstreamError,
    UpstreamForbidden,
)
from gateway.mapping.records import View, view
from gateway.upstream.call import Call
from gateway.writes.user_errors import REFUSALS, Reason, Refusal
from schema.enums import Source
from schema.user_errors import UserErrorCode
from schema.values import NumberToBuy


class Undecided(Exception):
    """Whether to write could not be found out: nothing was sent, and nothing is remembered."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class Outcome(NamedTuple):
    """What became of a write.

    Attributes:
        number: the number after it; before it, for a release; None when it was not done, except
            that a purchase of what the account has already shows the number.
        refusal: why it was not done; None when it was.
        reconciled: the answer was lost, and looking the number up showed the outcome.
        planned: the request that a dry run would have sent.
        replayed: it is the remembered outcome of an earlier request with the same key.
        missed: it is unknown, and the last look, which succeeded, has shown no trace of it.
        to_buy: what a dry run of a purchase has found out about the number.
    """

    number: View | None = None
    refusal: Refusal | None = None
    reconciled: bool = False
    planned: Call | None = None
    replayed: bool = False
    missed: bool = False
    to_buy: NumberToBuy | None = None

    @property
    def unknown(self) -> bool:
        """Whether it is not known what became of the write."""
        return self.refusal is not None and self.refusal.code is UserErrorCode.OUTCOME_UNKNOWN

    def to_json(self) -> bytes:
        """Return the outcome for keeping: the upstream's own JSON and the family it came from."""
        number, refusal = self.number, self.refusal
        return orjson.dumps(
            {
                "number": number and [number.source.name, number.written(), number.home],
                "refusal": refusal and [*refusal[:2], refusal.code.name, refusal.upstream_code],
                "reconciled": self.reconciled,
            }
        )


def from_json(kept: bytes) -> Outcome:
    """Return the outcome that `Outcome.to_json` wrote."""
    document: dict[str, Any] = orjson.loads(kept)
    number = refusal = None
    if document["number"]:
        source, raw, home = document["number"]
        number = view("PhoneNumber", Source[source], raw, home)
    if document["refusal"]:
        field, message, code, upstream_code = document["refusal"]
        known = UserErrorCode.__members__.get(code, UserErrorCode.REFUSED)  # of a newer release
        if field[:2] == ["configuration", "regulatory"]:
            del field[0]  # An earlier release had documents there.
        refusal = Refusal(tuple(field), message, known, upstream_code)
    return Outcome(number, refusal, document["reconciled"], replayed=True)


def refused(error: UpstreamError, takes: frozenset[str]) -> Outcome:
    """Return the outcome of a write that the upstream refused, from the table of codes.

    Args:
        error: the refusal.
        takes: the fields that the input has, to leave out of the blamed path what it has not.
    """
    code, field = REFUSALS.get(error.upstream_code or 0, (UserErrorCode.REFUSED, ()))
    while field and field[0] not in takes:
        field = field[1:]
    return Outcome(refusal=Refusal(field, error.message, code, error.upstream_code))


def not_done_for(error: GatewayError) -> Refusal:
    """Return the user error for an error that is raised only when nothing was done."""
    problem = error.message
    if isinstance(error, BadUserInput):
        field = tuple(error.argument.removeprefix("input.").split("."))
        return Reason.BAD_ARGUMENT.refuse(field, problem=error.problem)
    code = error.upstream_code if isinstance(error, UpstreamError) else None
    if isinstance(error, Forbidden | UpstreamForbidden):
        argument = error.details.get("argument")
        field = (str(argument).removeprefix("input."),) if argument else ()
        return Reason.NOT_ALLOWED.refuse(field, code, problem=problem)
    return Reason.NOT_SENT.refuse(upstream_code=code, problem=problem)
