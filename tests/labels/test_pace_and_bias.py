"""Times, sides, lengths and hidden repeats over stored verdicts."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from rlft_tui.database.connection import open_database
from rlft_tui.labels.bias import Bias, log_odds
from rlft_tui.labels.bias_table import bias
from rlft_tui.labels.intervals import share
from rlft_tui.labels.pace import Pace, trend
from rlft_tui.labels.pace_table import pace
from rlft_tui.labels.preference import LabelOperation, Preference, Revocation
from rlft_tui.labels.preferences_table import insert_operations
from rlft_tui.pairs.pairs_table import add_pairs
from rlft_tui.paths import Workspace
from tests.conftest import make_pairs


def measured(
    workspace: Workspace, operations: Sequence[LabelOperation], labeler: str = ""
) -> tuple[Pace, Bias]:
    with open_database(workspace) as database:
        with database.write() as connection:
            add_pairs(connection, make_pairs(200))
            insert_operations(connection, operations)
        with database.reader() as connection:
            return pace(connection, labeler), bias(connection, labeler)


def verdict(n: int, at: float, *, labeler: str = "ada", seconds: float = 10.0) -> Preference:
    return Preference(
        f"{labeler}-{n}", f"pair-{n}", labeler, "a", time_spent_ms=round(1000 * seconds), created_at=at
    )


def test_breaks_are_no_work_and_long_ones_begin_a_session(workspace: Workspace) -> None:
    times = [0, 20, 40, 60, 1000, 1020, 9000, 9020]
    found, _ = measured(workspace, [verdict(n, 1e9 + at, seconds=8 + n) for n, at in enumerate(times)])
    assert (found.verdicts, found.sessions) == (8, 2)
    assert found.active_hours == pytest.approx(100 / 3600)
    assert found.per_hour == pytest.approx(180)
    assert found.median_seconds == pytest.approx(11.5)
    (part,) = found.parts
    assert (part.from_minutes, part.to_minutes, part.verdicts) == (0, 15, 8)
    assert found.trend is None


def test_verdicts_that_take_longer_the_later_they_come_are_fatigue(workspace: Workspace) -> None:
    # Every hour of the session makes a verdict half as long again; a tenth of them are slower still.
    operations = []
    at, n = 1e9, 0
    while at < 1e9 + 2.2 * 3600:
        hours = (at - 1e9) / 3600
        seconds = 60 * 1.5**hours * (1.2 if n % 10 == 0 else 1.0)
        operations.append(verdict(n, at, seconds=seconds))
        at, n = at + seconds, n + 1
    found, _ = measured(workspace, operations)
    assert found.sessions == 1
    assert found.trend is not None
    assert found.trend.percent_per_hour == pytest.approx(50, abs=5)
    assert found.trend.ci95[0] > 30
    assert [part.from_minutes for part in found.parts] == [0, 15, 30, 60, 120]
    medians = [part.median_seconds for part in found.parts]
    assert medians == sorted(medians, key=lambda value: value or 0.0)


def test_imported_verdicts_take_no_time_and_have_no_side(workspace: Workspace) -> None:
    given = [
        Preference("1", "pair-1", "ada", "a", source="import", created_at=5.0),
        Preference("2", "pair-2", "ada", "a", source="ranking:r1", created_at=6.0),
        Preference("3", "pair-3", "ada", "b", shown_first="b", created_at=7.0),
    ]
    found, leaning = measured(workspace, given)
    assert found.verdicts == 1
    assert (leaning.everybody.left.count, leaning.everybody.left.n) == (1, 1)
    assert (leaning.everybody.longer.count, leaning.everybody.longer.n) == (2, 3)


def test_sides_and_lengths_by_labeller(workspace: Workspace) -> None:
    # The answer a of these pairs is the longer one.
    given = [
        Preference(
            f"ada-{n}", f"pair-{n}", "ada", "a", shown_first="a" if n < 30 else "b", created_at=float(n)
        )
        for n in range(40)
    ]
    given += [
        Preference(f"bob-{n}", f"pair-{n}", "bob", "b", shown_first="a", created_at=9.0) for n in range(10)
    ]
    _, found = measured(workspace, given)
    assert (found.everybody.left.count, found.everybody.left.n) == (30, 50)
    ada, bob = found.labelers
    assert (ada.labeler, ada.left.rate, ada.longer.rate) == ("ada", 0.75, 1.0)
    assert ada.left.differs
    assert (bob.left.count, bob.longer.count, bob.longer.n) == (0, 0, 10)
    assert ada.longer_logit == pytest.approx(math.log(40.5 / 0.5))
    assert ada.longer_logit_ci95 is not None
    assert 0 < ada.longer_logit_ci95[0] < ada.longer_logit < ada.longer_logit_ci95[1]
    assert bob.repeats.same.rate is None


def test_hidden_repeats_measure_self_agreement_and_the_pull_of_a_side(workspace: Workspace) -> None:
    first = [
        Preference(f"f{n}", f"pair-{n}", "ada", "a", shown_first="a", created_at=float(n)) for n in range(6)
    ]
    again = [
        Preference("old", "pair-0", "ada", "b", shown_first="b", source="repeat", created_at=99.0),
        Preference("r0", "pair-0", "ada", "a", shown_first="b", source="repeat", created_at=100.0),
        Preference("r1", "pair-1", "ada", "b", shown_first="b", source="repeat", created_at=101.0),
        Preference("r2", "pair-2", "ada", "b", shown_first="b", source="repeat", created_at=102.0),
        Preference("r3", "pair-3", "ada", "tie", shown_first="b", source="repeat", created_at=103.0),
        Preference("r4", "pair-4", "ada", "b", shown_first="b", source="repeat", created_at=104.0),
        Revocation("x", "r4", "ada", created_at=105.0),
    ]
    times, found = measured(workspace, [*first, *again], "ada")
    repeats = found.everybody.repeats
    assert (repeats.same.count, repeats.same.n) == (1, 4)
    assert (repeats.left_twice, repeats.right_twice) == (2, 0)
    assert repeats.ceiling is None
    assert (times.parts[0].repeats.count, times.parts[0].repeats.n) == (1, 5)
    assert found.everybody.left.n == 6
    assert found.labelers == ()


def test_nothing_given_is_nothing_measured(workspace: Workspace) -> None:
    found, leaning = measured(workspace, [])
    assert (found.verdicts, found.per_hour, found.median_seconds, found.parts) == (0, None, None, ())
    assert leaning.everybody.left.rate is None
    assert (leaning.everybody.longer_logit, leaning.labelers) == (None, ())


def test_a_share_of_all_is_still_uncertain() -> None:
    assert share(0, 0).rate is None
    few, many = share(5, 5), share(500, 500)
    assert few.low < 0.6
    assert many.low > 0.99
    assert share(5, 10).differs is False
    odds, interval = log_odds(5, 10)
    assert odds == 0
    assert interval is not None
    assert interval[0] == -interval[1]


def test_too_few_times_have_no_trend() -> None:
    assert trend(19, 0.1, 1.0, 1.0) is None
    assert trend(50, None, None, None) is None
    exact = trend(50, math.log(2), 1.0, math.log(2) ** 2)
    assert exact is not None
    assert exact.percent_per_hour == pytest.approx(100)
