"""What a number tells by itself."""

import pytest

from gateway.mapping.numbering_plan import UNKNOWN, Origin, origin
from gateway.sandbox.world import facts
from schema.enums import NumberType


@pytest.mark.parametrize(
    ("number", "told"),
    [
        ("+14155550100", Origin("US", NumberType.LOCAL, "CA")),
        ("+17185550100", Origin("US", NumberType.LOCAL, "NY")),
        ("+12045550100", Origin("CA", NumberType.LOCAL, "MB")),
        ("+19025550100", Origin("CA", NumberType.LOCAL, None)),
        ("+17875550100", Origin("PR", NumberType.LOCAL, None)),
        ("+18765550100", Origin("JM", NumberType.LOCAL, None)),
        ("+18005550100", Origin(None, NumberType.TOLL_FREE, None)),
        ("+442079460123", Origin("GB", NumberType.LOCAL, None)),
        ("+447400123456", Origin("GB", NumberType.MOBILE, None)),
        ("+3197012345678", Origin("NL", NumberType.MACHINE_TO_MACHINE, None)),
        ("+11115550100", UNKNOWN),
        ("+1", UNKNOWN),
        ("894546", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_a_number_tells_country_type_and_region(number: str, told: Origin) -> None:
    assert origin(number) == told


def test_no_region_is_told_that_is_only_a_neighbours() -> None:
    """Each area code of the rate centers lies in the region that is told, or none is told."""
    for center in facts.rate_centers():
        told = origin(f"+1{center.area_code}5550100")
        assert told.country == center.iso_country
        assert told.region in {None, center.region}


def test_the_country_of_every_range_that_is_sold_is_told() -> None:
    for each in facts.number_ranges():
        if each.type != "tollfree":
            assert origin(each.example).country == each.iso_country
