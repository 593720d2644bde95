"""What the sandbox knows about a number, apart from who owns it.

A number has a *place* (its geography) and a *profile* (type, lifecycle, prices, capabilities,
regulation). Both are JSON documents in the catalog's own spelling, interned: thousands of numbers
share one. An absent key stays absent, and a null stays null, all the way to the answer.
"""

import copy
import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import orjson

from gateway.sandbox.world.facts import GEO_SEARCH_COUNTRIES, friendly_name

Json = dict[str, Any]
"""A JSON object."""

VOICE_FILTERS = (
    "inbound_connectivity",
    "outbound_connectivity",
    "e911",
    "fax",
    "sip_trunking",
    "calls_per_second",
    "concurrent_calls_limit",
    "long_record_length",
    "inbound_called_dtmf",
    "inbound_caller_dtmf",
    "inbound_caller_id_preservation",
    "inbound_reachability",
)
SMS_FILTERS = (
    "inbound_connectivity",
    "outbound_connectivity",
    "gsm7",
    "ucs2",
    "gsm7_concatenation",
    "ucs2_concatenation",
    "inbound_sender_id_preservation",
    "inbound_reachability",
    "inbound_mps",
)
MMS_FILTERS = (
    "inbound_connectivity",
    "outbound_connectivity",
    "inbound_reachability",
    "inbound_mps",
)
GEOGRAPHY_FIELDS = (
    "iso_country",
    "lata",
    "rate_center",
    "latitude",
    "longitude",
    "region",
    "locality",
    "postal_code",
)


def canonical(document: Json) -> str:
    """The text under which a document is interned: equal documents have equal texts."""
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode()


@dataclass
class Place:
    """Geography of numbers. `document["geography"]` may be null or absent."""

    id: int
    document: Json

    @cached_property
    def geography(self) -> Json:
        """The geography, empty when null or absent."""
        return self.document.get("geography") or {}

    @cached_property
    def locality(self) -> str | None:
        """Locality as the 2010 API spells it: mixed case where the facts have it."""
        locality: str | None = self.document.get("core_locality") or self.geography.get("locality")
        return locality

    @cached_property
    def core_geography(self) -> Json:
        """What the 2010 API's search says of the place: text, and of US and Canadian places only,
        although the catalog knows more.
        """
        iso_country = self.geography.get("iso_country")
        known = self.geography if iso_country in GEO_SEARCH_COUNTRIES else {}
        lata = known.get("lata")
        return {
            "lata": None if lata is None else str(lata),
            "locality": self.locality if known else None,
            "rate_center": known.get("rate_center"),
            "latitude": _degrees(known.get("latitude")),
            "longitude": _degrees(known.get("longitude")),
            "region": known.get("region"),
            "postal_code": known.get("postal_code"),
            "iso_country": iso_country,
        }

    @cached_property
    def coordinates(self) -> tuple[float, float] | None:
        """Latitude and longitude in degrees, or None when either is missing."""
        latitude, longitude = self.geography.get("latitude"), self.geography.get("longitude")
        if isinstance(latitude, int | float) and isinstance(longitude, int | float):
            return float(latitude), float(longitude)
        return None


def _degrees(value: object) -> str | None:
    return f"{value:.6f}" if isinstance(value, int | float) else None


