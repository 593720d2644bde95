"""PURE: GraphQL filters and settings → REST parameters, one table per family and resource.

A table maps the path of an input field, as clients spell it, to the parameter that carries it. The
gateway sends what a table says and nothing else; a filter whose path no table of a family has
cannot be asked of that family.
"""

import enum
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Any, TypeAlias, cast, get_args, get_type_hints

from strawberry import UNSET

from gateway.mapping._compat import to_camel_case
from schema.inputs import LatLongInput

Pairs: TypeAlias = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Param:
    """A REST parameter.

    Attributes:
        name: what it is called there, case-sensitive.
        us_ca_only: only the US and Canada know it.
        false_is_any: the upstream may take false for no filter, so it is not sent.
    """

    name: str
    write: Callable[[Any], str] = str
    us_ca_only: bool = False
    false_is_any: bool = False


Table: TypeAlias = Mapping[str, Param]


def token(value: enum.Enum) -> str:
    """Write an enum as the upstream's own token."""
    return str(value.value)


def truth(value: bool) -> str:  # noqa: FBT001 - one of several writers of one value
    """Write a boolean as the upstream expects it."""
    return "true" if value else "false"


def degrees(value: LatLongInput) -> str:
    """Write a point as `latitude,longitude`."""
    return f"{plain(value.latitude)},{plain(value.longitude)}"


