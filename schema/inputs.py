"""What clients send: filters of the two lists, and the inputs of the mutations.

A field that is absent is `UNSET`; null is None. `gateway/mapping/filters.py` maps each onto REST
parameters.
"""

from decimal import Decimal

import strawberry
from strawberry import UNSET, field
from strawberry.scalars import ID

from schema.bounds import MOST_ITEMS
from schema.enums import (
    EmergencyStatus,
    HttpMethod,
    Lifecycle,
    NumberOrigin,
    NumberType,
    Preservation,
    Reachability,
    ReceiveMode,
    RegulatoryDocument,
    SavedSearch,
)
from schema.scalars import E164, URL, CountryCode, CurrencyCode

# What is refused, and when.
_SOME = "Refused for accounts whose API cannot filter by it, see `Source`."
_NOT_WITH_SOME = "Not together with filters that only some accounts' API knows."
_KEY = (
    "A key of your own, up to 255 characters: the same key and input never act twice while the key"
    " is remembered, which is for 24 hours unless the operator has set another time."
)
_TOLD = (
    "Where the upstream does not tell it, what the number itself tells counts, as in `geography`;"
    " toll-free numbers of North America tell nothing."
)
_OF_EXCHANGE = (
    "Where the upstream does not tell it, what the number's exchange tells counts, as in"
    " `geography`. Numbers whose exchange tells nothing are left out, and `exhaustive` is false;"
    " those that belong to no place, as toll-free ones, do not match. With more exchanges than are"
    " looked up for one request the page ends early: go on behind `endCursor`."
)
_LIFECYCLE = (
    "How far its range has come. Every account can ask for GENERALLY_AVAILABLE and BETA; the others"
    " are refused for accounts whose API cannot filter by them, see `Source`{and_when}. There BETA"
    " takes in developer previews, and GENERALLY_AVAILABLE exhausted ranges."
)
_TEMPLATE = (
    "A phone number stands for its own place (US and Canada), but not together with filters that"
    " only some accounts' API knows."
)


@strawberry.input(description="What a number shall be able to do with calls.")
class VoiceFilter:
    enabled: bool | None = field(
        default=UNSET,
        description="Calls can come in or go out. `false`: it is known that they cannot.",
    )
    inbound_connectivity: bool | None = field(
        default=UNSET, description=f"Calls can come in. {_SOME}"
    )
    outbound_connectivity: bool | None = field(
        default=UNSET, description=f"Calls can go out. {_SOME}"
    )
    e911: bool | None = field(default=UNSET, description=f"Emergency (911) calls. {_SOME}")
    fax: bool | None = field(
        default=UNSET,
        description="Faxes. `false`: it is known that it cannot.",
    )
    sip_trunking: bool | None = field(default=UNSET, description=f"Usable on a SIP trunk. {_SOME}")
    inbound_called_dtmf: bool | None = field(
        default=UNSET,
        description=f"Dial tones of the called party arrive. {_SOME}",
    )
    inbound_caller_dtmf: bool | None = field(
        default=UNSET,
        description=f"Dial tones of the calling party arrive. {_SOME}",
    )
    inbound_caller_id_preservation: Preservation | None = field(
        default=UNSET,
        description=f"From where callers' numbers arrive unchanged. {_SOME}",
    )
    inbound_reachability: Reachability | None = field(
        default=UNSET,
        description=f"From where the number can be called. {_SOME}",
    )


@strawberry.input(description="What a number shall be able to do with text messages.")
class SmsFilter:
    enabled: bool | None = field(
        default=UNSET,
        description="Messages can come in or go out. `false`: it is known that they cannot.",
    )
    inbound_connectivity: bool | None = field(
        default=UNSET, description=f"Messages can come in. {_SOME}"
    )
    outbound_connectivity: bool | None = field(
        default=UNSET, description=f"Messages can go out. {_SOME}"
    )
    gsm7: bool | None = field(
        default=UNSET, description=f"Texts in the 7-bit GSM alphabet. {_SOME}"
    )
    ucs2: bool | None = field(default=UNSET, description=f"Texts in UCS-2. {_SOME}")
    gsm7_concatenation: bool | None = field(
        default=UNSET, description=f"Long GSM-7 texts in parts. {_SOME}"
    )
    ucs2_concatenation: bool | None = field(
        default=UNSET, description=f"Long UCS-2 texts in parts. {_SOME}"
    )
    inbound_sender_id_preservation: Preservation | None = field(
        default=UNSET,
        description=f"From where senders' numbers arrive unchanged. {_SOME}",
    )
    inbound_reachability: Reachability | None = field(
        default=UNSET,
        description=f"From where messages reach the number. {_SOME}",
    )


