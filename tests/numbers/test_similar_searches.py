"""Searches for numbers like others are made once, and mean the same whoever made them first."""

import orjson
import pytest

from gateway.errors import BadUserInput
from gateway.mapping.records import DECODERS, STRICT, VIEWS, View
from gateway.numbers.search_request import SimilarSearch
from gateway.numbers.similar_searches import SimilarSearches
from schema.enums import SimilarScope, Source

OWNED = STRICT[Source.CATALOG]["PhoneNumber"]
WITHIN = {scope: SimilarSearch.parse(within=scope, first=5) for scope in SimilarScope}


def number(digits: str, account: str = "AC1", **place: object) -> View:
    """Return an owned number as the catalog tells it."""
    told = {"iso_country": "US", "lata": 722, "rate_center": "OAKLAND", "region": "CA", **place}
    body = {"sid": "PN1", "account_sid": account, "phone_number": digits, "geography": told}
    decoded = DECODERS[OWNED].decode(orjson.dumps(body))
    assert decoded is not None
    return VIEWS[Source.CATALOG]["PhoneNumber"](decoded, "AC1")


@pytest.mark.parametrize(
    "scope", [each for each in SimilarScope if each is not SimilarScope.NEARBY]
)
def test_numbers_of_one_place_have_one_search_for_all_requests(scope: SimilarScope) -> None:
    similar, asked = SimilarSearches(), WITHIN[scope]
    place = {"postal_code": "94601"}
    first, second = similar.each(
        asked, [number("+15105550001", **place), number("+13415550002", **place)], frozenset()
    )
    [later] = similar.each(asked, [number("+15105550003", **place)], frozenset())
    assert first is second is later
    assert first is not None
    # The call is spelt out with it.
    assert first.first_call == first.core_call(first.branches[0], first.wanted)
    fresh = SimilarSearches().each(asked, [number("+15105550003", **place)], frozenset())
    assert [later] == fresh


def test_what_differs_has_a_search_of_its_own() -> None:
    similar, asked = SimilarSearches(), WITHIN[SimilarScope.RATE_CENTER]
    others = [
        number("+15105550001"),
        number("+15105550001", "AC2"),
        number("+15105550001", rate_center="FREMONT"),
        number("+15105550001", lata=730),
    ]
    found = similar.each(asked, others, frozenset())
    more = asked._replace(page=asked.page._replace(size=6))
    found += similar.each(more, others[:1], frozenset())
    assert [each and (each.account, each.first, each.wanted) for each in found[:5]] == [
        ("AC1", 5, {"lata": "722", "rateCenter": "OAKLAND"}),
        ("AC2", 5, {"lata": "722", "rateCenter": "OAKLAND"}),
        ("AC1", 5, {"lata": "722", "rateCenter": "FREMONT"}),
        ("AC1", 5, {"lata": "730", "rateCenter": "OAKLAND"}),
        ("AC1", 6, {"lata": "722", "rateCenter": "OAKLAND"}),
    ]
    assert len({*map(id, found)}) == len(found)
    # Of the same place, but nobody's neighbours, here or in the Netherlands.
    free = number("+18005550001"), number("+31800123456")
    assert similar.each(asked, [*free, others[0]], frozenset()) == [None, None, found[0]]


def test_what_only_the_catalog_tells_leads_to_a_search_of_its_own() -> None:
    similar, asked = SimilarSearches(), WITHIN[SimilarScope.REGION]
    known = [number("+15105550001")]
    plain, wished = frozenset[str](), frozenset({"AvailablePhoneNumber.setupPrice"})
    for _ in range(2):
        for selected in (plain, wished):
            found = similar.each(asked, known, selected)
            assert found == SimilarSearches().each(asked, known, selected)
    assert similar.each(asked, known, plain) != similar.each(asked, known, wished)


def test_what_cannot_be_searched_by_is_told_each_time() -> None:
    similar, asked = SimilarSearches(), WITHIN[SimilarScope.RATE_CENTER]
    for _ in range(3):
        with pytest.raises(BadUserInput):
            similar.each(asked, [number("+15105550001", rate_center=" OAKLAND")], frozenset())


def test_what_is_kept_is_bounded() -> None:
    similar, asked = SimilarSearches(most=10), WITHIN[SimilarScope.RATE_CENTER]
    for each in range(100):
        [found] = similar.each(asked, [number("+15105550001", rate_center=f"C{each}")], frozenset())
        assert found is not None
        assert found.wanted["rateCenter"] == f"C{each}"
        assert len(similar._known) <= 10
