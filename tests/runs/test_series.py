"""Curves: bins that never change once they are past, and totals that add up."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.metrics.series import Curve, RunCurves
from rlft_tui.runs.run_event import RunEvent
from rlft_tui.runs.run_status import Series

POINTS = st.lists(st.tuples(st.integers(0, 5000), st.floats(width=32)), min_size=1, max_size=200)
RISING = POINTS.map(lambda points: sorted(points, key=lambda point: point[0]))


def curve(points: list[tuple[int, float]]) -> Curve:
    made = Curve("loss")
    for step, value in points:
        made.add(step, value)
    return made


def columns(series: Series, count: int) -> list[object]:
    return [
        column[:count] for column in (series.steps, series.mean, series.low, series.high, series.nonfinite)
    ]


@settings(derandomize=True, deadline=None)
@given(POINTS, st.integers(1, 60))
def test_bins_hold_every_point_once_whatever_their_size(points: list[tuple[int, float]], wanted: int) -> None:
    series = curve(points).series(wanted)
    assert series.total == len(points)
    assert len(series.steps) <= max(wanted, 1)
    assert all(step % series.bin == 0 for step in series.steps)
    for at, first in enumerate(series.steps):
        inside = [value for step, value in points if first <= step < first + series.bin]
        finite = [value for value in inside if math.isfinite(value)]
        assert inside
        assert series.nonfinite[at] == len(inside) - len(finite)
        assert series.low[at] == (min(finite) if finite else None)
        assert series.high[at] == (max(finite) if finite else None)
        mean = series.mean[at]
        assert (mean is None) == (not finite)
        if mean is not None:
            assert mean == pytest.approx(
                math.fsum(finite) / len(finite), rel=1e-6, abs=1e-30 + 1e-6 * max(map(abs, finite))
            )


@settings(derandomize=True, deadline=None)
@given(RISING, RISING, st.integers(1, 60))
def test_points_that_come_later_never_change_old_bins(
    before: list[tuple[int, float]], later: list[tuple[int, float]], wanted: int
) -> None:
    made = curve(before)
    old = made.series(wanted)
    for step, value in later:
        made.add(before[-1][0] + step, value)
    new = made.series(wanted)
    if new.bin == old.bin:
        past = len(old.steps) - 1
        assert columns(new, past) == columns(old, past)
    assert new == curve([*before, *((before[-1][0] + step, value) for step, value in later)]).series(wanted)


def test_few_points_are_all_there() -> None:
    series = curve([(0, 1.0), (10, 2.0), (20, math.nan)]).series(500)
    assert (series.bin, series.steps, series.mean) == (1, [0, 10, 20], [1.0, 2.0, None])
    assert series.nonfinite == [0, 0, 1]


def test_values_too_large_to_add_up_still_have_a_finite_mean() -> None:
    series = curve([(0, 1.7e308), (0, 1.7e308)]).series(1)
    assert series.mean == [pytest.approx(1.7e308)]


def metrics(step: int, **values: float | str) -> RunEvent:
    return RunEvent("metrics", float(step), {"step": step, "values": values})


@pytest.mark.parametrize(
    "logged", [(1, 2, 3, 4, 5, 6, 7), (1, 3, 2, 4, 5, 7, 6)], ids=["in order", "not in order"]
)
def test_a_resumed_run_draws_its_steps_once(logged: tuple[int, ...]) -> None:
    curves = RunCurves()
    for step in logged:
        curves.apply(metrics(step, loss=float(step)))
    curves.apply(RunEvent("start", 10.0, {"attempt": 2}))
    for step in (5, 6):
        curves.apply(metrics(step, loss=-float(step)))
    (series,) = curves.series(["loss"], 100)
    assert series.steps == [1, 2, 3, 4, 5, 6]
    assert series.mean == [1, 2, 3, 4, -5, -6]


def test_keys_by_name_and_by_expression() -> None:
    curves = RunCurves()
    curves.apply(metrics(1, **{"rewards/chosen": 1.0, "rewards/rejected": 0.5, "loss": "NaN"}))
    assert [series.key for series in curves.series(["/^rewards/"], 10)] == [
        "rewards/chosen",
        "rewards/rejected",
    ]
    assert [series.key for series in curves.series([], 10)] == ["rewards/chosen", "rewards/rejected", "loss"]
    curves.apply(metrics(1, **{"two\nlines": 2.0}))
    assert curves.series(["lines"], 10)[0].mean == [2.0], "by the name that summaries give it"
    with pytest.raises(NotFoundError, match="Did you mean rewards/chosen"):
        curves.series(["rewards/chosn"], 10)
    with pytest.raises(RlftError, match="not a regular expression"):
        curves.series(["/(/"], 10)


def test_units_and_non_finite_values_are_kept() -> None:
    curves = RunCurves()
    curves.apply(
        RunEvent("metrics", 1.0, {"step": 1, "values": {"kl": "Infinity"}, "units": {"kl": "nats/sequence"}})
    )
    (series,) = curves.series(["kl"], 10)
    assert (series.unit, series.nonfinite, series.mean) == ("nats/sequence", [1], [None])
