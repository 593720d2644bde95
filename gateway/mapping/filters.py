"""PURE: GraphQL filters and settings → REST parameters, one table per family and resource.

A table maps the path of an input field, as clients spell it, to the parameter that carries it. The
gateway sends what a table says and nothing else; a filter whose path a family's table lacks, or
whose value the parameter cannot say, cannot be asked of that family. Clients need to know none of
this: both families' tables have the same paths.
"""

import enum
import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from functools import cache
from typing import Any, Final, NamedTuple, TypeAlias, cast, get_args, get_type_hints

from msgspec import Struct
from strawberry import UNSET

from gateway.mapping._compat import to_camel_case
from schema.enums import Lifecycle, Source
from schema.inputs import LatLongInput

Pairs: TypeAlias = list[tuple[str, str]]


NORTH_AMERICA: Final = frozenset({"US", "CA"})
"""Countries whose geography the 2010-04-01 API can search by."""
TEMPLATE: Final = re.compile(r"\+[1-9][0-9]{1,14}", re.ASCII)
"""A phone number that stands for its own place."""


class Sayable(NamedTuple):
    """Which values a parameter can say, as a test and in words."""

    holds: Callable[[Any], bool]
    words: str


ANY = Sayable(lambda _: True, "")
# The upstream may take false for no filter.
TRUE = Sayable(lambda value: value is True, "only when true")
NO_TEMPLATE = Sayable(
    lambda value: TEMPLATE.fullmatch(value) is None, "but for phone numbers in its place"
)
_FOR_EVERYBODY = Sayable(
    lambda value: value is Lifecycle.GENERALLY_AVAILABLE, "only GENERALLY_AVAILABLE"
)
_LISTED_TYPE = Sayable(
    lambda value: value.name in CORE_OWNED_PATHS, "only LOCAL, TOLL_FREE and MOBILE"
)


class Param(Struct, frozen=True):
    """A REST parameter.

    Attributes:
        name: what it is called there, case-sensitive; "" for what is part of the path.
        us_ca_only: only the US and Canada know it.
        says: the values that it can say.
        needs: the path of another filter without which it is refused.
        exact: the API tells all values of the filter apart; one that does is asked rather.
    """

    name: str
    write: Callable[[Any], str] = str
    us_ca_only: bool = False
    says: Sayable = ANY
    needs: str = ""
    exact: bool = True


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


