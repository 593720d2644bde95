"""The map of a result: names by weight, searching an area by hand, and finding places by name."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.explorer.conftest import SCREENSHOTS
from tests.explorer.explorer_page import ExplorerPage, is_traced

POINT = "latitude: 37.8, longitude: -122.3"
REST = "nodes { phoneNumber geography { locality region latitude longitude } }"
SEARCHES = {
    # Its name, the operation's start, the filter, and variables.
    "nothing": ("query Anywhere", "", None),
    "literals": (
        "query Literal",
        f"filter: {{ near: {{ point: {{ {POINT} }} }}, withinMiles: 50 }}",
        None,
    ),
    "a number": ("query Number", 'filter: { near: { phoneNumber: "+14155550100" } }', None),
    "variables": (
        "query Loose($y: Float! = 37.8, $x: Float! = -122.3, $miles: Int, $after: String)",
        "after: $after, filter: { withinMiles: $miles, near: { point: { latitude: $y, longitude: $x } } }",
        {"miles": 50, "after": None},
    ),
    "one variable": (
        "query Whole($filter: AvailablePhoneNumberFilter)",
        "filter: $filter",
        {
            "filter": {
                "near": {"point": {"latitude": 37.8, "longitude": -122.3}},
                "excludeAllAddressRequired": False,
            }
        },
    ),
}


def _drag(explorer: ExplorerPage, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag on the map, from and to places of it given as shares of its box; let go at the end."""
    box = explorer.page.locator(".map-canvas").bounding_box()
    assert box is not None
    mouse = explorer.page.mouse
    mouse.move(box["x"] + start[0] * box["width"], box["y"] + start[1] * box["height"])
    mouse.down()
    mouse.move(box["x"] + end[0] * box["width"], box["y"] + end[1] * box["height"], steps=4)
    mouse.up()


