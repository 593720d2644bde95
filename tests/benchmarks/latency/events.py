"""An event for a thousand equal subscriptions: when the last of them has it."""

from tests.benchmarks.idle import NAMES, check_files, events
from tests.benchmarks.latency.page import Bound, Part
from tests.support.sandbox_in_thread import running_sandbox

_MOST_MS = 50.0


def measure(*, short: bool) -> Part:
    """Measure both kinds of subscriptions."""
    count, times = 1_000, 7 if short else 21
    check_files(count)
    with running_sandbox() as sandbox:
        found = {kind: events(sandbox, kind, count, times) for kind in NAMES}
    return Part(
        "events",
        "An event for a thousand equal subscriptions",
        f"{count:,} clients follow the same account by the same document, with the same rights; a number"
        f" is configured {times} times. Milliseconds from the mutation's answer until the last client has"
        " its event, and of the gateway's processor for all of it. The clients share the machine.",
        ("", "the last, median", "the last, at most", "processor"),
        [
            (
                NAMES[kind],
                f"{each['ms until the last']:.0f}",
                f"{each['at most']:.0f}",
                str(each["ms of processor"]),
            )
            for kind, each in found.items()
        ],
        [
            Bound(f"the last of 1,000, {NAMES[kind]}", each["ms until the last"], _MOST_MS, "ms")
            for kind, each in found.items()
        ],
    )
