"""Strawberry as its documentation introduces it: types, resolvers, httpx, the stock ASGI view.

No data loaders and no caching: what a team gets from the first pages of the manual.
"""

import enum
import os
from typing import Any

import httpx
import strawberry
from strawberry.asgi import GraphQL


@strawberry.enum
class NumberType(enum.Enum):
    LOCAL = "local"
    TOLL_FREE = "tollfree"
    MOBILE = "mobile"
    NATIONAL = "national"
    SHARED_COST = "shared-cost"
    VOIP = "voip"
    MACHINE_TO_MACHINE = "machine-to-machine"
    SHORT_CODE = "shortcode"


@strawberry.enum
class Lifecycle(enum.Enum):
    DEVELOPER_PREVIEW = "developer-preview"
    BETA = "beta"
    GENERALLY_AVAILABLE = "generally-available"
    EXHAUSTED = "exhausted"


@strawberry.enum
class Preservation(enum.Enum):
    INTERNATIONAL = "international"
    DOMESTIC = "domestic"
    NOT_PRESERVED = "none"


@strawberry.enum
class Reachability(enum.Enum):
    DOMESTIC = "domestic"
    FOREIGN = "foreign"
    GLOBAL = "global"


@strawberry.enum
class AddressRequirements(enum.Enum):
    NOT_REQUIRED = "none"
    ANY = "any"
    LOCAL = "local"
    FOREIGN = "foreign"


@strawberry.enum
class HttpMethod(enum.Enum):
    GET = "GET"
    POST = "POST"


@strawberry.enum
class EmergencyStatus(enum.Enum):
    ACTIVE = "Active"
    INACTIVE = "Inactive"


@strawberry.enum
class ReceiveMode(enum.Enum):
    VOICE = "voice"
    FAX = "fax"


@strawberry.enum
class SimilarScope(enum.Enum):
    RATE_CENTER = "rate_center"


@strawberry.type
class VoiceCapabilities:
    inbound_connectivity: bool | None
    outbound_connectivity: bool | None
    e911: bool | None
    fax: bool | None
    sip_trunking: bool | None
    calls_per_second: int | None
    concurrent_calls_limit: int | None
    long_record_length: int | None
    inbound_called_dtmf: bool | None
    inbound_caller_dtmf: bool | None
    inbound_caller_id_preservation: Preservation | None
    inbound_reachability: Reachability | None
    codecs: list[str] | None


@strawberry.type
class SmsCapabilities:
    inbound_connectivity: bool | None
    outbound_connectivity: bool | None
    gsm7: bool | None
    ucs2: bool | None
    gsm7_concatenation: bool | None
    ucs2_concatenation: bool | None
    inbound_sender_id_preservation: Preservation | None
    inbound_reachability: Reachability | None
    inbound_mps: int | None


@strawberry.type
class MmsCapabilities:
    inbound_connectivity: bool | None
    outbound_connectivity: bool | None
    inbound_reachability: Reachability | None
    inbound_mps: int | None


@strawberry.type
class Capabilities:
    voice: VoiceCapabilities | None
    sms: SmsCapabilities | None
    mms: MmsCapabilities | None


@strawberry.type
class Regulatory:
    address_requirements: AddressRequirements | None


@strawberry.type
class Geography:
    iso_country: str | None
    lata: str | None
    rate_center: str | None
    latitude: float | None
    longitude: float | None
    region: str | None
    locality: str | None
    postal_code: str | None


@strawberry.type
class VoiceConfiguration:
    url: str | None
    method: HttpMethod | None
    fallback_url: str | None
    fallback_method: HttpMethod | None
    application_sid: str | None
    trunk_sid: str | None
    emergency_status: EmergencyStatus | None
    emergency_address_sid: str | None
    receive_mode: ReceiveMode | None
    caller_id_lookup: bool | None


@strawberry.type
class MessageConfiguration:
    url: str | None
    method: HttpMethod | None
    fallback_url: str | None
    fallback_method: HttpMethod | None
    application_sid: str | None


