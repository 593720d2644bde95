"""Settings of owned numbers: which parameter writes which, and the rules between them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from gateway.sandbox.http.api_call import ApiCall
from gateway.sandbox.http.refusals import ApiError
from gateway.sandbox.switches import Switches
from gateway.sandbox.world.number_documents import Json, default_configuration

_LONGEST_NAME = 64
_METHODS = frozenset({"GET", "POST"})
_NOT_REGISTERED = frozenset({"unregistered", "registration-failure"})
Reader = Callable[[str], object]


def _name(value: str) -> str:
    if len(value) > _LONGEST_NAME:
        raise ApiError(20002, f"FriendlyName must have at most {_LONGEST_NAME} characters")
    return value


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        valid = False
    if not valid or re.search(r"\s", value):
        raise ApiError(21402, f"{value} is not a valid URL")
    return value


def _method(value: str) -> str:
    if value.upper() not in _METHODS:
        raise ApiError(21403, f"{value} is not a valid method: GET or POST")
    return value.upper()


def _sid(prefix: str, code: int = 20423) -> Reader:
    def read(value: str) -> str:
        if not re.fullmatch(f"{prefix}[0-9a-fA-F]{{32}}", value):
            raise ApiError(code, f"{value} is not a valid {prefix} sid")
        return value

    return read


def _one_of(*choices: str) -> Reader:
    def read(value: str) -> str:
        if value not in choices:
            raise ApiError(20422, f"{value} is not one of {', '.join(choices)}")
        return value

    return read


def _flag(value: str) -> bool:
    if value.lower() not in {"true", "false"}:
        raise ApiError(20422, f"{value} is not true or false")
    return value.lower() == "true"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: where it is kept, how either family calls it (None: not there), how it is
    read.
    """

    section: str | None
    key: str
    core: str | None
    catalog: str | None
    read: Reader
    documented: bool = True
    """False for what the catalog documents as readable only."""
    effective: bool = True
    """False for what is read and checked, and changes nothing."""


def _handler(section: str, core: str | None, *, documented: bool = True) -> list[Setting]:
    """The four url settings and the application of one section."""
    keys: list[tuple[str, str, str, Reader]] = [
        ("application_sid", "ApplicationSid", "ApplicationSid", _sid("AP", 21420)),
        ("url", "Url", "Url", _url),
        ("method", "Method", "Method", _method),
        ("fallback_url", "FallbackUrl", "FallbackUrl", _url),
        ("fallback_method", "FallbackMethod", "FallbackMethod", _method),
    ]
    return [
        Setting(
            section,
            key,
            f"{core}{core_name}" if core else None,
            f"Configurations.{section.capitalize()}.{catalog_name}",
            read,
            documented,
        )
        for key, core_name, catalog_name, read in keys
    ]


SETTINGS: tuple[Setting, ...] = (
    Setting(None, "friendly_name", "FriendlyName", "Configurations.FriendlyName", _name),
    Setting(None, "status_callback", "StatusCallback", "Configurations.StatusCallback", _url),
    Setting(
        None,
        "status_callback_method",
        "StatusCallbackMethod",
        "Configurations.StatusCallbackMethod",
        _method,
    ),
    *_handler("voice", "Voice"),
    *_handler("sms", "Sms"),
    *_handler("mms", None, documented=False),
    Setting(
        "voice",
        "trunk_sid",
        "TrunkSid",
        "Configurations.Voice.TrunkSid",
        _sid("TK"),
        documented=False,
    ),
    Setting(
        "voice",
        "emergency_status",
        "EmergencyStatus",
        "Configurations.Voice.EmergencyStatus",
        _one_of("Active", "Inactive"),
        documented=False,
        # Since October 2021: whether emergency calls work follows from the address.
        effective=False,
    ),
    Setting(
        "voice",
        "emergency_address_sid",
        "EmergencyAddressSid",
        "Configurations.Voice.EmergencyAddressSid",
        _sid("AD"),
        documented=False,
    ),
    Setting(
        "voice",
        "receive_mode",
        "VoiceReceiveMode",
        "Configurations.Voice.ReceiveMode",
        _one_of("voice", "fax"),
        documented=False,
    ),
    Setting(
        "voice",
        "caller_id_lookup",
        "VoiceCallerIdLookup",
        "Configurations.Voice.CallerIdLookup",
        _flag,
        documented=False,
    ),
    Setting("core", "address_sid", "AddressSid", "AddressSid", _sid("AD")),
    Setting("core", "identity_sid", "IdentitySid", "IdentitySid", _sid("RI")),
    Setting("core", "bundle_sid", "BundleSid", "BundleSid", _sid("BU")),
    Setting("core", "api_version", "ApiVersion", None, _one_of("2010-04-01", "2008-08-01")),
)


