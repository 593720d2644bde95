"""All clients connect anew at once: what another one notices."""

from tests.benchmarks.idle import NAMES, check_files, storm
from tests.benchmarks.latency.page import Bound, Part
from tests.support.sandbox_in_thread import running_sandbox


def measure(*, short: bool) -> Part:
    """Measure both kinds of subscriptions."""
    count = 2_000 if short else 5_000
    check_files(count)
    with running_sandbox() as sandbox:
        found = {kind: storm(sandbox, kind, count) for kind in NAMES}
    return Part(
        "storm",
        "All clients come back at once",
        f"{count:,} clients are cut off, and connect and subscribe at the same moment, while a client of"
        " another account goes on asking on its own connection. Clients, upstream and gateway share the"
        " machine.",
        (
            "",
            "s until all are back",
            "s of processor",
            "requests of the other",
            "refused",
            "p50, ms",
            "p99, ms",
            "p99 before, ms",
        ),
        [
            (
                NAMES[kind],
                str(each["s until all are back"]),
                str(each["s of processor"]),
                str(each["requests of others"]),
                str(each["refused"]),
                str(each["others, ms p50"]),
                str(each["others, ms p99"]),
                str(each["others, calm, ms p99"]),
            )
            for kind, each in found.items()
        ],
        [
            Bound(
                f"others refused, {NAMES[kind]} come back",
                100 * each["refused"] / each["requests of others"],
                0.01,  # Of so few requests, none.
                "%",
            )
            for kind, each in found.items()
        ],
    )
