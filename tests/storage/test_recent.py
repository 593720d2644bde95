"""What was used last is kept, as long as there is room."""

from gateway.storage.recent import Recent


def test_the_longest_unused_is_forgotten_first() -> None:
    kept: Recent[str, int] = Recent(2)
    kept.keep("a", 1)
    kept.keep("b", 2)
    assert kept.use("a") == 1
    kept.keep("c", 3)
    assert list(kept) == ["a", "c"]
    assert kept.use("b") is None


def test_reading_by_get_is_no_use() -> None:
    kept: Recent[str, int] = Recent(2)
    kept.keep("a", 1)
    kept.keep("b", 2)
    assert kept.get("a") == 1
    kept.keep("c", 3)
    assert list(kept) == ["b", "c"]


def test_every_bound_holds_and_what_is_replaced_counts_no_more() -> None:
    kept: Recent[str, str] = Recent(10, (len, 6), (lambda text: text.count("x"), 2))
    kept.keep("a", "123")
    kept.keep("a", "456")
    kept.keep("b", "789")
    assert list(kept) == ["a", "b"]
    kept.keep("c", "1")
    assert list(kept) == ["b", "c"]
    kept.forget("b")
    kept.keep("d", "xx")
    kept.keep("e", "x")
    assert list(kept) == ["e"]


def test_what_is_beyond_all_room_is_not_kept_and_leaves_the_room_free() -> None:
    kept: Recent[str, str] = Recent(10, (len, 6))
    kept.keep("a", "1234567")
    assert not kept
    kept.keep("b", "123456")
    assert list(kept) == ["b"]
    kept.clear()
    kept.keep("c", "123456")
    assert list(kept) == ["c"]
