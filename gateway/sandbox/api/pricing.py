"""Pricing: `/v1/PhoneNumbers/Countries`, what numbers cost a month. JSON only.

Source: the OpenAPI description of the Pricing API. Prices are those of the inventory, so that the
catalog and this list agree but for numbers that the inventory prices one by one.
"""

from starlette.responses import Response

from gateway.sandbox.api.meta_list import meta_list_response
from gateway.sandbox.http import credentials
from gateway.sandbox.http.api_call import ApiCall
from gateway.sandbox.http.formats import json_response
from gateway.sandbox.http.refusals import not_found
from gateway.sandbox.world import facts
from gateway.sandbox.world.number_documents import Json
from gateway.sandbox.world.profiles import MONTHLY_PRICES
from gateway.sandbox.world.world import World

_PATH = "/v1/PhoneNumbers/Countries"
_CURRENCY = "USD"
# The four that the API knows, as it writes them; other types have no list price.
_TYPES = {
    "local": "local",
    "tollfree": "toll free",
    "mobile": "mobile",
    "national": "national",
}


class Pricing:
    """Endpoints under `/v1/PhoneNumbers/Countries`. Prices are the same for every account."""

    def __init__(self, world: World) -> None:
        self._world = world

    def list(self, call: ApiCall) -> Response:
        """The countries with a list of prices, without them."""
        credentials.full_caller(call.credentials, self._world.switches)
        found = [_country(call, country) for country in facts.countries().values()]
        return meta_list_response(call, self._world.switches, "countries", found)

    def fetch(self, call: ApiCall, country: str) -> Response:
        """One country's prices, by type of number."""
        credentials.full_caller(call.credentials, self._world.switches)
        known = facts.countries().get(country.upper())
        if known is None:
            raise not_found(call.path)
        prices = [
            {"number_type": _TYPES[kind], "base_price": price, "current_price": price}
            for kind in facts.number_types(known.iso_country)
            if kind in _TYPES
            for price in [f"{float(MONTHLY_PRICES[kind]):.2f}"]
        ]
        return json_response(
            {**_country(call, known), "phone_number_prices": prices, "price_unit": _CURRENCY}
        )


def _country(call: ApiCall, country: facts.Country) -> Json:
    return {
        "country": country.name,
        "iso_country": country.iso_country,
        "url": f"{call.base_url}{_PATH}/{country.iso_country}",
    }
