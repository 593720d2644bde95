"""PURE: the arguments of fields that read owned numbers and accounts, parsed once.

Resolvers and plans take the same value, and refuse the same things with the same words, in the same
order.

Searches for numbers to buy are parsed in `search.py`, mutations in `writes.py`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

from gateway import filters, validation
from gateway.caller import Caller
from gateway.errors import BadUserInput
from gateway.numbers import Key
from schema.connection import NodeId, decode_id
from schema.directives import Scope
from schema.inputs import PhoneNumberFilter
from schema.scalars import quoted


class OwnedList(NamedTuple):
    """A page of owned numbers.

    Attributes:
        account: whose numbers; None while a plan cannot know it.
        wanted: which of them, by the paths of the filter.
        first: how many.
        after: behind which cursor.
    """

    account: str | None
    wanted: Mapping[str, Any]
    first: int
    after: str | None

    @classmethod
    def parse(
        cls,
        account: str | None,
        sought: PhoneNumberFilter | None,
        first: int,
        after: str | None,
    ) -> Self:
        """Read the arguments.

        Raises:
            BadUserInput: one of them is malformed.
        """
        validation.check_first(first)
        wanted = filters.wanted(sought)
        validation.check_owned_filter(wanted)
        return cls(account, wanted, first, after)


def parse_lookup(
    caller: Caller, *, sid: str | None, phone_number: str | None, account_sid: str | None
) -> Key:
    """Return the owned number that is looked up.

    Raises:
        BadUserInput: an argument is malformed, or not exactly one number is named.
        Forbidden: the caller may not use the account.
    """
    account = caller.account_named(account_sid)
    if sid is not None and phone_number is None:
        validation.check_sid("sid", sid, "PN")
        return Key(account, "sid", sid)
    if phone_number is not None and sid is None:
        return Key(account, "number", phone_number)
    raise BadUserInput("sid", "give exactly one of `sid` and `phoneNumber`.")


def parse_node(caller: Caller, opaque: str, argument: str) -> NodeId:
    """Return what an opaque id names: a number or an account.

    Raises:
        BadUserInput: it is no id of ours.
        Forbidden: the caller may not use the account, or not read accounts.
    """
    node = decode_id(opaque)
    if node is None or node.kind not in {"PhoneNumber", "Account"}:
        raise BadUserInput(argument, f"{quoted(opaque)} is not an id of this gateway.")
    caller.account_named(node.account_sid, argument)
    if node.kind == "Account":
        caller.check_scope(Scope.ACCOUNTS_READ)
    else:
        validation.check_sid(argument, node.sid, "PN")
    return node


def parse_changes(caller: Caller, account_sid: str | None, sids: Sequence[str] | None) -> str:
    """Return the account whose changes are followed.

    Raises:
        BadUserInput: an argument is malformed.
        Forbidden: the caller may not use the account.
    """
    account = caller.account_named(account_sid)
    for sid in sids or ():
        validation.check_sid("sids", sid, "PN")
    return account
