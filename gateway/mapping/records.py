"""PURE: where each schema field is found in upstream JSON, one table per family.

A table maps GraphQL types to their fields (in Python spelling), each to its place and reader. From
the tables come the records that upstream JSON is decoded to, the views that resolvers read, the
compiled projections of the fast executor and the page of the documentation that says where a field
comes from. A field that a table leaves out is null in that family. To add a field is to add a line.

Each type has two records with the same attributes, named by the upstream's keys. A strict one
takes values of the types that the upstream documents, checked while they are decoded, and can be
projected without looking at them again. A loose one takes whatever comes, for readers to make sense
of: it is used where the strict one does not fit.

Some objects are much the same for all numbers of an account: what they can do, where their messages
go. In a strict record these are blocks: they stay the bytes that came until somebody reads them,
and a projection works each distinct one out only once.

Facts: the shapes of the catalog (`/Numbers/…`) and of the 2010-04-01 API, which spell the same
things differently: `configuration` or `configurations`, `""` or null, `132` or `"132"`.
"""

import enum
from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from types import new_class
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    NamedTuple,
    Self,
    TypeAlias,
    TypeVar,
    cast,
)

import msgspec
import orjson
from msgspec import Struct, field
from msgspec.structs import replace

from gateway.errors import UpstreamMalformed
from gateway.mapping import coerce
from gateway.mapping.number_patterns import PatternMatch
from gateway.mapping.numbering_plan import country_by_number, region_by_number
from gateway.mapping.plain_json import is_surely_shallow, read_json
from gateway.mapping.sought import Sought, miles_between
from schema.enums import (
    AccountStatus,
    AccountType,
    AddressRequirements,
    EmergencyAddressStatus,
    EmergencyStatus,
    Handler,
    HttpMethod,
    Lifecycle,
    NumberOrigin,
    NumberType,
    Preservation,
    Reachability,
    ReceiveMode,
    Source,
)
from schema.scalars import CurrencyCode
from schema.values import Money

Json: TypeAlias = dict[str, Any]
ViewT = TypeVar("ViewT", bound="View")


class Record(msgspec.Struct, gc=False, omit_defaults=True):
    """An upstream JSON object: an attribute for each key that a table names, None when absent."""

    if TYPE_CHECKING:
        # The attributes are made from the tables, so a type checker cannot know them.
        def __getattr__(self, name: str) -> Any: ...  # noqa: ANN401
        def __setattr__(self, name: str, value: object) -> None: ...

    def __repr__(self) -> str:
        """Show the kind alone: raw data may hold what a log must not."""
        return f"<{type(self).__name__}>"


# The catalog states prices and names no currency. They are Twilio's list prices, which are in US
# dollars: the price of a US local number is 1.00 there and in the Pricing API, which says USD.
CATALOG_CURRENCY = CurrencyCode("USD")


def price(value: object) -> Money | None:
    """Read a price of the catalog, such as `"2.0"`."""
    amount = coerce.decimal(value)
    return None if amount is None else Money(amount=amount, currency_code=CATALOG_CURRENCY)


def listed_price(view: "View") -> Money | None:
    """Return what such a number costs by the price list, if that was asked for.

    Raises:
        GatewayError: the list could not be read.
    """
    listed = view.listed
    if isinstance(listed, Exception):
        raise listed.with_traceback(None)  # Each number raises it.
    return listed


def _own_price(view: "View") -> Money | None:
    return price(view.raw.base_recurring_price) or listed_price(view)


# Read from `beta`; of numbers for everybody that are used up core says nothing.
_core_lifecycle = coerce.either(Lifecycle.BETA, Lifecycle.GENERALLY_AVAILABLE)

# The types that strict records have: what the upstream documents, by the reader that makes sense of
# anything else. The 2010-04-01 API writes coordinates as strings.
_Int32: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)]
_STRICT: Mapping[coerce.Coercion, Any] = {
    coerce.boolean: bool | None,
    coerce.limit: _Int32 | None,
    coerce.unlimited: _Int32 | None,
    coerce.number: float | str | None,
    price: float | str | None,
    _core_lifecycle: bool | None,
    coerce.numeral: str | int | None,
    coerce.texts: list[str | None] | None,
}
_TEXT = str | None