@strawberry.input(description="What a number shall be able to do with multimedia messages.")
class MmsFilter:
    enabled: bool | None = field(
        default=UNSET,
        description="Messages can come in or go out. `false`: it is known that they cannot.",
    )
    inbound_connectivity: bool | None = field(
        default=UNSET, description=f"Messages can come in. {_SOME}"
    )
    outbound_connectivity: bool | None = field(
        default=UNSET, description=f"Messages can go out. {_SOME}"
    )
    inbound_reachability: Reachability | None = field(
        default=UNSET,
        description=f"From where messages reach the number. {_SOME}",
    )


@strawberry.input(description="What a number shall be able to do.")
class CapabilitiesFilter:
    voice: VoiceFilter | None = field(default=UNSET, description="Calls.")
    sms: SmsFilter | None = field(default=UNSET, description="Text messages.")
    mms: MmsFilter | None = field(default=UNSET, description="Multimedia messages.")


@strawberry.input(
    description="Which owned numbers to list. All that is given must hold. What the upstream cannot"
    " filter by, but tells of the numbers that it lists, the gateway filters by itself, page by"
    " page: then `exhaustive` says whether it has seen all numbers."
)
class PhoneNumberFilter:
    phone_number: E164 | None = field(default=UNSET, description="This number only.")
    contains: str | None = field(
        default=UNSET,
        description="Digits of the number, in this order: 1 to 16 digits, letters as on a keypad,"
        " or `*` for any digit; `+` may lead. Spaces, dashes, dots, slashes and parentheses do not"
        " count.",
    )
    friendly_name: str | None = field(default=UNSET, description="Exactly this friendly name.")
    type: NumberType | None = field(default=UNSET, description="The kind of number.")
    lifecycle: Lifecycle | None = field(
        default=UNSET,
        description=_LIFECYCLE.format(and_when=""),
    )
    origin: NumberOrigin | None = field(
        default=UNSET,
        description="How it came to the account.",
    )
    capabilities: CapabilitiesFilter | None = field(
        default=UNSET,
        description="What it can do.",
    )
    country: CountryCode | None = field(
        default=UNSET, description=f"The country that it belongs to. {_TOLD}"
    )
    region: str | None = field(
        default=UNSET, description=f"State or province, two letters. {_TOLD}"
    )
    lata: str | None = field(default=UNSET, description=f"The LATA (US and Canada). {_OF_EXCHANGE}")
    rate_center: str | None = field(
        default=UNSET, description=f"The rate center (US and Canada). {_OF_EXCHANGE}"
    )
    locality: str | None = field(default=UNSET, description=f"Town or city. {_SOME}")
    postal_code: str | None = field(default=UNSET, description=f"Postal (zip) code. {_SOME}")
    latitude: float | None = field(
        default=UNSET, description=f"Exactly this latitude, in degrees. {_SOME}"
    )
    longitude: float | None = field(
        default=UNSET, description=f"Exactly this longitude, in degrees. {_SOME}"
    )


@strawberry.input(description="A point on the globe.")
class LatLongInput:
    latitude: float = field(description="Degrees, north positive, -90 to 90.")
    longitude: float = field(description="Degrees, east positive, -180 to 180.")


@strawberry.input(description="An amount of money in a currency.")
class MoneyInput:
    amount: Decimal = field(description='How much, exactly: `"1.15"`.')
    currency_code: CurrencyCode = field(description="In which currency.")


@strawberry.input(description="Near what numbers are searched: one of these.", one_of=True)
class Near:
    point: LatLongInput | None = field(default=UNSET, description="A point on the globe.")
    phone_number: E164 | None = field(
        default=UNSET,
        description=f"The place of this number, which need not be yours. {_NOT_WITH_SOME}",
    )


