"""A chart that is drawn again looks as if it had been drawn whole."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlft_tui.tui.widgets import chart_redraw
from rlft_tui.tui.widgets.chart_axis import step_axis, value_axis
from rlft_tui.tui.widgets.chart_plot import LEFT, plot
from rlft_tui.tui.widgets.chart_points import Trace
from rlft_tui.tui.widgets.chart_redraw import Redraw

X, Y = step_axis(100, 100), value_axis(0, 1, None)
shares = st.floats(0, 1)


@st.composite
def lines(draw: st.DrawFn) -> Trace:
    """A line of up to 60 points with some gaps."""
    made = Trace(runs=[[]])
    for place in sorted(draw(st.lists(shares, max_size=60, unique=True))):
        if made.runs[-1] and draw(st.integers(0, 9)) == 0:
            made.runs.append([])
        made.runs[-1].append((place, draw(shares)))
    made.runs = [run for run in made.runs if run]
    return made


@st.composite
def followers(draw: st.DrawFn, line: Trace) -> Trace:
    """The line as it may be one look later: alike, longer, after a gap, or another one."""
    runs = [list(run) for run in line.runs]
    end = runs[-1][-1][0] if runs else 0.0
    kind = draw(st.sampled_from(["alike", "longer", "gap", "other"]))
    if kind == "other":
        return draw(lines())
    if kind == "longer" and runs:
        runs[-1][-1] = (end, draw(shares))
        runs[-1] += [(end + 0.005, draw(shares))] if end < 0.99 else []
    if kind == "gap" and end < 0.98:
        runs.append([(end + 0.015, draw(shares))])
    return Trace(runs=runs)


@given(st.data(), st.integers(1, 3), st.integers(LEFT + 6, 80), st.integers(5, 12))
@settings(max_examples=150, deadline=None)
def test_a_chart_drawn_again_is_the_chart_drawn_whole(
    data: st.DataObject, count: int, width: int, height: int
) -> None:
    again = Redraw()
    traces = [data.draw(lines()) for _ in range(count)]
    for _ in range(4):
        assert again.plot(traces, X, Y, width, height) == plot(traces, X, Y, width, height)
        traces = [data.draw(followers(trace)) for trace in traces]


def test_only_the_columns_that_changed_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[int, int]] = []
    whole = chart_redraw.plot_columns

    def watched(traces: list[Trace], y: object, first: int, last: int, *size: int) -> object:
        drawn.append((first, last))
        return whole(traces, Y, first, last, *size)

    monkeypatch.setattr(chart_redraw, "plot_columns", watched)
    again, run = Redraw(), [(place / 200, 0.5) for place in range(100)]
    before = again.plot([Trace(runs=[run])], X, Y, LEFT + 101, 20)
    after = again.plot([Trace(runs=[[*run, (0.5, 0.9)]])], X, Y, LEFT + 101, 20)
    assert drawn == [(49, 51)]
    assert [new is old for new, old in zip(after, before, strict=True)].count(False) < 10
    again.plot([Trace(runs=[[*run, (0.5, 0.9)]])], X, Y, LEFT + 101, 20)
    assert len(drawn) == 1