class Leaf(Struct, frozen=True):
    """A value: the first of `keys` that is present and not null, read by `read`.

    It is a scalar, or an object whose fields are its attributes (`Money`).
    What is `listed_only` is left out of the answer for one number. It is `inferred` when this API
    does not tell it: the other one does, where the account has it.
    """

    keys: tuple[str, ...]
    read: coerce.Coercion
    listed_only: bool = False
    inferred: bool = False


class NestedObject(Struct, frozen=True):
    """An object of GraphQL type `typename` under the first of `keys` that holds an object.

    Without keys it is read from the same JSON object as its parent (the core family is flat).
    Where `flags` names booleans in it, it is there only when at least one of them is known, in
    whatever case the upstream writes its name. It `repeats` when many numbers have equal ones,
    whose values do not depend on the number: then a strict record has its bytes, a block. Where
    `null_is_no`, null says that the number cannot do it, and an absent key says nothing. What is
    `listed_only` is left out of the answer for one number. It is `inferred` when this API does not
    tell it: the other one does, where the account has it.
    """

    typename: str
    keys: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    repeats: bool = False
    null_is_no: bool = False
    listed_only: bool = False
    inferred: bool = False


class Derived(Struct, frozen=True):
    """A value worked out from the view itself.

    Attributes:
        compute: does it.
        of: says from what, for the documentation.
        reads: the upstream keys that it looks at, and their types in a strict record.
        usual: where the value stands as it is, almost always: a path of keys, with alternatives.
        inferred: this API does not tell it: the other one does, where the account has it.
        leaf: what it is where that is known; else `by_number` tells it of numbers of which there is
            no `iso_country`.
        by_number: what the number itself tells, of as many as it remembers without working it out.
    """

    compute: Callable[["View"], object]
    of: str
    reads: Mapping[str, Any] = field(default_factory=dict)
    usual: tuple[tuple[str, ...], ...] = ()
    inferred: bool = False
    leaf: Leaf | None = None
    by_number: Callable[[str | None], str | None] | None = None


class Alternative(Struct, frozen=True):
    """Which of several leaves of the same object is present, the first in order of precedence."""

    precedence: tuple[tuple[str, enum.Enum], ...]
    otherwise: enum.Enum

    def compute(self, view: "View") -> enum.Enum:
        """Return the member for the first leaf that is there."""
        present = (kind for name, kind in self.precedence if getattr(view, name))
        return next(present, self.otherwise)


Field: TypeAlias = Leaf | NestedObject | Derived | Alternative
Table: TypeAlias = Mapping[str, Mapping[str, Field]]


if TYPE_CHECKING:
    from gateway.mapping.view_fields import Fields

    class _View(msgspec.Struct, Fields):
        """The fields are made from the tables: a type checker is told of them."""
else:
    _View = msgspec.Struct


class View(_View, eq=False):
    """One upstream JSON object, read as one GraphQL type.

    Attributes:
        raw: the object as it was decoded.
        home: sid of the account it was read from; "" where that has no meaning.
        listed: what such a number costs a month by the price list of its country, or why that is
            not known; None where it was not asked for.
        sought: of a number for sale, what the search that found it looked for, if that matters.
    """

    typename: ClassVar[str]
    source: ClassVar[Source]
    raw: Record
    home: str = ""
    listed: Money | Exception | None = None
    sought: Sought | None = None

    def __repr__(self) -> str:
        """Show the kind alone: raw data may hold what a log must not."""
        return f"<{self.source.name.lower()} {self.typename}>"

    def priced(self, listed: Money | Exception | None) -> Self:
        """Return the same number with what one like it costs by a price list; see `listed`."""
        return replace(self, listed=listed)

    def loosened(self) -> Record:
        """Return the object as a record that takes whatever is put into it."""
        loose = _LOOSE[self.source][self.typename]
        return loose(**{key: getattr(self.raw, key) for key in self.raw.__struct_fields__})

    def to_json(self) -> Json:
        """Return the object as JSON, for keeping; nulls that say nothing are left out."""
        return _json(self.raw)

    def written(self) -> orjson.Fragment:
        """Return the same as a part of JSON that orjson writes; its blocks are as they came.

        Raises:
            ValueError: a block cannot be read.
        """
        text = msgspec.json.encode(self.raw)
        if not is_surely_shallow(text):  # It must be possible to read it again.
            text = orjson.dumps(self.to_json())
        return orjson.Fragment(text.decode())


