"""Splitting searches, places in lists, and which calls are the cheapest."""

import base64
from typing import Any

import pytest

from gateway.errors import BadUserInput, UnsupportedFilters
from gateway.numbers import cursors, partition
from gateway.numbers.cursors import Cursor, Seen, Window
from gateway.numbers.last_seen import LastSeen
from gateway.numbers.lookup_strategy import Size, Sizes, choose, go_on_listing
from gateway.numbers.page_request import PageRequest
from gateway.numbers.search_request import SearchRequest, asked_of_core
from gateway.numbers.spare_calls import SpareCalls
from gateway.upstream.call import Credential
from schema.enums import Lifecycle, NumberType, Source


@pytest.mark.parametrize(
    ("pattern", "parts"),
    [
        ("+1", [f"+1{digit}" for digit in "23456789"]),
        ("+44", [f"+44{digit}" for digit in "0123456789"]),
        ("55", [*(f"55{digit}" for digit in "0123456789"), "55$"]),
        ("5*5", [f"5{digit}5" for digit in "0123456789"]),
        ("55$", []),
        ("5" * 16, []),
    ],
)
def test_a_search_is_split_by_the_next_digit(pattern: str, parts: list[str]) -> None:
    assert partition.split(pattern) == parts


@pytest.mark.parametrize(
    ("country", "wanted", "pattern"),
    [
        ("US", {}, "+1"),
        ("US", {"areaCode": "415"}, "+1415"),
        ("GB", {}, "+44"),
        ("US", {"contains": "%55%"}, "55"),
        ("US", {"contains": "+1415%"}, "+1415"),
        ("ZZ", {}, None),
    ],
)
def test_all_results_of_a_search_match_one_pattern(
    country: str, wanted: dict[str, object], pattern: str | None
) -> None:
    assert partition.pattern_of(country, wanted) == pattern


def test_spare_calls_are_taken_whole_or_not_at_all() -> None:
    spare = SpareCalls(10)
    assert [spare.take(8), spare.take(3), spare.take(2), spare.take(1)] == [
        True,
        False,
        True,
        False,
    ]


def test_a_cursor_is_read_as_it_was_written() -> None:
    seen = Seen(50, cursors.trail(["a", "b"]))
    cursor = Cursor("list", "Page=1", 7, (seen,), 0, "Page=2")
    assert cursors.decode(cursors.encode(cursor)) == cursor


@pytest.mark.parametrize(
    "opaque",
    [
        "",
        "x",
        "é",
        "A" * 4097,
        base64.urlsafe_b64encode(b'["l","",-2]').decode(),
        base64.urlsafe_b64encode(b'["l","",0,[],64]').decode(),
        base64.urlsafe_b64encode(b'["l","",0,[],0,"","more"]').decode(),
    ],
)
def test_what_is_no_cursor_is_refused(opaque: str) -> None:
    with pytest.raises(BadUserInput, match="not a cursor"):
        cursors.decode(opaque)


def test_a_list_goes_on_behind_the_last_number_that_is_still_there() -> None:
    seen = Seen(0, cursors.trail(["a", "b", "c"]))
    assert seen.behind(["a", "b", "c", "d"]) == 3
    assert seen.behind(["a", "b", "d"]) == 2
    assert seen.behind(["x", "y"]) is None
    # A number that stands twice is found where it stood.
    assert seen.behind(["c", "x", "c", "d"], place=2) == 3
    assert seen.ends_among(["x", "c"])
    assert not seen.ends_among(["a", "b"])


def test_a_trail_keeps_the_last_numbers_and_fewer_of_each_of_several_lists() -> None:
    names = [str(each) for each in range(100)]
    assert cursors.trail(names) == "".join(map(cursors.mark, names[-16:]))
    assert len(cursors.trail(names, lists=10)) == 6 * 8
    assert len(cursors.trail(names, lists=1000)) == 8
    assert cursors.extended(cursors.trail(names), ["new"]).endswith(cursors.mark("new"))
    assert len(cursors.extended(cursors.trail(names), ["new"])) == 16 * 8


