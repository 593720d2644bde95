"""Regulations: `/v2/RegulatoryCompliance/Regulations`, what may be asked of who wants a number.

Source: the OpenAPI description of the Numbers API, version 2. They say of each country and type the
same as the refusals of a purchase without documents (21631, 21615, 21649, 21650). JSON only.
"""

import hashlib
from collections.abc import Iterator

from starlette.responses import Response

from gateway.sandbox.api.meta_list import meta_list_response
from gateway.sandbox.http import credentials
from gateway.sandbox.http.api_call import ApiCall
from gateway.sandbox.http.formats import json_response
from gateway.sandbox.http.refusals import ApiError, not_found
from gateway.sandbox.world import facts
from gateway.sandbox.world.number_documents import Json
from gateway.sandbox.world.profiles import required_documents
from gateway.sandbox.world.world import World

_PATH = "/v2/RegulatoryCompliance"
_Fields = dict[str, str]

# End user -> fields asked of it: machine name -> name for people.
_END_USERS: dict[str, _Fields] = {
    "individual": {"first_name": "First Name", "last_name": "Last Name"},
    "business": {
        "business_name": "Business Name",
        "business_registration_number": "Business Registration Number",
    },
}

# A bundle is made of documents about who asks.
_IN_A_BUNDLE = {"bundle": "identity"}

# Document that a purchase needs -> (requirement, its name, documents that will do).
_DOCUMENTS: dict[str, tuple[str, str, list[tuple[str, str, _Fields]]]] = {
    "address": (
        "proof_of_address",
        "Address",
        [("Address Validation", "address", {"address_sids": "Address sid(s)"})],
    ),
    "local-address": (
        "proof_of_local_address",
        "Local Address",
        [("Address Validation", "address", {"address_sids": "Address sid(s)"})],
    ),
    "identity": (
        "proof_of_identity",
        "Identity",
        [
            ("Passport", "passport", {"passport_number": "Passport Number"}),
            (
                "Government-issued ID",
                "government_issued_document",
                {"document_number": "Document Number"},
            ),
        ],
    ),
}


class Regulations:
    """Endpoints under `/v2/RegulatoryCompliance/Regulations`, the same for every account."""

    def __init__(self, world: World) -> None:
        self._world = world

    def list(self, call: ApiCall) -> Response:
        """Regulations by `IsoCountry`, `NumberType` and `EndUserType`, of which any may lack."""
        credentials.full_caller(call.credentials, self._world.switches)
        country, kind, user = (
            call.get(name) for name in ("IsoCountry", "NumberType", "EndUserType")
        )
        if user and user not in _END_USERS:
            raise ApiError(20001, f"{user} is not a valid EndUserType")
        found = [
            regulation
            for regulation in _regulations(call)
            if (not country or regulation["iso_country"] == country.upper())
            and (not kind or regulation["number_type"] == kind)
            and (not user or regulation["end_user_type"] == user)
        ]
        return meta_list_response(call, self._world.switches, "results", found)

    def fetch(self, call: ApiCall, sid: str) -> Response:
        """One regulation."""
        credentials.full_caller(call.credentials, self._world.switches)
        for regulation in _regulations(call):
            if regulation["sid"] == sid:
                return json_response(regulation)
        raise not_found(call.path)


def _regulations(call: ApiCall) -> Iterator[Json]:
    base = f"{call.base_url}{_PATH}"
    for country in facts.countries().values():
        for kind in facts.number_types(country.iso_country):
            needed = required_documents(country.iso_country, kind)
            for user in _END_USERS if needed else ():
                yield _regulation(base, country, kind, user, needed)


def _regulation(base: str, country: facts.Country, kind: str, user: str, needed: list[str]) -> Json:
    number_type = facts.SUBRESOURCE_KEYS[kind].replace("_", "-")
    digest = hashlib.sha256(f"{country.iso_country} {kind} {user}".encode()).hexdigest()
    sid = f"RN{digest[:32]}"
    words = number_type.replace("-", " ").title()
    return {
        "sid": sid,
        "friendly_name": f"{country.name}: {words} - {user.title()}",
        "iso_country": country.iso_country,
        "number_type": number_type,
        "end_user_type": user,
        "requirements": {
            "end_user": [
                {
                    "name": user.title(),
                    "type": user,
                    "requirement_name": f"{user}_info",
                    "url": f"{base}/EndUserTypes/{user}",
                    **_fields(_END_USERS[user]),
                }
            ],
            "supporting_document": [
                [_supporting_document(base, _IN_A_BUNDLE.get(name, name)) for name in needed]
            ],
        },
        "url": f"{base}/Regulations/{sid}",
    }


def _supporting_document(base: str, name: str) -> Json:
    requirement, title, accepted = _DOCUMENTS[name]
    return {
        "name": title,
        "type": "document",
        "requirement_name": requirement,
        "accepted_documents": [
            {
                "name": document,
                "type": kind,
                "url": f"{base}/DocumentTypes/{kind}",
                **_fields(fields),
            }
            for document, kind, fields in accepted
        ],
    }


def _fields(fields: _Fields) -> Json:
    return {
        "fields": list(fields),
        "detailed_fields": [
            {"machine_name": machine, "friendly_name": friendly}
            for machine, friendly in fields.items()
        ],
    }
