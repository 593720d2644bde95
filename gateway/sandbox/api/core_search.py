"""2010 API: countries and the numbers that can be bought there."""

from starlette.responses import Response

from gateway.sandbox.api.core_account import acting_account, list_paging
from gateway.sandbox.http.api_call import ApiCall
from gateway.sandbox.http.formats import core_list_response, core_response
from gateway.sandbox.http.paging import page_number, page_size
from gateway.sandbox.http.refusals import not_found
from gateway.sandbox.rules.search_filters import core_criteria
from gateway.sandbox.switches import Switches
from gateway.sandbox.world import facts
from gateway.sandbox.world.number_documents import Json, Number, Profile
from gateway.sandbox.world.world import World

_TYPE_OF_SEGMENT = {segment: kind for kind, segment in facts.NUMBER_TYPES.items()}


class CoreSearch:
    """Endpoints under `/2010-04-01/Accounts/{AccountSid}/AvailablePhoneNumbers`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def countries(self, call: ApiCall, account: str) -> Response:
        """All countries and the types of number each has."""
        sid = acting_account(self._world, call, account).sid
        items = [_country(found, sid) for found in facts.countries().values()]
        return core_list_response(call, "countries", items, {"uri": call.path})

    def country(self, call: ApiCall, account: str, country: str) -> Response:
        """One country."""
        sid = acting_account(self._world, call, account).sid
        found = facts.countries().get(country)
        if found is None:
            raise not_found(call.path)
        return core_response(call, "Country", _country(found, sid))

    def search(self, call: ApiCall, account: str, country: str, segment: str) -> Response:
        """Numbers of one country and type that meet the filters: one page, which is all there
        is.
        """
        acting_account(self._world, call, account)
        kind = _TYPE_OF_SEGMENT.get(segment)
        if kind is None or kind not in facts.number_types(country):
            raise not_found(call.path)
        world = self._world
        criteria = core_criteria(world.store, call, world.switches, country, kind)
        limit = page_size(call, world.switches, world.switches.search_default_page_size)
        if world.switches.search_cap is not None:
            limit = min(limit, world.switches.search_cap)
        pool = world.store.pools.get((country, kind))
        found = criteria.page([] if pool is None else [pool], limit=limit)
        items = _available(found, world.switches)
        paging: Json = {"uri": call.path}
        if world.switches.search_paging:
            page = page_number(call)
            paging = list_paging(call, limit, page, len(items), more=len(items) == limit)
        return core_list_response(call, "available_phone_numbers", items, paging)


def _country(country: facts.Country, account_sid: str) -> Json:
    base = f"/2010-04-01/Accounts/{account_sid}/AvailablePhoneNumbers/{country.iso_country}"
    return {
        "country_code": country.iso_country,
        "country": country.name,
        "uri": f"{base}.json",
        "beta": country.beta,
        "subresource_uris": {
            facts.SUBRESOURCE_KEYS[kind]: f"{base}/{facts.NUMBER_TYPES[kind]}.json"
            for kind in facts.number_types(country.iso_country)
        },
    }


def _available(numbers: list[Number], switches: Switches) -> list[Json]:
    """Numbers as a search writes them: geography as text, four capabilities."""
    # A page of a thousand numbers has a dozen kinds: each is written once.
    kinds = {number.profile.id: number.profile for number in numbers}
    written = {key: _kind(profile, switches) for key, profile in kinds.items()}
    return [
        {
            "friendly_name": facts.friendly_name(number.phone_number),
            "phone_number": number.phone_number,
            **_geography(number, switches),
            **written[number.profile.id],
        }
        for number in numbers
    ]


def _geography(number: Number, switches: Switches) -> Json:
    written = number.place.core_geography
    if switches.search_coordinates == "text":
        return written
    read = {name: written[name] for name in ("latitude", "longitude")}
    return written | {name: text and float(text) for name, text in read.items()}


def _kind(profile: Profile, switches: Switches) -> Json:
    written = profile.core_capabilities
    capabilities = written.get("capabilities")
    if switches.capability_key_case == "upper" and isinstance(capabilities, dict):
        written = {
            "capabilities": {
                name.upper() if name in {"sms", "mms"} else name: value
                for name, value in capabilities.items()
            }
        }
    return {
        "address_requirements": profile.address_requirements,
        "beta": profile.beta,
        **written,
    }
