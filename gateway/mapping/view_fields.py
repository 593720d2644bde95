"""The fields of views, for who checks types; made from the mapping tables and the schema.

`python -m tools.view_fields > gateway/mapping/view_fields.py`; a test holds it current. Nothing of
this exists when the process runs: views have properties, made from the tables in `records.py`.
Fields of one name are of one type in all tables, but for `type`: an account's is another than a
number's, and read by nobody but the schema.
"""

from datetime import datetime
from typing import ClassVar, Protocol, TypeVar

from gateway.mapping.number_patterns import PatternMatch
from schema.enums import (
    AccountStatus,
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
)
from schema.values import Money

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Field(Protocol[T_co]):
    """A field of a view."""

    def __get__(self, view: object, kind: type, /) -> T_co:
        """Return its value."""
        ...


class Below(Protocol):
    """A field that is an object below, read as a view like the one that has it."""

    def __get__(self, view: T, kind: type, /) -> T | None:
        """Return it; None when the upstream has none."""
        ...


class Fields:
    """All fields that views have; one that is not of a view's type is null."""

    account_sid: ClassVar[Field[str]]
    address_requirements: ClassVar[Field[AddressRequirements | None]]
    address_sid: ClassVar[Field[str | None]]
    application_sid: ClassVar[Field[str | None]]
    beta: ClassVar[Field[bool | None]]
    bundle_sid: ClassVar[Field[str | None]]
    caller_id_lookup: ClassVar[Field[bool | None]]
    calls_per_second: ClassVar[Field[int | None]]
    calls_per_second_unlimited: ClassVar[Field[bool | None]]
    capabilities: ClassVar[Below]
    code: ClassVar[Field[str]]
    codecs: ClassVar[Field[list[str] | None]]
    concurrent_calls_limit: ClassVar[Field[int | None]]
    concurrent_calls_unlimited: ClassVar[Field[bool | None]]
    configuration: ClassVar[Below]
    date_created: ClassVar[Field[datetime | None]]
    date_updated: ClassVar[Field[datetime | None]]
    derived: ClassVar[Field[bool]]
    distance_miles: ClassVar[Field[float | None]]
    e911: ClassVar[Field[bool | None]]
    emergency_address_sid: ClassVar[Field[str | None]]
    emergency_address_status: ClassVar[Field[EmergencyAddressStatus | None]]
    emergency_status: ClassVar[Field[EmergencyStatus | None]]
    enabled: ClassVar[Field[bool | None]]
    fallback_method: ClassVar[Field[HttpMethod | None]]
    fallback_url: ClassVar[Field[str | None]]
    fax: ClassVar[Field[bool | None]]
    friendly_name: ClassVar[Field[str | None]]
    geography: ClassVar[Below]
    gsm7: ClassVar[Field[bool | None]]
    gsm7_concatenation: ClassVar[Field[bool | None]]
    handler: ClassVar[Field[Handler | None]]
    id: ClassVar[Field[str]]
    identity_sid: ClassVar[Field[str | None]]
    inbound_called_dtmf: ClassVar[Field[bool | None]]
    inbound_caller_dtmf: ClassVar[Field[bool | None]]
    inbound_caller_id_preservation: ClassVar[Field[Preservation | None]]
    inbound_connectivity: ClassVar[Field[bool | None]]
    inbound_mps: ClassVar[Field[int | None]]
    inbound_mps_unlimited: ClassVar[Field[bool | None]]
    inbound_reachability: ClassVar[Field[Reachability | None]]
    inbound_sender_id_preservation: ClassVar[Field[Preservation | None]]
    iso_country: ClassVar[Field[str | None]]
    lata: ClassVar[Field[str | None]]
    latitude: ClassVar[Field[float | None]]
    lifecycle: ClassVar[Field[Lifecycle | None]]
    locality: ClassVar[Field[str | None]]
    long_record_length: ClassVar[Field[int | None]]
    long_record_length_unlimited: ClassVar[Field[bool | None]]
    longitude: ClassVar[Field[float | None]]
    match: ClassVar[Field[PatternMatch | None]]
    method: ClassVar[Field[HttpMethod | None]]
    mms: ClassVar[Below]
    monthly_price: ClassVar[Field[Money | None]]
    name: ClassVar[Field[str | None]]
    origin: ClassVar[Field[NumberOrigin | None]]
    outbound_connectivity: ClassVar[Field[bool | None]]
    owner_account_sid: ClassVar[Field[str | None]]
    phone_number: ClassVar[Field[str]]
    postal_code: ClassVar[Field[str | None]]
    rate_center: ClassVar[Field[str | None]]
    receive_mode: ClassVar[Field[ReceiveMode | None]]
    region: ClassVar[Field[str | None]]
    regulatory: ClassVar[Below]
    setup_price: ClassVar[Field[Money | None]]
    sid: ClassVar[Field[str]]
    sip_trunking: ClassVar[Field[bool | None]]
    sms: ClassVar[Below]
    status: ClassVar[Field[AccountStatus | None]]
    status_callback_method: ClassVar[Field[HttpMethod | None]]
    status_callback_url: ClassVar[Field[str | None]]
    trunk_sid: ClassVar[Field[str | None]]
    type: ClassVar[Field[NumberType | None]]
    types: ClassVar[Field[list[NumberType]]]
    ucs2: ClassVar[Field[bool | None]]
    ucs2_concatenation: ClassVar[Field[bool | None]]
    url: ClassVar[Field[str | None]]
    voice: ClassVar[Below]
