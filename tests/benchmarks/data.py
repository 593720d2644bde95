"""The numbers that the static upstream owns and sells, computed from their index alone.

There are `VARIANTS` lists. Which one a request gets is decided by its `Geography.PostalCode`, so
that requests with different variables ask for different URLs and get different answers, and no
server under test gains by keeping or sharing one. In each list the numbers are spread over
`CENTERS` rate centers, which no other list has.
"""

import base64
from typing import Any, Final
from urllib.parse import urlencode

import orjson

ACCOUNT: Final = "AC" + "b0" * 16
OTHER_ACCOUNT: Final = "AC" + "0b" * 16
"""One that has the same numbers, and may wait for ever."""
TOKEN: Final = "static-upstream-token"
VARIANTS: Final = 512
CENTERS: Final = 5
LIST_SIZE: Final = 50
NESTED_SIZE: Final = 20

_TOWNS: Final = ("HUNTINGTON", "RIVERSIDE", "SPRINGFLD", "FAIRVIEW", "GREENWOOD")
_REGIONS: Final = ("NY", "CA", "IL", "OK", "SC")


def basic(account: str, token: str = TOKEN) -> str:
    """Return how an account says who it is."""
    return "Basic " + base64.b64encode(f"{account}:{token}".encode()).decode()


def number_sid(index: int) -> str:
    """Return the sid of owned number `index`: `PN` and the index as 32 hexadecimal digits."""
    return f"PN{index:032x}"


def phone_number(index: int) -> str:
    """Return the phone number of owned number `index`.

    None begins with 8: those are toll-free, and have no others near them.
    """
    return f"+1{2 + index % 6}{10 + index % 90:02d}{2000000 + index:07d}"


def index_of(number: str) -> int:
    """Return the index of the number that has this phone number."""
    return int(number[-7:]) - 2_000_000


def variant_of(postal_code: str) -> int:
    """Return which list a postal code filter selects; 0 when it is absent or no number."""
    return int(postal_code) % VARIANTS if postal_code.isdecimal() else 0


def rate_center(variant: int, center: int) -> str:
    """Return the name of rate center `center` (0 to 4) of list `variant`, 10 characters at most."""
    return f"{_TOWNS[center][:6]}{variant:04d}"


def lata(variant: int, center: int) -> int:
    """Return the LATA in which that rate center lies."""
    return 100 + (variant * CENTERS + center) % 800


def owned_number(index: int, variant: int, position: int, *, instance: bool) -> dict[str, Any]:
    """Return owned number `index`, standing at `position` of list `variant`, as catalog JSON.

    The list and the instance spell the configuration in two ways; the upstream's documentation
    shows both.
    """
    center = position % CENTERS
    number = phone_number(index)
    return {
        "sid": number_sid(index),
        "account_sid": ACCOUNT,
        "phone_number": number,
        # Those of a nested answer have others near them, which toll-free ones have not.
        "type": "tollfree" if index % 10 == 9 and position >= NESTED_SIZE else "local",
        "lifecycle": "beta" if index % 7 == 0 else "generally-available",
        "capabilities": _capabilities(index),
        "regulatory": {"address_requirements": ("none", "any", "local")[index % 3]},
        "geography": {
            "iso_country": "US",
            "lata": lata(variant, center),
            "rate_center": rate_center(variant, center),
            "latitude": round(30 + index % 1000 / 97, 4),
            "longitude": round(-70 - index % 1000 / 89, 4),
            "region": _REGIONS[center],
            "locality": _TOWNS[center],
            "postal_code": f"{10000 + index % 80000:05d}",
        },
        **_configuration(index, number, instance=instance),
    }


def _capabilities(index: int) -> dict[str, Any]:
    sms = {
        "inbound_connectivity": True,
        "outbound_connectivity": index % 4 != 0,
        "gsm7": True,
        "ucs2": True,
        "gsm7_concatenation": True,
        "ucs2_concatenation": index % 2 == 0,
        "inbound_sender_id_preservation": "domestic",
        "inbound_reachability": "domestic",
        "inbound_mps": 10,
    }
    mms = {
        "inbound_connectivity": True,
        "outbound_connectivity": True,
        "inbound_reachability": "domestic",
        "inbound_mps": 10,
    }
    return {
        "voice": {
            "inbound_connectivity": True,
            "outbound_connectivity": True,
            "e911": index % 2 == 0,
            "fax": True,
            "calls_per_second": 1,
            "concurrent_calls_limit": 20,
            "long_record_length": 30,
            "inbound_called_dtmf": True,
            "inbound_caller_dtmf": True,
            "sip_trunking": True,
            "inbound_caller_id_preservation": "international",
            "inbound_reachability": "global",
            "codecs": ["g711u"],
        },
        "sms": sms,
        "mms": mms if index % 5 else None,
    }


