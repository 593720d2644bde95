"""Kinds of number in the generated inventory: capabilities, lifecycle, prices and regulation.

The variety is this sandbox's own: it makes every documented property take every documented value
somewhere.
"""

import copy
from functools import cache
from typing import Any

from gateway.sandbox.world.number_documents import Json

_VOICE: Json = {
    "inbound_connectivity": True,
    "outbound_connectivity": True,
    "e911": True,
    "fax": True,
    "sip_trunking": True,
    "calls_per_second": 30,
    "concurrent_calls_limit": 30,
    "long_record_length": 30,
    "inbound_called_dtmf": True,
    "inbound_caller_dtmf": True,
    "inbound_caller_id_preservation": "international",
    "inbound_reachability": "global",
    "codecs": ["g711u"],
}
_SMS: Json = {
    "inbound_connectivity": True,
    "outbound_connectivity": True,
    "gsm7": True,
    "ucs2": True,
    "gsm7_concatenation": True,
    "ucs2_concatenation": True,
    "inbound_sender_id_preservation": "international",
    "inbound_reachability": "global",
    "inbound_mps": -1,
}
_MMS: Json = {
    "inbound_connectivity": True,
    "outbound_connectivity": True,
    "inbound_reachability": "global",
    "inbound_mps": -1,
}

# (weight, dotted path -> value; the value `...` removes the key) over the full profile.
_VARIANTS: tuple[tuple[int, dict[str, Any]], ...] = (
    (44, {}),
    (10, {"capabilities.mms": None}),
    (8, {"capabilities.sms": None, "capabilities.mms": None, "capabilities.voice.e911": False}),
    (
        6,
        {
            "capabilities.sms.gsm7_concatenation": ...,
            "capabilities.sms.ucs2_concatenation": ...,
            "capabilities.sms.inbound_reachability": "domestic",
            "capabilities.sms.inbound_sender_id_preservation": "domestic",
            "capabilities.mms.inbound_reachability": "domestic",
        },
    ),
    (
        6,
        {
            "capabilities.voice.fax": False,
            "capabilities.voice.sip_trunking": False,
            "capabilities.voice.inbound_caller_id_preservation": "domestic",
            "capabilities.voice.inbound_reachability": "domestic",
        },
    ),
    (
        5,
        {
            "capabilities.voice.inbound_called_dtmf": False,
            "capabilities.voice.calls_per_second": 1,
            "capabilities.voice.concurrent_calls_limit": 20,
            "capabilities.mms.outbound_connectivity": False,
            "capabilities.mms.inbound_mps": 5,
        },
    ),
    (
        4,
        {
            "capabilities.voice.inbound_caller_dtmf": False,
            "capabilities.voice.concurrent_calls_limit": 40,
            "capabilities.sms.ucs2": False,
            "capabilities.sms.ucs2_concatenation": False,
            "capabilities.sms.inbound_mps": 10,
        },
    ),
    (4, {"capabilities.voice": None}),
    (
        3,
        {
            "capabilities.voice.inbound_reachability": "foreign",
            "capabilities.voice.inbound_caller_id_preservation": "none",
            "capabilities.sms.inbound_reachability": "foreign",
            "capabilities.sms.inbound_sender_id_preservation": "none",
            "capabilities.mms.inbound_reachability": "foreign",
        },
    ),
    (3, {"capabilities.voice.codecs": ..., "base_setup_price": ..., "base_recurring_price": ...}),
    (3, {"lifecycle": "beta", "capabilities.voice.long_record_length": 120}),
    (2, {"lifecycle": "developer-preview", "capabilities.sms.gsm7": False}),
    (1, {"lifecycle": "exhausted", "capabilities.voice.outbound_connectivity": False}),
    (1, {"base_setup_price": "1.0", "base_recurring_price": "15.0"}),
)

MONTHLY_PRICES = {
    "local": "1.0",
    "tollfree": "2.0",
    "mobile": "3.0",
    "national": "1.5",
    "shared-cost": "4.0",
    "voip": "1.25",
    "machine-to-machine": "2.5",
}

# (country, type) -> (address requirement, documents a purchase needs). GB, AU and IE as reported;
# the rest
# is chosen so that every requirement occurs.
_REGULATION: dict[tuple[str, str], tuple[str, list[str]]] = {
    ("GB", "local"): ("any", ["address", "bundle"]),
    ("GB", "mobile"): ("none", ["bundle"]),
    ("AU", "mobile"): ("any", ["address", "bundle"]),
    ("IE", "local"): ("local", ["local-address", "bundle"]),
    ("FR", "local"): ("local", ["local-address"]),
    ("ES", "local"): ("local", ["local-address"]),
    ("IT", "local"): ("local", ["local-address"]),
    ("HK", "mobile"): ("any", ["address"]),
    ("MX", "local"): ("foreign", ["address"]),
    ("BR", "local"): ("foreign", ["address"]),
    ("ZA", "local"): ("none", ["identity"]),
    ("JP", "local"): ("none", ["identity"]),
}


def required_documents(iso_country: str, kind: str) -> list[str]:
    """Documents that a purchase needs: `address`, `local-address`, `bundle`, `identity`."""
    return _REGULATION.get((iso_country, kind), ("none", []))[1]


_WITHOUT_SMS = frozenset({"shared-cost", "national"})


@cache
def variants(iso_country: str, kind: str, *, beta: bool) -> tuple[tuple[int, Json], ...]:
    """(weight, profile document) of every kind of number a country has of one type.

    The documents are shared: copy one before changing it.
    """
    address, _ = _REGULATION.get((iso_country, kind), ("none", []))
    full: Json = {
        "type": kind,
        "lifecycle": "beta" if beta else "generally-available",
        "base_setup_price": "0.0",
        "base_recurring_price": MONTHLY_PRICES[kind],
        "capabilities": {"voice": _VOICE, "sms": _SMS, "mms": _MMS},
        "regulatory": {"address_requirements": address},
        "requires": required_documents(iso_country, kind),
    }
    return tuple((weight, _vary(full, changes, iso_country, kind)) for weight, changes in _VARIANTS)


def _vary(full: Json, changes: dict[str, Any], iso_country: str, kind: str) -> Json:
    profile = copy.deepcopy(full)
    for path, value in changes.items():
        if path == "lifecycle" and full["lifecycle"] == "beta":
            continue
        *parents, leaf = path.split(".")
        target = profile
        for parent in parents:
            target = target[parent]
        if value is ...:
            del target[leaf]
        else:
            target[leaf] = value
    capabilities = profile["capabilities"]
    if iso_country not in {"US", "CA"}:
        capabilities["mms"] = None
        if capabilities["voice"] is not None:
            capabilities["voice"]["e911"] = False
    if kind in _WITHOUT_SMS or (iso_country == "GB" and kind != "mobile"):
        capabilities["sms"] = None
    if kind == "machine-to-machine":
        capabilities["voice"] = None
    return profile
