"""The operations, their variables, and how many upstream calls each may cost."""

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from tests.benchmarks import data

_SMALL: Final = """\
query Small($sid: ID!) {
  phoneNumber(sid: $sid) {
    sid phoneNumber friendlyName type lifecycle
    geography { isoCountry region locality }
    capabilities { voice { inboundConnectivity } sms { inboundConnectivity } }
  }
}
"""

_WIDE: Final = """\
query Wide($first: Int!, $postalCode: String!) {
  phoneNumbers(first: $first, filter: { postalCode: $postalCode }) {
    nodes {
      sid accountSid phoneNumber friendlyName type lifecycle
      capabilities {
        voice {
          inboundConnectivity outboundConnectivity e911 fax sipTrunking callsPerSecond
          concurrentCallsLimit longRecordLength inboundCalledDtmf inboundCallerDtmf
          inboundCallerIdPreservation inboundReachability codecs
        }
        sms {
          inboundConnectivity outboundConnectivity gsm7 ucs2 gsm7Concatenation ucs2Concatenation
          inboundSenderIdPreservation inboundReachability inboundMps
        }
        mms { inboundConnectivity outboundConnectivity inboundReachability inboundMps }
      }
      regulatory { addressRequirements }
      geography { isoCountry lata rateCenter latitude longitude region locality postalCode }
      configuration {
        friendlyName statusCallbackUrl statusCallbackMethod
        voice {
          url method fallbackUrl fallbackMethod applicationSid
          trunkSid emergencyStatus emergencyAddressSid callerIdLookup
        }
        sms { url method fallbackUrl fallbackMethod applicationSid }
        mms { url method fallbackUrl fallbackMethod applicationSid }
      }
    }
  }
}
"""

_NESTED: Final = """\
query Nested($first: Int!, $postalCode: String!) {
  phoneNumbers(first: $first, filter: { postalCode: $postalCode }) {
    nodes {
      sid phoneNumber friendlyName
      geography { rateCenter lata }
      similarAvailable(within: RATE_CENTER, first: 5) {
        nodes {
          phoneNumber friendlyName beta
          regulatory { addressRequirements }
          geography { isoCountry lata rateCenter latitude longitude region locality postalCode }
        }
      }
    }
  }
}
"""


_PURCHASE: Final = """\
mutation Purchase($input: PurchasePhoneNumberInput!) {
  purchasePhoneNumber(input: $input) {
    phoneNumber { sid accountSid phoneNumber friendlyName }
    userErrors { field code message }
  }
}
"""

FRESH_KEY: Final = "k-000000000000"
"""What the generator replaces by a key that no request before had."""


def _any_purchase(chance: random.Random) -> dict[str, Any]:
    number = data.phone_number(chance.randrange(data.VARIANTS * data.LIST_SIZE))
    return {"input": {"phoneNumber": number, "idempotencyKey": FRESH_KEY}}


def _any_sid(chance: random.Random) -> dict[str, Any]:
    return {"sid": data.number_sid(chance.randrange(data.VARIANTS * data.LIST_SIZE))}


def _any_page(first: int) -> Callable[[random.Random], dict[str, Any]]:
    return lambda chance: {"first": first, "postalCode": f"{chance.randrange(100_000):05d}"}


def _in_full(query: str, _place: int) -> dict[str, Any]:
    return {"query": query}


def _never_seen(query: str, place: int) -> dict[str, Any]:
    """Ask for one field a second time, under a name that only this place has."""
    name = f"phoneNumber again{place}: phoneNumber friendlyName"
    return {"query": query.replace("phoneNumber friendlyName", name, 1)}


def _by_hash(query: str, _place: int) -> dict[str, Any]:
    known = {"version": 1, "sha256Hash": hashlib.sha256(query.encode()).hexdigest()}
    return {"extensions": {"persistedQuery": known}}


@dataclass(frozen=True)
class Operation:
    """A GraphQL operation under load.

    `calls` is how many upstream calls one execution needs when it repeats none; `plain_path`
    gives what a plain proxy is asked instead, from the same variables (None: no equivalent). `plain_same`
    is where the upstream has the bytes that it answers with, if it is another path. `wording`
    turns the query and the place of a request in their sequence into how the request names it.
    """

    name: str
    query: str
    calls: int
    variables: Callable[[random.Random], dict[str, Any]]
    plain_path: Callable[[dict[str, Any]], str] | None
    plain_same: Callable[[dict[str, Any]], str] | None = None
    wording: Callable[[str, int], dict[str, Any]] = _in_full

    def samples(self, count: int, seed: int = 1) -> list[dict[str, Any]]:
        """Return `count` sets of variables, the same ones for the same seed."""
        chance = random.Random(seed)  # noqa: S311 - load, not secrets
        return [self.variables(chance) for _ in range(count)]

    def body(self, variables: dict[str, Any], place: int = 0) -> bytes:
        """Return the GraphQL request as a JSON body on one line."""
        return orjson.dumps({**self.wording(self.query, place), "variables": variables})

    def introduction(self) -> bytes | None:
        """Return the request after which a server knows the query by its hash; None: not needed."""
        if self.wording is not _by_hash:
            return None
        spoken = {**_in_full(self.query, 0), **_by_hash(self.query, 0)}
        return orjson.dumps({**spoken, "variables": self.samples(1)[0]})


OPERATIONS: Final = (
    Operation("small", _SMALL, 1, _any_sid, lambda v: f"/Numbers/ActiveNumbers/{v['sid']}"),
    Operation(
        "wide",
        _WIDE,
        1,
        _any_page(data.LIST_SIZE),
        lambda v: (
            f"/Numbers/ActiveNumbers?Geography.PostalCode={v['postalCode']}&PageSize={v['first']}"
        ),
    ),
    Operation("nested", _NESTED, 1 + data.CENTERS, _any_page(data.NESTED_SIZE), None),
)

SMALL, WIDE, NESTED = OPERATIONS

NEVER_SEEN: Final = tuple(
    replace(each, name=f"{each.name}-never-seen", wording=_never_seen) for each in (SMALL, WIDE)
)
"""As many documents as there are samples, in turn: more than a server keeps."""

PERSISTED: Final = replace(SMALL, name="small-persisted", wording=_by_hash)


def _bought(variables: dict[str, Any]) -> str:
    return str(variables["input"]["phoneNumber"])


PURCHASE: Final = Operation(
    "purchase",
    _PURCHASE,
    2,
    _any_purchase,
    lambda v: f"/purchase/{_bought(v)}",
    lambda v: f"/Numbers/ActiveNumbers/{data.number_sid(data.index_of(_bought(v)))}",
)
"""Is it owned? Then buy it. Each with an idempotency key of its own, written down before."""

JOURNAL: Final = replace(
    PURCHASE, name="journal", calls=0, plain_path=lambda v: f"/journal/{_bought(v)}"
)
"""What is written down for a purchase, and nothing else: of a plain proxy."""
