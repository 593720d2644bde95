"""Prints docs/your-account.md: what an account gives, with and without the preview catalog.

Read from the tables that the gateway itself reads: what each API tells, which API a field of an
owned number is taken from, what can be filtered by, and what can be set.
"""

import sys
from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeAlias, cast

from graphql import GraphQLObjectType

from gateway.mapping import filters, records
from gateway.mapping.homes import HOMES, Home
from gateway.numbers import sifting
from gateway.numbers.exchanges import SHOWN_BY_EXCHANGES
from schema import build_core_schema
from schema.enums import NumberType, Source
from tools.mapping import condition, known_from

_HEAD = """\
# What your account gives you

Twilio has two APIs about phone numbers. The **2010-04-01 API** is every account's. The **preview
catalog of numbers** is open to few: `PhoneNumber.source` is `CATALOG` for every number of an
account that has it. Queries and mutations are the same for both: the gateway asks whichever API
knows, and where both are needed, both. This page says what comes of it. Made by
`python -m tools.your_account` from the tables in `gateway/mapping/`; a test holds it current.

| sign | meaning |
|---|---|
| ✓ | told by Twilio, of every number that has it |
| ✓ 2010 | as ✓, by the 2010-04-01 API: if need be beside the catalog, for a whole list at once |
| ✓ lists | as ✓, from the catalog's lists: one more call where a number is looked up by sid |
| ✓ *from …* | worked out by the gateway from what stands there |
| here | filtered by the gateway, over some pages (`exhaustive` tells whether it could see all) |
| no | not to be had: fields are null without an error, filters are refused by name |

A search for numbers to buy asks one of the two alone, by what is selected and filtered by ([which
one](mapping.md#both)): what only the other tells is null.

Prices (`monthlyPrice` by the price list of the country, `Country.prices`), what the law asks for
(`requirements`) and countries are the same for all accounts. Of a toll-free number that is owned,
the 2010-04-01 API does not tell whether it is of the US or of Canada: `geography.isoCountry` is
null, and `monthlyPrice` is what the lists of both agree on. One request searches at most
`GATEWAY_EXCHANGE_CALLS` (20) exchanges of which `rateCenter` and `lata` are not known yet; beyond
these they are null, and there the next time. Where no number of the exchange is for sale they
stay null.
"""
_YES, _NO, _HERE = "✓", "no", "here"
_BY_CORE, _WORKED_OUT = f"{_YES} 2010", f"{_YES} *from "
_Told: TypeAlias = Mapping[str, str]
"""A path, as clients write it -> what an account gives there."""


class Nested(NamedTuple):
    """An object below a number, and whether nothing that the API says of it stands there."""

    typename: str
    path: str
    inferred: bool = False


def main() -> None:
    """Write the page to standard output."""
    sys.stdout.write("\n".join(page()) + "\n")


def page() -> Iterator[str]:
    """Yield the page's lines."""
    yield from _HEAD.splitlines()
    for title, core, both in _sections():
        yield ""
        yield f"## {title}"
        yield ""
        yield "| | 2010-04-01 API alone | with the preview catalog |"
        yield "|---|---|---|"
        for path in dict.fromkeys((*core, *both)):
            cells = core.get(path, _NO), both.get(path, _NO)
            if cells[0] == cells[1] and cells[0].startswith(_WORKED_OUT):
                cells = _YES, _YES  # It makes no difference between accounts.
            yield f"| `{path}` | {' | '.join(cells)} |"


def _sections() -> Iterator[tuple[str, _Told, _Told]]:
    """Yield each table: its title, and what both kinds of account give."""
    yield "Numbers you own", dict(_owned_by_core(Nested("PhoneNumber", ""))), _owned_by_both()
    yield "Numbers for sale", *_for_sale()
    yield (
        "Filters of numbers you own",
        _able(sifting.OWNED, Source.CORE),
        _able(sifting.OWNED, Source.CATALOG, Source.CORE),
    )
    yield (
        "Filters of numbers for sale",
        {**_able(sifting.SEARCHED, Source.CORE), **_searchable()},
        {
            **_able(sifting.SEARCHED, Source.CATALOG, Source.CORE),
            **dict.fromkeys(_searchable(), _YES),
        },
    )
    yield "What you can change", *_changes()


def _owned_by_core(of: Nested) -> Iterator[tuple[str, str]]:
    """Yield what the 2010-04-01 API alone gives of owned numbers, from an object on."""
    for path, name, field in _fields(of, records.CORE):
        if f"{of.typename}.{name}" in SHOWN_BY_EXCHANGES:
            yield path, _worked_out("numbers for sale of its exchange")
        elif isinstance(field, records.NestedObject):
            yield from _owned_by_core(Nested(field.typename, path, field.inferred))
        elif not of.inferred or isinstance(field, records.Derived):
            yield path, _told(field, itself=of.inferred)


