"""Objects that numbers have in common: read when asked for, projected once, forgotten in time."""

from typing import Any

import orjson
import pytest

from gateway.errors import UpstreamMalformed
from gateway.execution.json_encoding import encode
from gateway.execution.plain_fields import NotPlain
from gateway.execution.projection import Projector
from gateway.mapping.records import DECODERS, STRICT, VIEWS, View, view
from schema.enums import Source
from tests.support.selected_fields import selected

KIND = VIEWS[Source.CATALOG]["PhoneNumber"]
DECODER = DECODERS[STRICT[Source.CATALOG]["PhoneNumber"]]
FIELDS = "sid capabilities { voice { e911 codecs } } configuration { sms { url } }"


def number(index: int, url: str = "https://sms.example.com", **others: object) -> View:
    """Return a number as it comes from the upstream."""
    record = {
        "sid": f"PN{index}",
        "capabilities": {"voice": {"e911": True, "codecs": ["g711u", ""], "new": 1}, "sms": None},
        "configuration": {"friendly_name": f"n{index}", "sms": {"url": url}, "voice": None},
        **others,
    }
    decoded = DECODER.decode(orjson.dumps(record))
    assert decoded is not None
    return KIND(decoded, "AC")


def projection(projector: Projector) -> Any:
    """Return a function that projects `FIELDS` of one number, compiled afresh."""
    project = projector.compile(selected(f"{{ {FIELDS} }}"), KIND)
    assert project is not None
    return lambda each: project([each])[0]


def kept(projector: Projector) -> dict[bytes, bytes]:
    """Return the blocks that are kept, and what they are projected to."""
    return {key: bytes(value) for each in projector.blocks.values() for key, value in each.items()}


def test_equal_blocks_are_projected_once_from_the_second_number_on() -> None:
    projector = Projector()
    project = projection(projector)
    answers = [orjson.loads(encode(project(number(index)))) for index in range(4)]
    assert answers == [
        {
            "sid": f"PN{index}",
            "capabilities": {"voice": {"e911": True, "codecs": ["g711u"]}},
            "configuration": {"sms": {"url": "https://sms.example.com"}},
        }
        for index in range(4)
    ]
    assert sorted(kept(projector).values()) == [
        b'{"url":"https://sms.example.com"}',
        b'{"voice":{"e911":true,"codecs":["g711u"]}}',
    ]


def test_blocks_that_come_once_are_not_kept() -> None:
    projector = Projector()
    project = projection(projector)
    for index in range(20):
        project(number(index, f"https://sms.example.com/{index}"))
    assert [key for key in kept(projector) if b"https" in key] == []


def test_what_is_kept_is_bounded() -> None:
    projector = Projector(most_blocks=10)
    project = projection(projector)
    for index in range(100):
        for _ in range(2):
            made = orjson.loads(encode(project(number(index, f"u{index}"))))
            assert made["configuration"]["sms"]["url"] == f"u{index}"
        assert len(kept(projector)) <= 10
        assert sum(len(each.seen) for each in projector.blocks.values()) <= 10


def test_long_blocks_are_not_kept() -> None:
    projector = Projector()
    project = projection(projector)
    for _ in range(3):
        project(number(1, "u" * 3000))
    assert [key for key in kept(projector) if b"uuu" in key] == []


@pytest.mark.parametrize("odd", [{"voice": {"e911": "TRUE", "codecs": None}}, {"voice": 7}, [], 7])
def test_a_block_that_is_not_strict_is_left_to_graphql_core_and_read_all_the_same(odd: Any) -> None:
    odd_one = number(1, capabilities=odd)
    with pytest.raises(NotPlain):
        projection(Projector())(odd_one)
    loose = view("PhoneNumber", Source.CATALOG, orjson.loads(orjson.dumps({"capabilities": odd})))
    assert loose is not None
    for read in (odd_one.capabilities, loose.capabilities):
        voice = read and read.voice
        assert (voice and voice.e911) is (
            True if isinstance(odd, dict) and odd["voice"] != 7 else None
        )


def test_a_block_that_is_no_json_is_an_error_of_the_upstream() -> None:
    broken = DECODER.decode(b'{"sid": "PN1", "capabilities": {"voice": {"codecs": ["\xff"]}}}')
    assert broken is not None
    with pytest.raises(UpstreamMalformed):
        _ = KIND(broken).capabilities


def test_a_number_is_kept_as_json_with_its_blocks_and_read_again() -> None:
    as_json = number(1).to_json()
    assert as_json == {
        "sid": "PN1",
        "capabilities": {"voice": {"e911": True, "codecs": ["g711u", ""]}, "sms": None},
        "configuration": {"friendly_name": "n1", "sms": {"url": "https://sms.example.com"}},
    }
    again: Any = view("PhoneNumber", Source.CATALOG, as_json)
    assert again.to_json() == as_json
    assert again.capabilities.voice.e911 is True
    assert (again.capabilities.sms.enabled, again.capabilities.mms) == (False, None)