def write(
    configuration: Json,
    call: ApiCall,
    switches: Switches,
    *,
    catalog: bool,
    phone_number: str,
) -> bool:
    """Applies the form's parameters to a configuration, in place. Returns whether any was sent.

    An empty value clears a setting; a parameter that is absent changes nothing.

    Raises:
        ApiError: A value is refused. The configuration may be half-changed then: give a copy.
    """
    changed: dict[tuple[str | None, str], object] = {}
    for setting in SETTINGS:
        name = setting.catalog if catalog else setting.core
        value = call.sent(name) if name else None
        if value is None or (catalog and _ignored(setting, switches)):
            continue
        if not value and not switches.empty_clears:
            continue
        section = _section(configuration, setting.section, phone_number)
        read = setting.read(value) if value else _unset(setting, phone_number)
        if setting.key == "emergency_address_sid":
            _register(section, value, switches)
        if setting.effective:
            section[setting.key] = read
        changed[setting.section, setting.key] = value
    _exclude(configuration, changed)
    _require_primary_urls(configuration, changed)
    return bool(changed)


def documents(call: ApiCall, *, catalog: bool) -> dict[str, str | None]:
    """The regulatory documents that a form names."""
    named = {}
    for setting in SETTINGS:
        name = setting.catalog if catalog else setting.core
        if setting.section == "core" and name and name.endswith("Sid"):
            named[setting.key] = call.sent(name) or None
    return named


def emergency_address_status(voice: Json) -> str:
    """State of the emergency address: stated by the control API, else what having one means."""
    stated: str | None = voice.get("emergency_address_status")
    return stated or ("registered" if voice.get("emergency_address_sid") else "unregistered")


def refuse_registered(voice: Json, switches: Switches) -> None:
    """Refuses what cannot be done to a number whose emergency address is registered.

    Raises:
        ApiError: It is, or is on its way in or out.
    """
    status = emergency_address_status(voice)
    if status not in _NOT_REGISTERED:
        message = (
            f"The phone number has an emergency address ({status}): unregister that address first"
        )
        raise ApiError(switches.emergency_address_code, message)


def _register(voice: Json, address_sid: str, switches: Switches) -> None:
    """Registers the emergency address that is set; one that is registered is not taken away."""
    if not address_sid:
        refuse_registered(voice, switches)
    voice.pop("emergency_address_status", None)


def _ignored(setting: Setting, switches: Switches) -> bool:
    return not setting.documented and switches.readonly_configuration == "ignore"


def _section(configuration: Json, name: str | None, phone_number: str) -> Json:
    if name is None:
        return configuration
    section = configuration.get(name)
    if not isinstance(section, dict):
        section = configuration[name] = default_configuration(phone_number).get(name, {})
    return section


def _unset(setting: Setting, phone_number: str) -> object:
    default = default_configuration(phone_number)
    scope = default if setting.section is None else default.get(setting.section, {})
    return scope.get(setting.key)


def _exclude(configuration: Json, changed: dict[tuple[str | None, str], object]) -> None:
    """A trunk and a voice application exclude each other: the one just set removes the other."""
    if changed.get(("voice", "trunk_sid")):
        configuration["voice"]["application_sid"] = None
    elif changed.get(("voice", "application_sid")):
        configuration["voice"]["trunk_sid"] = None


def _require_primary_urls(
    configuration: Json, changed: dict[tuple[str | None, str], object]
) -> None:
    for section, code in (("voice", 21405), ("sms", 21406)):
        sent = changed.get((section, "fallback_url"))
        if sent and not configuration[section].get("url"):
            raise ApiError(code)
