"""Objects by id: implements `schema.read_port.Objects`."""

from collections.abc import Sequence
from typing import cast

from gateway.auth.caller import Caller
from gateway.errors import GatewayError
from gateway.mapping.homes import Home, needed
from gateway.numbers.accounts import Accounts
from gateway.numbers.lookups import AccountLookup, CountryLookup, NamedNode, NodeLookups
from gateway.numbers.whereabouts import Whereabouts
from gateway.waiting import settled
from schema.info import FieldPath
from schema.nodes import Node
from schema.selections import SelectedFields


class ObjectResolvers:
    """Resolves the fields `node` and `nodes`."""

    def __init__(self, whereabouts: Whereabouts, accounts: Accounts, caller: Caller) -> None:
        self._whereabouts = whereabouts
        self._accounts = accounts
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
