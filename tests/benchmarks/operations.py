"""The three operations, their variables, and how many upstream calls each may cost."""

import random
from collections.abc import Callable
from dataclasses import dataclass
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


def _any_sid(chance: random.Random) -> dict[str, Any]:
    return {"sid": data.number_sid(chance.randrange(data.VARIANTS * data.LIST_SIZE))}


def _any_page(first: int) -> Callable[[random.Random], dict[str, Any]]:
    return lambda chance: {"first": first, "postalCode": f"{chance.randrange(100_000):05d}"}


@dataclass(frozen=True)
class Operation:
    """A GraphQL operation under load.

    `calls` is how many upstream calls one execution needs when it repeats none; `plain_path`
    gives what a plain proxy is asked instead, from the same variables (None: no equivalent).
    """

    name: str
    query: str
    calls: int
    variables: Callable[[random.Random], dict[str, Any]]
    plain_path: Callable[[dict[str, Any]], str] | None

    def samples(self, count: int, seed: int = 1) -> list[dict[str, Any]]:
        """Return `count` sets of variables, the same ones for the same seed."""
        chance = random.Random(seed)  # noqa: S311 - load, not secrets
        return [self.variables(chance) for _ in range(count)]

    def body(self, variables: dict[str, Any]) -> bytes:
        """Return the GraphQL request as a JSON body on one line."""
        return orjson.dumps({"query": self.query, "variables": variables})


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
