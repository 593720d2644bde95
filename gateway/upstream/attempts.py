"""Observer protocol for attempts of upstream calls."""

from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol

from gateway.upstream.call import Call


class Role(NamedTuple):
    """What an attempt is beside other attempts of the same call.

    Attributes:
        is_hedge: it is the second one of a read whose first takes long.
        overtaken: it was given up because the other one had answered.
        attempt: counted from 1; more where those before came to nothing.
    """

    is_hedge: bool = False
    overtaken: bool = False
    attempt: int = 1


ALONE: Final = Role()


class Attempt(Protocol):
    """An attempt of an upstream call while it runs."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers to send with it."""

    def ended(self, call: Call, status: int | None, seconds: float, role: Role) -> None:
        """Note the end of an attempt of `call`; `status` is None when there was no answer."""


class Observer(Protocol):
    """Somebody who is told of attempts."""

    def attempt(self, call: Call) -> Attempt:
        """Note that a call goes out."""


class _Quiet:
    """An attempt that nobody watches."""

    headers: Mapping[str, str] = {}

    def ended(self, call: Call, status: int | None, seconds: float, role: Role) -> None:
        """Do nothing."""


class _Nobody:
    """Nobody watches."""

    def attempt(self, call: Call) -> Attempt:
        """Do nothing."""
        del call
        return QUIET


QUIET: Final[Attempt] = _Quiet()
NOBODY: Final[Observer] = _Nobody()