def plain(value: float) -> str:
    """Write a number without exponent and without trailing zeros."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


_CAPABILITIES: Table = {
    "capabilities.voice.inboundConnectivity": Param(
        "Capabilities.Voice.InboundConnectivity", truth
    ),
    "capabilities.voice.outboundConnectivity": Param(
        "Capabilities.Voice.OutboundConnectivity", truth
    ),
    "capabilities.voice.e911": Param("Capabilities.Voice.E911", truth),
    "capabilities.voice.fax": Param("Capabilities.Voice.Fax", truth),
    "capabilities.voice.sipTrunking": Param("Capabilities.Voice.SipTrunking", truth),
    "capabilities.voice.inboundCalledDtmf": Param("Capabilities.Voice.InboundCalledDtmf", truth),
    "capabilities.voice.inboundCallerDtmf": Param("Capabilities.Voice.InboundCallerDtmf", truth),
    "capabilities.voice.inboundCallerIdPreservation": Param(
        "Capabilities.Voice.InboundCallerIdPreservation", token
    ),
    "capabilities.voice.inboundReachability": Param(
        "Capabilities.Voice.InboundReachability", token
    ),
    "capabilities.sms.inboundConnectivity": Param("Capabilities.Sms.InboundConnectivity", truth),
    "capabilities.sms.outboundConnectivity": Param("Capabilities.Sms.OutboundConnectivity", truth),
    "capabilities.sms.gsm7": Param("Capabilities.Sms.Gsm7", truth),
    "capabilities.sms.ucs2": Param("Capabilities.Sms.Ucs2", truth),
    "capabilities.sms.gsm7Concatenation": Param("Capabilities.Sms.Gsm7Concatenation", truth),
    "capabilities.sms.ucs2Concatenation": Param("Capabilities.Sms.Ucs2Concatenation", truth),
    "capabilities.sms.inboundSenderIdPreservation": Param(
        "Capabilities.Sms.InboundSenderIdPreservation", token
    ),
    "capabilities.sms.inboundReachability": Param("Capabilities.Sms.InboundReachability", token),
    "capabilities.mms.inboundConnectivity": Param("Capabilities.Mms.InboundConnectivity", truth),
    "capabilities.mms.outboundConnectivity": Param("Capabilities.Mms.OutboundConnectivity", truth),
    "capabilities.mms.inboundReachability": Param("Capabilities.Mms.InboundReachability", token),
}
_GEOGRAPHY: Table = {
    "geography.isoCountry": Param("Geography.IsoCountry"),
    "geography.lata": Param("Geography.Lata"),
    "geography.rateCenter": Param("Geography.RateCenter"),
    "geography.latitude": Param("Geography.Latitude", plain),
    "geography.longitude": Param("Geography.Longitude", plain),
    "geography.region": Param("Geography.Region"),
    "geography.locality": Param("Geography.Locality"),
    "geography.postalCode": Param("Geography.PostalCode"),
}

CATALOG_OWNED: Table = {
    "phoneNumber": Param("PhoneNumber"),
    "type": Param("Type", token),
    "lifecycle": Param("Lifecycle", token),
    **_CAPABILITIES,
    **_GEOGRAPHY,
}
CATALOG_SEARCH: Table = {
    "phoneNumber": Param("PhoneNumber"),
    "lifecycle": Param("Lifecycle", token),
    "savedSearches": Param("SavedSearch", token),
    "minBaseSetupPrice": Param("MinBaseSetupPrice", plain),
    "maxBaseSetupPrice": Param("MaxBaseSetupPrice", plain),
    "minBaseRecurringPrice": Param("MinBaseRecurringPrice", plain),
    "maxBaseRecurringPrice": Param("MaxBaseRecurringPrice", plain),
    **_CAPABILITIES,
    **_GEOGRAPHY,
}
CORE_OWNED: Table = {
    "phoneNumber": Param("PhoneNumber"),
    "contains": Param("PhoneNumber"),
    "friendlyName": Param("FriendlyName"),
    "beta": Param("Beta", truth),
    "origin": Param("Origin", token),
    # The type is part of the path there (`/IncomingPhoneNumbers/Local.json`): see CORE_PATHS.
    "type": Param(""),
}
CORE_SEARCH: Table = {
    "areaCode": Param("AreaCode", us_ca_only=True),
    "contains": Param("Contains"),
    "inRegion": Param("InRegion", us_ca_only=True),
    "inPostalCode": Param("InPostalCode", us_ca_only=True),
    "inLata": Param("InLata", us_ca_only=True),
    "inRateCenter": Param("InRateCenter", us_ca_only=True),
    "inLocality": Param("InLocality"),
    "nearLatLong": Param("NearLatLong", degrees, us_ca_only=True),
    "nearNumber": Param("NearNumber", us_ca_only=True),
    "distance": Param("Distance", us_ca_only=True),
    "voiceEnabled": Param("VoiceEnabled", truth, false_is_any=True),
    "smsEnabled": Param("SmsEnabled", truth, false_is_any=True),
    "mmsEnabled": Param("MmsEnabled", truth, false_is_any=True),
    "faxEnabled": Param("FaxEnabled", truth, false_is_any=True),
    "excludeAllAddressRequired": Param("ExcludeAllAddressRequired", truth),
    "excludeLocalAddressRequired": Param("ExcludeLocalAddressRequired", truth),
    "excludeForeignAddressRequired": Param("ExcludeForeignAddressRequired", truth),
    "beta": Param("Beta", truth),
    # The country is part of the path there; another one is refused before.
    "geography.isoCountry": Param(""),
}

# Path segments of the core family's typed resources, by type: search, and owned numbers.
CORE_SEARCH_PATHS: Mapping[str, str] = {
    "LOCAL": "Local",
    "TOLL_FREE": "TollFree",
    "MOBILE": "Mobile",
    "NATIONAL": "National",
    "SHARED_COST": "SharedCost",
    "VOIP": "Voip",
    "MACHINE_TO_MACHINE": "MachineToMachine",
}
CORE_OWNED_PATHS: Mapping[str, str] = {
    "LOCAL": "Local",
    "TOLL_FREE": "TollFree",
    "MOBILE": "Mobile",
}

CATALOG_WRITE: Table = {
    "friendlyName": Param("Configurations.FriendlyName"),
    "statusCallbackUrl": Param("Configurations.StatusCallback"),
    "statusCallbackMethod": Param("Configurations.StatusCallbackMethod", token),
    "voice.url": Param("Configurations.Voice.Url"),
    "voice.method": Param("Configurations.Voice.Method", token),
    "voice.fallbackUrl": Param("Configurations.Voice.FallbackUrl"),
    "voice.fallbackMethod": Param("Configurations.Voice.FallbackMethod", token),
    "voice.applicationSid": Param("Configurations.Voice.ApplicationSid"),
    "sms.url": Param("Configurations.Sms.Url"),
    "sms.method": Param("Configurations.Sms.Method", token),
    "sms.fallbackUrl": Param("Configurations.Sms.FallbackUrl"),
    "sms.fallbackMethod": Param("Configurations.Sms.FallbackMethod", token),
    "sms.applicationSid": Param("Configurations.Sms.ApplicationSid"),
}
CORE_WRITE: Table = {
    "friendlyName": Param("FriendlyName"),
    "statusCallbackUrl": Param("StatusCallback"),
    "statusCallbackMethod": Param("StatusCallbackMethod", token),
    "voice.url": Param("VoiceUrl"),
    "voice.method": Param("VoiceMethod", token),
    "voice.fallbackUrl": Param("VoiceFallbackUrl"),
    "voice.fallbackMethod": Param("VoiceFallbackMethod", token),
    "voice.applicationSid": Param("VoiceApplicationSid"),
    "voice.trunkSid": Param("TrunkSid"),
    "voice.emergencyStatus": Param("EmergencyStatus", token),
    "voice.emergencyAddressSid": Param("EmergencyAddressSid"),
    "voice.receiveMode": Param("VoiceReceiveMode", token),
    "voice.callerIdLookup": Param("VoiceCallerIdLookup", truth),
    "sms.url": Param("SmsUrl"),
    "sms.method": Param("SmsMethod", token),
    "sms.fallbackUrl": Param("SmsFallbackUrl"),
    "sms.fallbackMethod": Param("SmsFallbackMethod", token),
    "sms.applicationSid": Param("SmsApplicationSid"),
    "regulatory.addressSid": Param("AddressSid"),
    "regulatory.identitySid": Param("IdentitySid"),
    "regulatory.bundleSid": Param("BundleSid"),
}


def given(source: object, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (path, value) for every field of an input that was given, null included.

    Nested inputs are walked; null for one, and a point (`LatLongInput`), is one value. Paths are in
    camelCase.
    """
    if source is None or not is_dataclass(source):
        return
    for name, camel, below in _fields(cast("type", type(source))):
        value = getattr(source, name)
        if value is UNSET:
            continue
        path = prefix + camel
        if below is not None and value is not None:
            yield from given(value, f"{path}.")
        else:
            yield path, value


