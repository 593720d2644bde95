"""Numbers as the catalog writes them, with its two spellings of the configuration."""

from gateway.sandbox.world.number_documents import Json, Number, OwnedNumber

_ATTRIBUTES = ("type", "lifecycle", "capabilities", "regulatory")
_PRICES = ("base_setup_price", "base_recurring_price")
# How the instance writes what is unset and null in lists, as in the documentation's samples.
_METHODS = {"method": "POST", "fallback_method": "POST"}
_UNSET_IN_INSTANCE = {
    "voice": {"url": "", **_METHODS},
    "sms": {"url": "", "fallback_url": "", "application_sid": "", **_METHODS},
}
_NOT_IN_INSTANCE = {"voice": ("receive_mode", "emergency_address_status")}


def available_number(number: Number) -> Json:
    """An element of AvailableNumbers."""
    return _attributes(number, (*_ATTRIBUTES, *_PRICES))


def active_number(owned: OwnedNumber, url: str, *, plural: bool) -> Json:
    """An owned number.

    Args:
        owned: The number.
        url: Its own URL.
        plural: Write `configurations`, as lists and purchases do; otherwise `configuration`, as
            instances do.
    """
    document: Json = {
        "sid": owned.sid,
        "account_sid": owned.account_sid,
        "url": url,
        **_attributes(owned.number, _ATTRIBUTES),
    }
    if owned.has_configuration:
        name = "configurations" if plural else "configuration"
        document[name] = _configurations(owned) if plural else _configuration(owned)
    return document


def _attributes(number: Number, names: tuple[str, ...]) -> Json:
    known = number.profile.document
    document: Json = {"phone_number": number.phone_number}
    document.update((name, known[name]) for name in names if name in known)
    if "geography" in number.place.document:
        document["geography"] = number.place.document["geography"]
    return document


def _configurations(owned: OwnedNumber) -> Json | None:
    """The plural spelling: `status_callback`, `mms`, `receive_mode`; unset is null, but for the
    callback.
    """
    if owned.configuration is None:
        return None
    document = {key: value for key, value in owned.configuration.items() if key != "core"}
    voice = document.get("voice")
    if isinstance(voice, dict):
        # What an address means is the 2010 API's to say.
        document["voice"] = {
            key: value for key, value in voice.items() if key != "emergency_address_status"
        }
    if "status_callback" in document:
        document["status_callback"] = document["status_callback"] or ""
    return document


def _configuration(owned: OwnedNumber) -> Json | None:
    """The singular spelling: `status_callback_url`, no `mms`, no `receive_mode`; unset is `""`
    or null, and a method is `POST`.
    """
    if owned.configuration is None:
        return None
    document = {
        key: value for key, value in owned.configuration.items() if key not in {"core", "mms"}
    }
    if "status_callback" in document:
        document["status_callback_url"] = document.pop("status_callback") or ""
    for name, unset in _UNSET_IN_INSTANCE.items():
        section = document.get(name)
        if not isinstance(section, dict):
            continue
        document[name] = {
            key: value or unset.get(key, value)
            for key, value in section.items()
            if key not in _NOT_IN_INSTANCE.get(name, ())
        }
    return document