def _json(record: Record) -> Json:
    kept: Json = {}
    for key, default in zip(record.__struct_fields__, record.__struct_defaults__, strict=True):
        value = getattr(record, key)
        if isinstance(value, msgspec.Raw):
            value = opened(value, _BLOCKS[type(record)][key])
        if value is not default:
            kept[key] = _json(value) if isinstance(value, Record) else msgspec.to_builtins(value)
    return kept


def opened(block: msgspec.Raw, kind: type[Record]) -> object:
    """Return a block as a record of `kind` if it is strict, else as JSON.

    Raises:
        UpstreamMalformed: it is no JSON.
    """
    try:
        return DECODERS[kind].decode(block)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            return read_json(block)
        except ValueError:
            message = "A part of the upstream's answer is not JSON that can be read."
            raise UpstreamMalformed(message) from None


def first_of(raw: Record, keys: tuple[str, ...]) -> object:
    """Return the value under the first of `keys` that is there and not null."""
    for key in keys:
        value = getattr(raw, key)
        if value is not None:
            return value
    return None


def known(raw: Record, names: tuple[str, ...]) -> bool:
    """Whether a core number's answer says yes or no to one of these capabilities at least."""
    return any(coerce.boolean(first_of(raw, _spellings(name))) is not None for name in names)


def _spellings(name: str) -> tuple[str, str]:
    """Return how core writes the name of a capability: it depends on the resource."""
    return name, name.upper()


def stated(raw: Record, key: str, no: Record) -> object:
    """Return what a key of the catalog's capabilities says; `no` where null denies it."""
    value = getattr(raw, key)
    if value is None:
        return no
    return None if value is msgspec.UNSET else value


# Readers ------------------------------------------------------------------------------------------

number_type = coerce.one_of(
    NumberType, toll_free=NumberType.TOLL_FREE, short_code=NumberType.SHORT_CODE
)
lifecycle = coerce.one_of(Lifecycle)
preservation = coerce.one_of(Preservation)
reachability = coerce.one_of(Reachability)
address_requirements = coerce.one_of(AddressRequirements)
# The documented default. One API writes it where nothing is set, the other null in some answers.
http_method = coerce.one_of(HttpMethod).or_else(HttpMethod.POST)
emergency_status = coerce.one_of(EmergencyStatus)
emergency_address_status = coerce.one_of(EmergencyAddressStatus)
receive_mode = coerce.one_of(ReceiveMode)


def at(*keys: str, read: coerce.Coercion = coerce.text, listed_only: bool = False) -> Leaf:
    """Return a leaf under one of `keys`."""
    return Leaf(keys, read, listed_only)


def _flag(name: str) -> Leaf:
    return at(*_spellings(name), read=coerce.boolean)


def _sid(view: View) -> str:
    """Return the sid, which lists of the catalog may give only as the end of `url`."""
    sid = view.raw.sid
    if isinstance(sid, str) and sid:
        return sid
    url = view.raw.url
    return url.rstrip("/").rpartition("/")[2] if isinstance(url, str) else ""


def _account_sid(view: View) -> str:
    return coerce.text(view.raw.account_sid) or view.home


def _source(view: View) -> Source:
    return view.source


# The upstream's own rule for which of the settings it will use.
_VOICE_HANDLER = Alternative(
    (
        ("trunk_sid", Handler.TRUNK),
        ("application_sid", Handler.APPLICATION),
        ("url", Handler.WEBHOOK),
    ),
    Handler.NOT_SET,
)
_MESSAGE_HANDLER = Alternative(
    (("application_sid", Handler.APPLICATION), ("url", Handler.WEBHOOK)), Handler.NOT_SET
)


def _connected(view: View) -> bool | None:
    ways = [coerce.boolean(getattr(view.raw, key)) for key in _WAYS]
    return True if True in ways else None if None in ways else False