@cache
def _fields(kind: type) -> tuple[tuple[str, str, type | None], ...]:
    """Return an input's fields: the name, in camelCase, and the input that it takes, if any."""
    nested = _nested(kind)
    return tuple(
        (each.name, to_camel_case(each.name), nested.get(each.name)) for each in fields(kind)
    )


def _nested(kind: type) -> Mapping[str, type]:
    """Return the fields of an input that take another input."""
    return {
        name: each
        for name, hint in get_type_hints(kind).items()
        for each in (hint, *get_args(hint))
        if is_dataclass(each) and isinstance(each, type) and each is not LatLongInput
    }


def wanted(source: object) -> dict[str, Any]:
    """Return the filters that were given with a value; null means: do not filter by this."""
    return {path: value for path, value in given(source) if value is not None}


def unsupported(filters: Mapping[str, Any], table: Table) -> list[str]:
    """Return the paths that `table` has no parameter for."""
    return [path for path in filters if path not in table]


def parameters(filters: Mapping[str, Any], table: Table) -> Pairs:
    """Write `filters` as query parameters, in the table's order; a list repeats its parameter."""
    pairs: Pairs = []
    for path, param in table.items():
        if path not in filters or not param.name:
            continue
        value = filters[path]
        if value is False and param.false_is_any:
            continue
        values: Sequence[Any] = value if isinstance(value, list) else [value]
        pairs += [(param.name, param.write(each)) for each in values]
    return pairs


def form(settings: Mapping[str, Any], table: Table) -> Pairs:
    """Write `settings` as form parameters; null clears, which the upstream spells as empty.

    Raises:
        ValueError: the table has no parameter for one of them.
    """
    if lacking := unsupported(settings, table):
        message = f"no parameter carries {', '.join(lacking)}"
        raise ValueError(message)
    return [
        (param.name, "" if settings[path] is None else param.write(settings[path]))
        for path, param in table.items()
        if path in settings
    ]


def to_field(name: str) -> str:
    """Return the Python spelling of a camelCase field name: `fallbackUrl` → `fallback_url`."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()