def _owned_by_both() -> _Told:
    """Return what both APIs together give of owned numbers."""
    number = Nested("PhoneNumber", "")
    return dict(_by_home(number, records.CORE)) | dict(_by_home(number, records.CATALOG))


def _by_home(of: Nested, table: records.Table) -> Iterator[tuple[str, str]]:
    for path, name, field in _fields(of, table):
        place = f"{of.typename}.{name}"
        if isinstance(field, records.NestedObject):
            yield from _by_home(Nested(field.typename, path), table)
        else:
            home = HOMES.get(place, Home.CATALOG)
            words = {Home.CORE: _BY_CORE, Home.LISTED: f"{_YES} lists"}
            yield path, words.get(home) or _told(field)


def _for_sale() -> tuple[_Told, _Told]:
    """Return what is given of numbers for sale, without the catalog and with it."""
    number = Nested("AvailablePhoneNumber", "")
    core = dict(_searched(number, records.CORE))
    return core, dict.fromkeys(core, _BY_CORE) | dict(_searched(number, records.CATALOG))


def _searched(of: Nested, table: records.Table) -> Iterator[tuple[str, str]]:
    settable = {_written(path) for path in filters.CORE_WRITE}
    for path, _, field in _fields(of, table):
        if isinstance(field, records.NestedObject):
            yield from _searched(Nested(field.typename, path), table)
        elif path not in settable:  # What is set is an owned number's.
            yield path, _told(field)


def _fields(of: Nested, table: records.Table) -> Iterator[tuple[str, str, records.Field]]:
    """Yield the fields of an object in the schema's order, each with its path and its name."""
    kind = cast("GraphQLObjectType", build_core_schema().type_map[of.typename])
    told = table.get(of.typename, {})
    for name in kind.fields:
        if (field := told.get(filters.to_field(name))) is not None:
            yield f"{of.path}.{name}".removeprefix("."), name, field


def _told(field: records.Field, *, itself: bool = False) -> str:
    match field:
        case records.Derived(of=of):
            return _worked_out("the number itself" if itself else of)
        case records.Leaf(keys=(key,), inferred=True):
            return _worked_out(key)
        case records.Alternative(precedence=precedence):
            return _worked_out(" > ".join(name for name, _ in precedence))
    return _YES


def _worked_out(words: str) -> str:
    return f"{_WORKED_OUT}{words}*"


def _able(sieves: sifting.Sieves, *sources: Source) -> _Told:
    """Return what can be filtered by where these APIs can be asked; the first is, if it can."""
    found: dict[str, str] = {}
    for source in sources:
        asked, sifted = sieves.asked[source], sieves.sifted[source]
        for path in dict.fromkeys((*asked, *sifted)):
            name = "areaCodes" if path == "areaCode" else path
            mean = _mean(asked.get(path), sifted.get(path))
            if found.get(name, _HERE).startswith(_HERE):
                found[name] = mean
    return found


def _mean(param: filters.Param | None, sieve: sifting.Sieve | None) -> str:
    here = f"{_HERE}{known_from(sieve)}{condition(sieve.says)}" if sieve else ""
    if param is None:
        return here
    words = " (US and Canada)" if param.us_ca_only else ""
    words += condition(param.says)
    words += f", with `{param.needs}`" if param.needs else ""
    return f"{_YES}{words}, else {here}" if here and words else f"{_YES}{words}"


def _searchable() -> _Told:
    """Return the kinds of number that the 2010-04-01 API can search for."""
    return {
        f"types: [{kind.name}]": _YES if kind.name in filters.CORE_SEARCH_PATHS else _NO
        for kind in NumberType
    }


def _changes() -> tuple[_Told, _Told]:
    """Return what can be changed: by which mutations, and which settings."""
    mutations = cast("GraphQLObjectType", build_core_schema().mutation_type)
    done = dict.fromkeys(mutations.fields, _YES)
    core = {_written(path): _YES for path in filters.CORE_WRITE}
    both = {
        _written(path): _YES if path in filters.CATALOG_WRITE else _BY_CORE
        for path in filters.CORE_WRITE
    }
    return {**done, **core}, {**done, **both}


def _written(path: str) -> str:
    return path if path.startswith("regulatory.") else f"configuration.{path}"


if __name__ == "__main__":
    main()
