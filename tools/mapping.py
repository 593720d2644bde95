"""Prints docs/mapping.md: where each field and filter comes from, read from the mapping tables."""

import sys
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from graphql import GraphQLObjectType

from gateway.mapping import filters, records
from gateway.numbers import sifting
from schema import build_core_schema
from schema.enums import Source

TYPES = (
    "PhoneNumber",
    "AvailablePhoneNumber",
    "Capabilities",
    "VoiceCapabilities",
    "SmsCapabilities",
    "MmsCapabilities",
    "Regulatory",
    "Geography",
    "Configuration",
    "VoiceConfiguration",
    "SmsConfiguration",
    "MmsConfiguration",
    "Account",
    "Country",
)
NOT_AVAILABLE = "not available"
BOTH = """
## Both

An owned number has the same fields by every route: looked up, listed, by its `id`, in a
payload, in an event. Which API is asked is known before the first call, from what is selected:

- An account without the catalog is asked in core. What only the catalog has is null, but for
  `geography`: country, state and province are what the number itself tells; `rateCenter` and
  `lata` are what numbers for sale in its exchange (`AreaCode=415&Contains=415555`) tell, found by
  one search for each exchange, if they are selected or filtered by. A filter leaves out numbers
  whose exchange tells nothing; then `exhaustive` is false.
- An account with the catalog is asked where all that is selected can be told: core, if
  everything is core's alone (`{ dateCreated regulatory { bundleSid } }`), else the catalog.
  Fields that both have are the catalog's.
- If neither tells all, or a filter is core's alone, the rest is filled in from the other: for
  all numbers of a list together, by number or by pages of 1000, whichever is fewer calls. The
  plan names the fields. Cursors lead on in both lists, so that reading a long list costs the
  same for every page.
- If that fails, does not answer for as long as one attempt takes (`attempt_timeout`), or denies a
  number that the catalog shows, the fields that it would have filled in are null, with an error
  each; the others stay. So do core's where both were asked at once and the catalog failed.
- While it is unknown whether an account has the catalog, the first read asks both at once, core for
  what is asked and the catalog for one page or search: that is one call more, said in the plan, and
  no time. A refusal of the catalog (404, 403, 401) where core answers means that the account has
  none, for `family_memory` seconds. If the catalog fails or does not answer, core's answer is
  shown, the catalog's fields are null with an error, and nothing is remembered.
- After a write the payload shows what the next read shows. The write's own answer tells what it
  can; the rest is read. Until the catalog shows what core has just set, core's answer counts.
- `source` is `CATALOG` for every number of an account with the catalog, whatever was asked.

Numbers for sale are searched in the catalog if it knows all the filters and something is selected
that only it tells (prices, `lifecycle`, finer capabilities), else in core if that knows them; then
the plan names what of the selection only the catalog could tell.
Whatever is selected, who filters by `lifecycle` asks the catalog if it can answer the other
filters: core knows `beta` alone, of which developer previews are, and exhausted numbers are not.

`configuration.mms` is only in the catalog's lists: a number looked up by sid is found there by
its digits.
"""


def main() -> None:
    """Write the page to standard output."""
    sys.stdout.write("\n".join(page()) + "\n")


def page() -> Iterator[str]:
    """Yield the page's lines."""
    yield "# Where everything comes from"
    yield ""
    yield "Made by `tools/mapping.py` from `gateway/mapping/records.py`,"
    yield "`gateway/mapping/filters.py` and `gateway/numbers/sifting.py`."
    yield ""
    yield "**catalog** is the preview Global Phone Numbers Catalog (`/Numbers/…`), **core** the"
    yield "2010-04-01 API."
    yield ""
    yield from BOTH.strip().splitlines()
    yield ""
    yield "## Fields"
    yield from fields()
    yield ""
    yield "## Filters"
    yield ""
    yield "What the API that is asked cannot filter by, but tells of the numbers that it finds, is"
    yield "filtered *by the gateway*. Searches that no single API can answer are refused."
    yield from parameters(
        "phoneNumbers(filter)", filters.CATALOG_OWNED, filters.CORE_OWNED, sifting.OWNED.sifted
    )
    yield from parameters(
        "availablePhoneNumbers(filter)",
        filters.CATALOG_SEARCH,
        filters.CORE_SEARCH,
        sifting.SEARCHED.sifted,
    )
    yield ""
    yield "`types` and `country` are parameters (`Type`, `Geography.IsoCountry`) in the catalog and"
    yield "parts of the path in core: " + ", ".join(
        f"`{kind}` → `{path}`" for kind, path in filters.CORE_SEARCH_PATHS.items()
    )
    yield "and no `SHORT_CODE`. Owned numbers are listed by type in core for"
    yield ", ".join(f"`{kind}`" for kind in filters.CORE_OWNED_PATHS) + "."
    yield ""
    yield "## Settings"
    yield from parameters("configuration, regulatory", filters.CATALOG_WRITE, filters.CORE_WRITE)


