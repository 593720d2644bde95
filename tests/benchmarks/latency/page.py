"""One page, `results/latency.md`, and one plot of parts that are measured apart from each other.

Each part is kept as data, `results/latency/NAME.json`; a run of one renews it, and page and plot are
made of all that are there.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from tests.benchmarks.report import table

PARTS: Final = (
    *("first", "added", "hedged", "hanging", "idle", "events", "storm", "start", "rolling"),
)
"""The parts, in the order of the page: modules beside this one, each with a `measure`."""

RESULTS: Final = Path(__file__).parents[1] / "results"
"""Where page and plot are."""
_TITLE: Final = "What users feel"
_HOW: Final = (
    "`python -m tests.benchmarks.latency` measures all of it and makes this page; `--only NAME` renews"
    " one part, `--short` takes minutes. Needed: Linux, `pip install --group bench`."
)
# A figure of many times its bound does not make all other bars unreadable.
_WIDEST: Final = 3
_MET, _NOT_MET, _GREY = "#2e9e6b", "#d0503f", "#57606a"
# On a dark page what is grey is light; matplotlib writes colours into each element's own style.
_DARK: Final = f"""<style>@media (prefers-color-scheme: dark) {{
  text {{ fill: #c9d1d9 !important }}
  [style*="stroke: {_GREY}"] {{ stroke: #8b949e !important }}
}}</style>
"""


@dataclass(frozen=True)
class Bound:
    """A figure that was promised, and what it was.

    Attributes:
        text: what is bounded, short enough for a bar's label.
        measured: the figure.
        bound: the most it may be.
        unit: of both; "" for a ratio.
    """

    text: str
    measured: float
    bound: float
    unit: str = ""

    @property
    def is_met(self) -> bool:
        """Whether the promise was kept."""
        return self.measured <= self.bound

    @property
    def share(self) -> float:
        """The figure in shares of its bound; of none allowed, each counts as one."""
        return self.measured / (self.bound or 1)


@dataclass(frozen=True)
class Part:
    """What one part of the page shows.

    Attributes:
        name: which of `PARTS` it is.
        title: its heading.
        about: what was done, in a paragraph or more of Markdown.
        header: the columns of its table; the first is left-aligned.
        rows: the cells.
        bounds: what was promised.
        curves: of the plot: milliseconds by percentile, by the name of what they show.
        when: the day it was measured, and how.
    """

    name: str
    title: str
    about: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    bounds: Sequence[Bound] = ()
    curves: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    when: str = ""

    @property
    def kept(self) -> bool:
        """Whether all promises were."""
        return all(each.is_met for each in self.bounds)


def keep(part: Part, results: Path = RESULTS) -> None:
    """Keep a part in place of what it was before, and make the page and the plot anew."""
    folder = results / "latency"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{part.name}.json").write_text(json.dumps(asdict(part), indent=1) + "\n")
    render(results)


def render(results: Path = RESULTS) -> None:
    """Make page and plot of the parts that are kept."""
    parts = [_read(file) for name in PARTS if (file := results / f"latency/{name}.json").exists()]
    (results / "latency.md").write_text(_markdown(parts))
    _draw(parts, results / "latency.svg")


def _read(file: Path) -> Part:
    kept = json.loads(file.read_text())
    return Part(**kept | {"bounds": [Bound(**each) for each in kept["bounds"]]})


def _markdown(parts: Sequence[Part]) -> str:
    bounds = [
        (
            f"[{part.title}](#{part.name}): {each.text}",
            f"≤ {each.bound:g} {each.unit}".rstrip(),
            f"{each.measured:.3g}",
            "met" if each.is_met else "not met",
        )
        for part in parts
        for each in part.bounds
    ]
    pieces = [
        f"# {_TITLE}",
        _HOW,
        table(("promised", "bound", "measured", ""), bounds),
        "![Each figure as a share of its bound](latency.svg)",
    ]
    for part in parts:
        pieces += [
            f'<a id="{part.name}"></a>\n\n## {part.title}',
            f"{part.about}\n\nMeasured {part.when}, `--only {part.name}`.",
            table(part.header, part.rows),
        ]
    return "\n\n".join(pieces) + "\n"


def _draw(parts: Sequence[Part], file: Path) -> None:
    """Write the plot: each figure as a share of its bound, and the curves of each part.

    Its background is transparent, for light pages and dark ones. Needs matplotlib, from the dependency
    group `bench`.
    """
    import matplotlib as mpl  # noqa: PLC0415 - only who keeps results needs it

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "number-gateway", "svg.fonttype": "none"})
    mpl.rcParams.update(
        {
            "axes.spines.top": False,
            "axes.spines.right": False,
            "text.color": _GREY,
            "axes.labelcolor": _GREY,
            "axes.edgecolor": _GREY,
            "xtick.color": _GREY,
            "ytick.color": _GREY,
        }
    )
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the choice of backend

    bounds = [each for part in parts for each in part.bounds]
    curved = [part for part in parts if part.curves]
    heights = [1 + 0.28 * len(bounds), *(3.2 for _ in curved)]
    figure, all_axes = plt.subplots(
        *(len(heights), 1),
        figsize=(11, sum(heights)),
        height_ratios=heights,
        layout="constrained",
        squeeze=False,
    )
    axes, *rest = all_axes[:, 0]
    shares = [min(_WIDEST, each.share) for each in bounds]
    bars = axes.barh(
        [each.text for each in bounds],
        shares,
        color=[_MET if each.is_met else _NOT_MET for each in bounds],
    )
    labels = [f"{each.measured:.3g} of {each.bound:g} {each.unit}".rstrip() for each in bounds]
    axes.bar_label(bars, labels, fontsize=8, padding=3)
    axes.axvline(1, color=_GREY, linestyle="--", linewidth=1)
    axes.invert_yaxis()
    axes.set_xlim(0, max(1.3, *shares, 0) * 1.15)
    axes.set_xlabel("share of the bound (less is better)")
    for axes, part in zip(rest, curved, strict=True):
        for name, points in part.curves.items():
            # On such an axis each nine has the same width.
            axes.plot([1 / (1 - at) for at, _ in points], [ms for _, ms in points], label=name)
        axes.set_xscale("log")
        axes.set_yscale("log")
        ticks = (0.5, 0.9, 0.99, 0.999)
        axes.set_xticks([1 / (1 - at) for at in ticks], [f"p{100 * at:g}" for at in ticks])
        axes.minorticks_off()
        axes.yaxis.set_major_formatter("{x:g}")
        axes.set_ylabel("ms")
        axes.set_title(part.title, fontsize=10)
        axes.legend(fontsize=8, framealpha=0)
    figure.savefig(file, metadata={"Date": None}, transparent=True)
    plt.close(figure)
    drawn = file.read_text()
    file.write_text(drawn.replace(" <defs>", f" {_DARK} <defs>", 1))
