"""Headers in which clients list what they accept are read by one rule."""

import pytest

from gateway.transport.compression import coding
from gateway.transport.weighted_headers import read_weighted


def test_entries_keep_their_order_parameters_and_weights() -> None:
    read = list(read_weighted('Text/HTML;q=0.5, multipart/mixed; deferSpec="20220824" ;Q=1, */*'))
    assert read == [
        ("text/html", {"q": "0.5"}, 0.5),
        ("multipart/mixed", {"deferspec": "20220824", "q": "1"}, 1.0),
        ("*/*", {}, 1.0),
    ]


@pytest.mark.parametrize("weight", ["0", "0.000", "-1", "nan", "much", ""])
def test_a_weight_of_nothing_or_no_number_refuses(weight: str) -> None:
    assert next(read_weighted(f"br;q={weight}")).weight == 0.0


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ("gzip;level=5;q=0, br;q=0.1", "br"),
        ("gzip;level=5", "gzip"),
        ("identity", None),
        ("*;q=0.5", "br"),
        ("", None),
    ],
)
def test_the_weight_counts_wherever_it_stands(accepted: str, chosen: str | None) -> None:
    assert coding(accepted) == chosen
