"""An operation that a client wants to run, and what it wants explained about it."""

from collections.abc import Iterable
from typing import Any, Literal, Protocol, TypeAlias

from graphql import OperationType

from gateway.discreet import Discreet
from gateway.documents.documents import Document
from gateway.documents.operation import Operation
from gateway.errors import BadRequest
from schema.scalars import quoted

Explanation: TypeAlias = Literal["", "plan", "trace"]


class Port(Protocol):
    """What executing needs of the object that resolvers take all from.

    Attributes:
        fast: compiled queries and projections may answer.
        alone: the field that is being resolved is the only one of its query.
    """

    fast: bool
    alone: bool

    @property
    def is_traced(self) -> bool:
        """Whether the client wants to be told every upstream call."""

    def begin_again(self) -> None:
        """Forget what was traced: the operation is executed once more, from its beginning."""

    def report(self) -> dict[str, Any]:
        """Return the upstream calls that were made, and those that were spared."""

    def cancel(self) -> None:
        """Give up reads that nobody waits for any more."""


class Request(Discreet):
    """A GraphQL request, whatever transport it came by.

    Attributes:
        document: what the client sent.
        operation: what runs of it.
        variables: as the client sent them.
        extensions: likewise.
        explanation: what the client wants told about its upstream calls: `plan` is to be told them
            without making them, `trace` to be told them with the answer; "" for nothing.
        cost: the objects that its answer may have.
        counted: whether it was let pass only by what is remembered of the caller's account.
    """

    document: Document
    operation: Operation
    variables: dict[str, Any]
    extensions: dict[str, Any]
    explanation: Explanation = ""
    cost: int = 0
    counted: bool = False

    @property
    def kind(self) -> OperationType | None:
        """What would run; None when the document does not say."""
        return self.operation.kind

    @property
    def operation_name(self) -> str | None:
        """The name by which the client chose the operation."""
        return self.operation.name

    @property
    def objects(self) -> int:
        """The part of its cost that is no introspection, which has a limit of its own."""
        measured = self.operation.measured
        return self.cost - (measured.introspection if measured is not None else 0)

    @property
    def described(self) -> tuple[str, str, str]:
        """Kind, name and digest of what would run."""
        return self.operation.described


def explanation_of(wishes: Iterable[object]) -> Explanation:
    """Return what is to be explained; a plan, if it is among the wishes, so that nothing is run.

    Args:
        wishes: what the header `X-Gateway-Explain`, if need be repeated, and the extension
            `explain` say; None where there is none.

    Raises:
        BadRequest: one is neither `plan` nor `trace`. It must not be run as if it were nothing:
            whoever mistypes `plan` does not want to buy.
    """
    found: Explanation = ""
    for wish in wishes:
        match wish.strip().lower() if isinstance(wish, str) else wish:
            case "plan":
                found = "plan"
            case "trace":
                found = found or "trace"
            case None | "":
                pass
            case _:
                named = str(wish)[:40]
                raise BadRequest(400, f"`plan` and `trace` can be explained, not {quoted(named)}.")
    return found