_WAYS = ("inbound_connectivity", "outbound_connectivity")
_CONNECTED = Derived(
    _connected,
    "inbound_connectivity or outbound_connectivity",
    dict.fromkeys(_WAYS, _STRICT[coerce.boolean]),
)
_NAMES: Mapping[str, Any] = dict.fromkeys(("sid", "url", "account_sid"), _TEXT)
_SID = Derived(_sid, "sid, or the end of url", _NAMES, usual=(("sid",),))
_IDENTITY: Mapping[str, Field] = {
    "id": _SID,
    "sid": _SID,
    "account_sid": Derived(
        _account_sid, "account_sid, or the account asked", _NAMES, usual=(("account_sid",),)
    ),
    "source": Derived(_source, "the family itself"),
}


def _webhooks(prefix: str = "") -> Mapping[str, Field]:
    return {
        "url": at(f"{prefix}url"),
        "method": at(f"{prefix}method", read=http_method),
        "fallback_url": at(f"{prefix}fallback_url"),
        "fallback_method": at(f"{prefix}fallback_method", read=http_method),
        "application_sid": at(f"{prefix}application_sid"),
    }


_LISTED_PRICE = Derived(listed_price, "the country's price list", inferred=True)

# The catalog family -------------------------------------------------------------------------------

_CATALOG_PROFILE: Mapping[str, Field] = {
    "phone_number": at("phone_number"),
    "type": at("type", read=number_type),
    "lifecycle": at("lifecycle", read=lifecycle),
    "capabilities": NestedObject("Capabilities", ("capabilities",), repeats=True),
    "regulatory": NestedObject("Regulatory", ("regulatory",)),
    "geography": NestedObject("Geography", ("geography",)),
}
_CONNECTIVITY: Mapping[str, Field] = {
    "enabled": _CONNECTED,
    "inbound_connectivity": at("inbound_connectivity", read=coerce.boolean),
    "outbound_connectivity": at("outbound_connectivity", read=coerce.boolean),
    "inbound_reachability": at("inbound_reachability", read=reachability),
}
_INBOUND_RATE: Mapping[str, Field] = {
    "inbound_mps": at("inbound_mps", read=coerce.limit),
    "inbound_mps_unlimited": at("inbound_mps", read=coerce.unlimited),
}
_CONFIGURATION_KEYS = ("configuration", "configurations")


def _catalog_friendly_name(view: View) -> str | None:
    settings = view.configuration
    named = settings.raw.friendly_name if settings is not None else None
    return coerce.text(named or view.raw.friendly_name)


def _formatted(view: View) -> str | None:
    """Return a number for sale as core formats it: `(808) 925-1571`, else as it is."""
    named = coerce.text(view.raw.friendly_name)
    number: str | None = view.phone_number
    if named is not None or number is None:
        return named or number
    if not (number.startswith("+1") and len(number) == len("+18089251571")):
        return number
    return f"({number[2:5]}) {number[5:8]}-{number[8:]}"


def _catalog_beta(view: View) -> bool | None:
    """Read `lifecycle` as core does: what is for invited developers only is new, too."""
    come = view.lifecycle
    return None if come is None else come in {Lifecycle.BETA, Lifecycle.DEVELOPER_PREVIEW}


def _match(view: View) -> PatternMatch | None:
    sought = view.sought
    return sought and sought.pattern and sought.pattern.match(view.phone_number)


def _distance(view: View) -> float | None:
    sought, place = view.sought, view.geography
    if sought is None or sought.origin is None or place is None:
        return None
    latitude, longitude = place.latitude, place.longitude
    if latitude is None or longitude is None:
        return None
    return round(miles_between(sought.origin, (latitude, longitude)), 2)


_SEARCHED: Mapping[str, Field] = {
    "match": Derived(_match, "phone_number and `contains`"),
    "distance_miles": Derived(_distance, "latitude, longitude and `near`"),
}