def plain(value: float | Decimal) -> str:
    """Write a number without exponent and without trailing zeros."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def not_beta(_: Lifecycle) -> str:
    """Write that numbers shall not be new, as the 2010-04-01 API says it."""
    return "false"


# Numbers are new there or not: developer previews are, exhausted ones are not.
_NOT_BETA = Param("Beta", not_beta, says=_FOR_EVERYBODY, exact=False)


def _able(name: str) -> Param:
    """Return what asks for numbers that can do something.

    Numbers that are told to lack a whole group of capabilities are not found by false.
    """
    return Param(name, truth, says=TRUE)


CAPABILITIES: Table = {
    "capabilities.voice.inboundConnectivity": _able("Capabilities.Voice.InboundConnectivity"),
    "capabilities.voice.outboundConnectivity": _able("Capabilities.Voice.OutboundConnectivity"),
    "capabilities.voice.e911": _able("Capabilities.Voice.E911"),
    "capabilities.voice.fax": _able("Capabilities.Voice.Fax"),
    "capabilities.voice.sipTrunking": _able("Capabilities.Voice.SipTrunking"),
    "capabilities.voice.inboundCalledDtmf": _able("Capabilities.Voice.InboundCalledDtmf"),
    "capabilities.voice.inboundCallerDtmf": _able("Capabilities.Voice.InboundCallerDtmf"),
    "capabilities.voice.inboundCallerIdPreservation": Param(
        "Capabilities.Voice.InboundCallerIdPreservation", token
    ),
    "capabilities.voice.inboundReachability": Param(
        "Capabilities.Voice.InboundReachability", token
    ),
    "capabilities.sms.inboundConnectivity": _able("Capabilities.Sms.InboundConnectivity"),
    "capabilities.sms.outboundConnectivity": _able("Capabilities.Sms.OutboundConnectivity"),
    "capabilities.sms.gsm7": _able("Capabilities.Sms.Gsm7"),
    "capabilities.sms.ucs2": _able("Capabilities.Sms.Ucs2"),
    "capabilities.sms.gsm7Concatenation": _able("Capabilities.Sms.Gsm7Concatenation"),
    "capabilities.sms.ucs2Concatenation": _able("Capabilities.Sms.Ucs2Concatenation"),
    "capabilities.sms.inboundSenderIdPreservation": Param(
        "Capabilities.Sms.InboundSenderIdPreservation", token
    ),
    "capabilities.sms.inboundReachability": Param("Capabilities.Sms.InboundReachability", token),
    "capabilities.mms.inboundConnectivity": _able("Capabilities.Mms.InboundConnectivity"),
    "capabilities.mms.outboundConnectivity": _able("Capabilities.Mms.OutboundConnectivity"),
    "capabilities.mms.inboundReachability": Param("Capabilities.Mms.InboundReachability", token),
}
_GEOGRAPHY: Table = {
    "lata": Param("Geography.Lata", says=NO_TEMPLATE),
    "rateCenter": Param("Geography.RateCenter", says=NO_TEMPLATE),
    "latitude": Param("Geography.Latitude", plain),
    "longitude": Param("Geography.Longitude", plain),
    "region": Param("Geography.Region", says=NO_TEMPLATE),
    "locality": Param("Geography.Locality", says=NO_TEMPLATE),
    "postalCode": Param("Geography.PostalCode", says=NO_TEMPLATE),
}

CATALOG_OWNED: Table = {
    "phoneNumber": Param("PhoneNumber"),
    "type": Param("Type", token),
    "lifecycle": Param("Lifecycle", token),
    **CAPABILITIES,
    "country": Param("Geography.IsoCountry"),
    **_GEOGRAPHY,
}
CATALOG_SEARCH: Table = {
    "phoneNumber": Param("PhoneNumber"),
    "lifecycle": Param("Lifecycle", token),
    "savedSearches": Param("SavedSearch", token),
    "minSetupPrice": Param("MinBaseSetupPrice", plain),
    "maxSetupPrice": Param("MaxBaseSetupPrice", plain),
    "minMonthlyPrice": Param("MinBaseRecurringPrice", plain),
    "maxMonthlyPrice": Param("MaxBaseRecurringPrice", plain),
    **CAPABILITIES,
    **_GEOGRAPHY,
}
CORE_OWNED: Table = {
    "phoneNumber": Param("PhoneNumber"),
    "contains": Param("PhoneNumber"),
    "friendlyName": Param("FriendlyName"),
    "lifecycle": _NOT_BETA,
    "origin": Param("Origin", token),
    # Part of the path there (`/IncomingPhoneNumbers/Local.json`): see CORE_OWNED_PATHS.
    "type": Param("", says=_LISTED_TYPE),
}
CORE_SEARCH: Table = {
    "phoneNumber": Param("Contains"),
    "areaCode": Param("AreaCode", us_ca_only=True),
    "contains": Param("Contains"),
    "region": Param("InRegion", us_ca_only=True),
    "postalCode": Param("InPostalCode", us_ca_only=True),
    "lata": Param("InLata", us_ca_only=True),
    "rateCenter": Param("InRateCenter", us_ca_only=True, needs="lata"),
    "locality": Param("InLocality"),
    "near.point": Param("NearLatLong", degrees, us_ca_only=True),
    "near.phoneNumber": Param("NearNumber", us_ca_only=True),
    "withinMiles": Param("Distance", us_ca_only=True),
    "capabilities.voice.enabled": Param("VoiceEnabled", truth, says=TRUE),
    "capabilities.sms.enabled": Param("SmsEnabled", truth, says=TRUE),
    "capabilities.mms.enabled": Param("MmsEnabled", truth, says=TRUE),
    "capabilities.voice.fax": Param("FaxEnabled", truth, says=TRUE),
    "excludeAllAddressRequired": Param("ExcludeAllAddressRequired", truth),
    "excludeLocalAddressRequired": Param("ExcludeLocalAddressRequired", truth),
    "excludeForeignAddressRequired": Param("ExcludeForeignAddressRequired", truth),
    "lifecycle": _NOT_BETA,
}

# What filters were called when cursors were first made, which name their list by them.
_FIRST_NAMES: Mapping[Source, Mapping[str, str]] = {
    Source.CORE: {
        "region": "inRegion",
        "postalCode": "inPostalCode",
        "lata": "inLata",
        "rateCenter": "inRateCenter",
        "locality": "inLocality",
        "near.point": "nearLatLong",
        "near.phoneNumber": "nearNumber",
        "withinMiles": "distance",
        "capabilities.voice.enabled": "voiceEnabled",
        "capabilities.sms.enabled": "smsEnabled",
        "capabilities.mms.enabled": "mmsEnabled",
        "capabilities.voice.fax": "faxEnabled",
        "lifecycle": "beta",
        "areaCodes": "areaCode",
    },
    Source.CATALOG: {
        "country": "geography.isoCountry",
        **{path: f"geography.{path}" for path in _GEOGRAPHY},
        "minSetupPrice": "minBaseSetupPrice",
        "maxSetupPrice": "maxBaseSetupPrice",
        "minMonthlyPrice": "minBaseRecurringPrice",
        "maxMonthlyPrice": "maxBaseRecurringPrice",
    },
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


def given(source: object) -> dict[str, Any]:
    """Return every field of an input that was given, by its path; null included.

    Nested inputs are walked; null for one, and a point (`LatLongInput`), is one value. Paths are in
    camelCase.
    """
    found: dict[str, Any] = {}
    if source is not None:
        _collect(source, "", found)
    return found


def _collect(source: object, prefix: str, found: dict[str, Any]) -> None:
    known = _fields(cast("type", type(source)))
    for name, value in vars(source).items():
        if value is UNSET:
            continue
        camel, is_nested = known[name]
        if is_nested and value is not None:
            _collect(value, f"{prefix}{camel}.", found)
        else:
            found[prefix + camel] = value


@cache
def _fields(kind: type) -> Mapping[str, tuple[str, bool]]:
    """Return an input's fields by their names: in camelCase, and whether they take an input."""
    nested = _nested(kind)
    return {each.name: (to_camel_case(each.name), each.name in nested) for each in fields(kind)}


