"""Charts draw any series without failing, and repaint no more than what changed."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.geometry import Region

from rlft_tui.runs.run_status import Series
from rlft_tui.tui.widgets.cells import cell_width
from rlft_tui.tui.widgets.chart import Chart
from rlft_tui.tui.widgets.chart_axis import LABEL, short_number, step_axis, step_label, tick_label, value_axis
from rlft_tui.tui.widgets.chart_plot import ALONE, plot
from rlft_tui.tui.widgets.chart_points import reading, trace, value_range
from tests.widgets.curves import series
from tests.widgets.texts import harmful
from tests.widgets.waiting import until

numbers = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True), st.floats(-1e3, 1e3))


class Charts(App[None]):
    """One chart over the whole screen."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[int | None] = []

    def compose(self) -> ComposeResult:
        yield Chart(id="chart")

    def on_chart_cursor_moved(self, event: Chart.CursorMoved) -> None:
        self.steps.append(event.step)

    @property
    def chart(self) -> Chart:
        return self.query_one(Chart)


def picture(chart: Chart) -> list[str]:
    return [chart.render_line(y).text for y in range(chart.size.height)]


def curve(count: int) -> list[float | None]:
    return [0.7 * math.exp(-index / 60) + 0.02 * math.sin(index * 7.3) for index in range(count)]


@given(st.lists(numbers, max_size=60), st.integers(0, 200), st.integers(20, 90), st.integers(6, 30))
@example([math.nan, math.inf, -math.inf, None], 0, 40, 10)
@example([1.7e308, -1.7e308], 10, 40, 10)
@example([5e-324, 0.0, 1e-323], 10, 40, 10)
@example([3.0] * 20, 100, 40, 10)
@example([1e16, 1e16 + 2], 0, 40, 10)
@settings(max_examples=60)
def test_whatever_a_run_logs_only_shares_reach_plotext(
    values: list[float | None], total: int, width: int, height: int
) -> None:
    raw = Series("k", "", 1, list(range(len(values))), values, list(values), list(reversed(values)),
                 [0] * len(values), len(values))  # fmt: skip
    x = step_axis(len(values), total)
    span = value_range([raw], x)
    y = value_axis(*span, None) if span else value_axis(0, 1, None)
    assert math.isfinite(y.low)
    assert math.isfinite(y.high)
    assert y.low < y.high
    line = trace(raw, x, width)
    for run in line.runs:
        for at, value in run:
            assert 0 <= at <= 1
            assert -1e-9 <= y.share(value) <= 1 + 1e-9
    rows = plot([line], x, y, width, height)
    assert [len(row) for row in rows] == [width] * height
    assert harmful("".join(glyph.character for row in rows for glyph in row)) == ""


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_an_axis_holds_its_values_and_has_short_labels(one: float, other: float) -> None:
    low, high = min(one, other), max(one, other)
    axis = value_axis(low, high, None)
    assert axis.low <= low <= high <= axis.high
    assert 2 <= len(axis.ticks) <= 50
    step = abs(axis.ticks[1] / 2 - axis.ticks[0] / 2) * 2
    if math.isfinite(step):
        assert all(len(tick_label(tick, step)) <= LABEL + 1 for tick in axis.ticks)


def test_the_value_axis_moves_only_when_it_must() -> None:
    axis = value_axis(0.1, 0.9, None)
    assert (axis.low, axis.high) == (0.0, 1.0)
    assert value_axis(0.3, 0.8, axis) is axis
    assert value_axis(0.3, 1.2, axis).high > 1.0
    assert value_axis(0.01, 0.05, axis).high < 1.0


def test_the_step_axis_spans_the_run_or_a_round_number() -> None:
    assert step_axis(10, 300).high == 300
    assert step_axis(180, 0).high == 200
    assert step_axis(201, 0).high == 500
    assert step_axis(400, 300).high == 400
    assert [step_label(value) for value in (0, 500, 1000, 1500, 250_000, 2e6)] == [
        "0", "500", "1k", "1.5k", "250k", "2M",
    ]  # fmt: skip


def test_numbers_are_short() -> None:
    assert [short_number(value) for value in (None, math.nan, -math.inf, 0.123456, 1e-9, 123456.7)] == [
        "–", "NaN", "-∞", "0.1235", "1e-09", "1.235e+05",
    ]  # fmt: skip


def test_down_sampling_keeps_two_points_a_column_and_every_extreme() -> None:
    values: list[float | None] = [0.0] * 10_000
    values[777] = 9.0
    line = trace(series(values), step_axis(9_999, 10_000), 50)
    assert sum(len(run) for run in line.runs) <= 100
    assert max(high for _, high in line.band.values()) == 9.0


def test_a_gap_is_not_drawn_over_and_is_marked() -> None:
    line = trace(series([1.0, 1.0, None, None, 1.0]), step_axis(5, 5), 60)
    assert [len(run) for run in line.runs] == [2, 1]
    assert len(line.bad) == 2