def fields() -> Iterator[str]:
    """Yield one table per GraphQL type."""
    schema = build_core_schema()
    for typename in TYPES:
        kind = schema.type_map[typename]
        if not isinstance(kind, GraphQLObjectType):
            continue
        yield ""
        yield f"### {typename}"
        yield ""
        yield "| field | catalog | core |"
        yield "|---|---|---|"
        for name in kind.fields:
            places = [
                place(table.get(typename, {}).get(filters.to_field(name)))
                for table in (records.CATALOG, records.CORE)
            ]
            if places != [NOT_AVAILABLE, NOT_AVAILABLE]:
                yield f"| `{name}` | {' | '.join(places)} |"


def place(field: records.Field | None) -> str:
    """Return where a field is found, in words."""
    match field:
        case None:
            return NOT_AVAILABLE
        case records.Leaf(keys=keys, listed_only=listed, inferred=inferred):
            words = ", in lists only" if listed else ""
            named = " or ".join(keys if inferred else (f"`{key}`" for key in keys))
            return f"from {named}" if inferred else named + words
        case records.NestedObject(flags=flags) if flags:
            return "when " + " or ".join(f"`capabilities.{flag}`" for flag in flags) + " is known"
        case records.NestedObject(keys=keys, null_is_no=no, listed_only=listed):
            words = " or ".join(f"`{key}`" for key in keys) or "the number itself"
            words += ", in lists only" if listed else ""
            return f"{words}; null says that it cannot" if no else words
        case records.Derived(of=of):
            return f"from {of}"
        case records.Alternative(precedence=precedence):
            return "from " + " > ".join(name for name, _ in precedence)


def parameters(
    title: str,
    catalog: filters.Table,
    core: filters.Table,
    sieves: Mapping[Source, Mapping[str, sifting.Sieve]] = MappingProxyType({}),
) -> Iterator[str]:
    """Yield a table of paths and what carries or applies them."""
    yield ""
    yield f"### {title}"
    yield ""
    yield "| path | catalog | core |"
    yield "|---|---|---|"
    sifted = sieves.get(Source.CORE, ())
    for path in dict.fromkeys((*catalog, *core, *sifted)):
        # Of a list, each is asked for by itself.
        name = "areaCodes" if path == "areaCode" else path
        means = [
            mean(table.get(path), sieves.get(source, {}).get(path))
            for source, table in ((Source.CATALOG, catalog), (Source.CORE, core))
        ]
        yield f"| `{name}` | {' | '.join(means)} |"


def mean(param: filters.Param | None, sieve: sifting.Sieve | None) -> str:
    """Return what carries or applies a value, in words."""
    itself = sieve and f"*by the gateway*{known_from(sieve)}{condition(sieve.says)}"
    if param is None:
        return itself or NOT_AVAILABLE
    words = " (US and Canada)" if param.us_ca_only else ""
    words += condition(param.says)
    words += f", with `{param.needs}`" if param.needs else ""
    asked = f"`{param.name}`{words}" if param.name else f"part of the path{words}"
    return f"{asked}, else {itself}" if itself and words else asked


def known_from(sieve: sifting.Sieve) -> str:
    """Return from what it is known that is filtered by, in words behind others."""
    return f" from {sieve.beside}" if sieve.beside else ""


def condition(says: filters.Sayable) -> str:
    """Return which values are meant, in words behind others."""
    return f", {says.words}" if says.words else ""


if __name__ == "__main__":
    main()