def _configuration(index: int, number: str, *, instance: bool) -> dict[str, Any]:
    name = f"({number[2:5]}) {number[5:8]}-{number[8:]}"
    voice_url = f"https://voice.example.com/{index % 100}"
    if instance:
        voice = {**_hooks(voice_url, ""), "emergency_status": "Inactive"}
        voice |= {"trunk_sid": None, "emergency_address_sid": None, "caller_id_lookup": False}
        return {
            "configuration": {
                "friendly_name": name,
                "status_callback_url": "",
                "status_callback_method": "POST",
                "voice": voice,
                "sms": _hooks("", ""),
            }
        }
    voice = {**_hooks(voice_url, None), "emergency_status": "Inactive", "receive_mode": "voice"}
    voice |= {"trunk_sid": None, "emergency_address_sid": None, "caller_id_lookup": False}
    return {
        "configurations": {
            "friendly_name": name,
            "status_callback": None,
            "status_callback_method": "POST",
            "voice": voice,
            "sms": _hooks("https://sms.example.com/", None),
            "mms": _hooks(None, None),
        }
    }


def _hooks(url: str | None, unset: str | None) -> dict[str, Any]:
    return {
        "url": url,
        "method": "POST",
        "fallback_url": unset,
        "fallback_method": None,
        "application_sid": unset,
    }


def instance_body(index: int, owned: int) -> bytes:
    """Return what `GET /Numbers/ActiveNumbers/{sid}` answers: an envelope around one number.

    `owned` is how many numbers each list has.
    """
    variant, position = divmod(index, owned)
    item = owned_number(index, variant, position, instance=True)
    path = f"/Numbers/ActiveNumbers/{item['sid']}"
    return _envelope([item], path, page=0, size=LIST_SIZE, following=None)


def list_body(variant: int, owned: int, page: int, size: int, base: str) -> bytes:
    """Return page `page` (from 0) of list `variant` with `owned` numbers, `size` on a page.

    `base` is the scheme and host that the upstream puts before paths in its paging links.
    """
    first = page * size
    items = [
        owned_number(variant * owned + position, variant, position, instance=False)
        for position in range(first, min(first + size, owned))
    ]
    path = f"{base}/Numbers/ActiveNumbers?"
    following = urlencode({"PageSize": size, "Page": page + 1}) if first + size < owned else None
    return _envelope(
        items,
        path + urlencode({"PageSize": size, "Page": page}),
        page=page,
        size=size,
        following=path + following if following else None,
    )


def empty_body(url: str) -> bytes:
    """Return what `GET /Numbers/ActiveNumbers` answers when nothing is found, at `url`."""
    return _envelope([], url, page=0, size=LIST_SIZE, following=None)


def _envelope(
    items: list[dict[str, Any]], url: str, *, page: int, size: int, following: str | None
) -> bytes:
    meta = {
        "page": page,
        "page_size": size,
        "first_page_url": url,
        "previous_page_url": None,
        "url": url,
        "next_page_url": following,
        "key": "items",
    }
    return orjson.dumps({"items": items, "meta": meta})


def search_body(account: str, center: str, in_lata: str, size: int) -> bytes:
    """Return what a core search for one rate center answers: `size` numbers for sale.

    As in the core family, LATA and coordinates are strings, and capabilities are spelled in
    mixed case.
    """
    seed = sum(center.encode()) * 1009
    found = [
        {
            "friendly_name": f"(555) {200 + place:03d}-{seed % 10000:04d}",
            "phone_number": f"+1555{200 + place:03d}{seed % 10000:04d}",
            "lata": in_lata,
            "locality": center.capitalize(),
            "rate_center": center,
            "latitude": f"{40 + place / 16:.6f}",
            "longitude": f"{-73 - place / 16:.6f}",
            "region": "NY",
            "postal_code": f"{11700 + place:05d}",
            "iso_country": "US",
            "address_requirements": "none",
            "beta": False,
            "capabilities": {"voice": True, "SMS": True, "MMS": place % 2 == 0, "fax": False},
        }
        for place in range(size)
    ]
    path = f"/2010-04-01/Accounts/{account}/AvailablePhoneNumbers/US/Local.json"
    query = urlencode({"InRateCenter": center, "InLata": in_lata, "PageSize": size})
    return orjson.dumps({"uri": f"{path}?{query}", "available_phone_numbers": found})