CATALOG: Table = {
    "PhoneNumber": {
        **_IDENTITY,
        **_CATALOG_PROFILE,
        "friendly_name": Derived(
            _catalog_friendly_name,
            "configuration.friendly_name",
            {"friendly_name": _TEXT},
            usual=(_CONFIGURATION_KEYS, ("friendly_name",)),
        ),
        "monthly_price": _LISTED_PRICE,
        "configuration": NestedObject("Configuration", _CONFIGURATION_KEYS),
    },
    "AvailablePhoneNumber": {
        **_CATALOG_PROFILE,
        **_SEARCHED,
        "source": _IDENTITY["source"],
        "friendly_name": Derived(
            _formatted,
            "friendly_name, or phone_number",
            {"friendly_name": _TEXT},
            usual=(("friendly_name",),),
        ),
        "beta": Derived(_catalog_beta, "lifecycle", {"lifecycle": _TEXT}, inferred=True),
        "setup_price": at("base_setup_price", read=price),
        "monthly_price": Derived(
            _own_price,
            "base_recurring_price, or the country's price list",
            {"base_recurring_price": _STRICT[price]},
        ),
    },
    "Capabilities": {
        "voice": NestedObject("VoiceCapabilities", ("voice",), null_is_no=True),
        "sms": NestedObject("SmsCapabilities", ("sms",), null_is_no=True),
        "mms": NestedObject("MmsCapabilities", ("mms",), null_is_no=True),
    },
    "VoiceCapabilities": {
        **_CONNECTIVITY,
        "e911": at("e911", read=coerce.boolean),
        "fax": at("fax", read=coerce.boolean),
        "sip_trunking": at("sip_trunking", read=coerce.boolean),
        "calls_per_second": at("calls_per_second", read=coerce.limit),
        "calls_per_second_unlimited": at("calls_per_second", read=coerce.unlimited),
        "concurrent_calls_limit": at("concurrent_calls_limit", read=coerce.limit),
        "concurrent_calls_unlimited": at("concurrent_calls_limit", read=coerce.unlimited),
        "long_record_length": at("long_record_length", read=coerce.limit),
        "long_record_length_unlimited": at("long_record_length", read=coerce.unlimited),
        "inbound_called_dtmf": at("inbound_called_dtmf", read=coerce.boolean),
        "inbound_caller_dtmf": at("inbound_caller_dtmf", read=coerce.boolean),
        "inbound_caller_id_preservation": at("inbound_caller_id_preservation", read=preservation),
        "codecs": at("codecs", read=coerce.texts),
    },
    "SmsCapabilities": {
        **_CONNECTIVITY,
        "gsm7": at("gsm7", read=coerce.boolean),
        "ucs2": at("ucs2", read=coerce.boolean),
        "gsm7_concatenation": at("gsm7_concatenation", read=coerce.boolean),
        "ucs2_concatenation": at("ucs2_concatenation", read=coerce.boolean),
        "inbound_sender_id_preservation": at("inbound_sender_id_preservation", read=preservation),
        **_INBOUND_RATE,
    },
    "MmsCapabilities": {
        **_CONNECTIVITY,
        **_INBOUND_RATE,
    },
    "Regulatory": {
        "address_requirements": at("address_requirements", read=address_requirements),
    },
    "Geography": {
        "derived": Derived(lambda _: False, "the API itself: never"),
        "iso_country": at("iso_country", read=coerce.country),
        "lata": at("lata", read=coerce.numeral),
        "rate_center": at("rate_center"),
        "latitude": at("latitude", read=coerce.number),
        "longitude": at("longitude", read=coerce.number),
        "region": at("region"),
        "locality": at("locality"),
        "postal_code": at("postal_code"),
    },
    "Configuration": {
        "friendly_name": at("friendly_name"),
        "status_callback_url": at("status_callback_url", "status_callback"),
        "status_callback_method": at("status_callback_method", read=http_method),
        "voice": NestedObject("VoiceConfiguration", ("voice",), repeats=True),
        "sms": NestedObject("SmsConfiguration", ("sms",), repeats=True),
        "mms": NestedObject("MmsConfiguration", ("mms",), repeats=True, listed_only=True),
    },
    "VoiceConfiguration": {
        **_webhooks(),
        "trunk_sid": at("trunk_sid"),
        "emergency_status": at("emergency_status", read=emergency_status),
        "emergency_address_sid": at("emergency_address_sid"),
        "receive_mode": at("receive_mode", read=receive_mode, listed_only=True),
        "caller_id_lookup": at("caller_id_lookup", read=coerce.boolean),
        "handler": _VOICE_HANDLER,
    },
    "SmsConfiguration": {**_webhooks(), "handler": _MESSAGE_HANDLER},
    "MmsConfiguration": {**_webhooks(), "handler": _MESSAGE_HANDLER},
}