@pytest.mark.parametrize(
    ("place", "first", "most", "window"),
    [
        (0, 10, 1000, Window(11, 0)),
        (9, 3, 1000, Window(7, 1)),
        (99, 50, 60, Window(60, 1)),
        (5, 1, 1, Window(1, 5)),
    ],
)
def test_the_page_that_is_asked_for_holds_the_place_and_what_follows(
    place: int, first: int, most: int, window: Window
) -> None:
    found = cursors.window(place, first, most)
    assert found == window
    assert found.start <= place < found.start + found.size


def test_lists_of_other_filters_have_other_names() -> None:
    one = cursors.list_id("AC1", filters={"a": 1, "b": 2})
    assert one == cursors.list_id("AC1", filters={"b": 2, "a": 1})
    assert one != cursors.list_id("AC2", filters={"a": 1, "b": 2})
    assert one != cursors.list_id("AC1", filters={"a": "1", "b": 2})


@pytest.mark.parametrize(
    ("keys", "size", "strategy", "most"),
    [
        (1, None, "get", 1),
        (20, None, "get", 20),
        (21, None, "list", 42),
        (5, Size(900, exact=True), "list", 1),
        (5, Size(5000, exact=True), "get", 5),
        (6, Size(5000, exact=True), "list", 5),
        (20, Size(900, exact=False), "get", 20),
        (30, Size(1001, exact=False), "list", 60),
    ],
)
def test_the_cheapest_calls_are_chosen(
    keys: int, size: Size | None, strategy: str, most: int
) -> None:
    chosen = choose(keys, size)
    assert (chosen.strategy, chosen.most) == (strategy, most)
    assert chosen.least <= chosen.most


def test_listing_goes_on_while_it_is_cheaper_than_the_keys_left() -> None:
    assert go_on_listing(1, 3, Size(3000, exact=True))
    assert not go_on_listing(1, 2, Size(3000, exact=True))
    assert not go_on_listing(3, 5, Size(3000, exact=True))
    assert go_on_listing(1, 2, None)
    assert not go_on_listing(2, 2, None)


def test_sizes_are_learnt_from_lists_and_the_oldest_forgotten() -> None:
    sizes = Sizes(most=2)
    sizes.learn("AC1", 1000, more=True)
    assert sizes.of("AC1") == Size(1001, exact=False)
    sizes.learn("AC1", 500, more=True)
    assert sizes.of("AC1") == Size(1001, exact=False)
    sizes.learn("AC1", 1500, more=False)
    assert sizes.of("AC1") == Size(1500, exact=True)
    sizes.learn("AC2", 1, more=False)
    sizes.learn("AC3", 1, more=False)
    assert sizes.of("AC1") is None


def asked(types: list[NumberType], wanted: dict[str, Any], first: int = 10) -> SearchRequest:
    """Return the arguments of a search in the US as they are read."""
    return SearchRequest.of("AC1", "US", types, wanted, PageRequest(first))


def test_lists_of_area_codes_and_types_are_fanned_out_once_each() -> None:
    found = asked([NumberType.LOCAL, NumberType.TOLL_FREE], {"areaCodes": ["415", "510", "415"]})
    assert [(each.type, each.wanted["areaCode"]) for each in found.branches] == [
        (NumberType.LOCAL, "415"),
        (NumberType.LOCAL, "510"),
        (NumberType.TOLL_FREE, "415"),
        (NumberType.TOLL_FREE, "510"),
    ]
    with pytest.raises(BadUserInput, match="searches would be needed"):
        asked(
            [NumberType.LOCAL],
            {
                "areaCodes": [
                    str(each) for each in (*range(480, 487), *range(520, 548), *range(549, 579))
                ]
            },
        )
    with pytest.raises(BadUserInput, match="the list is empty"):
        asked([], {})


