"""How plans count calls and name the fields that share one."""

from gateway.planning.plan import Times, named


def test_fields_that_share_a_call_are_named_once_and_only_the_first_few() -> None:
    assert named(["a", "b", "a"]) == "a, b"
    assert named(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"


def test_times_are_added_least_to_least_and_most_to_most() -> None:
    assert Times(1, 2).plus(Times(3, 4)) == Times(4, 6)
