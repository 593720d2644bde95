"""Owned numbers as the 2010 API writes them."""

from gateway.sandbox.api.core_account import date
from gateway.sandbox.rules.configuration import emergency_address_status
from gateway.sandbox.switches import Switches
from gateway.sandbox.world.facts import friendly_name
from gateway.sandbox.world.number_documents import Json, OwnedNumber


def typed_number(owned: OwnedNumber, switches: Switches) -> Json:
    """An owned number as the subresources for one type write it: everything but the type."""
    document = incoming_number(owned, switches)
    del document["type"]
    return document


def incoming_number(owned: OwnedNumber, switches: Switches) -> Json:
    """An IncomingPhoneNumber: no geography, no prices, four capabilities; unset texts are `""`
    or null.
    """
    number, profile = owned.number, owned.number.profile
    settings = owned.settings
    voice, sms, core = (settings.get(name) or {} for name in ("voice", "sms", "core"))
    kind = switches.core_toll_free_token if profile.type == "tollfree" else profile.type
    return {
        "sid": owned.sid,
        "account_sid": owned.account_sid,
        "friendly_name": settings.get("friendly_name") or friendly_name(number.phone_number),
        "phone_number": number.phone_number,
        "voice_url": voice.get("url"),
        "voice_method": voice.get("method") or "POST",
        "voice_fallback_url": voice.get("fallback_url"),
        "voice_fallback_method": voice.get("fallback_method") or "POST",
        "voice_caller_id_lookup": bool(voice.get("caller_id_lookup")),
        "voice_receive_mode": voice.get("receive_mode") or "voice",
        "voice_application_sid": voice.get("application_sid") or "",
        "sms_url": sms.get("url") or "",
        "sms_method": sms.get("method") or "POST",
        "sms_fallback_url": sms.get("fallback_url") or "",
        "sms_fallback_method": sms.get("fallback_method") or "POST",
        "sms_application_sid": sms.get("application_sid") or "",
        "status_callback": settings.get("status_callback") or "",
        "status_callback_method": settings.get("status_callback_method") or "POST",
        "trunk_sid": voice.get("trunk_sid"),
        "emergency_status": voice.get("emergency_status") or "Inactive",
        "emergency_address_sid": voice.get("emergency_address_sid"),
        "emergency_address_status": emergency_address_status(voice),
        "address_requirements": profile.address_requirements or "none",
        "address_sid": core.get("address_sid"),
        "identity_sid": core.get("identity_sid"),
        "bundle_sid": core.get("bundle_sid"),
        "api_version": core.get("api_version") or "2010-04-01",
        "beta": profile.beta,
        **profile.core_capabilities,
        "origin": owned.origin,
        "status": "in-use",
        "type": kind,
        "date_created": date(owned.created),
        "date_updated": date(owned.updated),
        "uri": f"/2010-04-01/Accounts/{owned.account_sid}/IncomingPhoneNumbers/{owned.sid}.json",
    }
