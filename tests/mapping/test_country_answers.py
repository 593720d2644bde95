"""Prices and requirements as the two APIs about countries may write them."""

from decimal import Decimal
from typing import Any

import pytest

from gateway.mapping import country_answers
from schema.enums import EndUser, NumberType


@pytest.mark.parametrize(
    "written", ["toll free", "toll-free", "toll_free", "Toll Free", "tollfree"]
)
def test_a_type_is_read_however_it_is_spelt(written: str) -> None:
    [price] = country_answers.prices([{"number_type": written, "current_price": "2.00"}], "usd")
    assert price.type is NumberType.TOLL_FREE
    assert price.monthly_price.currency_code == "USD"
    assert price.monthly_price.amount == price.list_price.amount == Decimal(2)


@pytest.mark.parametrize(
    ("item", "currency"),
    [
        ({"number_type": "carrier pigeon", "current_price": "1"}, "USD"),
        ({"number_type": "local"}, "USD"),
        ({"number_type": "local", "current_price": "cheap"}, "USD"),
        ({"number_type": "local", "current_price": "1"}, None),
        ({"number_type": "local", "current_price": "1"}, "dollars"),
    ],
)
def test_a_price_that_says_no_kind_amount_or_currency_is_left_out(
    item: dict[str, Any], currency: object
) -> None:
    assert country_answers.prices([item], currency) == []


@pytest.mark.parametrize(
    "regulation",
    [
        {},
        {"requirements": None},
        {"requirements": {"end_user": None, "supporting_document": [None, "x"]}},
        {"requirements": {"end_user": ["x"], "supporting_document": [[None]]}},
    ],
)
def test_a_regulation_of_another_shape_asks_for_nothing(regulation: dict[str, Any]) -> None:
    read = country_answers.requirements(regulation, EndUser.BUSINESS)
    assert (read.information, read.documents) == ([], [])
