"""Objects by id: implements `schema.read_port.Objects`."""

from collections.abc import Sequence
from typing import cast

from gateway.auth.caller import Caller
from gateway.errors import GatewayError
from gateway.mapping.homes import Home, needed
from gateway.mapping.records import View
from gateway.numbers.accounts import Accounts
from gateway.numbers.lookups import AccountLookup, CountryLookup, NamedNode, NodeLookups
from gateway.numbers.side_reads import SHOWN_BESIDE, SideReads
from gateway.numbers.whereabouts import Whereabouts
from gateway.waiting import settled
from schema.info import FieldPath
from schema.nodes import Node
from schema.selections import SelectedFields


class ObjectResolvers:
    """Resolves the fields `node` and `nodes`."""

    def __init__(
        self, whereabouts: Whereabouts, accounts: Accounts, beside: SideReads, caller: Caller
    ) -> None:
        self._whereabouts = whereabouts
        self._accounts = accounts
        self._beside = beside
        self._caller = caller

    async def nodes(
        self, ids: Sequence[str], *, argument: str, at: FieldPath, selected: SelectedFields
    ) -> list[Node | Exception | None]:
        """See `schema.read_port.Objects`."""
        asked = NodeLookups.parse(self._caller, argument, ids)
        needs = needed(selected)
        found = await settled([self._node(each, at, needs) for each in asked.each])
        for each in found:
            if isinstance(each, BaseException) and not isinstance(each, GatewayError):
                raise each
        if not SHOWN_BESIDE.isdisjoint(selected):
            places = [place for place, each in enumerate(found) if _is_number(each)]
            shown = await self._beside.shown([found[place] for place in places], selected, at)
            for place, number in zip(places, shown, strict=True):
                found[place] = number
        return found

    async def _node(
        self, asked: NamedNode | GatewayError, at: FieldPath, needs: Home
    ) -> Node | None:
        if isinstance(asked, GatewayError):
            raise asked
        if isinstance(asked, AccountLookup):
            return cast("Node | None", await self._accounts.one(asked.account, at))
        if isinstance(asked, CountryLookup):
            return cast("Node | None", await self._accounts.country(asked.code, at))
        return cast("Node | None", await self._whereabouts.find(asked, at, needs))


def _is_number(found: object) -> bool:
    return isinstance(found, View) and found.typename == "PhoneNumber"