def _sent(explorer: ExplorerPage, search: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a run that `search` starts sends, and its answer."""
    with explorer.page.expect_request(is_traced) as caught:
        body = explorer.run(search)
    return json.loads(caught.value.post_data or ""), body


def test_an_area_is_searched_by_dragging_its_radius(explorer: ExplorerPage) -> None:
    page = explorer.page
    explorer.run()
    explorer.view("Map")
    expect(page.locator(".map-area")).to_be_visible()
    expect(page.locator(".map-bar")).to_contain_text("of San Francisco, CA")
    expect(page.get_by_label("Miles")).to_have_value("60")
    # By its edge: the middle stays, the radius follows the pointer.
    grip = page.locator(".map-grip.is-radius circle").last.bounding_box()
    middle = page.locator(".map-grip.is-middle circle").last.bounding_box()
    assert grip is not None
    assert middle is not None
    x, y = grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2
    half = (x + middle["x"] + middle["width"] / 2) / 2, (y + middle["y"] + middle["height"] / 2) / 2

    def halve() -> None:
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(*half, steps=4)
        explorer.screenshot(SCREENSHOTS / "map-area.png")
        page.mouse.up()

    sent, body = _sent(explorer, halve)
    assert re.search(r"latitude: 37\.7749, longitude: -122\.4194", sent["query"])
    (miles,) = re.findall(r"withinMiles: (\d+)", sent["query"])
    assert int(miles) == pytest.approx(30, abs=2)
    assert body["data"]["availablePhoneNumbers"]["nodes"]
    # It stands in the editor, as if it had been typed there, and can be taken back.
    expect(explorer.operation_editor).to_contain_text(f"withinMiles: {miles}")
    expect(page.get_by_label("Miles")).to_have_value(miles)
    # Anew, from its middle outwards.
    page.get_by_role("button", name="Draw an area").click()
    sent, _ = _sent(explorer, lambda: _drag(explorer, (0.7, 0.6), (0.8, 0.6)))
    assert "latitude: 37.7749" not in sent["query"]
    explorer.operation_editor.locator(".view-lines").click()
    page.keyboard.press("Control+z")
    expect(explorer.operation_editor).to_contain_text("latitude: 37.7749")


def test_an_area_goes_where_the_operation_has_its_filter(
    explorer: ExplorerPage, subtests: pytest.Subtests
) -> None:
    page = explorer.page
    for name, (head, filter_, variables) in SEARCHES.items():
        with subtests.test(name):
            explorer.new_tab(
                f"{head} {{ availablePhoneNumbers(country: US, first: 5, {filter_}) {{ {REST} }} }}"
            )
            if variables:
                explorer.set_text("variables", json.dumps(variables))
            explorer.run()
            explorer.view("Map")
            page.get_by_role("button", name="Draw an area").click()
            sent, body = _sent(explorer, lambda: _drag(explorer, (0.4, 0.5), (0.6, 0.5)))
            assert "errors" not in body
            values = sent.get("variables") or {}
            if name == "variables":
                assert filter_ in sent["query"]
                assert values["y"] != 37.8
                miles = values["miles"]
            elif name == "one variable":
                assert filter_ in sent["query"]
                assert values["filter"]["excludeAllAddressRequired"] is False
                assert values["filter"]["near"]["point"]["latitude"] != 37.8
                miles = values["filter"]["withinMiles"]
            else:
                assert "near: { point: { latitude: " in sent["query"]
                assert 'phoneNumber: "' not in sent["query"]
                (miles,) = re.findall(r"withinMiles: (\d+)", sent["query"])
            assert 1 <= int(miles) <= 500
            expect(page.locator(".map-bar")).to_contain_text("miles")


def test_a_place_is_found_by_its_name_with_the_keyboard_alone_and_nobody_is_asked(
    explorer: ExplorerPage,
) -> None:
    page, keyboard = explorer.page, explorer.page.keyboard
    explorer.run()
    explorer.view("Map")
    runs = explorer.note_runs()
    find = page.get_by_role("combobox", name="Find a place")
    find.focus()
    keyboard.type("san")
    options = page.get_by_role("listbox", name="Places").get_by_role("option")
    expect(options.first).to_have_attribute("aria-selected", "true")
    assert all("San" in text.title() for text in options.all_inner_texts())
    keyboard.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    find.fill("no such place")
    expect(options).to_have_text(["No place of that name"])
    find.fill("denv")
    expect(options.first).to_contain_text("Denver, CO")
    keyboard.press("Enter")
    expect(find).to_have_value("Denver, CO")
    expect(page.locator(".map-bar")).to_contain_text("of Denver, CO")
    # Nothing is run until somebody says so.
    assert runs == []
    miles = page.get_by_label("Miles")
    miles.focus()
    keyboard.press("Control+a")
    keyboard.type("20")
    _, body = _sent(explorer, lambda: keyboard.press("Enter"))
    places = {
        node["geography"]["region"] for node in body["data"]["availablePhoneNumbers"]["nodes"]
    }
    assert places == {"CO"}
    expect(page.locator(".map-label").first).to_contain_text("CO")
    # In another country, another country is searched.
    find.fill("Toronto")
    find.press("Enter")
    sent, body = _sent(explorer, page.get_by_role("button", name="Search here").click)
    assert "country: CA" in sent["query"]
    assert body["data"]["availablePhoneNumbers"]["nodes"][0]["geography"]["region"] == "ON"


def test_where_nothing_is_found_the_map_is_still_there_to_look_elsewhere(
    explorer: ExplorerPage,
) -> None:
    page = explorer.page
    explorer.new_tab(
        "query Sea { availablePhoneNumbers(country: US, first: 5, filter: { near: { point:"
        f" {{ latitude: 36.0, longitude: -124.9 }} }}, withinMiles: 5 }}) {{ {REST} }} }}"
    )
    assert explorer.run()["data"]["availablePhoneNumbers"]["nodes"] == []
    explorer.view("Map")
    expect(page.locator(".map-count")).to_have_text("No numbers here")
    find = page.get_by_role("combobox", name="Find a place")
    find.fill("Fresno")
    find.press("Enter")
    _, body = _sent(explorer, page.get_by_role("button", name="Search here").click)
    assert body["data"]["availablePhoneNumbers"]["nodes"]
    expect(page.locator(".map-mark").first).to_be_visible()


def test_the_places_with_the_most_numbers_are_named_first_and_largest(
    explorer: ExplorerPage,
) -> None:
    explorer.run()
    explorer.view("Map")
    expect(explorer.page.locator(".map-label").first).to_be_visible()
    counts = {
        text.rpartition(": ")[0]: int(text.rpartition(": ")[2].split()[0])
        for text in explorer.page.locator(".map-mark title").all_text_contents()
    }
    labels: list[tuple[str, float]] = explorer.page.evaluate(
        "[...document.querySelectorAll('.map-label')].map((each) =>"
        " [each.textContent, Number(each.getAttribute('font-size'))])"
    )
    names = [name for name, _ in labels]
    assert names[0] == max(counts, key=lambda name: counts[name])
    assert [counts[name] for name in names] == sorted(
        (counts[name] for name in names), reverse=True
    )
    assert [size for _, size in labels] == sorted((size for _, size in labels), reverse=True)
    assert labels[0][1] > labels[-1][1]
