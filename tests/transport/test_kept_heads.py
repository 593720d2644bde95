"""Heads that clients repeat are kept as long as there is room."""

from gateway.transport.exchange import Head, Heads

TARGET = 16 * 1024


def test_heads_with_long_targets_take_no_more_room_than_others() -> None:
    heads: Heads[int] = Heads()
    for each in range(100):
        heads.keep(each, Head("POST", b"x" * TARGET, [(b"host", b"localhost")]))
    kept = [each for each in range(100) if heads.get(each) is not None]
    assert kept[-1] == 99
    assert len(kept) * TARGET <= 128 * 1024
