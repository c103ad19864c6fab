"""X axes of steps, time and tokens; smoothing; logarithmic values; windows by mouse."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult

from rlft_tui.runs.run_status import Series
from rlft_tui.tui.widgets.chart import Chart
from rlft_tui.tui.widgets.chart_axis import Axis, LogAxis, log_axis, time_axis, time_label
from rlft_tui.tui.widgets.chart_colours import MOST_LINES, line_mark
from rlft_tui.tui.widgets.chart_picture import ChartDrawing, svg
from rlft_tui.tui.widgets.chart_points import trace, value_range
from rlft_tui.tui.widgets.chart_scale import ChartLook, Clock, smoothed
from tests.widgets.curves import series

LOG = ChartLook(log=True)


def test_a_clock_tells_time_by_step_and_step_by_time_and_never_goes_back() -> None:
    clock = Clock(series([0.0, 10.0, 8.0, 30.0]))
    assert [clock.at(step) for step in (0, 0.5, 1, 2, 3)] == [0, 5, 10, 10, 30]
    assert clock.at(99) == clock.last == 30
    assert clock.step_at(20) == 2.5
    assert Clock().at(7) == Clock().step_at(7) == 7
    assert Clock(series([])).at(3) == 0


def test_smoothing_begins_at_the_first_value_and_leaves_gaps() -> None:
    assert smoothed([2.0, None, 2.0, 2.0], 0.9) == pytest.approx([2.0, None, 2.0, 2.0])
    assert smoothed([0.0, 1.0], 0.5) == [0.0, pytest.approx(2 / 3)]
    assert smoothed([1.0, 5.0], 0.0) == [1.0, 5.0]


@given(st.floats(1e-300, 1e300), st.floats(1e-300, 1e300))
def test_a_log_axis_holds_its_values_and_rises(one: float, other: float) -> None:
    low, high = min(one, other), max(one, other)
    axis = log_axis(low, high, None)
    assert 0 < axis.low <= low * (1 + 1e-9)
    assert high <= axis.high * (1 + 1e-9)
    assert 2 <= len(axis.ticks) <= 7
    assert list(axis.ticks) == sorted(set(axis.ticks))
    assert -1e-9 <= axis.share(low) <= axis.share(high) <= 1 + 1e-9


def test_a_log_axis_moves_only_when_it_must() -> None:
    axis = log_axis(0.002, 0.9, None)
    assert (axis.low, axis.high) == (0.001, 1.0)
    assert log_axis(0.004, 0.5, axis) is axis
    assert log_axis(0.004, 3.0, axis).high > 1.0


def test_values_that_a_log_axis_cannot_show_are_counted_not_drawn() -> None:
    one = series([1.0, 0.0, -1.0, 10.0])
    x = time_axis(0, 3)
    assert value_range([one], x, look=LOG) == (1.0, 10.0)
    line = trace(one, x, 40, look=LOG)
    assert line.hidden == 2
    assert [len(run) for run in line.runs] == [1, 1]
    assert isinstance(log_axis(1.0, 10.0, None), LogAxis)


def test_times_are_named_by_round_minutes_and_hours() -> None:
    assert [time_label(value) for value in (0, 0.5, 59, 60, 90, 3600, 5400, 86400, 180000)] == [
        "0", "0.5s", "59s", "1m", "1m30", "1h", "1h30", "1d", "2d02h",
    ]  # fmt: skip
    assert time_axis(0, 1700, 4, whole=True).labels == ("0", "10m", "20m", "30m")
    assert time_axis(0, 0.3).high == 0.3


def test_every_line_has_its_own_colour_and_mark() -> None:
    assert len({(number % 6, line_mark(number)) for number in range(MOST_LINES)}) == MOST_LINES


class Charts(App[None]):
    def compose(self) -> ComposeResult:
        yield Chart()


@pytest.mark.anyio
async def test_the_mouse_zooms_pans_and_reads() -> None:
    app = Charts()
    async with app.run_test(size=(80, 24)) as pilot:
        chart = app.query_one(Chart)
        chart.show([series([float(n) for n in range(1001)])], steps=1000)
        await pilot.pause()
        await pilot.mouse_down(Chart, offset=(20, 5))
        await pilot.hover(Chart, offset=(50, 5))
        await pilot.mouse_up(Chart, offset=(50, 5))
        assert chart.window is not None
        low, high = chart.window
        assert 140 < low < 180
        assert 560 < high < 600
        chart.action_pan(0.25)
        assert chart.window[0] == pytest.approx(low + (high - low) / 4)
        chart.action_pan(99)
        assert chart.window[1] == pytest.approx(1000)
        await pilot.click(Chart, offset=(40, 5))
        assert chart.cursor_step is not None
        assert "loss = " in chart.value_text()
        chart.focus()
        await pilot.press("backspace")
        assert (chart.window, chart.cursor_step) == (None, None)


@pytest.mark.anyio
async def test_many_lines_log_values_and_a_time_axis_fill_the_chart() -> None:
    app = Charts()
    async with app.run_test(size=(100, 20)) as pilot:
        chart = app.query_one(Chart)
        lines = [series([math.exp(-n / 20) * (k + 1) for n in range(60)]) for k in range(30)]
        clocks = [Clock(series([n * 2.0 for n in range(60)])) for _ in lines]
        chart.show(lines, clocks=clocks, look=ChartLook("time", 0.9, log=True), last=118.0)
        await pilot.pause()
        text = [chart.render_line(y).text for y in range(chart.size.height)]
        assert len(chart.series) == MOST_LINES
        assert "log" in text[0]
        assert "+" in text[0]
        assert "2m" in text[-1]


def test_a_picture_has_every_line_by_name_and_nothing_harmful() -> None:
    one = series([1.0, None, 3.0], key="<loss>", unit="nats")
    drawing = ChartDrawing("<loss>", [one, series([2.0, 2.0, 2.0])], names=["run & one", "two"])
    text = svg(drawing)
    assert text.count("<polyline") == 1
    assert text.count("<circle") == 2, "points beside a gap are dots"
    assert "&lt;loss&gt; (nats)" in text
    assert "run &amp; one" in text
    assert "<loss>" not in text


def test_a_line_runs_on_to_the_edges_of_a_zoomed_chart() -> None:
    means: list[float | None] = [0.0, 1.0, 3.0]
    one = Series("loss", "", 1, [0, 10, 20], means, means, means, [0, 0, 0], 3)
    within = Axis(5, 15, (5.0, 15.0))
    ((first, *_, last),) = trace(one, within, 40).runs
    assert first == (0.0, pytest.approx(0.5))
    assert last == (1.0, pytest.approx(2.0))
    assert value_range([one], within) == pytest.approx((0.5, 2.0))
    between = Axis(12, 18, (12.0, 18.0))
    assert trace(one, between, 40).runs == [[(0.0, pytest.approx(1.4)), (1.0, pytest.approx(2.6))]]
    exact = Axis(0, 10, (0.0, 10.0))
    assert trace(one, exact, 40).runs == [[(0.0, 0.0), (1.0, 1.0)]]


def test_close_values_have_round_numbers_around_them_on_a_log_axis_too() -> None:
    axis = log_axis(0.66, 0.7, None)
    assert (axis.low, axis.high) == pytest.approx((0.66, 0.7))
    assert len(axis.ticks) >= 3
