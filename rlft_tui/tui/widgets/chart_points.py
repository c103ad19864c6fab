"""Series brought down to what a chart can show: finite points, bands and NaN marks by column."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain, compress, zip_longest
from math import floor

from rlft_tui.record import Record
from rlft_tui.runs.run_status import Series
from rlft_tui.tui.widgets.chart_axis import Axis
from rlft_tui.tui.widgets.chart_scale import STEPS, ChartLook, Clock, smoothed


@dataclass(slots=True)
class Trace:
    """One line, ready to draw. Positions are shares of the x axis, 0..1."""

    runs: list[list[tuple[float, float]]] = field(default_factory=list)
    """(position, mean) of neighbouring points; a new run starts after a gap."""
    band: dict[int, tuple[float, float]] = field(default_factory=dict)
    """Column → lowest and highest value in it."""
    bad: set[int] = field(default_factory=set)
    """Columns with NaN or infinite values."""
    hidden: int = 0
    """Points within the x axis that a logarithmic value axis cannot show."""


class Reading(Record, frozen=True):
    """What a series holds around one step."""

    step: int
    mean: float | None
    smooth: float | None
    """The moving average there; the mean itself without smoothing."""
    low: float | None
    high: float | None
    nonfinite: int


def finite(value: object) -> float | None:
    """The value as a finite float, or None: nothing else may reach plotext, which aborts on NaN."""
    if type(value) is float:  # nearly all are
        return value if math.isfinite(value) else None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            return None
        return number if math.isfinite(number) else None
    return None


def column_of(share: float, columns: int) -> int:
    """The canvas column that plotext uses for a position."""
    return math.floor(share * (columns - 1) + 0.5)


PLAIN = ChartLook()
_Point = tuple[float, float | None, float | None, float | None, int]


def trace(
    series: Series, axis: Axis, columns: int, *, clock: Clock = STEPS, look: ChartLook = PLAIN
) -> Trace:
    """A series down-sampled to two points a column; of what lies outside the axis only the way there is
    drawn, up to the edge."""
    made = Trace()
    band = made.band
    last, final = columns - 1, columns * 2 - 1
    run: list[tuple[float, float]] = []
    bucket, count = -1, 0
    at = value = 0.0
    """The bucket being filled: mean position and mean value of so many points."""
    half = (series.bin - 1) / 2
    shares = axis.shares([clock.at(step + half) for step in series.steps])
    means = smoothed([finite(mean) for mean in series.mean], look.smoothing)
    points = zip_longest(shares, means, map(finite, series.low), map(finite, series.high), series.nonfinite)
    left, right = _edges(shares, means, log=look.log)
    for share, mean, low, high, bad in chain(left, points, right):
        if share is None or not 0 <= share <= 1:
            continue
        column = floor(share * last + 0.5)
        if bad:
            made.bad.add(column)
        if look.log and mean is not None:
            low, high = mean if low is None else low, mean if high is None else high
            if low <= 0:
                made.hidden += 1
            low = low if low > 0 else high
            if mean <= 0:
                mean = None
        if mean is None:
            if count:
                run.append((at, value))
                count = 0
            if run:
                made.runs.append(run)
                run = []
            continue
        low = mean if low is None else low
        high = mean if high is None else high
        if high < low:
            low, high = high, low
        before = band.get(column)
        if before is None:
            band[column] = (low, high)
        elif low < before[0] or high > before[1]:
            band[column] = (min(low, before[0]), max(high, before[1]))
        here = min(final, int(share * 2 * columns))
        if here == bucket and count:
            count += 1
            at += (share - at) / count
            value = value * ((count - 1) / count) + mean / count  # no sum that could overflow
        else:
            if count:
                run.append((at, value))
            bucket, at, value, count = here, share, mean, 1
    if count:
        run.append((at, value))
    if run:
        made.runs.append(run)
    return made


def _edges(
    shares: Sequence[float], means: Sequence[float | None], *, log: bool = False
) -> tuple[list[_Point], list[_Point]]:
    """Where the line crosses the left and the right edge of the chart, between two of its points."""
    found: tuple[list[_Point], list[_Point]] = ([], [])
    for edge, crossing in enumerate(found):
        after = bisect_right(shares, edge) if edge else bisect_left(shares, edge)
        if not 0 < after < len(shares) or shares[after - edge] == edge:
            continue
        one, other = means[after - 1], means[after]
        if one is None or other is None or (log and min(one, other) <= 0):
            continue
        part = (edge - shares[after - 1]) / (shares[after] - shares[after - 1])
        value = one ** (1 - part) * other**part if log else one * (1 - part) + other * part
        crossing.append((float(edge), value, value, value, 0))
    return found


def value_range(
    series: Sequence[Series],
    axis: Axis,
    *,
    clocks: Sequence[Clock] = (),
    look: ChartLook = PLAIN,
    bands: bool = True,
) -> tuple[float, float] | None:
    """Lowest and highest value to show within the x axis, or None when there is none.

    Without ``bands`` only the lines count.
    """
    low, high = math.inf, -math.inf
    for number, one in enumerate(series):
        half = (one.bin - 1) / 2
        clock = clocks[number] if number < len(clocks) else STEPS
        shown: tuple[Sequence[float | None], ...] = (one.mean, one.low, one.high)
        if not bands:
            shown = (smoothed([finite(mean) for mean in one.mean], look.smoothing),)
        places = [clock.at(step + half) for step in one.steps]
        inside = [axis.low <= place <= axis.high for place in places]
        if not all(inside):
            means = smoothed([finite(mean) for mean in one.mean], look.smoothing)
            for point in chain(*_edges(axis.shares(places), means, log=look.log)):
                if (value := point[1]) is not None:
                    low, high = min(low, value), max(high, value)
        for values in shown:
            found = [value for value in map(finite, compress(values, inside)) if value is not None]
            if look.log:
                found = [value for value in found if value > 0]
            if found:
                low, high = min(low, *found), max(high, *found)
    return (low, high) if low <= high else None


def reading(series: Series, step: float, smoothing: float = 0.0) -> Reading | None:
    """The bin of a series that is nearest to a step."""
    if not series.steps:
        return None
    half = (series.bin - 1) / 2
    after = bisect_left(series.steps, step - half)
    near = range(max(0, after - 1), min(len(series.steps), after + 1))
    index = min(near, key=lambda place: abs(series.steps[place] + half - step))
    mean = finite(_at(series.mean, index))
    smooth = mean
    if smoothing and mean is not None:
        smooth = smoothed([finite(value) for value in series.mean[: index + 1]], smoothing)[-1]
    return Reading(
        series.steps[index],
        mean,
        smooth,
        finite(_at(series.low, index)),
        finite(_at(series.high, index)),
        int(_at(series.nonfinite, index) or 0),
    )


def _at(values: Sequence[float | None], index: int) -> float | None:
    return values[index] if index < len(values) else None