@dataclass
class Profile:
    """Everything that numbers of one kind have in common besides geography."""

    id: int
    document: Json

    @cached_property
    def type(self) -> str | None:
        """Number type as the catalog writes it."""
        kind: str | None = self.document.get("type")
        return kind

    @cached_property
    def beta(self) -> bool:
        """Whether the 2010 API calls the number beta: stated, or by its lifecycle."""
        stated = self.document.get("beta")
        if isinstance(stated, bool):
            return stated
        return self.document.get("lifecycle") in {"beta", "developer-preview"}

    @cached_property
    def address_requirements(self) -> str | None:
        """`none`, `any`, `local` or `foreign`."""
        regulatory = self.document.get("regulatory") or {}
        requirements: str | None = regulatory.get("address_requirements")
        return requirements

    @cached_property
    def requires(self) -> tuple[str, ...]:
        """Documents a purchase needs: `address`, `local-address`, `bundle`, `identity`."""
        stated = self.document.get("requires") or []
        return (stated,) if isinstance(stated, str) else tuple(stated)

    @cached_property
    def core_capabilities(self) -> Json:
        """`capabilities` as the 2010 API writes them: four of them, true or false.

        What is missing here is missing there, and what is no object is written as it is.
        """
        if "capabilities" not in self.document:
            return {}
        stated = self.document["capabilities"]
        if not isinstance(stated, dict):
            return {"capabilities": stated}
        sections = ((name, _connected(stated.get(name, ...))) for name in ("voice", "sms", "mms"))
        written = {name: said for name, said in sections if said is not ...}
        voice = stated.get("voice", ...)
        if voice is None or (isinstance(voice, dict) and "fax" in voice):
            written["fax"] = voice is not None and voice["fax"]
        return {"capabilities": written}

    def core_can(self, name: str) -> object:
        """What the 2010 API says of a capability; None when it says nothing."""
        written = self.core_capabilities.get("capabilities")
        return written.get(name) if isinstance(written, dict) else None


_CONNECTIVITY = ("inbound_connectivity", "outbound_connectivity")


def _connected(section: object) -> object:
    """Whether there is any connectivity; `...` when that is not said."""
    if section is None:
        return False
    if not isinstance(section, dict):
        return section
    if any(section.get(name) for name in _CONNECTIVITY):
        return True
    return False if all(name in section for name in _CONNECTIVITY) else ...


@dataclass(frozen=True, slots=True)
class Number:
    """A number that can be bought."""

    phone_number: str
    national: str
    place: Place
    profile: Profile

    def attributes(self) -> Json:
        """The number as one plain document, in the spelling of `/_sandbox/inventory`."""
        return {
            "phone_number": self.phone_number,
            "national": self.national,
            **self.profile.document,
            **self.place.document,
            "beta": self.profile.beta,
        }


@dataclass(frozen=True, slots=True)
class OwnedNumber:
    """A number of an account. Times are seconds since 1970."""

    seq: int
    sid: str
    account_sid: str
    number: Number
    configuration: Json | None
    has_configuration: bool
    origin: str
    created: float
    updated: float

    @property
    def settings(self) -> Json:
        """A copy of the configuration that can be written to; the default when there is none."""
        if self.configuration is None:
            return default_configuration(self.number.phone_number)
        return copy.deepcopy(self.configuration)


@dataclass(frozen=True, slots=True)
class Account:
    """An account with its credentials. `owner_account_sid` is its own sid unless it is a
    subaccount.
    """

    sid: str
    auth_token: str = field(repr=False)
    friendly_name: str
    owner_account_sid: str
    status: str
    type: str
    role: str
    catalog: bool
    key_sid: str
    key_secret: str = field(repr=False)
    created: float

    @property
    def main_key_sid(self) -> str:
        """Sid of the account's key of the main kind; `key_sid` is of the standard kind."""
        return "SK" + _derived(self.key_sid)

    @property
    def main_key_secret(self) -> str:
        """Secret of the key of the main kind."""
        return _derived(self.key_secret)


def _derived(text: str) -> str:
    """32 hexadecimal digits that follow from `text`: data files need not keep them."""
    return hashlib.md5(f"main:{text}".encode(), usedforsecurity=False).hexdigest()


def default_configuration(phone_number: str) -> Json:
    """Configuration of a number nobody has configured: all unset, spelled as the catalog's
    lists do.
    """
    handler = {"url": None, "method": None, "fallback_url": None, "fallback_method": None}
    return {
        "friendly_name": friendly_name(phone_number),
        "status_callback": None,
        "status_callback_method": "POST",
        "voice": {
            "application_sid": None,
            "trunk_sid": None,
            "emergency_status": "Inactive",
            "emergency_address_sid": None,
            "receive_mode": "voice",
            **handler,
            "caller_id_lookup": False,
        },
        "sms": {"application_sid": None, **handler},
        "mms": {"application_sid": None, **handler},
    }
