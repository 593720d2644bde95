"""What clients see of numbers, accounts and countries.

Every leaf that the upstream may leave out is nullable: its documentation warns that instances may
have missing data. The objects behind these types are views over upstream
JSON (see `gateway/mapping/records.py`), not instances of these classes.
"""

import datetime as dt
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, cast

import strawberry
from strawberry import field
from strawberry.scalars import ID

from schema.bounds import MOST_FIRST, USUAL_FIRST
from schema.cache_hints import CacheControl
from schema.directives import Cost, ListSize, Scope, needs, paged, part
from schema.enums import (
    AccountStatus,
    AccountType,
    AddressRequirements,
    EmergencyAddressStatus,
    EmergencyStatus,
    EndUser,
    Handler,
    HttpMethod,
    Lifecycle,
    NumberOrigin,
    NumberType,
    Preservation,
    Reachability,
    ReceiveMode,
    SimilarScope,
    Source,
)
from schema.info import Info
from schema.inputs import PhoneNumberFilter
from schema.read_port import ReadPort
from schema.scalars import URL, CountryCode
from schema.together import resolved_together
from schema.values import Money, NumberPrice, Requirements

if TYPE_CHECKING:
    from schema.connection import (
        AccountConnection,
        AvailablePhoneNumberConnection,
        PhoneNumberConnection,
    )

First = Annotated[int, strawberry.argument(description=f"How many, 1 to {MOST_FIRST}.")]
FirstOrLast = Annotated[
    int | None,
    strawberry.argument(
        description=f"How many, 1 to {MOST_FIRST}; {USUAL_FIRST} when `last` is not given either."
    ),
]
Last = Annotated[
    int | None,
    strawberry.argument(
        description=f"How many, 1 to {MOST_FIRST}, counted from the end: the last ones before the"
        " cursor in `before`, in the order of the list. Without `before` the whole list is read"
        " upstream to find its end, up to 64 pages of 1000."
    ),
]
After = Annotated[
    str | None, strawberry.argument(description="Continue behind this cursor; goes with `first`.")
]
Before = Annotated[
    str | None, strawberry.argument(description="Go back from this cursor; goes with `last`.")
]

# Connections hold numbers and numbers have connections: these two arrows are resolved late.
AvailableConnection = Annotated[
    "AvailablePhoneNumberConnection", strawberry.lazy("schema.connection")
]
OwnedConnection = Annotated["PhoneNumberConnection", strawberry.lazy("schema.connection")]
Accounts = Annotated["AccountConnection", strawberry.lazy("schema.connection")]


def _views(typename: str) -> Any:  # noqa: ANN401 - the same for every type
    """Tell abstract types which concrete type an object has: its view carries the name."""

    def is_type_of(source: object, _info: object) -> bool:
        return getattr(source, "typename", None) == typename

    return staticmethod(is_type_of)


@strawberry.type(
    description="What a number can do with calls. What is null is not known.",
    directives=[part()],
)
class VoiceCapabilities:
    enabled: bool | None = field(
        description="Calls can come in or go out. False when they cannot; null when it is"
        " not known."
    )
    inbound_connectivity: bool | None = field(description="Calls can come in from the network.")
    outbound_connectivity: bool | None = field(description="Calls can go out to the network.")
    e911: bool | None = field(description="Emergency (911) calls can be made.")
    fax: bool | None = field(
        description="Faxes can be sent and received. Numbers without voice may, too."
    )
    sip_trunking: bool | None = field(description="It can be used on a SIP trunk.")
    calls_per_second: int | None = field(
        description="How many calls can be started per second; null when that is unlimited or not"
        " known."
    )
    calls_per_second_unlimited: bool | None = field(
        description="There is no limit to `callsPerSecond`. False: it says the limit. Null: it is"
        " not known."
    )
    concurrent_calls_limit: int | None = field(
        description="How many calls can be active at once; null when that is unlimited or not"
        " known."
    )
    concurrent_calls_unlimited: bool | None = field(
        description="There is no limit to the calls at once. False: `concurrentCallsLimit` says it."
        " Null: it is not known."
    )
    long_record_length: int | None = field(
        description="Longest voicemail recording, in seconds; null when that is unlimited or not"
        " known."
    )
    long_record_length_unlimited: bool | None = field(
        description="There is no limit to `longRecordLength`. False: it says the limit. Null: it is"
        " not known."
    )
    inbound_called_dtmf: bool | None = field(
        description="Dial tones of the called party arrive on inbound calls."
    )
    inbound_caller_dtmf: bool | None = field(
        description="Dial tones of the calling party arrive on inbound calls."
    )
    inbound_caller_id_preservation: Preservation | None = field(
        description="From where callers' numbers arrive unchanged."
    )
    inbound_reachability: Reachability | None = field(
        description="From where the number can be called."
    )
    codecs: list[str] | None = field(description='Audio codecs, for example `"g711u"`.')