def _nested(kind: type) -> set[str]:
    """Return the fields of an input that take another input."""
    return {
        name
        for name, hint in get_type_hints(kind).items()
        for each in (hint, *get_args(hint))
        if is_dataclass(each) and isinstance(each, type) and each is not LatLongInput
    }


def wanted(source: object) -> dict[str, Any]:
    """Return the filters that were given with a value; null means: do not filter by this."""
    return {path: value for path, value in given(source).items() if value is not None}


def unsupported(filters: Mapping[str, Any], table: Table, country: str | None = None) -> list[str]:
    """Return the paths of the filters that cannot be asked by `table`, in a country if any."""
    return [
        path
        for path, value in filters.items()
        if (param := table.get(path)) is None
        or not (param.says is ANY or param.says.holds(value))
        or (param.us_ca_only and country not in NORTH_AMERICA)
        or (param.needs and param.needs not in filters)
    ]


def inexact(filters: Mapping[str, Any], table: Table) -> list[str]:
    """Return the paths of the filters of which `table` does not tell all values apart."""
    return [path for path in filters if path in table and not table[path].exact]


def parameters(filters: Mapping[str, Any], table: Table) -> Pairs:
    """Write `filters` as query parameters, in the table's order; a list repeats its parameter, once
    for each value.

    Those that cannot be asked are left out, but for some that other countries may know as well.
    """
    pairs: Pairs = []
    for path in table if len(filters) > 1 else filters:
        param = table.get(path)
        if param is None or path not in filters or not param.name:
            continue
        value = filters[path]
        if param.says is not ANY and not param.says.holds(value):
            continue
        if isinstance(value, list):
            pairs += [(param.name, param.write(each)) for each in dict.fromkeys(value)]
        else:
            pairs.append((param.name, param.write(value)))
    return pairs


def by_first_names(filters: Mapping[str, Any], source: Source) -> dict[str, Any]:
    """Return filters as they were first called, with the values that they had then."""
    return dict(_by_first_name(path, value, source) for path, value in filters.items())


def _by_first_name(path: str, value: object, source: Source) -> tuple[str, object]:
    name = _FIRST_NAMES[source].get(path, path)
    match value:
        case list() if path == "areaCodes":
            return name, [int(each) for each in value]
        case Lifecycle():
            is_beta = source is Source.CORE and value is Lifecycle.GENERALLY_AVAILABLE
            return (name, False) if is_beta else (path, value)
        case Decimal():
            return name, float(value)
    return name, value


def form(settings: Mapping[str, Any], table: Table) -> Pairs:
    """Write `settings` as form parameters; null clears, which the upstream spells as empty.

    Raises:
        ValueError: the table has no parameter for one of them.
    """
    if not settings:
        return []
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