def test_a_search_goes_to_the_family_that_knows_its_filters() -> None:
    core, catalog = Source.CORE, Source.CATALOG
    for wanted, sources in (
        ({"contains": "55"}, [core, catalog]),
        ({"lata": "722"}, [core, catalog]),
        ({"rateCenter": "SNFC"}, [catalog]),
        ({"rateCenter": "SNFC", "lata": "722"}, [core, catalog]),
        ({"lata": "+14155550100"}, [core]),
        ({"lifecycle": Lifecycle.GENERALLY_AVAILABLE}, [catalog, core]),
        ({"lifecycle": Lifecycle.GENERALLY_AVAILABLE, "contains": "55"}, [catalog, core]),
        ({"lifecycle": Lifecycle.GENERALLY_AVAILABLE, "lata": "+14155550100"}, [core]),
        ({"lifecycle": Lifecycle.BETA}, [catalog, core]),
        ({"lifecycle": Lifecycle.BETA, "excludeLocalAddressRequired": True}, [catalog, core]),
        ({"lifecycle": Lifecycle.EXHAUSTED}, [catalog]),
        ({"capabilities.sms.enabled": True}, [core, catalog]),
        ({"capabilities.sms.gsm7": True, "contains": "55"}, [catalog]),
    ):
        assert asked([NumberType.LOCAL], wanted).sources == sources, wanted
    of_catalog = asked([NumberType.LOCAL], {"capabilities.sms.gsm7": True})
    assert of_catalog.lacking == ["capabilities.sms.gsm7"]
    with pytest.raises(UnsupportedFilters, match="cannot be combined"):
        asked([NumberType.LOCAL], {"maxMonthlyPrice": 1, "near.phoneNumber": "+14155550100"})


@pytest.mark.parametrize(
    ("wanted", "before"),
    [
        ({"region": "CA"}, {"inRegion": "CA"}),
        ({"region": "CA"}, {"geography.region": "CA"}),
        ({"lifecycle": Lifecycle.GENERALLY_AVAILABLE}, {"beta": False}),
        (
            {"lifecycle": Lifecycle.GENERALLY_AVAILABLE},
            {"lifecycle": Lifecycle.GENERALLY_AVAILABLE},
        ),
    ],
)
def test_a_cursor_of_either_family_is_taken_by_the_search_that_both_can_answer(
    wanted: dict[str, Any], before: dict[str, Any]
) -> None:
    """Filters had other names in each of them once, and lists were called by these."""
    types = [NumberType.LOCAL]
    kept = Cursor(cursors.list_id("AC1", "US", types, filters=before), "", 0, (), 0)
    assert SearchRequest.of("AC1", "US", types, wanted, PageRequest(10, kept)).start is kept


def test_a_cursor_of_another_search_is_refused() -> None:
    list_id = asked([NumberType.LOCAL], {"contains": "55"}).list_id()
    page = PageRequest(10, Cursor(list_id, "", 4))
    same = SearchRequest.of("AC1", "US", [NumberType.LOCAL], {"contains": "55"}, page)
    assert same.skip == 5
    for account, contains in (("AC2", "55"), ("AC1", "56")):
        with pytest.raises(BadUserInput, match="another list"):
            SearchRequest.of(account, "US", [NumberType.LOCAL], {"contains": contains}, page)


def test_area_codes_of_the_caribbean_are_asked_of_core_as_patterns() -> None:
    assert asked_of_core("PR", {"areaCode": "787"}) == {"contains": "+1787"}
    assert asked_of_core("US", {"areaCode": "787"}) == {"areaCode": "787"}
    assert asked_of_core("PR", {"contains": "5"}) == {"contains": "5"}


def test_more_is_asked_of_core_where_it_is_filtered_afterwards() -> None:
    def size(wanted: dict[str, Any], first: int = 10) -> int:
        search = asked([NumberType.LOCAL], wanted, first)
        return search.page_size(Source.CORE, search.branches[0])

    assert size({}) == 11
    assert size({}, 1000) == 1000
    assert size({"capabilities.sms.enabled": False}) == 1000


def test_where_numbers_were_seen_is_known_to_the_same_credentials_alone_and_of_the_last_ones() -> (
    None
):
    seen = LastSeen(most=2)
    ours, theirs = (Credential("AC1", secret, "AC1") for secret in ("ours", "theirs"))
    for_sub = Credential("AC1", "ours", "AC2")
    seen.note(ours, "AC2", ["PN1", "PN2"])
    assert [seen.of(each, "PN1") for each in (ours, for_sub, theirs)] == ["AC2", "AC2", None]
    seen.note(ours, "AC3", ["PN1", "PN3"])
    assert [seen.of(ours, each) for each in ("PN1", "PN2", "PN3")] == ["AC3", None, "AC3"]
    # The account that a request acts for is asked in any case.
    seen.note(ours, "AC1", ["PN1"])
    assert seen.of(ours, "PN1") is None
