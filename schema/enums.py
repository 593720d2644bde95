"""Closed sets. A member's value is the catalog family's own token where it has one."""

import enum

import strawberry
from strawberry import enum_value as value

from schema._compat import EnumValueDefinition


class _Members(enum.Enum):
    """Hashes members as the singletons that they are; `Enum` hashes their names, in Python."""

    __hash__ = object.__hash__


@strawberry.enum(description="The kind of phone number.")
class NumberType(_Members):
    LOCAL = value("local", description="A geographic number of a town or area.")
    TOLL_FREE = value("tollfree", description="Free for the caller; the owner pays.")
    MOBILE = value("mobile", description="A number of a mobile range.")
    NATIONAL = value("national", description="A number of the whole country, without an area.")
    SHARED_COST = value("shared-cost", description="Caller and owner share the cost.")
    VOIP = value("voip", description="A number of a range kept for internet telephony.")
    MACHINE_TO_MACHINE = value("machine-to-machine", description="For devices, not for people.")
    SHORT_CODE = value("shortcode", description="A short number for messages.")


@strawberry.enum(description="Who is to use a number: what the law asks for depends on it.")
class EndUser(_Members):
    INDIVIDUAL = value("individual", description="A person.")
    BUSINESS = value("business", description="A company.")


@strawberry.enum(description="How far a number's range has come in the upstream's inventory.")
class Lifecycle(_Members):
    DEVELOPER_PREVIEW = value("developer-preview", description="For invited developers only.")
    BETA = value("beta", description="New to the platform; may change.")
    GENERALLY_AVAILABLE = value("generally-available", description="For everybody.")
    EXHAUSTED = value("exhausted", description="No more numbers of this range can be had.")


@strawberry.enum(description="How far the sender's or caller's number arrives unchanged.")
class Preservation(_Members):
    INTERNATIONAL = value("international", description="Also from abroad.")
    DOMESTIC = value("domestic", description="Only from within the country.")
    NOT_PRESERVED = value("none", description="It does not arrive unchanged.")


@strawberry.enum(description="From where a number can be reached.")
class Reachability(_Members):
    DOMESTIC = value("domestic", description="From within the number's country.")
    FOREIGN = value("foreign", description="From outside the number's country.")
    GLOBAL = value("global", description="From everywhere.")


@strawberry.enum(description="Which address the account must have registered to own a number.")
class AddressRequirements(_Members):
    NOT_REQUIRED = value("none", description="No address is needed.")
    ANY = value("any", description="An address anywhere in the world.")
    LOCAL = value("local", description="An address within the number's country.")
    FOREIGN = value("foreign", description="An address outside the number's country.")


@strawberry.enum(description="Whether the input of a purchase has something that is asked for.")
class RequirementStatus(_Members):
    PROVIDED = value("provided", description="The input has it.")
    MISSING = value("missing", description="Nothing in the input can have it.")
    UNKNOWN = value(
        "unknown",
        description="It cannot be told before the purchase: for example whether a bundle that is"
        " given has been approved.",
    )


@strawberry.enum(description="The HTTP method with which a webhook is called.")
class HttpMethod(_Members):
    GET = value("GET", description="Parameters come in the query string.")
    POST = value("POST", description="Parameters come in a form body.")


@strawberry.enum(description="Whether emergency calls from the number are enabled.")
class EmergencyStatus(_Members):
    ACTIVE = value("Active", description="Emergency calling is enabled.")
    INACTIVE = value("Inactive", description="Emergency calling is not enabled.")


@strawberry.enum(
    description="How far the address that emergency services are given has been registered."
)
class EmergencyAddressStatus(_Members):
    REGISTERED = value(
        "registered",
        description="It is registered: the number can be neither released nor lose it.",
    )
    UNREGISTERED = value("unregistered", description="No address is registered.")
    PENDING_REGISTRATION = value("pending-registration", description="It is being registered.")
    REGISTRATION_FAILURE = value(
        "registration-failure", description="It could not be registered: see the address."
    )
    PENDING_UNREGISTRATION = value(
        "pending-unregistration", description="It is being unregistered; until then it counts."
    )
    UNREGISTRATION_FAILURE = value(
        "unregistration-failure", description="It could not be unregistered, and counts still."
    )


@strawberry.enum(description="What an incoming call is treated as.")
class ReceiveMode(_Members):
    VOICE = value("voice", description="A voice call.")
    FAX = value("fax", description="A fax transmission.")


@strawberry.enum(description="Which setting the upstream will really use for calls or messages.")
class Handler(_Members):
    TRUNK = value("trunk", description="The SIP trunk; urls and application are ignored.")
    APPLICATION = value("application", description="The application; the urls are ignored.")
    WEBHOOK = value("url", description="The webhook url of the number itself.")
    NOT_SET = value("none", description="Nothing is set: nobody answers.")


@strawberry.enum(
    description="Which of the upstream's two APIs is asked about numbers. What the one that is"
    " asked does not tell of an account's own numbers is filled in from the other."
)
class Source(_Members):
    CATALOG = value(
        "catalog",
        description="The preview catalog of numbers, open to few accounts: rich capabilities,"
        " geography.",
    )
    CORE = value("core", description="The 2010-04-01 API that every account has: fewer fields.")


@strawberry.enum(description="What an available number shall have in common with this one.")
class SimilarScope(_Members):
    RATE_CENTER = value("rate_center", description="The same rate center (US and Canada).")
    LATA = value("lata", description="The same LATA (US and Canada).")
    REGION = value("region", description="The same state or province (US and Canada).")
    POSTAL_CODE = value("postal_code", description="The same postal code (US and Canada).")
    NEARBY = value("nearby", description="Within `withinMiles` miles (US and Canada).")


