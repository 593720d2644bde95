"""The two APIs about countries: what numbers cost there, and what the law asks for.

Source: the OpenAPI descriptions of the Pricing API, version 1, and of the Numbers API, version 2.
Their answers depend on the credentials alone, so that calls are about the account of these.
"""

from typing import Any

from gateway.errors import UpstreamMalformed
from gateway.upstream.call import Answer, Call, Service

_COUNTRIES = "/v1/PhoneNumbers/Countries"
_REGULATIONS = "/v2/RegulatoryCompliance/Regulations"


def prices_call(account: str, country: str) -> Call:
    """Return the request for the prices of a country, by its code."""
    route = f"{_COUNTRIES}/{{country}}"
    return Call(Service.PRICING, "GET", f"{_COUNTRIES}/{country}", account, route)


def regulations_call(account: str, country: str, number_type: str) -> Call:
    """Return the request for the regulations of a country, for a kind of number and all users."""
    query = (("IsoCountry", country), ("NumberType", number_type))
    return Call(Service.REGULATIONS, "GET", _REGULATIONS, account, _REGULATIONS, query)


def read_objects(answer: Answer, key: str) -> list[dict[str, Any]]:
    """Unwrap the objects of an answer that has them under `key`.

    Raises:
        UpstreamMalformed: it has no list of objects there.
    """
    items = answer.json().get(key)
    if not isinstance(items, list) or not all(isinstance(each, dict) for each in items):
        message = "The upstream's answer is not what its API promises."
        raise UpstreamMalformed(message, status=answer.status, request_id=answer.request_id)
    return items