# The core family ----------------------------------------------------------------------------------


_CORE_PROFILE: Mapping[str, Field] = {
    "phone_number": at("phone_number"),
    "beta": at("beta", read=coerce.boolean),
    "lifecycle": Leaf(("beta",), _core_lifecycle, inferred=True),
    "capabilities": NestedObject(
        "Capabilities", ("capabilities",), flags=("voice", "sms", "mms", "fax"), repeats=True
    ),
    "regulatory": NestedObject("Regulatory"),
    "friendly_name": at("friendly_name"),
    "source": _IDENTITY["source"],
}


def _country_types(view: View) -> list[NumberType]:
    """Read `subresource_uris`: its keys (`local`, `toll_free`, …) name the types that exist."""
    named = view.raw.subresource_uris
    read = [number_type(key) for key in named] if isinstance(named, dict) else []
    return [kind for kind in read if isinstance(kind, NumberType)]


def _is_derived(view: View) -> bool:
    return view.raw.iso_country is None


def _or_by_number(leaf: Leaf, tell: Callable[[str | None], str | None]) -> Derived:
    """Return a leaf that the number itself tells where core does not say where the number is."""

    def compute(view: View) -> object:
        number = view.raw.phone_number
        told = tell(number) if _is_derived(view) and isinstance(number, str) else None
        return leaf.read(first_of(view.raw, leaf.keys)) or told

    reads = dict.fromkeys((*leaf.keys, "iso_country", "phone_number"), _TEXT)
    of = f"{leaf.keys[0]}, or the number itself"
    return Derived(compute, of, reads, leaf=leaf, by_number=tell)


CORE: Table = {
    "PhoneNumber": {
        **_IDENTITY,
        **_CORE_PROFILE,
        "type": at("type", read=number_type),
        "geography": NestedObject("Geography", inferred=True),
        "monthly_price": _LISTED_PRICE,
        "origin": at("origin", read=coerce.one_of(NumberOrigin)),
        "date_created": at("date_created", read=coerce.date),
        "date_updated": at("date_updated", read=coerce.date),
        "configuration": NestedObject("Configuration"),
    },
    "AvailablePhoneNumber": {
        **_CORE_PROFILE,
        **_SEARCHED,
        # The answer does not say it: the caller notes the type that the search's path named.
        "type": at("type", read=number_type),
        "monthly_price": _LISTED_PRICE,
        "geography": NestedObject("Geography"),
    },
    "Capabilities": {
        "voice": NestedObject("VoiceCapabilities", flags=("voice", "fax")),
        "sms": NestedObject("SmsCapabilities", flags=("sms",)),
        "mms": NestedObject("MmsCapabilities", flags=("mms",)),
    },
    "VoiceCapabilities": {"enabled": _flag("voice"), "fax": _flag("fax")},
    "SmsCapabilities": {"enabled": _flag("sms")},
    "MmsCapabilities": {"enabled": _flag("mms")},
    "Regulatory": {
        "address_requirements": at("address_requirements", read=address_requirements),
        "address_sid": at("address_sid"),
        "identity_sid": at("identity_sid"),
        "bundle_sid": at("bundle_sid"),
    },
    "Geography": {
        **CATALOG["Geography"],
        "derived": Derived(_is_derived, "the lack of iso_country", {"iso_country": _TEXT}),
        "iso_country": _or_by_number(at("iso_country", read=coerce.country), country_by_number),
        "region": _or_by_number(at("region"), region_by_number),
    },
    "Configuration": {
        "friendly_name": at("friendly_name"),
        "status_callback_url": at("status_callback"),
        "status_callback_method": at("status_callback_method", read=http_method),
        "voice": NestedObject("VoiceConfiguration"),
        "sms": NestedObject("SmsConfiguration"),
    },
    "VoiceConfiguration": {
        **_webhooks("voice_"),
        "trunk_sid": at("trunk_sid"),
        "emergency_status": at("emergency_status", read=emergency_status),
        "emergency_address_sid": at("emergency_address_sid"),
        "emergency_address_status": at("emergency_address_status", read=emergency_address_status),
        "receive_mode": at("voice_receive_mode", read=receive_mode),
        "caller_id_lookup": at("voice_caller_id_lookup", read=coerce.boolean),
        "handler": _VOICE_HANDLER,
    },
    "SmsConfiguration": {**_webhooks("sms_"), "handler": _MESSAGE_HANDLER},
    "Account": {
        "id": at("sid"),
        "sid": at("sid"),
        "friendly_name": at("friendly_name"),
        "status": at("status", read=coerce.one_of(AccountStatus)),
        "type": at("type", read=coerce.one_of(AccountType)),
        "owner_account_sid": at("owner_account_sid"),
        "date_created": at("date_created", read=coerce.date),
    },
    "Country": {
        "id": at("country_code", read=coerce.country),
        "code": at("country_code", read=coerce.country),
        "name": at("country"),
        "beta": at("beta", read=coerce.boolean),
        "types": Derived(_country_types, "subresource_uris", {"subresource_uris": Any}),
    },
}

