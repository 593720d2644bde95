"""What clients send: filters of the two lists, and the inputs of the mutations.

A field that is absent is `UNSET`; null is None. `gateway/mapping/filters.py` maps each onto REST
parameters.
"""

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
from schema.scalars import E164, URL, CountryCode


@strawberry.input(description="Capabilities for calls that a number shall have.")
class VoiceFilter:
    inbound_connectivity: bool | None = field(default=UNSET, description="Calls can come in.")
    outbound_connectivity: bool | None = field(default=UNSET, description="Calls can go out.")
    e911: bool | None = field(default=UNSET, description="Emergency (911) calls.")
    fax: bool | None = field(default=UNSET, description="Faxes.")
    sip_trunking: bool | None = field(default=UNSET, description="Usable on a SIP trunk.")
    inbound_called_dtmf: bool | None = field(
        default=UNSET,
        description="Dial tones of the called party arrive.",
    )
    inbound_caller_dtmf: bool | None = field(
        default=UNSET,
        description="Dial tones of the calling party arrive.",
    )
    inbound_caller_id_preservation: Preservation | None = field(
        default=UNSET,
        description="From where callers' numbers arrive unchanged.",
    )
    inbound_reachability: Reachability | None = field(
        default=UNSET,
        description="From where the number can be called.",
    )


@strawberry.input(description="Capabilities for text messages that a number shall have.")
class SmsFilter:
    inbound_connectivity: bool | None = field(default=UNSET, description="Messages can come in.")
    outbound_connectivity: bool | None = field(default=UNSET, description="Messages can go out.")
    gsm7: bool | None = field(default=UNSET, description="Texts in the 7-bit GSM alphabet.")
    ucs2: bool | None = field(default=UNSET, description="Texts in UCS-2.")
    gsm7_concatenation: bool | None = field(default=UNSET, description="Long GSM-7 texts in parts.")
    ucs2_concatenation: bool | None = field(default=UNSET, description="Long UCS-2 texts in parts.")
    inbound_sender_id_preservation: Preservation | None = field(
        default=UNSET,
        description="From where senders' numbers arrive unchanged.",
    )
    inbound_reachability: Reachability | None = field(
        default=UNSET,
        description="From where messages reach the number.",
    )


@strawberry.input(description="Capabilities for multimedia messages that a number shall have.")
class MmsFilter:
    inbound_connectivity: bool | None = field(default=UNSET, description="Messages can come in.")
    outbound_connectivity: bool | None = field(default=UNSET, description="Messages can go out.")
    inbound_reachability: Reachability | None = field(
        default=UNSET,
        description="From where messages reach the number.",
    )


@strawberry.input(description="Capabilities that a number shall have. Catalog family.")
class CapabilitiesFilter:
    voice: VoiceFilter | None = field(default=UNSET, description="Calls.")
    sms: SmsFilter | None = field(default=UNSET, description="Text messages.")
    mms: MmsFilter | None = field(default=UNSET, description="Multimedia messages.")


@strawberry.input(
    description="Where a number shall belong: each value must be equal. Catalog family."
)
class GeographyFilter:
    iso_country: CountryCode | None = field(default=UNSET, description="The country.")
    lata: str | None = field(default=UNSET, description="The LATA (US and Canada).")
    rate_center: str | None = field(default=UNSET, description="The rate center (US and Canada).")
    latitude: float | None = field(default=UNSET, description="Latitude in degrees.")
    longitude: float | None = field(default=UNSET, description="Longitude in degrees.")
    region: str | None = field(default=UNSET, description="State or province, two letters.")
    locality: str | None = field(default=UNSET, description="Town or city.")
    postal_code: str | None = field(default=UNSET, description="Postal (zip) code.")


@strawberry.input(description="Which owned numbers to list. All that is given must hold.")
class PhoneNumberFilter:
    phone_number: E164 | None = field(default=UNSET, description="This number only.")
    contains: str | None = field(
        default=UNSET,
        description="Digits of the number, in this order; `*` stands for any digit. Core family.",
    )
    friendly_name: str | None = field(
        default=UNSET,
        description="Exactly this friendly name. Core family.",
    )
    type: NumberType | None = field(default=UNSET, description="The kind of number.")
    lifecycle: Lifecycle | None = field(
        default=UNSET,
        description="How far its range has come. Catalog family.",
    )
    beta: bool | None = field(
        default=UNSET,
        description="`false` leaves out numbers new to the platform; `true` is the same as leaving"
        " this out. Core family.",
    )
    origin: NumberOrigin | None = field(
        default=UNSET,
        description="How it came to the account. Core family.",
    )
    capabilities: CapabilitiesFilter | None = field(
        default=UNSET,
        description="What it can do. Catalog family.",
    )
    geography: GeographyFilter | None = field(
        default=UNSET,
        description="Where it belongs. Catalog family.",
    )