def test_a_reading_is_the_nearest_bin() -> None:
    found = reading(series([1.0, 2.0, 3.0], bin=10, spread=0.5), 16)
    assert found is not None
    assert (found.step, found.mean, found.low, found.high) == (10, 2.0, 1.5, 2.5)
    assert reading(series([]), 3) is None


@pytest.mark.anyio
async def test_a_chart_has_title_unit_value_axes_and_line() -> None:
    app = Charts()
    async with app.run_test(size=(80, 24)) as pilot:
        app.chart.show([series(curve(100), spread=0.05)], steps=200)
        await pilot.pause()
        rows = picture(app.chart)
        assert rows[0].startswith("loss nats  ● 0.1")
        assert rows[-1].split() == ["0", "50", "100", "150", "200"]
        assert any("⠀" < character <= "⣿" for character in "".join(rows))
        assert "░" in "".join(rows)
        assert all(cell_width(row) == 80 for row in rows)


@pytest.mark.anyio
async def test_nan_is_marked_and_counted() -> None:
    app = Charts()
    async with app.run_test(size=(80, 24)) as pilot:
        app.chart.show([series([1.0, None, 0.5, None, 0.4])], steps=5)
        await pilot.pause()
        rows = picture(app.chart)
        assert "✗2 NaN/∞" in rows[0]
        assert rows[-3].count("✗") == 2
        app.chart.show([series([None, None])], steps=5)
        await pilot.pause()
        assert "not finite" in picture(app.chart)[0]


@pytest.mark.anyio
async def test_nothing_one_point_and_nonsense_are_drawn() -> None:
    app = Charts()
    nonsense = Series("\x1b[31mkey\n", "\u202e", 1, [0, 1, 2], [math.nan, 1e308, -1e308], [], [None],
                      [1], 3)  # fmt: skip
    async with app.run_test(size=(80, 24)) as pilot:
        for lines in ([], [series([])], [series([0.5])], [nonsense], [series([0.0] * 50), series([])]):
            app.chart.show(lines, steps=0)
            await pilot.pause()
            assert all(cell_width(row) == 80 and harmful(row) == "" for row in picture(app.chart))
        assert "no values yet" not in picture(app.chart)[0]


@pytest.mark.anyio
@pytest.mark.parametrize("size", [(80, 24), (20, 6), (9, 3), (3, 1), (160, 45)])
async def test_any_size_is_filled(size: tuple[int, int]) -> None:
    app = Charts()
    async with app.run_test(size=size) as pilot:
        app.chart.show([series(curve(300))], steps=400)
        await pilot.pause()
        assert [cell_width(row) for row in picture(app.chart)] == [
            app.chart.size.width
        ] * app.chart.size.height


@pytest.mark.anyio
async def test_a_new_point_repaints_only_a_few_cells() -> None:
    app = Charts()
    async with app.run_test(size=(120, 40)) as pilot:
        chart = app.chart
        chart.show([series(curve(150), spread=0.01)], steps=400)
        await pilot.pause()
        regions: list[Region] = []
        calls: list[int] = []
        repaint = chart.refresh

        def noted(*changed: Region, **options: bool) -> Chart:
            calls.append(len(changed))
            regions.extend(changed)
            return repaint(*changed, **options)

        chart.refresh = noted  # type: ignore[method-assign]
        before = picture(chart)
        chart.show([series(curve(151), spread=0.01)], steps=400)
        after = picture(chart)
        assert before != after
        assert calls == [len(regions)]
        assert 0 < sum(region.area for region in regions) == chart.cells_painted < 60
        inside = {(x, y) for region in regions for y in region.line_range for x in range(*region.column_span)}
        for y, (old, new) in enumerate(zip(before, after, strict=True)):
            assert all((x, y) in inside for x in range(120) if old[x] != new[x])
        calls.clear()
        chart.show([series(curve(151), spread=0.01)], steps=400)
        assert calls == []
        assert chart.cells_painted == 0
        await pilot.pause()


@pytest.mark.anyio
async def test_lines_are_named_and_coloured_apart() -> None:
    app = Charts()
    async with app.run_test(size=(80, 24)) as pilot:
        app.chart.show([series(curve(50)), series([1.0] * 50)], steps=50, names=["base", "tuned"])
        await pilot.pause()
        assert "● base" in picture(app.chart)[0]
        assert "▲ tuned" in picture(app.chart)[0]
        colours = {
            segment.style.color
            for y in range(1, 20)
            for segment in app.chart.render_line(y)
            if segment.style and any("⠀" < character <= "⣿" for character in segment.text)
        }
        assert len(colours) == 2