TABLES: Mapping[Source, Table] = {Source.CATALOG: CATALOG, Source.CORE: CORE}

# Every field that only one family knows still exists on both families' views, as null.
NULLS = {
    typename: {name for table in TABLES.values() for name in table.get(typename, ())}
    for typename in {name for table in TABLES.values() for name in table}
}


def branch(parent: View, field: NestedObject, views: Mapping[str, type[View]]) -> View | None:
    """Return the view of an object below `parent`, None when the upstream has none."""
    raw: object = parent.raw
    if field.null_is_no:
        raw = stated(parent.raw, field.keys[0], UNABLE[field.typename])
    elif field.keys:
        raw = first_of(parent.raw, field.keys)
    if isinstance(raw, msgspec.Raw):
        raw = opened(raw, STRICT[parent.source][field.typename])
    if isinstance(raw, Record):
        made: View | None = views[field.typename](raw, parent.home)
    else:
        made = view(field.typename, parent.source, raw, parent.home)
    if made is None or (field.flags and not known(made.raw, field.flags)):
        return None
    return made


def view(typename: str, source: Source, raw: object, home: str = "") -> View | None:
    """Return the view of an upstream object, decoded or as JSON; None for what is no object."""
    if isinstance(raw, dict):
        try:
            # As text, because blocks are made from text only.
            raw = DECODERS[STRICT[source][typename]].decode(msgspec.json.encode(raw))
        except msgspec.ValidationError:
            raw = msgspec.convert(raw, _LOOSE[source][typename])
    return VIEWS[source][typename](raw, home) if isinstance(raw, Record) else None


def note_sought(numbers: Iterable[View], sought: Sought | None) -> None:
    """Let numbers for sale know what the search that found them looked for, if that matters."""
    if sought is not None:
        for number in numbers:
            number.sought = sought


def _getter(field: Field, views: Mapping[str, type[View]]) -> Callable[[View], object]:
    match field:
        case Leaf(keys=(key,), read=coerce.text):
            there = attrgetter(f"raw.{key}")

            def text(view: View) -> object:
                value = there(view)
                return (value or None) if value.__class__ is str else coerce.text(value)

            return text
        case Leaf(keys=(key,), read=read):
            value = attrgetter(f"raw.{key}")
            return lambda view: read(value(view))
        case Leaf(keys=keys, read=read):
            return lambda view: read(first_of(view.raw, keys))
        case Derived(compute=compute):
            return compute
        case Alternative():
            return field.compute
        case NestedObject():
            return lambda view: branch(view, field, views)


def subclass(base: type[ViewT], name: str, members: Mapping[str, object]) -> type[ViewT]:
    """Return a class of views with these members."""
    return cast(
        "type[ViewT]", new_class(name, (base,), exec_body=lambda body: body.update(members))
    )


