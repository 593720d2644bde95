"""Ten thousand clients of which nothing is heard: memory and processor time."""

from tests.benchmarks.idle import NAMES, check_files, idle
from tests.benchmarks.latency.page import Bound, Part
from tests.support.sandbox_in_thread import running_sandbox

_MOST = {"websocket": 20.0, "events": 12.0}


def measure(*, short: bool) -> Part:
    """Measure both kinds of subscriptions."""
    count, seconds = (3_000, 24) if short else (10_000, 60)
    check_files(count)
    with running_sandbox() as sandbox:
        found = {kind: idle(sandbox, kind, count, seconds) for kind in _MOST}
    return Part(
        "idle",
        "Clients of which nothing is heard",
        f"{count:,} subscriptions of one process, each on a connection of its own: the resident memory"
        " with all of them less that with a tenth, by how many more they are; and the processor's time"
        f" in {seconds} s, in which each is given a sign of life every 12 s, which a WebSocket answers.",
        ("", "KiB each", "of a core, %", "MiB in all"),
        [
            (
                NAMES[kind],
                f"{each['KiB each']:.1f}",
                f"{each['processor %']:.2f}",
                str(each["MiB in all"]),
            )
            for kind, each in found.items()
        ],
        [
            bound
            for kind, each in found.items()
            for bound in (
                Bound(f"memory of an idle {_SHORT[kind]}", each["KiB each"], _MOST[kind], "KiB"),
                Bound(f"processor, idle {_SHORT[kind]}s", each["processor %"], 2.0, "%"),
            )
        ],
    )


_SHORT = {"websocket": "WebSocket", "events": "stream"}