@strawberry.type
class Configuration:
    friendly_name: str | None
    status_callback_url: str | None
    status_callback_method: HttpMethod | None
    voice: VoiceConfiguration | None
    sms: MessageConfiguration | None
    mms: MessageConfiguration | None


@strawberry.type
class AvailablePhoneNumber:
    phone_number: str
    friendly_name: str | None
    beta: bool | None
    regulatory: Regulatory | None
    geography: Geography | None


@strawberry.type
class AvailablePhoneNumberConnection:
    nodes: list[AvailablePhoneNumber]


@strawberry.type
class PhoneNumber:
    sid: strawberry.ID
    account_sid: strawberry.ID
    phone_number: str
    friendly_name: str | None
    type: NumberType | None
    lifecycle: Lifecycle | None
    capabilities: Capabilities | None
    regulatory: Regulatory | None
    geography: Geography
    configuration: Configuration | None

    @strawberry.field
    async def similar_available(
        self,
        info: strawberry.Info,
        within: SimilarScope,  # noqa: ARG002 - an argument of the schema, with one value here
        first: int = 50,
    ) -> AvailablePhoneNumberConnection:
        client: httpx.AsyncClient = info.context["client"]
        answer = await client.get(
            f"/2010-04-01/Accounts/{self.account_sid}/AvailablePhoneNumbers/US/Local.json",
            params={
                "InRateCenter": self.geography.rate_center,
                "InLata": self.geography.lata,
                "PageSize": first,
            },
            headers=_authorization(info),
        )
        found = answer.raise_for_status().json()["available_phone_numbers"]
        return AvailablePhoneNumberConnection(nodes=[_available(number) for number in found])


@strawberry.type
class PhoneNumberConnection:
    nodes: list[PhoneNumber]


@strawberry.input
class PhoneNumberFilter:
    postal_code: str | None = None


@strawberry.type
class Query:
    @strawberry.field
    async def phone_number(self, info: strawberry.Info, sid: strawberry.ID) -> PhoneNumber | None:
        answer = await info.context["client"].get(
            f"/Numbers/ActiveNumbers/{sid}", headers=_authorization(info)
        )
        return _owned(answer.raise_for_status().json()["items"][0])

    @strawberry.field
    async def phone_numbers(
        self,
        info: strawberry.Info,
        filter: PhoneNumberFilter | None = None,  # noqa: A002 - the argument's name in the schema
        first: int = 50,
    ) -> PhoneNumberConnection:
        params: dict[str, Any] = {"PageSize": first}
        if filter and filter.postal_code:
            params["Geography.PostalCode"] = filter.postal_code
        answer = await info.context["client"].get(
            "/Numbers/ActiveNumbers", params=params, headers=_authorization(info)
        )
        items = answer.raise_for_status().json()["items"]
        return PhoneNumberConnection(nodes=[_owned(item) for item in items])


def _authorization(info: strawberry.Info) -> dict[str, str]:
    return {"authorization": info.context["request"].headers["authorization"]}


def _geography(raw: Any) -> Geography:
    return Geography(
        iso_country=raw["iso_country"],
        lata=None if raw["lata"] is None else str(raw["lata"]),
        rate_center=raw["rate_center"],
        latitude=None if raw["latitude"] is None else float(raw["latitude"]),
        longitude=None if raw["longitude"] is None else float(raw["longitude"]),
        region=raw["region"],
        locality=raw["locality"],
        postal_code=raw["postal_code"],
    )


def _available(raw: Any) -> AvailablePhoneNumber:
    return AvailablePhoneNumber(
        phone_number=raw["phone_number"],
        friendly_name=raw["friendly_name"],
        beta=raw["beta"],
        regulatory=Regulatory(
            address_requirements=AddressRequirements(raw["address_requirements"])
        ),
        geography=_geography(raw),
    )


def _voice(raw: Any) -> VoiceCapabilities | None:
    if raw is None:
        return None
    fields = dict(raw)
    fields["inbound_caller_id_preservation"] = Preservation(raw["inbound_caller_id_preservation"])
    fields["inbound_reachability"] = Reachability(raw["inbound_reachability"])
    return VoiceCapabilities(**fields)