@strawberry.input(description="Which owned number is meant: one of these.", one_of=True)
class PhoneNumberIdentifier:
    sid: ID | None = field(default=UNSET, description="The number's sid.")
    phone_number: E164 | None = field(default=UNSET, description="The number itself.")


@strawberry.input(
    description="Which numbers to search. All that is given must hold. What the upstream cannot"
    " filter by, but tells of the numbers that it finds, the gateway filters by itself: then"
    " `exhaustive` says whether it has seen all numbers."
)
class AvailablePhoneNumberFilter:
    phone_number: E164 | None = field(
        default=UNSET,
        description="This number only, if it is for sale and of one of `types`. Not together with"
        " `contains`.",
    )
    area_codes: list[str] | None = field(
        default=UNSET,
        description=(
            'Area codes, three digits each, of North American numbers, for example `["415"]`; those'
            " of Puerto Rico (787, 939) can be searched with the country `US`, too. Elsewhere, for"
            " `types: [TOLL_FREE]`, what the number begins with behind the country's code, for"
            ' example `["800"]`. Several are searched one by one and merged.'
        ),
    )
    contains: str | None = field(
        default=UNSET,
        description=(
            "Pattern, 2 to 16 characters: digits, letters as on a keypad, `*` for one digit, "
            "`%` for any run, a leading `+` and a trailing `$` anchor. At least two digits or "
            "letters. Without `+` the country's code is no part of what is compared. Spaces,"
            " dashes, dots, slashes and parentheses do not count: `(415) FLOWERS`."
        ),
    )
    region: str | None = field(
        default=UNSET, description=f"State or province, two letters. {_TEMPLATE}"
    )
    postal_code: str | None = field(default=UNSET, description=f"Postal (zip) code. {_TEMPLATE}")
    lata: str | None = field(default=UNSET, description=f"LATA. {_TEMPLATE}")
    rate_center: str | None = field(
        default=UNSET,
        description=f"Rate center; give its `lata`, too: some accounts' API needs it. {_TEMPLATE}",
    )
    locality: str | None = field(default=UNSET, description=f"Town or city. {_TEMPLATE}")
    latitude: float | None = field(
        default=UNSET,
        description=f"Exactly this latitude, in degrees; see `near`. {_SOME}",
    )
    longitude: float | None = field(
        default=UNSET,
        description=f"Exactly this longitude, in degrees; see `near`. {_SOME}",
    )
    near: Near | None = field(
        default=UNSET, description="Within `withinMiles` of this place (US and Canada)."
    )
    within_miles: int | None = field(
        default=UNSET, description="Miles for `near`: 1 to 500; 25 when absent."
    )
    capabilities: CapabilitiesFilter | None = field(default=UNSET, description="What it can do.")
    exclude_all_address_required: bool | None = field(
        default=UNSET,
        description="Leave out numbers that need any address.",
    )
    exclude_local_address_required: bool | None = field(
        default=UNSET,
        description="Leave out numbers that need a local address.",
    )
    exclude_foreign_address_required: bool | None = field(
        default=UNSET,
        description="Leave out numbers that need a foreign address.",
    )
    lifecycle: Lifecycle | None = field(
        default=UNSET,
        description=_LIFECYCLE.format(
            and_when=", and together with filters that only the accounts' other API knows"
        ),
    )
    saved_searches: list[SavedSearch] | None = field(
        default=UNSET,
        description=f"Named sets of filters, combined. {_SOME}",
    )
    min_setup_price: Decimal | None = field(
        default=UNSET, description=f"Lowest `setupPrice`, in US dollars. {_SOME}"
    )
    max_setup_price: Decimal | None = field(
        default=UNSET, description=f"Highest `setupPrice`, in US dollars. {_SOME}"
    )
    min_monthly_price: Decimal | None = field(
        default=UNSET, description=f"Lowest `monthlyPrice`, in US dollars. {_SOME}"
    )
    max_monthly_price: Decimal | None = field(
        default=UNSET, description=f"Highest `monthlyPrice`, in US dollars. {_SOME}"
    )