@strawberry.type(
    description="What a number can do with text messages. What is null is not known.",
    directives=[part()],
)
class SmsCapabilities:
    enabled: bool | None = field(
        description="Messages can come in or go out. False when they cannot; null when it is"
        " not known."
    )
    inbound_connectivity: bool | None = field(description="Messages can come in from the network.")
    outbound_connectivity: bool | None = field(description="Messages can go out to the network.")
    gsm7: bool | None = field(description="Texts in the 7-bit GSM alphabet.")
    ucs2: bool | None = field(description="Texts in UCS-2, 2 bytes per character.")
    gsm7_concatenation: bool | None = field(
        description="GSM-7 texts over 160 characters, sent in parts and joined again."
    )
    ucs2_concatenation: bool | None = field(
        description="UCS-2 texts over 70 characters, sent in parts and joined again."
    )
    inbound_sender_id_preservation: Preservation | None = field(
        description="From where senders' numbers arrive unchanged."
    )
    inbound_reachability: Reachability | None = field(
        description="From where messages reach the number."
    )
    inbound_mps: int | None = field(
        description="Inbound messages per second; null when they are unlimited or it is not known."
    )
    inbound_mps_unlimited: bool | None = field(
        description="There is no limit to `inboundMps`. False: it says the limit. Null: it is not"
        " known."
    )


@strawberry.type(
    description="What a number can do with multimedia messages. What is null is not known.",
    directives=[part()],
)
class MmsCapabilities:
    enabled: bool | None = field(
        description="Messages can come in or go out. False when they cannot; null when it is"
        " not known."
    )
    inbound_connectivity: bool | None = field(description="Messages can come in from the network.")
    outbound_connectivity: bool | None = field(description="Messages can go out to the network.")
    inbound_reachability: Reachability | None = field(
        description="From where messages reach the number."
    )
    inbound_mps: int | None = field(
        description="Inbound messages per second; null when they are unlimited or it is not known."
    )
    inbound_mps_unlimited: bool | None = field(
        description="There is no limit to `inboundMps`. False: it says the limit. Null: it is not"
        " known."
    )


@strawberry.type(
    description=(
        "What a number can do. A capability that it lacks has `enabled: false`; one of which"
        " nothing is known is null as a whole."
    ),
    directives=[part()],
)
class Capabilities:
    voice: VoiceCapabilities | None = field(
        description="Calls; null when nothing is known of them."
    )
    sms: SmsCapabilities | None = field(
        description="Text messages; null when nothing is known of them."
    )
    mms: MmsCapabilities | None = field(
        description="Multimedia messages; null when nothing is known of them."
    )


@strawberry.type(
    description="What the law of the number's country asks for before somebody may own it.",
    directives=[part()],
)
class Regulatory:
    address_requirements: AddressRequirements | None = field(
        description="Which address the account must have registered."
    )
    address_sid: ID | None = field(description="The registered address in use, of owned numbers.")
    identity_sid: ID | None = field(description="The identity document in use, of owned numbers.")
    bundle_sid: ID | None = field(description="The regulatory bundle in use, of owned numbers.")


