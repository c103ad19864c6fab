"""Verdicts an hour: breaks do not count."""

from __future__ import annotations

import pytest

from rlft_tui.labels.labeling_rate import IDLE_SECONDS, VERDICTS, verdicts_per_hour


def test_unknown_before_five_verdicts() -> None:
    assert verdicts_per_hour([0.0, 10.0, 20.0, 30.0]) is None


def test_ten_seconds_a_verdict_is_360_an_hour() -> None:
    assert verdicts_per_hour([10.0 * n for n in range(20)]) == pytest.approx(360)


def test_a_break_is_left_out() -> None:
    morning = [10.0 * n for n in range(5)]
    evening = [morning[-1] + IDLE_SECONDS + 36_000 + 10.0 * n for n in range(5)]
    assert verdicts_per_hour(morning + evening) == pytest.approx(360)


def test_minutes_elsewhere_are_no_work_of_who_takes_seconds_a_verdict() -> None:
    before = [4.0 * n for n in range(10)]
    after = [before[-1] + 200 + 4.0 * n for n in range(10)]
    assert verdicts_per_hour(before + after) == pytest.approx(900)
    slow = [120.0 * n for n in range(10)]
    assert verdicts_per_hour([*slow, slow[-1] + 280]) == pytest.approx(3600 * 10 / (9 * 120 + 280))


def test_only_the_recent_ones_count() -> None:
    slow = [100.0 * n for n in range(500)]
    fast = [slow[-1] + 10.0 * n for n in range(1, VERDICTS + 1)]
    assert verdicts_per_hour(slow + fast) == pytest.approx(360)


def test_verdicts_at_one_instant_have_no_rate() -> None:
    assert verdicts_per_hour([5.0] * 10) is None