@strawberry.input(description="A point on the globe.")
class LatLongInput:
    latitude: float = field(description="Degrees, north positive, -90 to 90.")
    longitude: float = field(description="Degrees, east positive, -180 to 180.")


@strawberry.input(description="Which numbers to search. All that is given must hold.")
class AvailablePhoneNumberFilter:
    phone_number: E164 | None = field(
        default=UNSET,
        description="This number only. Catalog family.",
    )
    area_code: list[int] | None = field(
        default=UNSET,
        description=(
            "Area codes, three digits each, of North American numbers (US, Canada, and Puerto Rico,"
            " which is the country `PR`); elsewhere, for `types: [TOLL_FREE]`,"
            " what the number begins with behind the country's code, for example 800. Several are"
            " searched one by one and merged."
        ),
    )
    contains: str | None = field(
        default=UNSET,
        description=(
            "Pattern, 2 to 16 characters: digits, letters as on a keypad, `*` for one digit, "
            "`%` for any run, a leading `+` and a trailing `$` anchor. At least two digits or "
            "letters."
        ),
    )
    in_region: str | None = field(
        default=UNSET,
        description=(
            "State or province, two letters (US and Canada). A phone number takes that number's."
        ),
    )
    in_postal_code: str | None = field(
        default=UNSET,
        description="Postal code (US and Canada). A phone number takes that number's.",
    )
    in_lata: str | None = field(
        default=UNSET,
        description="LATA (US and Canada). A phone number takes that number's.",
    )
    in_rate_center: str | None = field(
        default=UNSET,
        description=(
            "Rate center (US and Canada); needs `inLata`. A phone number takes that number's."
        ),
    )
    in_locality: str | None = field(
        default=UNSET,
        description="Town or city. A phone number takes that number's.",
    )
    near_lat_long: LatLongInput | None = field(
        default=UNSET,
        description="Within `distance` of this point (US and Canada).",
    )
    near_number: E164 | None = field(
        default=UNSET,
        description="Within `distance` of this number's place (US and Canada).",
    )
    distance: int | None = field(
        default=UNSET,
        description="Miles for `nearLatLong` or `nearNumber`: 1 to 500; 25 when absent.",
    )
    voice_enabled: bool | None = field(
        default=UNSET,
        description="It can be called. `false`: it is known not to; the upstream may take false for"
        " any, so the gateway filters by it.",
    )
    sms_enabled: bool | None = field(
        default=UNSET,
        description="It takes text messages. `false`: it is known not to; the upstream may take"
        " false for any, so the gateway filters by it.",
    )
    mms_enabled: bool | None = field(
        default=UNSET,
        description="It takes multimedia messages. `false`: it is known not to; the upstream may"
        " take false for any, so the gateway filters by it.",
    )
    fax_enabled: bool | None = field(
        default=UNSET,
        description="It takes faxes. `false`: it is known not to; the upstream may take false for"
        " any, so the gateway filters by it.",
    )
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
    beta: bool | None = field(
        default=UNSET,
        description="`false` leaves out numbers new to the platform; `true` is the same as leaving"
        " this out.",
    )
    lifecycle: Lifecycle | None = field(
        default=UNSET,
        description="How far its range has come. Catalog family.",
    )
    saved_searches: list[SavedSearch] | None = field(
        default=UNSET,
        description="Named sets of filters, combined. Catalog family.",
    )
    min_base_setup_price: float | None = field(
        default=UNSET,
        description="Lowest price once. Catalog family.",
    )
    max_base_setup_price: float | None = field(
        default=UNSET,
        description="Highest price once. Catalog family.",
    )
    min_base_recurring_price: float | None = field(
        default=UNSET,
        description="Lowest price per month. Catalog family.",
    )
    max_base_recurring_price: float | None = field(
        default=UNSET,
        description="Highest price per month. Catalog family.",
    )
    capabilities: CapabilitiesFilter | None = field(
        default=UNSET,
        description="What it can do. Catalog family.",
    )
    geography: GeographyFilter | None = field(
        default=UNSET,
        description="Where it belongs, by equal values. Catalog family.",
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
    idempotency_key: str | None = field(
        default=UNSET,
        description=(
            "A key of your own, up to 255 characters: the same key and input never act twice."
        ),
    )
    dry_run: bool = field(
        default=False,
        description="Check and say what would be sent; do nothing.",
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
        description=(
            "A key of your own, up to 255 characters: the same key and input never act twice."
        ),
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
        description=(
            "A key of your own, up to 255 characters: the same key and input never act twice."
        ),
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
        description=(
            "A key of your own, up to 255 characters: the same key and input never act twice."
        ),
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