@strawberry.type(
    description=(
        "Where a number belongs. Toll-free and many international numbers have a country only."
    ),
    directives=[part()],
)
class Geography:
    iso_country: CountryCode | None = field(description="The country.")
    lata: str | None = field(
        description="The LATA (local access and transport area), US and Canada only. Of owned"
        " numbers see `derived`."
    )
    rate_center: str | None = field(
        description="The rate center, US and Canada only. Of owned numbers see `derived`."
    )
    latitude: float | None = field(description="Latitude in degrees, north positive.")
    longitude: float | None = field(description="Longitude in degrees, east positive.")
    region: str | None = field(description="State or province, two letters.")
    locality: str | None = field(description="Town or city.")
    postal_code: str | None = field(description="Postal (zip) code.")
    derived: bool = field(
        description="True when the upstream does not tell where the number belongs. Then"
        " `isoCountry` and, in the US and Canada, `region` are what the number itself tells."
        " `rateCenter` and `lata` are those of its exchange, its first six digits, all numbers of"
        " which belong to one rate center: if they are selected, a number for sale in the exchange"
        " is looked for, once for all that are owned in it. They are null, without an error, when"
        " none is for sale, when the number belongs to no place (toll-free, mobile, other"
        " countries), or when more exchanges are asked for at once than are looked up for one"
        " request; null with an error when the search failed. The rest is null: town, postal code"
        " and coordinates of another number are not this one's."
    )


@strawberry.type(
    description="What happens with calls to the number.",
    directives=[part()],
)
class VoiceConfiguration:
    url: URL | None = field(description="Webhook called when a call comes in.")
    method: HttpMethod | None = field(description="How `url` is called.")
    fallback_url: URL | None = field(description="Webhook called when `url` fails.")
    fallback_method: HttpMethod | None = field(description="How `fallbackUrl` is called.")
    application_sid: ID | None = field(
        description="Application that handles calls; the urls are ignored then."
    )
    trunk_sid: ID | None = field(
        description="SIP trunk that handles calls; urls and application are ignored then."
    )
    emergency_status: EmergencyStatus | None = field(
        description="Whether emergency calling is enabled."
    )
    emergency_address_sid: ID | None = field(description="Address given to emergency services.")
    emergency_address_status: EmergencyAddressStatus | None = field(
        description=(
            "How far that address has been registered. Unless it is unregistered, the number can be"
            " neither released nor lose it."
        )
    )
    receive_mode: ReceiveMode | None = field(description="Whether calls are voice or fax.")
    caller_id_lookup: bool | None = field(
        description="Look the caller's name up in the CNAM database and send it along."
    )
    handler: Handler | None = field(
        description="Which of these settings the upstream will use: trunk, application or url."
    )


@strawberry.type(
    description="What happens with text messages to the number.",
    directives=[part()],
)
class SmsConfiguration:
    url: URL | None = field(description="Webhook called when a message comes in.")
    method: HttpMethod | None = field(description="How `url` is called.")
    fallback_url: URL | None = field(description="Webhook called when `url` fails.")
    fallback_method: HttpMethod | None = field(description="How `fallbackUrl` is called.")
    application_sid: ID | None = field(
        description="Application that handles messages; the urls are ignored then."
    )
    handler: Handler | None = field(
        description="Which of these settings the upstream will really use: application or url."
    )


@strawberry.type(
    description="What happens with multimedia messages to the number.",
    directives=[part()],
)
class MmsConfiguration:
    url: URL | None = field(description="Webhook called when a message comes in.")
    method: HttpMethod | None = field(description="How `url` is called.")
    fallback_url: URL | None = field(description="Webhook called when `url` fails.")
    fallback_method: HttpMethod | None = field(description="How `fallbackUrl` is called.")
    application_sid: ID | None = field(
        description="Application that handles messages; the urls are ignored then."
    )
    handler: Handler | None = field(
        description="Which of these settings the upstream will really use: application or url."
    )


@strawberry.type(
    description="What the owner has set on a number.",
    directives=[part()],
)
class Configuration:
    friendly_name: str | None = field(
        description="A text for people, up to 64 characters; by default the number, formatted."
    )
    status_callback_url: URL | None = field(
        description="Webhook that is told about the state of calls, for example that one ended."
    )
    status_callback_method: HttpMethod | None = field(
        description="How `statusCallbackUrl` is called."
    )
    voice: VoiceConfiguration | None = field(description="Calls.")
    sms: SmsConfiguration | None = field(description="Text messages.")
    mms: MmsConfiguration | None = field(
        description="Multimedia messages; null when the upstream does not tell."
    )