@strawberry.input(
    description="What shall happen with calls. Absent fields stay as they are. Null clears a URL, a"
    " sid or the look-up; it is refused for enums. In a purchase null is the same as absent."
)
class VoiceConfigurationInput:
    url: URL | None = field(default=UNSET, description="Webhook called when a call comes in.")
    method: HttpMethod | None = field(default=UNSET, description="How `url` is called.")
    fallback_url: URL | None = field(default=UNSET, description="Webhook called when `url` fails.")
    fallback_method: HttpMethod | None = field(
        default=UNSET,
        description="How `fallbackUrl` is called.",
    )
    application_sid: ID | None = field(
        default=UNSET,
        description="Application that handles calls; setting it clears the trunk. Not together with"
        " `trunkSid`.",
    )
    trunk_sid: ID | None = field(
        default=UNSET,
        description="SIP trunk that handles calls; setting it clears the application. Not together"
        " with `applicationSid`.",
    )
    emergency_status: EmergencyStatus | None = field(
        default=UNSET,
        description="Emergency calling.",
        deprecation_reason=(
            "Set `emergencyAddressSid` instead, and read `emergencyAddressStatus`: writing this has"
            " had no effect upstream since October 2021."
        ),
    )
    emergency_address_sid: ID | None = field(
        default=UNSET,
        description=(
            "Address given to emergency services. It is registered once it is set, and cannot be"
            " cleared until it is unregistered: see `emergencyAddressStatus`."
        ),
    )
    receive_mode: ReceiveMode | None = field(
        default=UNSET,
        description="Voice or fax.",
    )
    caller_id_lookup: bool | None = field(
        default=UNSET,
        description="Look up callers' names.",
    )


@strawberry.input(
    description="What shall happen with text messages. Absent fields stay as they are. Null clears"
    " a URL or sid; it is refused for a method. In a purchase null is the same as absent."
)
class SmsConfigurationInput:
    url: URL | None = field(default=UNSET, description="Webhook called when a message comes in.")
    method: HttpMethod | None = field(default=UNSET, description="How `url` is called.")
    fallback_url: URL | None = field(default=UNSET, description="Webhook called when `url` fails.")
    fallback_method: HttpMethod | None = field(
        default=UNSET,
        description="How `fallbackUrl` is called.",
    )
    application_sid: ID | None = field(
        default=UNSET,
        description="Application that handles messages.",
    )


@strawberry.input(
    description="What the law of the number's country asks for. Absent fields stay as they are;"
    " null does not clear them, `clear` does. In a purchase null is the same as absent."
)
class RegulatoryInput:
    address_sid: ID | None = field(default=UNSET, description="A registered address.")
    identity_sid: ID | None = field(default=UNSET, description="A verified identity document.")
    bundle_sid: ID | None = field(default=UNSET, description="An approved regulatory bundle.")
    clear: list[RegulatoryDocument] | None = field(
        default=UNSET,
        description="Documents that the number shall no longer have. Not in a purchase or transfer:"
        " the number has none then.",
    )


@strawberry.input(
    description="Settings of a number. Absent fields stay as they are. Null clears a text, a URL or"
    " a sid, one at a time; it is refused for whole objects and enums."
    " In a purchase null and empty texts are the same as absent: there is nothing to clear."
)
class ConfigurationInput:
    friendly_name: str | None = field(
        default=UNSET,
        description="A text for people, up to 64 characters.",
    )
    status_callback_url: URL | None = field(
        default=UNSET,
        description="Webhook that is told about the state of calls.",
    )
    status_callback_method: HttpMethod | None = field(
        default=UNSET,
        description="How `statusCallbackUrl` is called.",
    )
    voice: VoiceConfigurationInput | None = field(default=UNSET, description="Calls.")
    sms: SmsConfigurationInput | None = field(default=UNSET, description="Text messages.")