def _views(source: Source, table: Mapping[str, Mapping[str, Field]]) -> dict[str, type[View]]:
    """Make one class per GraphQL type, with one property per field of its table."""
    views: dict[str, type[View]] = {}
    for typename, fields in table.items():
        members: dict[str, object] = dict.fromkeys(NULLS[typename])
        members |= {name: property(_getter(field, views)) for name, field in fields.items()}
        # `source` is the class's own constant; the property of that name would hide it.
        members |= {"typename": typename, "source": source}
        views[typename] = subclass(View, f"{source.name.title()}{typename}", members)
    return views


class _Records(dict[str, type[Record]]):
    """The strict records of one family, by GraphQL type; each is made when it is asked for."""

    def __init__(self, source: Source, table: Mapping[str, Mapping[str, Field]]) -> None:
        super().__init__()
        self._source = source
        self._table = table

    def __missing__(self, typename: str) -> type[Record]:
        blocks: dict[str, type[Record]] = {}
        name = f"{self._source.name.title()}{typename}"
        made = self[typename] = _record(name, self._keys(typename, blocks))
        _BLOCKS[made] = blocks
        return made

    def _keys(self, typename: str, blocks: dict[str, type[Record]]) -> dict[str, Any]:
        """Return the upstream keys from which a type is read, with their types; note `blocks`."""
        found: dict[str, Any] = {}
        for each in self._table[typename].values():
            match each:
                case Leaf():
                    found |= dict.fromkeys(each.keys, _STRICT.get(each.read, _TEXT))
                case NestedObject(keys=()):
                    found |= self._keys(each.typename, blocks)
                case NestedObject(keys=(key,), repeats=True):
                    found[key] = msgspec.Raw
                    blocks[key] = self[each.typename]
                case NestedObject():
                    kind: Any = self[each.typename]  # A class, to make a union with.
                    kind |= None
                    found |= dict.fromkeys(each.keys, _OrAbsent(kind) if each.null_is_no else kind)
                case Derived():
                    found |= {key: kind for key, kind in each.reads.items() if key not in found}
        return found


def _records(source: Source, table: Mapping[str, Mapping[str, Field]]) -> dict[str, type[Record]]:
    """Make one strict record per GraphQL type."""
    records = _Records(source, table)
    return {typename: records[typename] for typename in table}


class _OrAbsent(NamedTuple):
    """The type of a key whose null says something else than that it is absent."""

    kind: Any


def _record(name: str, keys: Mapping[str, Any]) -> type[Record]:
    fields = [
        (key, kind.kind | msgspec.UnsetType, msgspec.UNSET)
        if isinstance(kind, _OrAbsent)
        else (key, kind, None)
        for key, kind in keys.items()
    ]
    made = msgspec.defstruct(name, fields, bases=(Record,), gc=False, omit_defaults=True)
    return cast("type[Record]", made)


# The kind of record in each block of a strict record.
_BLOCKS: dict[type[Record], Mapping[str, type[Record]]] = {}
STRICT: Mapping[Source, Mapping[str, type[Record]]] = {
    source: _records(source, table) for source, table in TABLES.items()
}
DECODERS: Mapping[type[Record], msgspec.json.Decoder[Record | None]] = {
    # What a decoder may be made of cannot be said in types.
    strict: msgspec.json.Decoder(cast("Any", strict | None))
    for records in STRICT.values()
    for strict in records.values()
}
_LOOSE: Mapping[Source, Mapping[str, type[Record]]] = {
    source: {
        typename: _record(
            strict.__name__,
            {
                key: _OrAbsent(object) if default is msgspec.UNSET else Any
                for key, default in zip(
                    strict.__struct_fields__, strict.__struct_defaults__, strict=True
                )
            },
        )
        for typename, strict in records.items()
    }
    for source, records in STRICT.items()
}
# What the catalog says of a capability by writing null for it: of all that belongs to it, no.
UNABLE: Mapping[str, Record] = {
    field.typename: STRICT[Source.CATALOG][field.typename](
        **{
            key: False
            for each in CATALOG[field.typename].values()
            if isinstance(each, Leaf) and each.read is coerce.boolean
            for key in each.keys
        }
    )
    for field in CATALOG["Capabilities"].values()
    if isinstance(field, NestedObject)
}
VIEWS: Mapping[Source, Mapping[str, type[View]]] = {
    source: _views(source, table) for source, table in TABLES.items()
}