@strawberry.interface(description="An object that can be fetched again by its id alone.")
class Node:
    id: ID = field(
        description="The object's id for life: an account's or a number's is its sid, which inputs"
        " take as it is; a country's is its code."
    )


@strawberry.interface(description="What owned and available numbers have in common.")
class NumberProfile:
    phone_number: str = field(
        description="The number as the upstream writes it: in E.164, for example `+14155550100`,"
        " and then good for inputs of type `E164`. Short codes, and numbers that the upstream"
        " itself writes otherwise, are shown as they are; name those by `sid`."
    )
    friendly_name: str | None = field(description="A text for people.")
    source: Source = field(description="Which of the upstream's APIs it was read from.")
    type: NumberType | None = field(description="The kind of number.")
    lifecycle: Lifecycle | None = field(
        description="How far its range has come in the upstream's inventory. Most accounts are told"
        " only whether it is beta: then what is not is shown as generally available."
    )
    beta: bool | None = field(description="New to the platform.")
    capabilities: Capabilities | None = field(
        description="What it can do; null when the upstream does not say."
    )
    regulatory: Regulatory | None = field(description="What the law asks for.")
    geography: Geography | None = field(description="Where it belongs.")


@strawberry.type(description="An account of the upstream, or one of its subaccounts.")
class Account(Node):
    id: ID = field(description="Its sid, which inputs that take a sid take as it is.")
    sid: ID = field(description="Its sid: `AC` and 32 hexadecimal digits; the same as `id`.")
    friendly_name: str | None = field(description="A text for people.")
    status: AccountStatus | None = field(description="Its state.")
    type: AccountType | None = field(description="Whether it is paid for.")
    owner_account_sid: ID | None = field(
        description="The parent account; its own sid when it is one itself."
    )
    date_created: dt.datetime | None = field(description="When it was created.")
    is_type_of = _views("Account")

    @field(
        description="Its subaccounts. Empty for a subaccount; null only with an error.",
        directives=[paged("first", "last"), needs(Scope.ACCOUNTS_READ)],
    )
    async def subaccounts(
        self,
        info: Info[ReadPort, None],
        first: FirstOrLast = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Accounts | None:
        return await info.context.accounts.subaccounts(
            self, first=first, after=after, last=last, before=before, at=info.at
        )

    @field(
        description="The numbers that it owns, as `Query.phoneNumbers` lists them; null only with"
        " an error.",
        directives=[paged("first", "last"), needs(Scope.NUMBERS_READ)],
    )
    async def phone_numbers(
        self,
        info: Info[ReadPort, None],
        filter: Annotated[  # noqa: A002 - the argument's name in the schema
            PhoneNumberFilter | None, strawberry.argument(description="Which of them.")
        ] = None,
        first: FirstOrLast = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> OwnedConnection | None:
        return await info.context.numbers.phone_numbers(
            filter,
            first=first,
            after=after,
            last=last,
            before=before,
            account_sid=self.sid,
            at=info.at,
            selected=info.selected,
        )


def _accounts(
    numbers: Sequence["PhoneNumber"], info: Info[ReadPort, None]
) -> Sequence[Awaitable[Account | None]]:
    """Begin to read the accounts of all numbers of a list at once."""
    return info.context.accounts.accounts_of([each.account_sid for each in numbers], at=info.at)


def _similar_available(
    numbers: Sequence["PhoneNumber"],
    info: Info[ReadPort, None],
    *,
    within: SimilarScope,
    within_miles: int | None = None,
    first: int = USUAL_FIRST,
    after: str | None = None,
) -> Sequence[Awaitable["AvailablePhoneNumberConnection"] | None]:
    """Begin the searches of all numbers of a list at once."""
    return info.context.search.similar_available(
        numbers,
        within=within,
        within_miles=within_miles,
        first=first,
        after=after,
        at=info.at,
        selected=info.selected,
    )


@strawberry.type(description="A phone number that an account owns.")
class PhoneNumber(Node, NumberProfile):
    id: ID = field(
        description="Its sid, which it keeps when it is transferred; inputs that take a sid take it"
        " as it is."
    )
    sid: ID = field(description="Its sid: `PN` and 32 hexadecimal digits; the same as `id`.")
    account_sid: ID = field(description="The account that owns it.")
    friendly_name: str | None = field(
        description="A text for people; the same as `configuration.friendlyName`."
    )
    source: Source = field(
        description=(
            "Which of the upstream's APIs the account's numbers are read from, also when some"
            " of the fields come from the other one."
        )
    )
    monthly_price: Money | None = field(
        description="What such a number costs a month now, by the price list of its country: see"
        " `Country.prices`. What the account really pays may differ. A toll-free number of North"
        " America of which it is not known whose it is costs what the lists of the US and Canada"
        " agree on. Null, without an error, when it is in no list, when they do not agree, or when"
        " its country is not known; null with an error when a list could not be read."
    )
    origin: NumberOrigin | None = field(description="How it came to the account.")
    date_created: dt.datetime | None = field(description="When it came to the account.")
    date_updated: dt.datetime | None = field(description="When it was last changed.")
    configuration: Configuration | None = field(description="What the owner has set on it.")
    is_type_of = _views("PhoneNumber")

    @field(description="The account that owns it.", directives=[needs(Scope.ACCOUNTS_READ)])
    @resolved_together(_accounts)
    async def account(self, info: Info[ReadPort, None]) -> Account | None:
        return await info.context.accounts.account(self.account_sid, at=info.at)

    @field(
        description=(
            "Local numbers that can be bought and have something in common with this one. Numbers"
            " of one list that share the place share the upstream call. Null, without an error,"
            " where there is nothing to share: numbers outside the US and Canada, toll-free ones,"
            " and those known to have no such place. Null with an error when the search failed."
        ),
        directives=[paged("first"), needs(Scope.NUMBERS_READ)],
    )
    @resolved_together(_similar_available)
    def similar_available(
        self,
        info: Info[ReadPort, None],
        within: Annotated[
            SimilarScope, strawberry.argument(description="What they shall have in common.")
        ],
        within_miles: Annotated[
            int | None,
            strawberry.argument(description="Miles around, for `NEARBY`: 1 to 500, else 25."),
        ] = None,
        first: First = USUAL_FIRST,
        after: After = None,
    ) -> AvailableConnection | None:
        [coming] = _similar_available(
            [self], info, within=within, within_miles=within_miles, first=first, after=after
        )
        return cast("AvailablePhoneNumberConnection", coming)


@strawberry.type(
    description="Which part of a number matches the pattern that was searched for.",
    directives=[part()],
)
class PatternMatch:
    start: int = field(
        description="Place of the first character that matches in `phoneNumber`, whose `+` is 0."
    )
    length: int = field(description="How many characters match.")


def _requirements(
    numbers: Sequence["AvailablePhoneNumber"], info: Info[ReadPort, None], *, end_user: EndUser
) -> Sequence[Awaitable[Requirements | None]]:
    """Begin to read what is asked for all numbers of a list at once."""
    kinds = [
        (each.geography.iso_country if each.geography is not None else None, each.type)
        for each in numbers
    ]
    return info.context.accounts.requirements_of(kinds, end_user=end_user, at=info.at)


@strawberry.type(description="A phone number that can be bought now.")
class AvailablePhoneNumber(NumberProfile):
    friendly_name: str | None = field(
        description="The number, formatted for people: `(808) 925-1571` for the North American"
        " plan."
    )
    source: Source = field(description="Which of Twilio's two APIs this answer came from.")
    setup_price: Money | None = field(
        description="Price once, when it is bought; null when the upstream does not tell. It"
        " is a list price, in US dollars, where Twilio names no currency."
    )
    monthly_price: Money | None = field(
        description="Price per month: the number's own where the upstream tells it, else that of"
        " its kind by the price list of its country, as `Country.prices` has it. Null, without an"
        " error, when it is in none; null with an error when the list could not be read."
        " Where Twilio names no currency it is in US dollars."
    )

    @field(
        description="What the law of its country asks of who wants to own such a number, as"
        " `Country.requirements` tells it. Null, without an error, when it asks for no documents;"
        " null with an error when it could not be read.",
        directives=[Cost(weight="1"), needs(Scope.NUMBERS_READ)],
    )
    @resolved_together(_requirements)
    async def requirements(
        self,
        info: Info[ReadPort, None],
        end_user: Annotated[EndUser, strawberry.argument(description="Who is to use the number.")],
    ) -> Requirements | None:
        [coming] = _requirements([self], info, end_user=end_user)
        return await coming

    match: PatternMatch | None = field(
        description="Where it matches `contains`, the first place if there are several; null when"
        " the search had no pattern."
    )
    distance_miles: float | None = field(
        description="Miles, to a hundredth, on a great circle from the point that the search was"
        " near to the point that the upstream gives for the number's rate center. Null when the"
        " search was near no point, when the number has none, and for searches near a phone number:"
        " where that is, only the upstream knows."
    )
    is_type_of = _views("AvailablePhoneNumber")


@strawberry.type(description="A country in which the account can buy numbers.")
class Country(Node):
    id: ID = field(description="Its `code`.")
    is_type_of = _views("Country")
    code: CountryCode = field(description="ISO 3166-1 alpha-2 code.")
    name: str | None = field(description="Its English name.")
    beta: bool | None = field(description="Every number there is new to the platform.")
    types: list[NumberType] = field(description="Kinds of numbers that can be searched there.")

    @field(
        description="What numbers there cost a month, by their kind. Null, without an error, where"
        " the upstream lists no prices; null with an error when they could not be read.",
        directives=[Cost(weight="1"), ListSize(assumed_size=8), needs(Scope.NUMBERS_READ)],
    )
    async def prices(self, info: Info[ReadPort, None]) -> list[NumberPrice] | None:
        return await info.context.accounts.prices(self, at=info.at)

    @field(
        description="What the law asks of who wants to own such a number there. Null, without an"
        " error, when it asks for no documents; null with an error when it could not be read.",
        directives=[Cost(weight="1"), needs(Scope.NUMBERS_READ)],
    )
    async def requirements(
        self,
        info: Info[ReadPort, None],
        end_user: Annotated[EndUser, strawberry.argument(description="Who is to use the number.")],
        type: Annotated[  # noqa: A002 - the argument's name in the schema
            NumberType, strawberry.argument(description="The kind of number.")
        ] = NumberType.LOCAL,
    ) -> Requirements | None:
        return await info.context.accounts.requirements(
            self.code, type=type, end_user=end_user, at=info.at
        )

    @field(
        description="Numbers there that can be bought. Null, without an error, when the country has"
        " no numbers of the type; null with an error when the search failed.",
        directives=[CacheControl(max_age=0), paged("first"), needs(Scope.NUMBERS_READ)],
    )
    async def available_phone_numbers(
        self,
        info: Info[ReadPort, None],
        type: Annotated[  # noqa: A002 - the argument's name in the schema
            NumberType, strawberry.argument(description="The kind of number.")
        ] = NumberType.LOCAL,
        first: First = USUAL_FIRST,
        after: After = None,
    ) -> AvailableConnection | None:
        return await info.context.search.available_in(
            self, type=type, first=first, after=after, at=info.at, selected=info.selected
        )


@strawberry.type(description="What is left of a limit that refills steadily.", directives=[part()])
class Allowance:
    limit: int = field(description="How many there can be in a window.")
    window_seconds: int = field(description="Length of the window.")
    remaining: int = field(description="How many there can be now.")
    full_in_ms: int = field(description="Milliseconds until all are back, if none is used.")


@strawberry.type(
    description="What the gateway still lets the caller do with an account.", directives=[part()]
)
class RateLimit:
    requests: Allowance | None = field(description="Requests; null when they are not limited.")
    purchases: Allowance | None = field(
        description="Purchases for the account; null when they are not limited."
    )