@strawberry.input(description="Which number to buy, and its first settings.")
class PurchasePhoneNumberInput:
    phone_number: E164 = field(description="The number to buy.")
    configuration: ConfigurationInput | None = field(
        default=UNSET,
        description="Settings from the start.",
    )
    regulatory: RegulatoryInput | None = field(
        default=UNSET,
        description="Papers that the number's country asks for.",
    )
    account_sid: ID | None = field(
        default=UNSET,
        description="The account that will own and pay; the caller's own when absent. An API key"
        " buys only for the account that it was made in: for any other one nothing is bought.",
    )
    max_monthly_price: MoneyInput | None = field(
        default=UNSET,
        description="What the number may cost a month, at most. Looked up first is its own price,"
        " where the upstream tells it, else that of its kind by the price list of its country. If"
        " it costs more, nothing is bought (`TOO_EXPENSIVE`); nor if its price cannot be found out"
        " or is in another currency (`PRICE_UNKNOWN`).",
    )
    idempotency_key: str | None = field(
        default=UNSET,
        description=_KEY,
    )
    dry_run: bool = field(
        default=False,
        description="Check and say what would be sent; do nothing. A number that requires an"
        " address is refused without one, as the purchase would be (`ADDRESS_REQUIRED`); what else"
        " is asked for is in `requirements`.",
    )


@strawberry.input(description="Which number to change, and how.")
class ConfigurePhoneNumberInput:
    sid: ID = field(description="The number's sid: its `id`.")
    configuration: ConfigurationInput | None = field(
        default=UNSET,
        description="Settings to change.",
    )
    regulatory: RegulatoryInput | None = field(
        default=UNSET,
        description="Papers to give it, or to take off it.",
    )
    account_sid: ID | None = field(
        default=UNSET,
        description="The account that owns the number; the caller's own when absent.",
    )
    idempotency_key: str | None = field(
        default=UNSET,
        description=_KEY,
    )
    dry_run: bool = field(
        default=False,
        description="Check and say what would be sent; do nothing.",
    )


@strawberry.input(description="Which number to move, and where.")
class TransferPhoneNumberInput:
    sid: ID = field(description="The number's sid: its `id`.")
    to_account_sid: ID = field(
        description="The account that will own it: parent or subaccount of the present owner.",
    )
    regulatory: RegulatoryInput | None = field(
        default=UNSET,
        description=(
            "Papers of the account that will own it, which a regulated number needs, as if that"
            " account bought it: those of the present owner do not move."
        ),
    )
    account_sid: ID | None = field(
        default=UNSET,
        description="The account that owns the number; the caller's own when absent.",
    )
    idempotency_key: str | None = field(
        default=UNSET,
        description=_KEY,
    )
    dry_run: bool = field(
        default=False,
        description="Check and say what would be sent; do nothing.",
    )


@strawberry.input(
    description=(
        "Which number to give back. The API has no way to undo it: Twilio's console alone gives a"
        " number back, for ten days, while nobody else has it."
    )
)
class ReleasePhoneNumberInput:
    sid: ID = field(description="The number's sid: its `id`.")
    confirm_phone_number: E164 = field(
        description="The number itself, to confirm that the sid is the one you mean.",
    )
    account_sid: ID | None = field(
        default=UNSET,
        description="The account that owns the number; the caller's own when absent.",
    )
    idempotency_key: str | None = field(
        default=UNSET,
        description=_KEY,
    )
    dry_run: bool = field(
        default=False,
        description="Check and say what would be sent; do nothing.",
    )


@strawberry.input(
    description="Several of them, each done on its own. An item that is malformed or repeats the"
    " number of an earlier one is refused on its own."
)
class PurchasePhoneNumbersInput:
    items: list[PurchasePhoneNumberInput] = field(
        description=f"One entry per number, 1 to {MOST_ITEMS}."
    )


@strawberry.input(
    description="Several of them, each done on its own. An item that is malformed or repeats the"
    " number of an earlier one is refused on its own."
)
class ConfigurePhoneNumbersInput:
    items: list[ConfigurePhoneNumberInput] = field(
        description=f"One entry per number, 1 to {MOST_ITEMS}."
    )


@strawberry.input(
    description="Several of them, each done on its own. An item that is malformed or repeats the"
    " number of an earlier one is refused on its own."
)
class TransferPhoneNumbersInput:
    items: list[TransferPhoneNumberInput] = field(
        description=f"One entry per number, 1 to {MOST_ITEMS}."
    )


@strawberry.input(
    description="Several of them, each done on its own. An item that is malformed or repeats the"
    " number of an earlier one is refused on its own."
)
class ReleasePhoneNumbersInput:
    items: list[ReleasePhoneNumberInput] = field(
        description=f"One entry per number, 1 to {MOST_ITEMS}."
    )
