"""Charts as inline SVG: drawn by matplotlib, coloured by the page's own CSS, the same bytes every time.

No text of a model reaches the drawing library: names are put into the finished SVG, escaped.
"""

import io
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from markupsafe import Markup, escape

from evaluator.safe_text import clip, visible
from evaluator.statistics.curves import Point
from evaluator.statistics.metrics import Group
from evaluator.statistics.rates import Rate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PALETTE: Final = 8
"""Colours that the page defines for series: --s0 … --s7."""
_SERIES: Final = tuple(f"#0a0b{number:02x}" for number in range(PALETTE))
_INK, _MUTED, _RULE, _PAPER = "#0c0d01", "#0c0d02", "#0c0d03", "#0c0d04"
# Colours that nobody would choose stand for variables of the style sheet until the SVG is finished.
_VARIABLES: Final = {colour: f"var(--s{number})" for number, colour in enumerate(_SERIES)} | {
    _INK: "var(--ink)",
    _MUTED: "var(--muted)",
    _RULE: "var(--rule)",
    _PAPER: "var(--paper)",
}
_MARKERS: Final = "osD^vP*X"
_DASHES: Final = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)))
_NAME_CHARS: Final = 26
_CLEAR_BANDS: Final = 4
_DAY: Final = 72.0
"""SVG units per inch of a matplotlib figure."""
_STYLE: Final[dict[str, Any]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "mendbench",
    "font.size": 11,
    "axes.edgecolor": _RULE,
    "axes.labelcolor": _MUTED,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": _RULE,
    "grid.linewidth": 0.7,
    "xtick.color": _RULE,
    "ytick.color": _RULE,
    "xtick.labelcolor": _MUTED,
    "ytick.labelcolor": _MUTED,
    "text.color": _INK,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One model's line in a chart."""

    index: int
    points: tuple[Point, ...]


class Share(Protocol):
    """A share with its interval."""

    @property
    def value(self) -> float | None: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


def interval_chart(listed: Sequence[Group], colours: Sequence[int], name: str) -> Markup:
    """Draw first call and after repair per model, as dots with their 95 % intervals."""
    rows = [(group.model, group.pass_at_1, group.after_repair) for group in listed]
    return pairs_chart(rows, colours, name, "Success of the first call and after repair")


def pairs_chart(
    listed: Sequence[tuple[str, Share, Share]], colours: Sequence[int], name: str, title: str
) -> Markup:
    """Draw two shares per model, hollow and solid dots with their 95 % intervals."""
    figure, axes = _figure(width=620, height=46 + 40 * len(listed), left=178, right=16, top=10, bottom=34)
    for row, ((_, first, last), index) in enumerate(zip(reversed(listed), reversed(colours), strict=True)):
        _interval(axes, row + 0.14, first, index, first=True)
        _interval(axes, row - 0.14, last, index, first=False)
    axes.set_ylim(-0.6, len(listed) - 0.4)
    axes.set_yticks(range(len(listed)), [f"@{len(listed) - 1 - row}@" for row in range(len(listed))])
    axes.tick_params(axis="y", length=0, labelcolor=_INK, labelsize=12)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    _percents(axes.xaxis)
    axes.set_xlim(-0.02, 1.02)
    names = [clip(visible(model[:1000]), _NAME_CHARS) for model, _, _ in listed]
    return _svg(figure, name, f"{title}, with 95 % intervals", names)


def _interval(axes: "Axes", y: float, rate: Share, index: int, *, first: bool) -> None:
    if rate.value is None:
        return
    colour = _SERIES[index % PALETTE]
    axes.plot(
        [rate.low, rate.high],
        [y, y],
        color=colour,
        linewidth=2.2,
        solid_capstyle="round",
        alpha=0.3 if first else 0.6,
    )
    axes.plot(
        [rate.value],
        [y],
        "o",
        markersize=7.5,
        markeredgewidth=1.8,
        color=colour,
        mfc=_PAPER if first else colour,
    )


def calls_chart(series: Sequence[Series], name: str, x_label: str) -> Markup:
    """Draw success by calls or rounds, with a band for the 95 % interval."""
    last = max(len(line.points) for line in series) - 1
    figure, axes = _curve_figure(x_label)
    for line in series:
        # A model whose samples all ended earlier keeps its last state.
        padded = [line.points[min(x, len(line.points) - 1)].rate for x in range(last + 1)]
        _line(axes, line.index, list(range(last + 1)), padded, step=False, band=_band(len(series)))
    axes.set_xticks(range(0, last + 1, max(1, last // 8)))
    axes.set_xlim(-0.15, last + 0.15)
    return _svg(figure, name, f"Share of samples that succeed, {x_label}", ())


def tokens_chart(series: Sequence[Series], name: str) -> Markup:
    """Draw success by tokens per sample on a logarithmic axis, with a band for the 95 % interval."""
    figure, axes = _curve_figure("by tokens per sample")
    most = max(line.points[-1].x for line in series)
    least = min(line.points[0].x for line in series)
    for line in series:
        positions = [point.x for point in line.points]
        rates = [point.rate for point in line.points]
        _line(
            axes,
            line.index,
            [*positions, most * 1.02],
            [*rates, rates[-1]],
            step=True,
            band=_band(len(series)),
        )
    axes.set_xscale("log")
    axes.set_xlim(least * 0.95, max(most * 1.02, least * 1.5))
    ticks = [d * 10**e for e in range(12) for d in (1, 2, 5) if least * 0.95 <= d * 10**e <= most * 1.02]
    axes.set_xticks(ticks[:: 1 + len(ticks) // 7], [_short(tick) for tick in ticks[:: 1 + len(ticks) // 7]])
    axes.minorticks_off()
    return _svg(figure, name, "Share of samples that succeed within so many tokens", ())


def _short(tokens: int) -> str:
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if tokens >= size:
            return f"{tokens / size:g}{unit}"
    return str(tokens)


def _band(lines: int) -> float:
    """Give how opaque a band may be: many on top of each other hide the lines."""
    return 0.13 if lines <= _CLEAR_BANDS else 0.05


def _line(
    axes: "Axes",
    index: int,
    positions: Sequence[float],
    rates: Sequence[Rate],
    *,
    step: bool,
    band: float,
) -> None:
    values = [rate.value or 0.0 for rate in rates]
    lows, highs = [rate.low for rate in rates], [rate.high for rate in rates]
    colour = _SERIES[index % PALETTE]
    how: dict[str, Any] = {"step": "post"} if step else {}
    axes.fill_between(positions, lows, highs, color=colour, alpha=band, linewidth=0, **how)
    axes.plot(
        positions,
        values,
        color=colour,
        linewidth=2,
        linestyle=_DASHES[index // PALETTE % len(_DASHES)],
        drawstyle="steps-post" if step else "default",
        marker=None if step else _MARKERS[index % len(_MARKERS)],
        markersize=6,
        markeredgecolor=_PAPER,
    )


def _curve_figure(x_label: str) -> tuple["Figure", "Axes"]:
    figure, axes = _figure(width=350, height=270, left=46, right=10, top=10, bottom=44)
    axes.set_xlabel(x_label, labelpad=6)
    axes.set_ylim(-0.02, 1.02)
    _percents(axes.yaxis)
    return figure, axes


def _percents(axis: Any) -> None:
    axis.set_ticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])


def _figure(
    *, width: int, height: int, left: int, right: int, top: int, bottom: int
) -> tuple["Figure", "Axes"]:
    from matplotlib.figure import Figure  # noqa: PLC0415 - a second of import that only reports should pay

    with _style():
        figure = Figure(figsize=(width / _DAY, height / _DAY), facecolor="none")
        box = (
            left / width,
            bottom / height,
            (width - left - right) / width,
            (height - top - bottom) / height,
        )
        return figure, figure.add_axes(box)


def _style() -> AbstractContextManager[None]:
    from matplotlib import style  # noqa: PLC0415 - see _figure

    # From the library's own defaults, so that nobody's matplotlibrc changes a report.
    context: AbstractContextManager[None] = style.context(["default", _STYLE])
    return context


def _svg(figure: "Figure", name: str, title: str, names: Sequence[str]) -> Markup:
    buffer = io.StringIO()
    with _style():
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return Markup(_inline(buffer.getvalue(), name, title, names))  # noqa: S704 - drawn here, names escaped


def _inline(svg: str, name: str, title: str, names: Sequence[str]) -> str:
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>\s*", "", body, flags=re.DOTALL)
    body = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", body)
    body = re.sub(r"font-family: [^;\"]*;? ?", "", body)
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", body, flags=re.DOTALL)
    for colour, variable in _VARIABLES.items():
        body = body.replace(colour, variable)
    size = re.search(r'viewBox="([^"]+)"', body)
    assert size is not None, "matplotlib always writes a viewBox"
    opening = f'<svg class="chart" viewBox="{size[1]}" role="img" aria-label="{escape(title)}">'
    body = re.sub(r"<svg[^>]*>", lambda _: opening, body, count=1)
    body = re.sub(r"@(\d+)@", lambda match: str(escape(names[int(match[1])])), body)
    return re.sub(r"\n\s*", "\n", body).strip()