@strawberry.enum(description="In which order numbers that can be bought are listed.")
class AvailablePhoneNumberOrder(_Members):
    DISTANCE = value("distance", description="The nearest to `filter.near.point` first.")


@strawberry.enum(description="How a number came to the account.")
class NumberOrigin(_Members):
    TWILIO = value("twilio", description="Bought from, or ported to, Twilio.")
    HOSTED = value("hosted", description="Hosted on Twilio, kept at another carrier.")


@strawberry.enum(description="State of an account.")
class AccountStatus(_Members):
    ACTIVE = value("active", description="It can be used.")
    SUSPENDED = value("suspended", description="It is blocked for now.")
    CLOSED = value("closed", description="It is closed for good.")


@strawberry.enum(description="Whether an account is paid for.")
class AccountType(_Members):
    TRIAL = value("Trial", description="A free trial: it cannot buy numbers through the API.")
    FULL = value("Full", description="A paid account.")


@strawberry.enum(description="A document that the law of a number's country may ask for.")
class RegulatoryDocument(_Members):
    ADDRESS = value("address", description="The registered address, `addressSid`.")
    BUNDLE = value("bundle", description="The regulatory bundle, `bundleSid`.")
    IDENTITY = value("identity", description="The identity document, `identitySid`.")


def _saved(case: str, capability: str, purpose: str) -> EnumValueDefinition:
    return value(
        f"twilio.use-case.{case}.{capability}",
        description=f"Numbers whose {capability} capabilities suit {purpose}.",
    )


@strawberry.enum(description="Named sets of filters, by use case, that the upstream keeps.")
class SavedSearch(_Members):
    CONVERSATIONS_VOICE = _saved("conversations", "voice", "two-way conversations")
    CONVERSATIONS_SMS = _saved("conversations", "sms", "two-way conversations")
    MARKETING_VOICE = _saved("marketing", "voice", "marketing")
    MARKETING_SMS = _saved("marketing", "sms", "marketing")
    NOTIFICATIONS_VOICE = _saved("notifications", "voice", "notifications")
    NOTIFICATIONS_SMS = _saved("notifications", "sms", "notifications")
    VERIFICATIONS_VOICE = _saved("verifications", "voice", "verification codes")
    VERIFICATIONS_SMS = _saved("verifications", "sms", "verification codes")
    PBX_COLLABORATIONS_VOICE = _saved("pbx-collaborations", "voice", "an office exchange")
    CONTACT_CENTERS_VOICE = _saved("contact-centers", "voice", "contact centers")
    CONTACT_CENTERS_SMS = _saved("contact-centers", "sms", "contact centers")
    LEAD_TRACKING_VOICE = _saved("lead-tracking", "voice", "lead (call) tracking")
    LEAD_TRACKING_SMS = _saved("lead-tracking", "sms", "lead (call) tracking")
    CALL_TRACKING_VOICE = _saved("call-tracking", "voice", "call tracking (lead tracking)")
    CALL_TRACKING_SMS = _saved("call-tracking", "sms", "call tracking (lead tracking)")


@strawberry.enum(
    description="Why one of the searches that a list-valued filter fans out into failed. The same"
    " codes as in `errors[].extensions.code`."
)
class BranchErrorCode(_Members):
    UPSTREAM_RATE_LIMITED = value(
        "UPSTREAM_RATE_LIMITED",
        description="Twilio was asked too often at once. Try again in a moment.",
    )
    UPSTREAM_UNAVAILABLE = value(
        "UPSTREAM_UNAVAILABLE",
        description="Twilio failed or could not be reached. Try again in a moment.",
    )
    UPSTREAM_TIMEOUT = value(
        "UPSTREAM_TIMEOUT", description="Twilio took too long. Try again in a moment."
    )
    UPSTREAM_MALFORMED = value(
        "UPSTREAM_MALFORMED",
        description="Twilio's answer could not be read. Try again in a moment.",
    )
    UPSTREAM_CALLS_EXCEEDED = value(
        "UPSTREAM_CALLS_EXCEEDED",
        description="The operation was out of upstream calls. Ask for less at once.",
    )
    DEADLINE_EXCEEDED = value(
        "DEADLINE_EXCEEDED",
        description="The request's time was up. Ask for less at once, or try again.",
    )
    NOT_FOUND = value("NOT_FOUND", description="Numbers of this kind are not sold in this country.")
    UPSTREAM_REFUSED = value(
        "UPSTREAM_REFUSED", description="Twilio refused the search; the message says why."
    )
    UPSTREAM_UNAUTHENTICATED = value(
        "UPSTREAM_UNAUTHENTICATED",
        description="Twilio did not accept the credentials. Sign in anew.",
    )
    FORBIDDEN = value("FORBIDDEN", description="The account may not search: it is not active, say.")
    UPSTREAM_ERROR = value("UPSTREAM_ERROR", description="Another reason; the message says it.")


@strawberry.enum(description="What happened to a number.")
class PhoneNumberEventKind(_Members):
    PURCHASED = value(
        "purchased",
        description="It was bought; or another account handed it over by other means than the"
        " gateway.",
    )
    CONFIGURED = value("configured", description="Its configuration changed.")
    TRANSFERRED = value(
        "transferred",
        description="It moved to another account, through the gateway. What was moved elsewhere is"
        " RELEASED in one account and PURCHASED in the other.",
    )
    RELEASED = value(
        "released",
        description="It was given back; or handed over to another account by other means than the"
        " gateway.",
    )