@pytest.mark.anyio
async def test_the_value_cursor_reads_the_curve() -> None:
    app = Charts()
    async with app.run_test(size=(80, 24)) as pilot:
        chart = app.chart
        chart.show([series([float(index) for index in range(101)], spread=2.0)], steps=100)
        chart.focus()
        await pilot.press("left")
        await until(pilot, lambda: app.steps == [100])
        assert "at step 100  ● 100 (98 to 102)" in picture(chart)[0]
        assert any("│" in row[70:] for row in picture(chart)[1:10])
        await pilot.press("shift+left")
        await until(pilot, lambda: len(app.steps) == 2)
        assert app.steps[-1] is not None
        assert 80 <= app.steps[-1] < 95
        await pilot.click(Chart, offset=(9, 5))
        await until(pilot, lambda: app.steps[-1] == 0)
        await pilot.press("backspace")
        await until(pilot, lambda: app.steps[-1] is None)
        assert "at step" not in picture(chart)[0]


@pytest.mark.anyio
async def test_where_room_is_short_every_line_has_its_value_rather_than_one_its_range() -> None:
    app = Charts()
    async with app.run_test(size=(80, 24)) as pilot:
        chart = app.chart
        lines = [series([float(value + index) for index in range(101)], spread=2.0) for value in (0, 50)]
        chart.show(lines, steps=100, names=["a-run-with-a-name", "another-with-a-name"])
        chart.set_cursor(40)
        await pilot.pause()
        head = picture(chart)[0]
        assert "● a-run-with-a-name 40 " in head
        assert "▲ another-with-a-name 90 " in head
        assert " to " not in head
        chart.show(lines, steps=100, names=["a", "b"])
        await pilot.pause()
        assert "● a 40 (38 to 42)  ▲ b 90 (88 to 92)" in picture(chart)[0]


@pytest.mark.anyio
async def test_at_the_cursor_a_run_that_ended_before_has_no_value() -> None:
    app = Charts()
    async with app.run_test(size=(80, 24)) as pilot:
        app.chart.show([series([2.0] * 100), series([1.0] * 40)], steps=100, names=["long", "short"])
        app.chart.focus()
        await pilot.press("left")
        await until(pilot, lambda: bool(app.steps))
        assert "● long 2  ▲ short –" in picture(app.chart)[0]
        await pilot.click(Chart, offset=(25, 5))
        await until(pilot, lambda: app.steps[-1] is not None and app.steps[-1] < 40)
        assert "▲ short 1" in picture(app.chart)[0]


@pytest.mark.anyio
async def test_zoom_shows_fewer_steps_and_the_cursor_pans() -> None:
    app = Charts()
    async with app.run_test(size=(80, 24)) as pilot:
        chart = app.chart
        chart.show([series(curve(1001))], steps=1000)
        chart.focus()
        chart.set_cursor(500)
        await pilot.press("plus", "plus")
        await pilot.pause()
        labels = [int(label) for label in picture(chart)[-1].split()]
        assert 375 <= labels[0] < labels[-1] <= 625
        for _ in range(12):
            await pilot.press("shift+right")
        assert max(int(label) for label in picture(chart)[-1].split()) > 625
        await pilot.press("minus", "minus", "minus")
        assert picture(chart)[-1].split()[-1] == "1k"


@pytest.mark.anyio
async def test_in_a_zoomed_chart_the_cursor_starts_where_one_looks() -> None:
    app = Charts()
    async with app.run_test(size=(80, 24)) as pilot:
        chart = app.chart
        chart.show([series(curve(1001))], steps=1000)
        chart.focus()
        chart.set_window((250.0, 500.0))
        await pilot.press("right")
        await until(pilot, lambda: app.steps == [500])
        labels = [int(label) for label in picture(chart)[-1].split()]
        assert 250 <= labels[0] < labels[-1] <= 500


@pytest.mark.anyio
async def test_themes_change_the_colours() -> None:
    app = Charts()
    async with app.run_test(size=(80, 24)) as pilot:
        app.theme = "textual-dark"
        app.chart.show([series(curve(50))], steps=50)
        await pilot.pause()
        dark = [list(app.chart.render_line(y)) for y in range(24)]
        app.theme = "textual-light"
        await until(pilot, lambda: [list(app.chart.render_line(y)) for y in range(24)] != dark)
        assert all(segment.style is not None for y in range(24) for segment in app.chart.render_line(y))


@pytest.mark.anyio
async def test_a_single_value_is_a_mark_one_can_see_and_a_unit_that_says_the_title_is_left_out() -> None:
    app = Charts()
    async with app.run_test(size=(60, 12)) as pilot:
        app.chart.show([series([0.5], key="reward", unit="reward")], steps=10)
        await pilot.pause()
        rows = picture(app.chart)
        assert sum(row.count(ALONE) for row in rows[1:]) == 1
        assert rows[0].split()[:2].count("reward") == 1
