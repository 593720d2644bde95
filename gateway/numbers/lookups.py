"""PURE: the arguments of fields that read, each field's parsed into one value.

A field's resolver and its plan take the same value, so that they refuse the same things with the
same words, in the same order. Arguments go by the resolver's own names.

Searches for numbers to buy are parsed in `search_request.py`, mutations in `write_inputs.py`.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, NamedTuple, Self, TypeAlias

import msgspec

from gateway.auth.caller import Caller
from gateway.errors import BadUserInput, GatewayError
from gateway.mapping import filters, validation
from gateway.numbers import cursors
from gateway.numbers.page_request import PageRequest
from gateway.upstream.families import Family
from schema.directives import Scope
from schema.inputs import PhoneNumberFilter, PhoneNumberIdentifier
from schema.scalars import CountryCode, parse_country_code, quoted


class PhoneNumberLookup(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """An owned number that is looked up, by `sid` or by `number`."""

    account: str
    by: Literal["sid", "number"]
    value: str

    @classmethod
    def parse(cls, caller: Caller, *, sid: str, account_sid: str | None = None) -> Self:
        """Read the arguments of a look-up by sid.

        Raises:
            BadUserInput: one of them is malformed.
            Forbidden: the caller may not use the account.
        """
        account = caller.account_named(account_sid)
        validation.check_sid("sid", sid, "PN")
        return cls(account, "sid", sid)

    @classmethod
    def parse_identifier(
        cls, caller: Caller, *, identifier: PhoneNumberIdentifier, account_sid: str | None = None
    ) -> Self:
        """Read the arguments of a look-up by sid or by number.

        Raises:
            BadUserInput: one of them is malformed.
            Forbidden: the caller may not use the account.
        """
        account = caller.account_named(account_sid)
        if identifier.phone_number:
            return cls(account, "number", identifier.phone_number)
        sid = str(identifier.sid)
        validation.check_sid("identifier.sid", sid, "PN")
        return cls(account, "sid", sid)


class OwnedList(NamedTuple):
    """A page of owned numbers.

    Attributes:
        account: whose numbers; "" while a plan cannot know it.
        wanted: which of them, by the paths of the filter.
        page: which page.
    """

    account: str
    wanted: Mapping[str, Any]
    page: PageRequest

    @classmethod
    def parse(
        cls,
        caller: Caller,
        *,
        filter: PhoneNumberFilter | None = None,  # noqa: A002 - the argument's name in the schema
        account_sid: str | None = None,
        **page: Any,  # noqa: ANN401 - see `PageRequest.parse`
    ) -> Self:
        """Read the arguments.

        Raises:
            BadUserInput: one of them is malformed.
            Forbidden: the caller may not use the account.
        """
        return cls.of(caller.account_named(account_sid), filter=filter, **page)

    @classmethod
    def of(
        cls,
        account: str,
        *,
        filter: PhoneNumberFilter | None = None,  # noqa: A002
        **page: Any,  # noqa: ANN401
    ) -> Self:
        """Read the arguments of a list of the numbers of `account`, which may be asked about.

        Raises:
            BadUserInput: one of them is malformed.
        """
        asked = PageRequest.parse(**page)
        wanted = validation.normalized_owned(filters.wanted(filter))
        validation.check_owned_filter(wanted)
        return cls(account, wanted, asked)

    def list_id(self, family: Family) -> str:
        """Return the name of the list that a family's cursors belong to."""
        wanted = filters.by_first_names(self.wanted, family.source)
        return cursors.list_id(self.account, family.source.name, filters=wanted)

    def starts(self, able: Sequence[Family]) -> Iterator[Family]:
        """Yield the families, of those that are able, in whose list the page can begin.

        Raises:
            BadUserInput: the cursor belongs to the list of none of them.
        """
        cursor = self.page.cursor
        for family in able:
            if cursor is not None and cursor.list_id != self.list_id(family):
                if family is able[-1]:
                    raise self.page.of_another_list()
                continue
            yield family