def _sms(raw: Any) -> SmsCapabilities | None:
    if raw is None:
        return None
    fields = dict(raw)
    fields["inbound_sender_id_preservation"] = Preservation(raw["inbound_sender_id_preservation"])
    fields["inbound_reachability"] = Reachability(raw["inbound_reachability"])
    return SmsCapabilities(**fields)


def _mms(raw: Any) -> MmsCapabilities:
    if raw is None:  # It neither receives nor sends them.
        return MmsCapabilities(
            inbound_connectivity=False,
            outbound_connectivity=False,
            inbound_reachability=None,
            inbound_mps=None,
        )
    fields = dict(raw)
    fields["inbound_reachability"] = Reachability(raw["inbound_reachability"])
    return MmsCapabilities(**fields)


def _method(raw: str | None) -> HttpMethod:
    return HttpMethod(raw) if raw else HttpMethod.POST


def _message(raw: Any) -> MessageConfiguration | None:
    if raw is None:
        return None
    return MessageConfiguration(
        url=raw["url"] or None,
        method=_method(raw["method"]),
        fallback_url=raw["fallback_url"] or None,
        fallback_method=_method(raw["fallback_method"]),
        application_sid=raw["application_sid"] or None,
    )


def _voice_configuration(raw: Any) -> VoiceConfiguration | None:
    if raw is None:
        return None
    mode = raw.get("receive_mode")
    return VoiceConfiguration(
        url=raw["url"] or None,
        method=_method(raw["method"]),
        fallback_url=raw["fallback_url"] or None,
        fallback_method=_method(raw["fallback_method"]),
        application_sid=raw["application_sid"] or None,
        trunk_sid=raw["trunk_sid"] or None,
        emergency_status=EmergencyStatus(raw["emergency_status"]),
        emergency_address_sid=raw["emergency_address_sid"] or None,
        receive_mode=ReceiveMode(mode) if mode else None,
        caller_id_lookup=raw["caller_id_lookup"],
    )


def _owned(raw: Any) -> PhoneNumber:
    settings = raw.get("configuration") or raw["configurations"]
    capabilities = raw["capabilities"]
    callback = settings.get("status_callback_url") or settings.get("status_callback")
    return PhoneNumber(
        sid=raw["sid"],
        account_sid=raw["account_sid"],
        phone_number=raw["phone_number"],
        friendly_name=settings["friendly_name"] or None,
        type=NumberType(raw["type"]),
        lifecycle=Lifecycle(raw["lifecycle"]),
        capabilities=Capabilities(
            voice=_voice(capabilities["voice"]),
            sms=_sms(capabilities["sms"]),
            mms=_mms(capabilities["mms"]),
        ),
        regulatory=Regulatory(
            address_requirements=AddressRequirements(raw["regulatory"]["address_requirements"])
        ),
        geography=_geography(raw["geography"]),
        configuration=Configuration(
            friendly_name=settings["friendly_name"] or None,
            status_callback_url=callback or None,
            status_callback_method=_method(settings["status_callback_method"]),
            voice=_voice_configuration(settings["voice"]),
            sms=_message(settings["sms"]),
            mms=_message(settings.get("mms")),
        ),
    )


def create_app() -> Any:
    """Return Strawberry's ASGI view in front of `$BENCH_UPSTREAM`."""
    upstream = os.environ["BENCH_UPSTREAM"]
    client: httpx.AsyncClient | None = None

    class View(GraphQL[Any, Any]):
        async def get_context(self, request: Any, response: Any) -> Any:
            nonlocal client
            if client is None:
                # The defaults, 100 connections and 5 s, fail most nested queries at 32 in flight:
                # httpx's pool slows down with every request that waits in it.
                client = httpx.AsyncClient(
                    base_url=upstream, timeout=60, limits=httpx.Limits(max_connections=None)
                )
            return {"request": request, "response": response, "client": client}

    return View(strawberry.Schema(query=Query))
