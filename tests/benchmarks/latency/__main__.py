"""What users feel, part by part: `python -m tests.benchmarks.latency [--short] [--only NAME,…]`.

A part is a module here, named in `page.PARTS`, with

    def measure(*, short: bool) -> Part: …

Its result renews its part of the page and the plot (`results/latency.md`, `latency.svg`), and leaves
the others as they are. Exits with 1 when a promise was not kept.
"""

import argparse
import datetime as dt
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from tests.benchmarks.latency import page


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the parts that are asked for; return 1 if a promise was not kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.latency")
    parser.add_argument("--short", action="store_true", help="fewer samples: a few minutes")
    parser.add_argument("--only", help=f"some of {','.join(page.PARTS)}")
    parser.add_argument("--output", type=Path, default=page.RESULTS, help="folder of the page")
    parser.add_argument("--render", action="store_true", help="measure nothing: make the page")
    chosen = parser.parse_args(arguments)
    if chosen.render:
        page.render(chosen.output)
        return 0
    names = chosen.only.split(",") if chosen.only else page.PARTS
    if unknown := set(names) - set(page.PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    kept = True
    for at, name in enumerate(names, 1):
        sys.stderr.write(f"part {at} of {len(names)}: {name}\n")
        measured = import_module(f"{__package__}.{name}").measure(short=chosen.short)
        day = dt.datetime.now(dt.UTC).date().isoformat()
        how = " in a short run" if chosen.short else ""
        if os.sched_getscheduler(0) != os.SCHED_OTHER:
            how += " with real-time priority (`chrt -r 10`), as the machine was busy"
        part = replace(measured, when=day + how)
        page.keep(part, chosen.output)
        kept &= part.kept
    sys.stdout.write((chosen.output / "latency.md").read_text())
    return int(not kept)


if __name__ == "__main__":
    sys.exit(main())
