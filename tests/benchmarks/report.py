"""From measurements to a Markdown table with ratios and targets, and to a plot."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

from tests.benchmarks.load import Measured
from tests.benchmarks.servers import GATEWAY, MERCURIUS, MERCURIUS_26, PLAIN

Cell = tuple[str, str]
"""Name of the row, name of the peer."""


@dataclass
class Results:
    """All that one comparison measured.

    `rounds` has one measurement per round for each cell, in order; `calls` the upstream calls of an
    operation run alone; `loaded_calls` the same under load; `memory` the peak of a peer in MiB, by
    its label.
    """

    rounds: dict[Cell, list[Measured]] = field(default_factory=dict)
    calls: dict[Cell, float] = field(default_factory=dict)
    loaded_calls: dict[Cell, float] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def rate(self, cell: Cell) -> float:
        """Return the median requests per second."""
        return median(measured.rate for measured in self.rounds[cell])

    def ratio(self, operation: str, peer: str, to: str) -> float | None:
        """Return the median over rounds of rate ÷ rate; None when one was not measured.

        The two rates of a round are taken seconds apart, so that a machine that slows down
        between rounds slows both.
        """
        over, under = self.rounds.get((operation, peer)), self.rounds.get((operation, to))
        if not over or not under:
            return None
        return median(a.rate / b.rate for a, b in zip(over, under, strict=True))

    def processor(self, cell: Cell, to: Cell) -> float | None:
        """Return the median over rounds of the processor time of a request ÷ that of another."""
        over, under = self.rounds.get(cell), self.rounds.get(to)
        if not over or not under:
            return None
        return median(a.processor / b.processor for a, b in zip(over, under, strict=True))

    def middle(self, cell: Cell, figure: Callable[[Measured], float]) -> float | None:
        """Return the median over rounds of one figure; None when it was not measured."""
        measured = self.rounds.get(cell)
        return median(map(figure, measured)) if measured else None

    def tail(self, operation: str, peer: str) -> float | None:
        """Return the median over rounds of p99 ÷ p50; None when it was not measured."""
        measured = self.rounds.get((operation, peer))
        return median(one.p99 / one.p50 for one in measured) if measured else None


@dataclass(frozen=True)
class Target:
    """A bound on one figure of the gateway; `most` bounds from above, else from below."""

    text: str
    bound: float
    value: Callable[[Results], float | None]
    most: bool = False
    moonshot: bool = False

    def verdict(self, results: Results) -> tuple[str, str]:
        """Return the measured figure and `met`, `not met` or `not measured`."""
        value = self.value(results)
        if value is None:
            return "-", "not measured"
        met = value <= self.bound if self.most else value >= self.bound
        return f"{value:.2f}", "met" if met else "not met"


def _speed(operation: str, peer: str, bound: float, *, moonshot: bool = False) -> Target:
    return Target(
        f"{operation}: x {peer}",
        bound,
        lambda results: results.ratio(operation, GATEWAY.name, peer),
        moonshot=moonshot,
    )


def _tail(operation: str) -> Target:
    return Target(
        f"{operation}: p99 ÷ p50",
        3,
        lambda results: results.tail(operation, GATEWAY.name),
        most=True,
    )


def _cost(row: str, peer: str, to: tuple[str, str], bound: float) -> Target:
    return Target(
        f"{row}: processor time ÷ {to[0]} of {to[1]}",
        bound,
        lambda results: results.processor((row, peer), to),
        most=True,
    )


def _figure(row: str, text: str, bound: float, figure: Callable[[Measured], float]) -> Target:
    return Target(
        f"{row}: {text}",
        bound,
        lambda results: results.middle((row, GATEWAY.name), figure),
        most=True,
    )


TARGETS: Final = (
    _speed("small", MERCURIUS_26.name, 1.0),
    _speed("small", MERCURIUS_26.name, 1.3, moonshot=True),
    _speed("wide", MERCURIUS.name, 3.0),
    _speed("wide", MERCURIUS_26.name, 1.6),
    _speed("nested", MERCURIUS_26.name, 1.25),
    # Behind the ASGI server that the plain proxy has, too.
    _speed("small-asgi", PLAIN.name, 0.5),
    _cost("small-asgi", GATEWAY.name, ("small-asgi", PLAIN.name), 2.0),
    _cost("small-two", GATEWAY.name, ("small", GATEWAY.name), 1.1),
    # The plain proxy makes the same two calls, and writes the same journal.
    _cost("purchase", GATEWAY.name, ("purchase", PLAIN.name), 1.5),
    _cost("small-persisted", GATEWAY.name, ("small", GATEWAY.name), 1.1),
    _figure("small-never-seen", "p50, ms", 1.5, lambda measured: measured.p50),
    _figure("wide-never-seen", "p50, ms", 5, lambda measured: measured.p50),
    _figure("small-never-seen", "longest answer, ms", 20, lambda measured: measured.longest),
    _figure("wide-never-seen", "longest answer, ms", 20, lambda measured: measured.longest),
    Target(
        "nested: upstream calls, run alone",
        6,
        lambda results: results.calls.get(("nested", GATEWAY.name)),
        most=True,
    ),
    _tail("small"),
    _tail("wide"),
    _tail("nested"),
    Target(
        "peak memory, MiB",
        90,
        lambda results: results.memory.get(GATEWAY.name),
        most=True,
    ),
)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; the first column is left-aligned, the others right-aligned."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join([_row(header), _row(rule), *map(_row, rows)])


def markdown(results: Results, facts: Mapping[str, str], plot: str) -> str:
    """Return the whole report; `facts` describe machine and run, `plot` is the picture's name."""
    parts = ["# Comparison", "\n".join(f"- {name}: {value}" for name, value in facts.items())]
    parts += [f"- not run: {peer} ({reason})" for peer, reason in results.skipped.items()]
    parts += [table(_HEADER, _cell_rows(results))]
    memory = [(name, f"{mib:.0f}") for name, mib in results.memory.items()]
    parts += ["## Peak memory", table(("", "MiB"), memory)]
    parts += ["## Targets", table(("", "bound", "measured", ""), _target_rows(results))]
    parts += [f"![Requests per second by row and server]({plot})"]
    return "\n\n".join(parts) + "\n"