class SubaccountList(NamedTuple):
    """A page of the accounts that an account owns.

    Attributes:
        account: the one that owns them; "" while a plan cannot know it.
        page: which page.
    """

    account: str
    page: PageRequest

    @classmethod
    def of(cls, account: str, **page: Any) -> Self:  # noqa: ANN401 - see `PageRequest.parse`
        """Read the arguments of a list of the subaccounts of `account`.

        Raises:
            BadUserInput: one of them is malformed.
        """
        asked = cls(account, PageRequest.parse(**page))
        if account:
            asked.page.check_list(lambda: [asked.list_id()])
        return asked

    def list_id(self) -> str:
        """Return the name of the list that cursors belong to."""
        return cursors.list_id(self.account, "subaccounts", filters={})


class NumberNode(NamedTuple):
    """An owned number that is looked up by its id alone.

    Attributes:
        account: the account that may own it, if the id tells, as those of earlier releases do.
    """

    sid: str
    account: str | None = None


class AccountLookup(NamedTuple):
    """An account that is looked up."""

    account: str

    @classmethod
    def parse(cls, caller: Caller, *, sid: str | None = None) -> Self:
        """Read the argument.

        Raises:
            BadUserInput: it is malformed.
            Forbidden: the caller may not use the account.
        """
        return cls(caller.account_named(sid, "sid"))


class CountryLookup(NamedTuple):
    """A country that is looked up."""

    code: CountryCode


NamedNode: TypeAlias = NumberNode | AccountLookup | CountryLookup
"""What an id names."""


class NodeLookups(NamedTuple):
    """Objects that are looked up by their ids.

    Attributes:
        each: what each id names; or why it names nothing.
    """

    each: Sequence[NamedNode | GatewayError]

    @classmethod
    def parse(cls, caller: Caller, argument: str, ids: Sequence[str]) -> Self:
        """Read the ids that `argument` gives, each on its own.

        Raises:
            BadUserInput: they are too many.
        """
        validation.check_ids(argument, len(ids))
        return cls([_node_or_error(caller, argument, each) for each in ids])


class RateLimitLookup(NamedTuple):
    """The limits of the caller, with an account."""

    account: str

    @classmethod
    def parse(cls, caller: Caller, *, account_sid: str | None = None) -> Self:
        """Read the argument.

        Raises:
            BadUserInput: it is malformed.
            Forbidden: the caller may not use the account.
        """
        return cls(caller.account_named(account_sid))


class FollowedNumbers(NamedTuple):
    """Numbers whose changes are followed: all of an account, or only those with these sids."""

    account: str
    sids: frozenset[str] | None

    @classmethod
    def parse(
        cls, caller: Caller, *, account_sid: str | None = None, sids: Sequence[str] | None = None
    ) -> Self:
        """Read the arguments.

        Raises:
            BadUserInput: one of them is malformed.
            Forbidden: the caller may not use the account.
        """
        account = caller.account_named(account_sid)
        validation.check_ids("sids", len(sids or ()))
        for sid in sids or ():
            validation.check_sid("sids", sid, "PN")
        return cls(account, None if sids is None else frozenset(sids))

    @property
    def page(self) -> OwnedList:
        """The page of the account's numbers that only somebody sees who may follow them."""
        return OwnedList(self.account, {}, PageRequest(1))

    def include(self, sid: str) -> bool:
        """Whether a number is one of them."""
        return self.sids is None or sid in self.sids


def _node_or_error(caller: Caller, argument: str, given: str) -> NamedNode | GatewayError:
    """Return what an id names; why it names nothing that the caller may see."""
    sid, account = _id_of_earlier_release(given) or (given, None)
    if validation.is_sid(sid, "PN"):
        return NumberNode(sid, account)
    with suppress(ValueError):
        return CountryLookup(parse_country_code(given))
    if not validation.is_sid(sid, "AC"):
        message = (
            f"{quoted(given, 40)} is not an id: PN or AC and 32 hexadecimal digits, or a country."
        )
        return BadUserInput(argument, message)
    try:
        named = AccountLookup(caller.account_named(sid, argument))
        caller.check_scope(Scope.ACCOUNTS_READ)
    except GatewayError as error:
        return error
    return named


def _id_of_earlier_release(given: str) -> tuple[str, str] | None:
    """Return the sid and the account in an id of before 0.2; None when it is none.

    Those were `kind:account:sid` in URL-safe base64 without padding.
    """
    try:
        padded = given.encode("ascii") + b"=" * (-len(given) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
        kind, account, sid = text.split(":")
    except (ValueError, binascii.Error):
        return None
    return (sid, account) if kind in {"PhoneNumber", "Account"} else None