_HEADER: Final = (
    *("", "server", "req/s", "gateway is", "processor µs", "p50 ms", "p99 ms", "longest ms"),
    *("calls alone", "calls loaded"),
)


def _cell_rows(results: Results) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    names = list(dict.fromkeys(row for row, _ in results.rounds))
    for cell in sorted(results.rounds, key=lambda cell: names.index(cell[0])):
        row, peer = cell
        measured = results.rounds[cell]
        ratio = results.ratio(row, GATEWAY.name, peer)
        rows.append(
            (
                row,
                peer,
                f"{results.rate(cell):,.0f}",
                "" if ratio is None or peer == GATEWAY.name else f"{ratio:.2f} x",
                f"{median(one.processor for one in measured):,.0f}",
                f"{median(one.p50 for one in measured):.1f}",
                f"{median(one.p99 for one in measured):.1f}",
                f"{median(one.longest for one in measured):.1f}",
                f"{results.calls[cell]:g}",
                f"{results.loaded_calls[cell]:.2f}",
            )
        )
    return rows


def _target_rows(results: Results) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for target in TARGETS:
        value, verdict = target.verdict(results)
        bound = f"{'≤' if target.most else '≥'} {target.bound:g}"
        name = f"{target.text} (moonshot)" if target.moonshot else target.text
        rows.append((name, bound, value, verdict))
    return rows


def draw(results: Results, file: Path) -> None:
    """Write the plot: one group of bars per row, on a logarithmic axis.

    Needs matplotlib, from the dependency group `bench`.
    """
    import matplotlib as mpl  # noqa: PLC0415 - only full runs need it

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "number-gateway", "svg.fonttype": "none"})
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the choice of backend

    rows = list(dict.fromkeys(row for row, _ in results.rounds))
    peers = list(dict.fromkeys(peer for _, peer in results.rounds))
    figure, axes = plt.subplots(figsize=(14, 5), layout="constrained")
    width = 0.8 / len(peers)
    for place, peer in enumerate(peers):
        known = [
            (at, results.rate((row, peer)))
            for at, row in enumerate(rows)
            if (row, peer) in results.rounds
        ]
        offsets = [at + (place - (len(peers) - 1) / 2) * width for at, _ in known]
        bars = axes.bar(offsets, [rate for _, rate in known], width, label=peer)
        axes.bar_label(bars, fmt="{:,.0f}", fontsize=7, rotation=90, padding=2)
    axes.set_yscale("log")
    axes.margins(y=0.15)
    axes.set_ylabel("requests per second")
    axes.set_xticks(range(len(rows)), rows)
    axes.legend(fontsize=8)
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)


def keep_chapter(file: Path, text: str) -> None:
    """Write a chapter, which begins with a heading of its own, in place of what it was before."""
    heading = text.split("\n", 1)[0]
    kept = file.read_text() if file.exists() else ""
    chapters = [each for each in re.split(r"^(?=# )", kept, flags=re.MULTILINE) if each.strip()]
    names = [each.split("\n", 1)[0] for each in chapters]
    if heading in names:
        chapters[names.index(heading)] = text
    else:
        chapters.append(text)
    file.write_text("\n".join(each.rstrip("\n") + "\n" for each in chapters))
